"""A login while a password change is pending: the app was asked for it, and its answer never came.

Alice has crossed with her first password, and has asked the app for the second. Each rule holds for both
kinds of source.
"""

import asyncio
from functools import partial

import bcrypt
import pytest

from gateway.accounts.decision import Granted, MustAsk, Reason, Way
from gateway.errors import LegacyUnavailable
from gateway.model import AccountState, Credentials, Outcome, Secret
from tests.helpers.crossing import Crossing

FIRST, SECOND, THIRD = "first-pw-1", "second-pw-2", "third-pw-3"


@pytest.fixture
async def pending(crossing: Crossing) -> Crossing:
    await crossing.granted("alice", FIRST)
    await crossing.begin_change("1", SECOND)
    crossing.legacy.asked.clear()
    return crossing


async def changes(crossing: Crossing) -> int:
    return len((await crossing.account("1")).pending)


async def test_a_change_that_happened_is_confirmed_by_the_next_login(pending: Crossing) -> None:
    """The new password, which the legacy side takes, becomes the current one, and older sessions end."""
    await pending.session("1")
    pending.legacy.set_password("1", SECOND)
    granted = await pending.granted("alice", SECOND)
    assert granted.way is Way.FOLLOWED
    assert granted.encoded == (await pending.account("1")).credential.encoded
    assert await changes(pending) == 0
    assert not await pending.is_live()
    assert await pending.denied("alice", FIRST) is Reason.PREVIOUS_PASSWORD


async def test_the_hash_that_the_change_wrote_is_the_one_last_seen(by_hash: Crossing) -> None:
    """A confirmed change notes the legacy hash that confirmed it."""
    await by_hash.granted("alice", FIRST)
    await by_hash.begin_change("1", SECOND)
    by_hash.legacy.set_password("1", SECOND)
    granted = await by_hash.granted("alice", SECOND)
    assert granted.legacy_seen == by_hash.hasher.seen(by_hash.legacy.rows["1"].encoded_hash)


async def test_the_old_password_is_denied_after_a_change_that_happened(pending: Crossing) -> None:
    """The store still holds it as the current one, but the legacy side knows better; the new one is awaited."""
    pending.legacy.set_password("1", SECOND)
    before = await pending.account("1")
    assert await pending.denied("alice", FIRST) is Reason.WRONG_PASSWORD
    assert await pending.account("1") == before
    assert (await pending.granted("alice", SECOND)).way is Way.FOLLOWED


async def test_the_old_password_ends_a_change_that_did_not_happen(pending: Crossing) -> None:
    """The legacy side still takes it: granted, and nothing is pending any more."""
    before = (await pending.account("1")).credential
    assert (await pending.granted("alice", FIRST)).way is Way.STORE
    assert await changes(pending) == 0
    assert (await pending.account("1")).credential == before
    pending.legacy.asked.clear()
    await pending.granted("alice", FIRST)
    assert pending.legacy.asked == []


async def test_the_new_password_is_denied_after_a_change_that_did_not_happen(pending: Crossing) -> None:
    """The legacy side does not take it: denied, forgotten, and the old one goes on without a question."""
    assert await pending.denied("alice", SECOND) is Reason.WRONG_PASSWORD
    assert await changes(pending) == 0
    pending.legacy.asked.clear()
    assert (await pending.granted("alice", FIRST)).way is Way.STORE
    assert pending.legacy.asked == []


async def test_any_other_password_leaves_the_change_pending(pending: Crossing) -> None:
    """A typing error says nothing about it."""
    assert await pending.denied("alice", "wrong") is Reason.WRONG_PASSWORD
    assert await changes(pending) == 1


async def test_a_third_password_of_the_legacy_side_is_followed(pending: Crossing) -> None:
    """Changed there once more since: that one counts, and the pending change has been overtaken."""
    pending.legacy.set_password("1", THIRD)
    assert (await pending.granted("alice", THIRD)).way is Way.FOLLOWED
    assert await changes(pending) == 0


async def test_while_nobody_can_be_asked_the_store_grants_the_current_password(pending: Crossing) -> None:
    """Source down with a fall-back: what the store holds as current is granted, and the change stays pending."""
    pending.legacy.is_away = True
    assert (await pending.granted("alice", FIRST)).way is Way.STORE
    assert await changes(pending) == 1


async def test_while_nobody_can_be_asked_the_new_password_is_not_decided(pending: Crossing) -> None:
    """Source down without a fall-back: an outage, neither right nor wrong, and the change stays pending."""
    pending.legacy.is_away = True
    with pytest.raises(LegacyUnavailable):
        await pending.log_in("alice", SECOND)
    assert await changes(pending) == 1


