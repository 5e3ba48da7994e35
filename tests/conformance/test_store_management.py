"""What every `gateway.store.base.Management` does."""

import json
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from gateway.model import AccountState, Profile, Secret
from gateway.store.base import SourceCount
from gateway.store.postgres import PostgresStore
from tests.helpers.postgres import fetch
from tests.helpers.rows import FIRST, adoption, handle, password
from tests.helpers.stores import Store

HOUR = timedelta(hours=1)
ACTIVE, BLOCKED, DELETED = AccountState.ACTIVE, AccountState.BLOCKED, AccountState.DELETED


async def adopted(store: Store, legacy_id: str = "7", **named: object) -> UUID:
    wanted = adoption(legacy_id, **named)  # type: ignore[arg-type]  # the test's own words
    assert await store.accounts.adopt(wanted)
    return wanted.account_id


async def test_an_account_is_shown_as_it_was_adopted(store: Store) -> None:
    """Operators see what logins see."""
    alice = await adopted(store)
    [found] = await store.accounts.find("shop", "alice")
    assert await store.management.get(alice) == found.account
    assert await store.management.get(uuid4()) is None


async def test_a_block_ends_sessions_and_an_unblock_brings_none_back(store: Store) -> None:
    """The blocked user logs in again afterwards; the old browser stays out."""
    alice = await adopted(store)
    await store.sessions.open(account_id=alice, app="shop", handle=handle("a"), lifetime=HOUR, proven=FIRST)
    blocked = await store.management.set_state(alice, BLOCKED, actor="cli")
    assert blocked is not None
    assert blocked.state is BLOCKED
    active = await store.management.set_state(alice, ACTIVE, actor="cli")
    assert active is not None
    assert active.state is ACTIVE
    assert await store.sessions.live("shop", handle("a")) is None
    assert await store.sessions.open(account_id=alice, app="shop", handle=handle("b"),
                                     lifetime=HOUR, proven=FIRST) is not None


async def test_a_tombstone_keeps_nothing_but_its_identity(postgres: PostgresStore, database: Secret) -> None:
    """Password, previous and pending ones, profile and aliases are gone from every table."""
    profile = Profile(username="markeduser", email="marked@shop.test", name="Marked", attributes={"k": "markedvalue"})
    alice = await adopted(postgres, aliases=("markedalias",), profile=profile, password_text="marked 1")
    await postgres.passwords.follow(alice, old=password("marked 1").encoded, new=password("marked 2"), legacy_seen=None)
    await postgres.changes.begin(alice, password("marked 3"))
    await postgres.sessions.open(account_id=alice, app="shop", handle=handle("a"), lifetime=HOUR, proven=FIRST)
    deleted = await postgres.management.set_state(alice, DELETED, actor="cli")
    assert deleted is not None
    assert (deleted.id, deleted.source, deleted.legacy_id, deleted.state) == (alice, "shop", "7", DELETED)
    assert (deleted.profile, deleted.aliases) == (Profile(), ())
    assert await postgres.sessions.live("shop", handle("a")) is None
    tables = await fetch(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    held = [str(dict(row)).lower() for table in tables for row in await fetch(database, f"TABLE {table['tablename']}")]
    assert len(held) > 3
    marks = ("marked", *(str(password(f"marked {number}").held)[2:-1].lower() for number in (1, 2, 3)))
    assert not [row for row in held if any(mark in row for mark in marks)]


@pytest.mark.parametrize("state", list(AccountState))
async def test_a_deletion_is_final(store: Store, state: AccountState) -> None:
    """A tombstone is returned unchanged, whatever is asked."""
    alice = await adopted(store)
    deleted = await store.management.set_state(alice, DELETED, actor="cli")
    assert await store.management.set_state(alice, state, actor="cli") == deleted


async def test_nobody_cannot_be_blocked(postgres: PostgresStore, database: Secret) -> None:
    """An unknown account is an answer, and leaves no audit entry."""
    assert await postgres.management.set_state(uuid4(), BLOCKED, actor="cli") is None
    assert await fetch(database, "SELECT FROM audit") == []


async def test_each_change_of_state_is_audited_and_no_other_call_is(postgres: PostgresStore, database: Secret) -> None:
    """Who did it, from which state; asking for the state that is there is no change."""
    alice = await adopted(postgres)
    for state in (BLOCKED, BLOCKED, ACTIVE, DELETED, ACTIVE):
        await postgres.management.set_state(alice, state, actor="api")
    entries = await fetch(database, "SELECT event, actor, account_id, detail FROM audit WHERE event <> 'adopted'"
                                    " ORDER BY id")
    assert [(entry["event"], json.loads(entry["detail"])) for entry in entries] == [
        ("blocked", {"from": "active"}), ("unblocked", {"from": "blocked"}), ("deleted", {"from": "active"})]
    assert {(entry["actor"], entry["account_id"]) for entry in entries} == {("api", alice)}


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "TRUNCATE audit"])
async def test_the_audit_trail_is_append_only(postgres: PostgresStore, database: Secret, statement: str) -> None:
    """The database itself refuses to change or remove what was done."""
    await adopted(postgres)
    with pytest.raises(Exception, match="append-only"):
        await fetch(database, statement)
    assert len(await fetch(database, "SELECT FROM audit")) == 1


