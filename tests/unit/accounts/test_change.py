"""A password change on the app's own page: written ahead, confirmed by the legacy side, or forgotten."""

import asyncio
from functools import partial
from uuid import UUID

import bcrypt
import pytest

from gateway.accounts.change import Begun, ChangeEnd, login_name
from gateway.accounts.decision import Reason, Way
from gateway.errors import Overloaded, RequestRefused, StoreUnavailable
from gateway.model import AccountState, Outcome, Profile
from tests.helpers.crossing import SOURCE, Crossing
from tests.helpers.memory_accounts import MemoryChanges
from tests.helpers.rows import adoption

FIRST, SECOND = "first-pw-1", "second-pw-2"


@pytest.fixture
async def begun(crossing: Crossing) -> Begun:
    """Is alice's change to her second password, about to be put to the app."""
    await crossing.granted("alice", FIRST)
    return await crossing.begin_change("1", SECOND)


async def confirm(crossing: Crossing, begun: Begun) -> ChangeEnd:
    session = await crossing.session("1", "the one that changes")
    return await crossing.change.confirm(begun, crossing.question, session_id=session)


async def pending(crossing: Crossing) -> int:
    return len((await crossing.account("1")).pending)


async def test_a_change_that_was_begun_alters_nothing_yet(crossing: Crossing, begun: Begun) -> None:
    """It is written ahead, because the app may change the password although its answer never comes."""
    assert await pending(crossing) == 1
    assert begun.account.legacy_id == "1"
    assert SECOND not in repr(begun)
    assert "legacy_seen" not in repr(begun)


async def test_a_confirmed_change_is_the_current_password_at_once(crossing: Crossing, begun: Begun) -> None:
    """The legacy side takes the new one: promoted, the old one is a previous one, the other sessions end."""
    crossing.legacy.set_password("1", SECOND)
    await crossing.session("1", "another")
    assert await confirm(crossing, begun) is ChangeEnd.PROMOTED
    crossing.legacy.asked.clear()
    assert (await crossing.granted("alice", SECOND)).way is Way.STORE
    assert await crossing.denied("alice", FIRST) is Reason.PREVIOUS_PASSWORD
    assert crossing.legacy.asked == []
    assert await crossing.is_live("the one that changes")
    assert not await crossing.is_live("another")


async def test_a_promotion_notes_the_hash_that_confirmed_it(by_hash: Crossing) -> None:
    """It is the one last seen."""
    await by_hash.granted("alice", FIRST)
    begun = await by_hash.begin_change("1", SECOND)
    by_hash.legacy.set_password("1", SECOND)
    await confirm(by_hash, begun)
    seen = by_hash.hasher.seen(by_hash.legacy.rows["1"].encoded_hash)
    assert (await by_hash.account("1")).credential.legacy_seen == seen


async def test_a_change_that_the_legacy_side_denies_is_forgotten(crossing: Crossing, begun: Begun) -> None:
    """However right the app's page looked: the old password goes on."""
    before = (await crossing.account("1")).credential
    assert await confirm(crossing, begun) is ChangeEnd.DROPPED
    assert await pending(crossing) == 0
    assert (await crossing.account("1")).credential == before


async def test_an_admins_change_of_somebody_else_changes_no_account(crossing: Crossing, begun: Begun) -> None:
    """Asked about the account of the session, the new password is wrong, whosever else's it has become."""
    crossing.legacy.set_password("2", SECOND)
    assert await confirm(crossing, begun) is ChangeEnd.DROPPED
    assert (await crossing.granted("alice", FIRST)).way is Way.STORE


async def test_a_yes_for_another_user_is_a_no(crossing: Crossing, begun: Begun) -> None:
    """The name belongs to somebody else there today: their password confirms nothing."""
    crossing.legacy.rename("1", "alicia")
    crossing.legacy.add("9", "alice", password=SECOND)
    assert await confirm(crossing, begun) is ChangeEnd.DROPPED
    assert await pending(crossing) == 0


@pytest.mark.parametrize("hindrance", [Outcome.DISABLED, Outcome.LOCKED, Outcome.MUST_CHANGE])
async def test_a_hindrance_leaves_it_pending(crossing: Crossing, begun: Begun, hindrance: Outcome) -> None:
    """Neither yes nor no: the next login finds out what the legacy side has learned."""
    crossing.legacy.set_password("1", SECOND)
    crossing.legacy.hinder("1", hindrance)
    assert await confirm(crossing, begun) is ChangeEnd.PENDING
    assert await pending(crossing) == 1
    crossing.legacy.hinder("1", None)
    assert (await crossing.granted("alice", SECOND)).way is Way.FOLLOWED


async def test_while_nobody_can_be_asked_it_stays_pending(crossing: Crossing, begun: Begun) -> None:
    """The next login asks again."""
    crossing.legacy.set_password("1", SECOND)
    crossing.legacy.is_away = True
    assert await confirm(crossing, begun) is ChangeEnd.PENDING
    crossing.legacy.is_away = False
    assert (await crossing.granted("alice", SECOND)).way is Way.FOLLOWED


