"""What commands print."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.output import complain, plain, print_json, print_properties, print_table, table

HOSTILE = "\x1b[2Jbob\r\n\x07\x9b31m\u202egnp.exe\u2028"


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    """Headings and cells stand under one another; a line does not end in blanks."""
    assert table([{"id": 1, "last_login_at": "now"}, {"id": 1000, "last_login_at": None}]) == [
        "ID    LAST LOGIN AT",
        "1     now",
        "1000  -",
    ]


@pytest.mark.parametrize(("value", "shown"), [
    (None, "-"), ("", "-"), ([], "-"), ((), "-"), (0, "0"), (False, "False"), ("Zażółć", "Zażółć"),
    (["alice", "alice@shop.test"], "alice, alice@shop.test"), (["a\x1b", "b"], "a�, b"),
])
def test_value_for_a_persons_eyes(value: object, shown: str) -> None:
    """Nothing is a dash, a list is its entries, everything else its text."""
    assert plain(value) == shown


@given(st.text() | st.just(HOSTILE))
def test_no_text_steers_a_terminal(text: str) -> None:
    """No control character, no change of direction and no line break of a stored name comes through."""
    shown = "".join(table([{"name": text}])[1:]) + plain([text])
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(st.text() | st.just(HOSTILE))
def test_no_json_steers_a_terminal(text: str) -> None:
    """JSON is printed in ASCII, and says the same."""
    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr("builtins.print", said.append)
        print_json({"name": text})
    [printed] = said
    assert all(" " <= character <= "~" or character == "\n" for character in printed if character != "\x7f")
    assert json.loads(printed) == {"name": text}


def test_table_or_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty table says what there is none of."""
    print_table([], empty="no accounts")
    print_table([{"id": 1}], empty="no accounts")
    assert capsys.readouterr().out == "no accounts\nID\n1\n"


def test_properties(capsys: pytest.CaptureFixture[str]) -> None:
    """One thing is shown line by line."""
    print_properties({"id": 1, "aliases": ["a", "b"], "last_login_at": None})
    assert capsys.readouterr().out == "id             1\naliases        a, b\nlast_login_at  -\n"


def test_complaints_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """What went wrong is not among the results."""
    complain("the store is down")
    assert capsys.readouterr() == ("", "the store is down\n")
