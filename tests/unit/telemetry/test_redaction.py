"""What a log may show of a value."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, quote_plus
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import AdapterUnavailable
from gateway.errors import StoreUnavailable
from gateway.model import AccountState, Credentials, Secret
from gateway.telemetry.redaction import CAUSES, DEPTH, ITEMS, MASK, SEARCHED_LENGTH, Redactor

MARK = "Zażółć/gęślą &15€"
PLAIN = Redactor()


@pytest.mark.parametrize("name", [
    "password", "new_password1", "PASSWORD", "passwd", "passphrase", "pwd", "token", "csrfmiddlewaretoken",
    "access_token", "client_secret", "cookie", "Set-Cookie", "authorization", "Proxy-Authorization",
    "encoded_hash", "hash", "credentials", "private_key", "encryption_key", "api_key", "dsn", "sessionid",
    "X-Sluicegate-Assertion",
])
def test_a_field_that_is_called_like_a_secret_is_masked(name: str) -> None:
    """Its value is not looked at, whatever it is."""
    assert PLAIN.fields({name: MARK}) == {name: MASK}
    assert PLAIN.fields({name: [MARK]}) == {name: MASK}
    assert PLAIN.fields({name: 123456}) == {name: MASK}


@pytest.mark.parametrize("name", ["app", "source", "outcome", "account", "request_id", "kid", "passed", "path"])
def test_other_fields_are_shown(name: str) -> None:
    """The words of the gateway's own lines are readable."""
    assert PLAIN.fields({name: "value"}) == {name: "value"}


@pytest.mark.parametrize(("value", "shown"), [
    (None, None), (True, True), (7, 7), (0.5, 0.5), ("text", "text"),
    (AccountState.ACTIVE, "active"),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31 00:00:00+00:00"),
    (Path("/etc/x"), "/etc/x"),
    (b"bytes\xff", "bytes\\xff"),
    ((1, "a"), [1, "a"]),
    ({"n": {"m": 1}}, {"n": {"m": 1}}),
])
def test_plain_values_are_shown(value: object, shown: object) -> None:
    """What JSON knows, or what has one obvious text, is shown as that."""
    assert PLAIN.value(value) == shown


@dataclass
class Anything:
    """Is an object whose repr tells all."""

    secret: str = MARK


@pytest.mark.parametrize(("value", "shown"), [
    (Secret(MARK), MASK),
    (Credentials(identifier=MARK, password=Secret(MARK)), "<Credentials>"),
    (Anything(), "<Anything>"),
    ([Secret(MARK), Anything()], [MASK, "<Anything>"]),
    ({"user": {"password": MARK, "name": "n"}}, {"user": {"password": MASK, "name": "n"}}),
    (lambda: MARK, "<test_what_has_no_plain_value_shows_its_type>"),
])
def test_what_has_no_plain_value_shows_its_type(value: object, shown: object) -> None:
    """A secret is masked, and the repr of an object is never asked for."""
    if callable(value):
        shown = f"<{type(value).__qualname__}>"
    assert PLAIN.value(value) == shown


@pytest.mark.parametrize("form", [
    MARK, f"postgresql://u:{quote(MARK, safe='')}@h/db", quote(MARK), quote_plus(MARK), json.dumps({"a": MARK}),
    f"before {MARK} after {MARK}",
])
def test_a_known_secret_is_masked_wherever_it_occurs(form: str) -> None:
    """Plain, in a URL, in JSON, twice: the process's own secrets do not show."""
    shown = Redactor(Secret(MARK)).text(form)
    assert MASK in shown
    assert "gęślą" not in shown
    assert "%C4%99" not in shown
    assert "\\u0119" not in shown


def test_a_secret_in_a_name_is_masked() -> None:
    """A field's name may have been made from a value."""
    assert Redactor(Secret(MARK)).fields({f"x{MARK}": 1}) == {f"x{MASK}": 1}


def test_a_short_secret_is_masked_alone() -> None:
    """A short one is not searched for within words, where it would mask half the log."""
    redactor = Redactor(Secret("the"))
    assert len("the") < SEARCHED_LENGTH
    assert redactor.text("the") == MASK
    assert redactor.text("other") == "other"


def test_a_secret_that_holds_another_goes_whole() -> None:
    """Of two secrets, one within the other, no rest of the longer one is left."""
    assert Redactor(Secret("abcdef"), Secret("abcdefghij")).text("=abcdefghij=") == f"={MASK}="


