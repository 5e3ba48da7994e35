"""Accounts and sources as JSON."""

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

from gateway.admin.shapes import account_json, migration_json, page_json, timestamp
from gateway.model import Account, AccountState, Phase, Profile
from gateway.store.base import SourceCount

ID = UUID("0197b2a4-5c1e-7d3f-9a60-2f4f6c0e8b11")
ACCOUNT = Account(
    id=ID, source="shop-users", legacy_id="17", state=AccountState.ACTIVE,
    profile=Profile(username="alice", email="alice@shop.test", name="Alice Moreau",
                    attributes={"old_password_column": "hunter2"}),
    aliases=("alice", "alice@shop.test"),
    created_at=datetime(2026, 1, 31, 12, 0, 0, 123_456, tzinfo=UTC), last_login_at=None)


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


def test_a_full_page_names_the_next_one() -> None:
    """The account after which the next page begins is named only if there is a next page."""
    assert page_json([ACCOUNT], 1) == {"users": [account_json(ACCOUNT)], "next": None}
    assert page_json([ACCOUNT, ACCOUNT], 1) == {"users": [account_json(ACCOUNT)], "next": str(ID)}
    assert page_json([], 1) == {"users": [], "next": None}


def test_every_source_is_shown_with_all_states() -> None:
    """A source without accounts has zeros; sources come by name."""
    counts = [SourceCount(source="shop-users", state=AccountState.ACTIVE, accounts=1841),
              SourceCount(source="shop-users", state=AccountState.DELETED, accounts=12)]
    assert migration_json({"wiki": Phase.MIGRATE, "shop-users": Phase.COMPLETE}, counts) == [
        {"source": "shop-users", "phase": "complete", "accounts": {"active": 1841, "blocked": 0, "deleted": 12}},
        {"source": "wiki", "phase": "migrate", "accounts": {"active": 0, "blocked": 0, "deleted": 0}},
    ]


def test_accounts_of_a_former_source_are_not_forgotten() -> None:
    """A source without a phase is shown as long as it has accounts."""
    counts = [SourceCount(source="former", state=AccountState.BLOCKED, accounts=3)]
    assert migration_json({}, counts) == [
        {"source": "former", "phase": None, "accounts": {"active": 0, "blocked": 3, "deleted": 0}}]


def test_nothing_is_an_empty_list() -> None:
    """A new gateway has no sources to show."""
    assert migration_json({}, []) == []
