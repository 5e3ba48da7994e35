"""The parameters of the list of accounts."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from gateway.admin.users import (
    DEFAULT_LIMIT,
    LARGEST_LIMIT,
    LONGEST_TEXT,
    Search,
    parse_search,
)
from gateway.errors import RequestRefused
from gateway.model import AccountState

ID = UUID("0197b2a4-5c1e-7d3f-9a60-2f4f6c0e8b11")


def test_nothing_asked_is_everything() -> None:
    """Without parameters the first page of all accounts is meant."""
    assert parse_search(MultiDict()) == Search(text="", state=None, after=None, limit=DEFAULT_LIMIT)


def test_every_parameter_is_read() -> None:
    """Each one narrows the list in its own way."""
    query = MultiDict([("q", "Zażółć"), ("state", "blocked"), ("after", str(ID)), ("limit", "7")])
    assert parse_search(query) == Search(text="Zażółć", state=AccountState.BLOCKED, after=ID, limit=7)


@pytest.mark.parametrize("limit", ["1", "50", str(LARGEST_LIMIT)])
def test_limits_are_numbers_within_bounds(limit: str) -> None:
    """Both ends belong to it."""
    assert parse_search(MultiDict(limit=limit)).limit == int(limit)


@pytest.mark.parametrize(("name", "value"), [
    ("limit", "0"), ("limit", str(LARGEST_LIMIT + 1)), ("limit", "-1"), ("limit", "ten"), ("limit", ""),
    ("limit", "1e1"), ("limit", " 5"), ("limit", "٥"), ("limit", "9" * 5000),
    ("state", ""), ("state", "ACTIVE"), ("state", "imported"),
    ("after", ""), ("after", "17"), ("after", str(ID).replace("-", "")), ("after", f"{{{ID}}}"),
    ("after", f"urn:uuid:{ID}"), ("after", str(ID)[:-1]),
    ("q", "a\x00b"), ("q", "a\nb"), ("q", "\ud800"), ("q", "a" * (LONGEST_TEXT + 1)),
    ("page", "2"), ("Q", "a"), ("", ""),
])
def test_a_parameter_that_is_not_right_is_refused(name: str, value: str) -> None:
    """It gets 400 and a sentence that says what is right, without repeating what was sent."""
    with pytest.raises(RequestRefused) as refused:
        parse_search(MultiDict([(name, value)]))
    assert refused.value.status == 400
    assert refused.value.reason.endswith(".")
    assert not value or len(value) < 4 or value not in refused.value.reason


@pytest.mark.parametrize("name", ["q", "state", "after", "limit"])
def test_a_parameter_given_twice_is_refused(name: str) -> None:
    """Nobody has to guess which one counts."""
    with pytest.raises(RequestRefused, match="twice"):
        parse_search(MultiDict([(name, "1"), (name, "1")]))


@given(st.dictionaries(st.sampled_from(["q", "state", "after", "limit"]), st.text()))
def test_any_query_is_read_or_refused(query: dict[str, str]) -> None:
    """What a client sends leads to a search within its bounds, or to 400, and to nothing else."""
    try:
        search = parse_search(MultiDict(query))
    except RequestRefused:
        return
    assert 1 <= search.limit <= LARGEST_LIMIT
    assert "\x00" not in search.text
    assert search.text.encode().decode() == search.text