async def test_a_hash_that_nobody_can_read_leaves_the_change_pending(pending: Crossing) -> None:
    """`unsupported_hash` says nothing of a change: the store decides about the current password as without one."""
    pending.legacy.set_hash("1", "$unheard-of$")
    assert (await pending.granted("alice", FIRST)).way is Way.STORE
    assert await pending.shown("alice", SECOND) is Outcome.UNSUPPORTED_HASH
    assert await changes(pending) == 1


async def test_a_hindrance_leaves_the_change_pending(pending: Crossing) -> None:
    """A user who is locked there is granted by the store, as without a change, and the app has its say."""
    pending.legacy.hinder("1", Outcome.LOCKED)
    assert (await pending.granted("alice", FIRST)).way is Way.STORE
    assert await changes(pending) == 1
    pending.legacy.set_password("1", SECOND)
    assert await pending.shown("alice", SECOND) is Outcome.LOCKED
    assert await changes(pending) == 1


async def test_a_pending_change_is_settled_in_the_last_phase_too(pending: Crossing) -> None:
    """`complete`: no follow, but whether a change happened only the legacy side knows."""
    await pending.complete()
    pending.legacy.set_password("1", SECOND)
    assert (await pending.granted("alice", SECOND)).way is Way.FOLLOWED
    await pending.begin_change("1", THIRD)
    assert (await pending.granted("alice", SECOND)).way is Way.STORE
    assert await changes(pending) == 0


async def test_a_pending_change_is_settled_where_changes_are_ignored(pending: Crossing) -> None:
    """It was asked for through the gateway, so it is no change behind its back."""
    pending.follow_nothing()
    pending.legacy.set_password("1", SECOND)
    assert (await pending.granted("alice", SECOND)).way is Way.FOLLOWED


@pytest.mark.parametrize("is_complete", [True, False])
async def test_where_nothing_is_followed_only_the_pending_password_is_asked_about(
    pending: Crossing, is_complete: bool
) -> None:
    """Any other never-held password is denied without a question."""
    if is_complete:
        await pending.complete()
    else:
        pending.follow_nothing()
    pending.legacy.set_password("1", THIRD)
    assert await pending.denied("alice", THIRD) is Reason.WRONG_PASSWORD
    assert pending.legacy.asked == []


async def test_a_user_may_change_back_to_a_previous_password(pending: Crossing) -> None:
    """Asked for on the app's own page and taken by the legacy side, it is current again; before that, wrong."""
    pending.legacy.set_password("1", SECOND)
    await pending.granted("alice", SECOND)
    assert await pending.denied("alice", FIRST) is Reason.PREVIOUS_PASSWORD
    await pending.begin_change("1", FIRST)
    assert await pending.denied("alice", FIRST) is Reason.WRONG_PASSWORD
    await pending.begin_change("1", FIRST)
    pending.legacy.set_password("1", FIRST)
    assert (await pending.granted("alice", FIRST)).way is Way.FOLLOWED
    assert await pending.denied("alice", SECOND) is Reason.PREVIOUS_PASSWORD


async def test_a_change_back_to_a_previous_password_says_that_it_was_held(pending: Crossing) -> None:
    """An app that takes every password it ever knew must not be given this one before the gateway's question."""
    pending.legacy.set_password("1", SECOND)
    await pending.granted("alice", SECOND)
    await pending.begin_change("1", FIRST)
    await pending.begin_change("1", THIRD)
    for password, was_held in ((FIRST, True), (THIRD, False)):
        must = await pending.login.look_up(pending.rules, Credentials(identifier="alice", password=Secret(password)))
        assert isinstance(must, MustAsk)
        assert must.change is not None
        assert must.was_held is was_held


async def test_a_change_back_that_nobody_can_confirm_is_not_left_to_the_app(by_hash: Crossing) -> None:
    """A password of before stays denied until the legacy side says yes to it; the change stays pending."""
    await by_hash.granted("alice", FIRST)
    by_hash.legacy.set_password("1", SECOND)
    await by_hash.granted("alice", SECOND)
    await by_hash.begin_change("1", FIRST)
    by_hash.legacy.set_hash("1", "$unheard-of$")
    assert await by_hash.denied("alice", FIRST) is Reason.PREVIOUS_PASSWORD
    assert await changes(by_hash) == 1


async def test_of_several_changes_the_one_that_was_typed_is_settled(pending: Crossing) -> None:
    """It takes those begun before it along; those begun later may still be confirmed."""
    await pending.begin_change("1", THIRD)
    await pending.begin_change("1", "fourth-pw-4")
    pending.legacy.set_password("1", THIRD)
    assert (await pending.granted("alice", THIRD)).way is Way.FOLLOWED
    assert await changes(pending) == 1
    pending.legacy.set_password("1", "fourth-pw-4")
    assert (await pending.granted("alice", "fourth-pw-4")).way is Way.FOLLOWED
    assert await changes(pending) == 0