async def test_without_a_place_to_hash_it_stays_pending(by_hash: Crossing) -> None:
    """An overloaded gateway knows nothing."""
    await by_hash.granted("alice", FIRST)
    begun = await by_hash.begin_change("1", SECOND)
    by_hash.legacy.set_password("1", SECOND)
    await by_hash.pool.close()
    assert await confirm(by_hash, begun) is ChangeEnd.PENDING
    assert await pending(by_hash) == 1


async def test_without_the_store_it_stays_pending(crossing: Crossing, begun: Begun) -> None:
    """Neither confirmed nor forgotten, and no error that would take the app's answer from the browser."""
    session = await crossing.session("1")
    crossing.store.changes.is_down = True
    assert await crossing.change.drop(begun) is ChangeEnd.PENDING
    crossing.legacy.set_password("1", SECOND)
    assert await crossing.change.confirm(begun, crossing.question, session_id=session) is ChangeEnd.PENDING
    crossing.store.changes.is_down = False
    assert await pending(crossing) == 1


async def test_without_the_store_no_change_is_begun(crossing: Crossing, begun: Begun) -> None:
    """What cannot be written ahead must not be put to the app."""
    crossing.store.changes.is_down = True
    with pytest.raises(StoreUnavailable):
        await crossing.begin_change("1", "third-pw-3")
    await crossing.pool.close()
    with pytest.raises(Overloaded):
        await crossing.begin_change("1", "third-pw-3")


async def test_a_change_that_the_app_refused_is_forgotten(crossing: Crossing, begun: Begun) -> None:
    """Its word is enough: a wrong word costs one question at a later login."""
    assert await crossing.change.drop(begun) is ChangeEnd.DROPPED
    assert await pending(crossing) == 0


async def test_a_word_that_says_nothing_leaves_it_pending(crossing: Crossing, begun: Begun) -> None:
    """A hash that nobody can read, or a name of two users: it may have happened."""
    crossing.legacy.set_hash("1", "$unheard-of$")
    assert await confirm(crossing, begun) is ChangeEnd.PENDING
    crossing.legacy.add("9", "alice", password=SECOND)
    assert await confirm(crossing, begun) is ChangeEnd.PENDING
    assert await pending(crossing) == 1


async def test_a_hash_of_another_user_that_nobody_can_read_is_a_no(by_hash: Crossing) -> None:
    """The name belongs to somebody else there today."""
    await by_hash.granted("alice", FIRST)
    begun = await by_hash.begin_change("1", SECOND)
    by_hash.legacy.rename("1", "alicia")
    by_hash.legacy.add("9", "alice", password=SECOND)
    by_hash.legacy.set_hash("9", "$unheard-of$")
    assert await confirm(by_hash, begun) is ChangeEnd.DROPPED


async def test_a_login_beside_it_that_comes_too_early_loses_no_change(crossing: Crossing, begun: Begun) -> None:
    """It found the old password still right and dropped the change, which then happened all the same."""
    assert (await crossing.granted("alice", FIRST)).way is Way.STORE
    assert await pending(crossing) == 0
    crossing.legacy.set_password("1", SECOND)
    assert await confirm(crossing, begun) is ChangeEnd.PROMOTED
    crossing.legacy.asked.clear()
    assert (await crossing.granted("alice", SECOND)).way is Way.STORE
    assert await crossing.denied("alice", FIRST) is Reason.PREVIOUS_PASSWORD
    assert crossing.legacy.asked == []


async def test_a_login_beside_it_that_follows_it_leaves_nothing_to_lose(crossing: Crossing, begun: Begun) -> None:
    """The new password is current already, and stays so."""
    crossing.legacy.set_password("1", SECOND)
    assert (await crossing.granted("alice", SECOND)).way is Way.FOLLOWED
    assert await confirm(crossing, begun) is ChangeEnd.PROMOTED
    assert (await crossing.granted("alice", SECOND)).way is Way.STORE
    assert await pending(crossing) == 0


async def test_a_change_that_another_one_overtook_is_asked_about_again(crossing: Crossing, begun: Begun) -> None:
    """It was right when it was asked about; by the time it is written anew it is not the current one any more."""
    later = await crossing.begin_change("1", "third-pw-3")
    crossing.legacy.set_password("1", SECOND)

    class Overtaken(MemoryChanges):
        async def promote(self, change_id: UUID, *, legacy_seen: bytes | None, keep_session: UUID | None) -> bool:
            if change_id == begun.id:
                crossing.legacy.set_password("1", "third-pw-3")
                await super().promote(later.id, legacy_seen=None, keep_session=None)
            return await super().promote(change_id, legacy_seen=legacy_seen, keep_session=keep_session)

    crossing.store.changes.__class__ = Overtaken
    assert await confirm(crossing, begun) is ChangeEnd.DROPPED
    assert (await crossing.granted("alice", "third-pw-3")).way is Way.STORE
    assert await pending(crossing) == 0


