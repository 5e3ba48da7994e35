"""What every `gateway.store.base.Passwords` does."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

from gateway.model import AccountState, Secret
from gateway.store.base import Candidate
from gateway.store.postgres import PostgresStore
from tests.helpers.postgres import fetch
from tests.helpers.rows import FIRST, adoption, handle, password
from tests.helpers.stores import Store

HOUR = timedelta(hours=1)


async def adopted(store: Store) -> UUID:
    wanted = adoption(password_text="first", legacy_seen=b"seen at first")
    assert await store.accounts.adopt(wanted)
    return wanted.account_id


async def current(store: Store) -> Candidate:
    found = await store.accounts.find_legacy("shop", "7")
    assert found is not None
    return found


async def test_the_current_password_is_no_previous_one(store: Store) -> None:
    """A fresh account has held nothing before."""
    alice = await adopted(store)
    assert await store.passwords.is_previous(alice, password("first").held) is False
    assert await store.passwords.is_previous(uuid4(), password("first").held) is False


async def test_a_rehash_changes_the_encoding_and_nothing_else(store: Store) -> None:
    """The same password under stronger parameters makes no previous password and ends no session."""
    alice = await adopted(store)
    session = await store.sessions.open(account_id=alice, app="shop", handle=handle("a"), lifetime=HOUR, proven=FIRST)
    assert await store.passwords.rehash(alice, old=FIRST, new=password("first, stronger")) is True
    assert (await current(store)).credential.encoded == password("first, stronger").encoded
    assert (await current(store)).credential.legacy_seen == b"seen at first"
    assert await store.passwords.is_previous(alice, password("first").held) is False
    assert await store.sessions.live("shop", handle("a")) == session


async def test_a_rehash_that_comes_too_late_changes_nothing(store: Store) -> None:
    """A password changed in the meantime is not put back by a rehash of the old one."""
    alice = await adopted(store)
    assert await store.passwords.follow(alice, old=password("first").encoded, new=password("second"), legacy_seen=None)
    assert await store.passwords.rehash(alice, old=FIRST, new=password("first, stronger")) is False
    assert (await current(store)).credential.encoded == password("second").encoded


async def test_follow_makes_the_new_password_current_and_the_old_one_previous(store: Store) -> None:
    """What the legacy side confirmed replaces what the store held, in one step."""
    alice = await adopted(store)
    assert await store.passwords.follow(alice, old=password("first").encoded, new=password("second"),
                                        legacy_seen=b"seen now") is True
    assert (await current(store)).credential.encoded == password("second").encoded
    assert (await current(store)).credential.legacy_seen == b"seen now"
    assert await store.passwords.is_previous(alice, password("first").held) is True
    assert await store.passwords.is_previous(alice, password("second").held) is False


async def test_follow_ends_all_sessions_and_drops_pending_changes(store: Store) -> None:
    """Whoever knew the old password is out, and no older change can be promoted over the new one."""
    alice = await adopted(store)
    await store.sessions.open(account_id=alice, app="shop", handle=handle("a"), lifetime=HOUR, proven=FIRST)
    change = await store.changes.begin(alice, password("third"))
    await store.passwords.follow(alice, old=password("first").encoded, new=password("second"), legacy_seen=None)
    assert await store.sessions.live("shop", handle("a")) is None
    assert (await current(store)).pending == ()
    assert await store.changes.promote(change, legacy_seen=None, keep_session=None) is False
    assert (await current(store)).credential.encoded == password("second").encoded


async def test_follow_loses_against_a_change_in_the_meantime(store: Store) -> None:
    """When the old password is not the current one any more, nothing happens."""
    alice = await adopted(store)
    assert await store.passwords.follow(alice, old=password("first").encoded, new=password("second"), legacy_seen=None)
    assert await store.passwords.follow(alice, old=password("first").encoded, new=password("third"),
                                        legacy_seen=None) is False
    assert (await current(store)).credential.encoded == password("second").encoded
    assert await store.passwords.is_previous(alice, password("third").held) is False


async def test_a_previous_password_is_never_followed(store: Store) -> None:
    """Once held and replaced, a password stays wrong, whatever the legacy side says."""
    alice = await adopted(store)
    await store.passwords.follow(alice, old=password("first").encoded, new=password("second"), legacy_seen=None)
    assert await store.passwords.follow(alice, old=password("second").encoded, new=password("first"),
                                        legacy_seen=None) is False
    assert (await current(store)).credential.encoded == password("second").encoded


async def test_a_blocked_or_deleted_account_follows_nothing(store: Store) -> None:
    """An operator's block that came first wins."""
    alice = await adopted(store)
    for state in (AccountState.BLOCKED, AccountState.DELETED):
        await store.management.set_state(alice, state, actor="cli")
        assert await store.passwords.follow(alice, old=password("first").encoded, new=password("second"),
                                            legacy_seen=None) is False
    assert await store.passwords.follow(uuid4(), old=Secret(""), new=password("x"), legacy_seen=None) is False


async def test_of_parallel_follows_one_wins(store: Store) -> None:
    """Twenty different new passwords confirmed at once leave one current and the old one previous."""
    alice = await adopted(store)
    answers = await asyncio.gather(*(
        store.passwords.follow(alice, old=password("first").encoded, new=password(f"new {number}"), legacy_seen=None)
        for number in range(20)))
    assert answers.count(True) == 1
    assert (await current(store)).credential.encoded == password(f"new {answers.index(True)}").encoded


async def test_the_legacy_hash_last_seen_is_noted_for_the_password_it_goes_with(store: Store) -> None:
    """A note that belongs to a password since replaced is dropped."""
    alice = await adopted(store)
    await store.passwords.note_seen(alice, encoded=password("first").encoded, legacy_seen=b"seen again")
    assert (await current(store)).credential.legacy_seen == b"seen again"
    await store.passwords.note_seen(alice, encoded=password("other").encoded, legacy_seen=b"too late")
    assert (await current(store)).credential.legacy_seen == b"seen again"


async def test_no_audit_entry_holds_a_password(postgres: PostgresStore, database: Secret) -> None:
    """Neither an encoding nor a digest is written beside what happened."""
    alice = await adopted(postgres)
    await postgres.passwords.follow(alice, old=password("first").encoded, new=password("second"), legacy_seen=None)
    entries = [str(tuple(entry)) for entry in await fetch(database, "SELECT * FROM audit")]
    assert len(entries) == 2
    assert not any("argon2id" in entry or password("first").held.hex() in entry for entry in entries)


async def test_parallel_follows_leave_one_trace(postgres: PostgresStore, database: Secret) -> None:
    """One previous password and one audit entry, whoever won."""
    alice = await adopted(postgres)
    await asyncio.gather(*(
        postgres.passwords.follow(alice, old=password("first").encoded, new=password(text), legacy_seen=None)
        for text in ("second", "third", "fourth")))
    assert len(await fetch(database, "SELECT FROM previous_passwords")) == 1
    assert len(await fetch(database, "SELECT FROM audit WHERE event = 'password followed'")) == 1