async def test_a_login_costs_the_same_however_many_changes_are_pending(pending: Crossing) -> None:
    """One digest tells a pending password: whoever begins many changes makes no later login dearer."""
    for number in range(20):
        await pending.begin_change("1", f"number-{number}")
    pending.jobs.clear()
    typed = Credentials(identifier="alice", password=Secret("number-19"))
    assert isinstance(await pending.login.look_up(pending.rules, typed), MustAsk)
    assert len(pending.jobs) == 2


async def test_under_another_name_a_pending_change_is_settled_alike(pending: Crossing) -> None:
    """The account that the legacy id has decides, its pending changes included."""
    pending.legacy.rename("1", "liddell")
    pending.legacy.set_password("1", SECOND)
    assert (await pending.granted("liddell", SECOND)).way is Way.FOLLOWED
    await pending.begin_change("1", THIRD)
    assert (await pending.granted("liddell", SECOND)).way is Way.STORE
    assert await changes(pending) == 0


async def test_under_another_name_a_hash_that_nobody_wrote_confirms_nothing(by_hash: Crossing) -> None:
    """A change to a variant that a lenient hash opens did not happen while the hash is the one last seen."""
    by_hash.legacy.set_hash("1", bcrypt.hashpw(FIRST.encode(), bcrypt.gensalt(rounds=4)).decode())
    await by_hash.granted("alice", FIRST)
    for name in ("alice", "liddell"):
        await by_hash.begin_change("1", f"{FIRST}\0")
        by_hash.legacy.rename("1", name)
        assert await by_hash.denied(name, f"{FIRST}\0") is Reason.WRONG_PASSWORD
        assert await changes(by_hash) == 0
    assert (await by_hash.granted("alice", FIRST)).way is Way.STORE


# Races.


async def test_of_two_logins_that_confirm_one_change_both_are_granted(pending: Crossing) -> None:
    """It is promoted once; the other finds the new password current."""
    pending.legacy.set_password("1", SECOND)
    decisions = await asyncio.gather(pending.log_in("alice", SECOND), pending.log_in("alice", SECOND))
    ways = [decision.way for decision in decisions if isinstance(decision, Granted)]
    assert sorted(ways) == [Way.FOLLOWED, Way.STORE]


async def test_a_change_that_another_login_confirmed_first_is_current_beside_a_later_one(pending: Crossing) -> None:
    """The later one stays pending, and the typed password is granted as the current one."""
    await pending.begin_change("1", THIRD)
    first, _ = (await pending.account("1")).pending
    pending.legacy.set_password("1", SECOND)
    pending.legacy.meanwhile = partial(pending.store.changes.promote, first.id, legacy_seen=None, keep_session=None)
    assert (await pending.granted("alice", SECOND)).way is Way.STORE
    assert await changes(pending) == 1


async def test_a_change_dropped_while_the_legacy_side_is_asked_is_not_promoted(pending: Crossing) -> None:
    """What is gone when the answer comes confirms nothing; a later login follows."""
    [change] = (await pending.account("1")).pending
    pending.legacy.set_password("1", SECOND)
    pending.legacy.meanwhile = partial(pending.store.changes.drop, change.id)
    assert await pending.denied("alice", SECOND) is Reason.WRONG_PASSWORD
    assert (await pending.granted("alice", SECOND)).way is Way.FOLLOWED


async def test_an_account_deleted_while_the_legacy_side_is_asked_is_denied(pending: Crossing) -> None:
    """Its changes went with it."""
    account = (await pending.account("1")).account
    pending.legacy.set_password("1", SECOND)
    pending.legacy.meanwhile = partial(pending.store.management.set_state, account.id, AccountState.DELETED, actor="x")
    assert await pending.denied("alice", SECOND) is Reason.BLOCKED


async def test_an_account_blocked_while_the_legacy_side_is_asked_is_denied(pending: Crossing) -> None:
    """The change waits: the login after the block has ended confirms it."""
    account = (await pending.account("1")).account
    pending.legacy.set_password("1", SECOND)
    pending.legacy.meanwhile = partial(pending.store.management.set_state, account.id, AccountState.BLOCKED, actor="x")
    assert await pending.denied("alice", SECOND) is Reason.BLOCKED
    assert await changes(pending) == 1
    await pending.store.management.set_state(account.id, AccountState.ACTIVE, actor="x")
    assert (await pending.granted("alice", SECOND)).way is Way.FOLLOWED