async def test_a_change_that_is_lost_time_and_again_stays_pending(crossing: Crossing, begun: Begun) -> None:
    """The next login asks again."""
    crossing.legacy.set_password("1", SECOND)

    class Lost(MemoryChanges):
        async def promote(self, change_id: UUID, *, legacy_seen: bytes | None, keep_session: UUID | None) -> bool:
            await self.drop(change_id)
            return False

    crossing.store.changes.__class__ = Lost
    assert await confirm(crossing, begun) is ChangeEnd.PENDING
    assert await pending(crossing) == 1
    crossing.store.changes.__class__ = MemoryChanges
    assert (await crossing.granted("alice", SECOND)).way is Way.FOLLOWED


async def test_a_variant_that_a_lenient_hash_opens_confirms_no_change(by_hash: Crossing) -> None:
    """The hash is the one last seen, so the change never happened, whatever the app's page looked like."""
    by_hash.legacy.set_hash("1", bcrypt.hashpw(FIRST.encode(), bcrypt.gensalt(rounds=4)).decode())
    await by_hash.granted("alice", FIRST)
    begun = await by_hash.begin_change("1", f"{FIRST}\0")
    before = (await by_hash.account("1")).credential
    assert await confirm(by_hash, begun) is ChangeEnd.DROPPED
    assert (await by_hash.account("1")).credential == before


async def test_a_change_to_the_same_password_is_one_where_the_hash_was_written_anew(by_hash: Crossing) -> None:
    """The other sessions end; where the hash is as it was, nothing has changed, and the password goes on."""
    await by_hash.granted("alice", FIRST)
    assert await confirm(by_hash, await by_hash.begin_change("1", FIRST)) is ChangeEnd.DROPPED
    assert (await by_hash.granted("alice", FIRST)).way is Way.STORE
    begun = await by_hash.begin_change("1", FIRST)
    by_hash.legacy.set_password("1", FIRST)
    assert await confirm(by_hash, begun) is ChangeEnd.PROMOTED
    assert (await by_hash.granted("alice", FIRST)).way is Way.STORE


async def test_an_account_deleted_in_between_keeps_no_password(crossing: Crossing, begun: Begun) -> None:
    """Its change went with it."""
    crossing.legacy.set_password("1", SECOND)
    session = await crossing.session("1")
    crossing.legacy.meanwhile = partial(crossing.store.management.set_state, begun.account.id, AccountState.DELETED,
                                        actor="cli")
    end = await crossing.change.confirm(begun, crossing.question, session_id=session)
    assert end is ChangeEnd.DROPPED
    assert not (await crossing.account("1")).credential.encoded


async def test_a_change_of_an_account_blocked_in_between_stays_pending(crossing: Crossing, begun: Begun) -> None:
    """It happened: the login after the block has ended confirms it."""
    crossing.legacy.set_password("1", SECOND)
    session = await crossing.session("1")
    block = partial(crossing.store.management.set_state, begun.account.id, actor="cli")
    crossing.legacy.meanwhile = partial(block, AccountState.BLOCKED)
    assert await crossing.change.confirm(begun, crossing.question, session_id=session) is ChangeEnd.PENDING
    await block(AccountState.ACTIVE)
    assert (await crossing.granted("alice", SECOND)).way is Way.FOLLOWED


async def test_two_changes_at_once_end_with_the_one_that_the_legacy_side_has(crossing: Crossing, begun: Begun) -> None:
    """Two tabs: each is asked about its own password."""
    later = await crossing.begin_change("1", "third-pw-3")
    crossing.legacy.set_password("1", "third-pw-3")
    session = await crossing.session("1")
    ends = await asyncio.gather(*(
        crossing.change.confirm(change, crossing.question, session_id=session) for change in (begun, later)))
    assert ends == [ChangeEnd.DROPPED, ChangeEnd.PROMOTED]
    assert (await crossing.granted("alice", "third-pw-3")).way is Way.STORE


@pytest.mark.parametrize("password", ["x" * 257, "a\ud800b", ""])
async def test_a_password_that_cannot_be_kept_is_refused_before_the_app_sees_it(
    crossing: Crossing, begun: Begun, password: str
) -> None:
    """With the app alone changed, its owner could not log in again."""
    with pytest.raises(RequestRefused) as caught:
        await crossing.begin_change("1", password)
    assert caught.value.status == 400
    assert await pending(crossing) == 1


@pytest.mark.parametrize(("username", "email", "aliases", "expected"), [
    ("Alice", "Alice@Shop.test", ("alice", "alice@shop.test"), "Alice"),
    ("Alice", "Alice@Shop.test", ("Alice", "Alice@Shop.test"), "Alice"),
    ("Alice", "Alice@Shop.test", ("alice@shop.test",), "Alice@Shop.test"),
    ("Alice", "", ("member-9",), "member-9"),
    ("", "", ("member-9", "zoe"), "member-9"),
    ("Alice", "alice@shop.test", (), "7"),
])
async def test_the_legacy_side_is_asked_under_a_name_that_its_user_may_type(
    by_hash: Crossing, username: str, email: str, aliases: tuple[str, ...], expected: str
) -> None:
    """As the profile spells it where that is an alias, else an alias, else the legacy id."""
    await by_hash.store.accounts.adopt(
        adoption(source=SOURCE, aliases=aliases, profile=Profile(username=username, email=email)))
    assert login_name((await by_hash.account("7")).account) == expected
