"""The parameters of the list of accounts, and the JSON of one."""

import json
from datetime import UTC, datetime, timedelta, timezone
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
    account_json,
    parse_search,
    timestamp,
)
from gateway.errors import RequestRefused
from gateway.model import Account, AccountState, Profile

ID = UUID("0197b2a4-5c1e-7d3f-9a60-2f4f6c0e8b11")
ACCOUNT = Account(
    id=ID, source="shop-users", legacy_id="17", state=AccountState.ACTIVE,
    profile=Profile(username="alice", email="alice@shop.test", name="Alice Moreau",
                    attributes={"old_password_column": "hunter2"}),
    aliases=("alice", "alice@shop.test"),
    created_at=datetime(2026, 1, 31, 12, 0, 0, 123_456, tzinfo=UTC), last_login_at=None)


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


def test_an_account_is_shown_as_documented() -> None:
    """Every documented member is there, and no other."""
    assert account_json(ACCOUNT) == {
        "id": str(ID), "source": "shop-users", "legacy_id": "17", "state": "active", "username": "alice",
        "email": "alice@shop.test", "name": "Alice Moreau", "aliases": ["alice", "alice@shop.test"],
        "created_at": "2026-01-31T12:00:00.123Z", "last_login_at": None}


def test_attributes_are_not_shown() -> None:
    """What a source's own query selected may be anything, an old hash included."""
    assert "hunter2" not in json.dumps(account_json(ACCOUNT))


def test_times_are_utc_to_the_millisecond() -> None:
    """Whatever the store's time zone, RFC 3339 with a Z comes out."""
    east = timezone(timedelta(hours=2))
    assert timestamp(datetime(2026, 1, 31, 14, 0, 0, 999_999, tzinfo=east)) == "2026-01-31T12:00:00.999Z"