def test_secrets_can_be_told_later() -> None:
    """What the process learns after its start is masked from then on, and what it knew still is."""
    redactor = Redactor(Secret("first-secret"))
    redactor.know(Secret("second-secret"), Secret(""))
    assert redactor.text("first-secret, second-secret") == f"{MASK}, {MASK}"
    assert redactor.text("") == ""


def test_a_redactor_does_not_show_what_it_knows() -> None:
    """It may be in somebody's repr."""
    assert repr(Redactor(Secret(MARK))) == "Redactor(***)"


@given(st.recursive(st.text() | st.binary() | st.integers() | st.just(MARK),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)))
def test_no_nesting_hides_a_known_secret(value: object) -> None:
    """Whatever holds it, the text does not come out, and what comes out is JSON."""
    assert "gęślą" not in json.dumps(Redactor(Secret(MARK)).value(value), ensure_ascii=False)


def test_depth_and_size_are_bounded() -> None:
    """A deep or long value does not make a line without end."""
    value: object = "x"
    for _ in range(DEPTH + 3):
        value = [value]
    assert json.dumps(PLAIN.value(value)).count("[") == DEPTH
    shown = PLAIN.value(list(range(1000)))
    assert isinstance(shown, list)
    assert len(shown) == ITEMS
    assert len(PLAIN.fields({str(number): number for number in range(1000)})) == ITEMS


def fails(error: Exception) -> None:
    raise error


def caught(error: Exception) -> Exception:
    """Return an exception as somebody caught it."""
    try:
        fails(error)
    except Exception as found:  # noqa: BLE001  # any is what this test is about
        return found
    raise AssertionError


def test_a_foreign_exception_shows_type_and_place() -> None:
    """Its text may hold a value, so it is not shown."""
    shown = PLAIN.value(caught(ValueError(MARK)))
    assert MARK not in str(shown)
    assert isinstance(shown, dict)
    assert shown["type"] == "builtins.ValueError"
    assert str(shown["at"]).count("fails") == 1
    assert "says" not in shown


@pytest.mark.parametrize("error", [
    StoreUnavailable("the store does not answer"), AdapterUnavailable("the store does not answer")])
def test_an_error_of_ours_shows_its_text(error: Exception) -> None:
    """These texts are written to be shown, and known secrets are masked even there."""
    shown = Redactor(Secret("answer")).value(caught(error))
    assert isinstance(shown, dict)
    assert shown["says"] == f"the store does not {MASK}"


def chained(count: int) -> Exception:
    """Return an exception with so many causes below it."""
    error: Exception = ValueError(MARK)
    for _ in range(count):
        try:
            raise StoreUnavailable("down") from error
        except StoreUnavailable as outer:
            error = outer
    return error


def test_causes_are_shown_outermost_first() -> None:
    """What led to an error is named by type, without the foreign text."""
    shown = PLAIN.value(chained(1))
    assert isinstance(shown, list)
    assert [link["type"] for link in shown if isinstance(link, dict)] == [
        "gateway.errors.StoreUnavailable", "builtins.ValueError"]
    assert MARK not in str(shown)


def test_a_long_chain_is_cut() -> None:
    """An error that was wrapped for ever makes a bounded line."""
    shown = PLAIN.value(chained(CAUSES * 2))
    assert isinstance(shown, list)
    assert len(shown) == CAUSES


def test_the_context_counts_unless_it_was_suppressed() -> None:
    """An exception during the handling of another shows both, `from None` one."""
    for suppress, links in ((False, 2), (True, 1)):
        try:
            try:
                raise ValueError(MARK)
            except ValueError:
                if suppress:
                    raise StoreUnavailable("down") from None
                raise StoreUnavailable("down")  # noqa: B904  # that is the case in question
        except StoreUnavailable as error:
            shown = PLAIN.value(error)
            assert (len(shown) if isinstance(shown, list) else 1) == links


def test_a_group_shows_its_members() -> None:
    """What a TaskGroup raises names each failure in it."""
    shown = PLAIN.value(ExceptionGroup(MARK, [ValueError(MARK), StoreUnavailable("down")]))
    assert isinstance(shown, dict)
    assert MARK not in str(shown)
    assert "gateway.errors.StoreUnavailable" in str(shown["errors"])
