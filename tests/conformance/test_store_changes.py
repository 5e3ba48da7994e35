"""What every `gateway.store.base.Changes` does."""

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


async def test_a_change_that_was_begun_alters_nothing_yet(store: Store) -> None:
    """Until the legacy side confirms it, the old password is the current one."""
    alice = await adopted(store)
    change = await store.changes.begin(alice, password("second"))
    found = await current(store)
    assert found.credential.encoded == password("first").encoded
    assert [pending.id for pending in found.pending] == [change]


async def test_promotion_makes_the_change_current_and_ends_the_other_sessions(store: Store) -> None:
    """The session that asked for the change goes on; all others end."""
    alice = await adopted(store)
    kept = await store.sessions.open(account_id=alice, app="shop", handle=handle("kept"), lifetime=HOUR, proven=FIRST)
    await store.sessions.open(account_id=alice, app="shop", handle=handle("other"), lifetime=HOUR, proven=FIRST)
    assert kept is not None
    change = await store.changes.begin(alice, password("second"))
    assert await store.changes.promote(change, legacy_seen=b"seen now", keep_session=kept.id) is True
    found = await current(store)
    assert found.credential.encoded == password("second").encoded
    assert found.credential.legacy_seen == b"seen now"
    assert found.pending == ()
    assert await store.passwords.is_previous(alice, password("first").held) is True
    assert await store.sessions.live("shop", handle("kept")) == kept
    assert await store.sessions.live("shop", handle("other")) is None


async def test_a_blocked_account_promotes_nothing_until_it_is_active_again(store: Store) -> None:
    """An operator's block that came first wins; the change waits, for the app has made it."""
    alice = await adopted(store)
    change = await store.changes.begin(alice, password("second"))
    await store.management.set_state(alice, AccountState.BLOCKED, actor="cli")
    assert await store.changes.promote(change, legacy_seen=None, keep_session=None) is False
    assert (await current(store)).credential.encoded == password("first").encoded
    assert [pending.id for pending in (await current(store)).pending] == [change]
    await store.management.set_state(alice, AccountState.ACTIVE, actor="cli")
    assert await store.changes.promote(change, legacy_seen=None, keep_session=None) is True
    assert (await current(store)).credential.encoded == password("second").encoded


async def test_without_a_session_to_keep_all_end(store: Store) -> None:
    """A change that a later login confirms leaves no older session."""
    alice = await adopted(store)
    await store.sessions.open(account_id=alice, app="shop", handle=handle("a"), lifetime=HOUR, proven=FIRST)
    change = await store.changes.begin(alice, password("second"))
    assert await store.changes.promote(change, legacy_seen=None, keep_session=None)
    assert await store.sessions.live("shop", handle("a")) is None


async def test_a_change_is_promoted_once(store: Store) -> None:
    """Ten parallel promotions of one change are one change of password."""
    alice = await adopted(store)
    change = await store.changes.begin(alice, password("second"))
    answers = await asyncio.gather(*(
        store.changes.promote(change, legacy_seen=None, keep_session=None) for _ in range(10)))
    assert sorted(answers) == [False] * 9 + [True]
    assert await store.passwords.is_previous(alice, password("second").held) is False


async def test_a_dropped_change_is_gone(store: Store) -> None:
    """What the legacy side did not confirm leaves no trace, and cannot be promoted later."""
    alice = await adopted(store)
    change = await store.changes.begin(alice, password("second"))
    await store.changes.drop(change)
    await store.changes.drop(change)
    assert await store.changes.promote(change, legacy_seen=None, keep_session=None) is False
    assert (await current(store)).pending == ()
    assert (await current(store)).credential.encoded == password("first").encoded


async def test_an_overtaken_change_goes_and_a_later_one_stays(store: Store) -> None:
    """Promoting the second of three drops the first, so that a late answer cannot bring it back."""
    alice = await adopted(store)
    first, second, third = [await store.changes.begin(alice, password(text)) for text in ("a", "b", "c")]
    assert await store.changes.promote(second, legacy_seen=None, keep_session=None) is True
    assert await store.changes.promote(first, legacy_seen=None, keep_session=None) is False
    assert [pending.id for pending in (await current(store)).pending] == [third]
    assert (await current(store)).credential.encoded == password("b").encoded


async def test_a_user_may_return_to_an_old_password_on_the_apps_page(store: Store) -> None:
    """It is the current one again, not a previous one, until it is replaced again."""
    alice = await adopted(store)
    for text in ("second", "first"):
        change = await store.changes.begin(alice, password(text))
        assert await store.changes.promote(change, legacy_seen=None, keep_session=None)
    assert (await current(store)).credential.encoded == password("first").encoded
    assert await store.passwords.is_previous(alice, password("first").held) is False
    assert await store.passwords.is_previous(alice, password("second").held) is True


async def test_a_change_to_the_same_password_does_not_make_it_a_previous_one(store: Store) -> None:
    """An app that lets a user keep their password does not lock them out."""
    alice = await adopted(store)
    change = await store.changes.begin(alice, password("first"))
    assert await store.changes.promote(change, legacy_seen=None, keep_session=None)
    assert await store.passwords.is_previous(alice, password("first").held) is False


async def test_a_deleted_account_keeps_no_password_of_a_change(store: Store) -> None:
    """A change begun before the deletion goes with it; one begun after is as good as gone."""
    alice = await adopted(store)
    before = await store.changes.begin(alice, password("second"))
    await store.management.set_state(alice, AccountState.DELETED, actor="cli")
    after = await store.changes.begin(alice, password("third"))
    for change in (before, after):
        assert await store.changes.promote(change, legacy_seen=None, keep_session=None) is False


async def test_a_change_that_nobody_began_is_gone(store: Store) -> None:
    """An unknown change is an answer, not an error."""
    assert await store.changes.promote(uuid4(), legacy_seen=None, keep_session=None) is False
    await store.changes.drop(uuid4())


async def test_a_follow_and_a_promotion_at_once_leave_one_history(store: Store) -> None:
    """Whoever comes second sees what the first has done: the first password is previous, one new is current."""
    alice = await adopted(store)
    for number in range(10):
        old = (await current(store)).credential.encoded
        change = await store.changes.begin(alice, password(f"changed {number}"))
        followed, promoted = await asyncio.gather(
            store.passwords.follow(alice, old=old, new=password(f"followed {number}"), legacy_seen=None),
            store.changes.promote(change, legacy_seen=None, keep_session=None))
        assert followed != promoted
        expected = password(f"followed {number}" if followed else f"changed {number}").encoded
        assert (await current(store)).credential.encoded == expected
        assert (await current(store)).pending == ()


async def test_parallel_promotions_leave_one_audit_entry(postgres: PostgresStore, database: Secret) -> None:
    """One change of password is told once."""
    change = await postgres.changes.begin(await adopted(postgres), password("second"))
    await asyncio.gather(*(
        postgres.changes.promote(change, legacy_seen=None, keep_session=None) for _ in range(5)))
    assert len(await fetch(database, "SELECT FROM audit WHERE event = 'password changed'")) == 1


async def test_a_deletion_leaves_no_change_in_the_table(postgres: PostgresStore, database: Secret) -> None:
    """Neither one begun before nor one begun after it."""
    alice = await adopted(postgres)
    await postgres.changes.begin(alice, password("second"))
    await postgres.management.set_state(alice, AccountState.DELETED, actor="cli")
    await postgres.changes.begin(alice, password("third"))
    assert await fetch(database, "SELECT FROM pending_changes") == []