@pytest.mark.parametrize("text", ["żółć", "ZOE", "zoe@", "gęślą", "member-9", ""])
async def test_a_search_finds_names_without_case_beyond_ascii(store: Store, text: str) -> None:
    """User name, e-mail, name and aliases are looked through; the database's collation does not matter."""
    profile = Profile(username="Zażółć", email="Zoe@Shop.test", name="GĘŚLĄ Jaźń")
    zoe = await adopted(store, "9", aliases=("MEMBER-9",), profile=profile)
    found = await store.management.search(text=text, state=None, after=None, limit=10)
    assert [account.id for account in found] == [zoe]


@pytest.mark.parametrize("text", ["nobody", "%", "_", "a\0b", "alice\nalice"])
async def test_a_search_takes_its_text_as_it_is(store: Store, text: str) -> None:
    """Patterns of SQL are plain characters, and what cannot be stored is not found."""
    await adopted(store)
    assert list(await store.management.search(text=text, state=None, after=None, limit=10)) == []


async def test_pages_follow_one_another_without_gap_or_repetition(store: Store) -> None:
    """Each page begins after the last id of the one before."""
    ids = sorted([await adopted(store, str(number), aliases=(f"user{number}",)) for number in range(7)])
    pages, after = [], None
    while page := await store.management.search(text="", state=None, after=after, limit=3):
        pages.append([account.id for account in page])
        after = page[-1].id
    assert pages == [ids[:3], ids[3:6], ids[6:]]


async def test_a_search_and_the_counts_tell_states_apart(store: Store) -> None:
    """One of three is blocked, one deleted, and another source has its own count."""
    one, two, three = [await adopted(store, str(number)) for number in range(3)]
    await adopted(store, "1", source="wiki")
    await store.management.set_state(two, BLOCKED, actor="cli")
    await store.management.set_state(three, DELETED, actor="cli")
    found = {state: await store.management.search(text="", state=state, after=None, limit=10)
             for state in AccountState}
    assert one in {account.id for account in found[ACTIVE]}
    assert [account.id for account in found[BLOCKED]] == [two]
    assert [account.id for account in found[DELETED]] == [three]
    assert list(await store.management.counts()) == [
        SourceCount(source="shop", state=ACTIVE, accounts=1), SourceCount(source="shop", state=BLOCKED, accounts=1),
        SourceCount(source="shop", state=DELETED, accounts=1), SourceCount(source="wiki", state=ACTIVE, accounts=1)]


async def test_an_empty_store_counts_nothing(store: Store) -> None:
    """No account, no row."""
    assert list(await store.management.counts()) == []
