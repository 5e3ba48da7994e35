"""What the store alone says of a password: each row of the first table, without any source."""

import pytest

from gateway.accounts.decision import Denied, Granted, MustAsk, Reason
from gateway.accounts.weighing import Weighing
from gateway.model import AccountState, Secret
from gateway.store.base import Candidate
from tests.helpers.crossing import Crossing

FIRST, SECOND = "first-pw-1", "second-pw-2"


@pytest.fixture
async def weighing(by_password: Crossing) -> Weighing:
    """Is a weighing over a store where alice has crossed, and changed from her first password to the second."""
    await by_password.granted("alice", FIRST)
    by_password.legacy.set_password("1", SECOND)
    await by_password.granted("alice", SECOND)
    by_password.jobs.clear()
    return Weighing(by_password.store.accounts, by_password.store.passwords, by_password.hasher)


async def alice(crossing: Crossing, state: AccountState = AccountState.ACTIVE) -> Candidate:
    found = await crossing.account("1")
    await crossing.store.management.set_state(found.account.id, state, actor="cli")
    return await crossing.account("1")


async def test_an_active_account_decides_about_what_it_held(by_password: Crossing, weighing: Weighing) -> None:
    """The current password grants, a previous one is denied whether or not changes are followed."""
    candidate = await alice(by_password)
    for follows in (True, False):
        assert isinstance(await weighing.weigh(candidate, Secret(SECOND), follows=follows), Granted)
        assert await weighing.weigh(candidate, Secret(FIRST), follows=follows) == Denied(
            reason=Reason.PREVIOUS_PASSWORD)


async def test_a_password_never_held_is_asked_about_where_changes_are_followed(
    by_password: Crossing, weighing: Weighing
) -> None:
    """Else it is wrong."""
    candidate = await alice(by_password)
    assert await weighing.weigh(candidate, Secret("new"), follows=True) == MustAsk(candidate=candidate)
    assert await weighing.weigh(candidate, Secret("new"), follows=False) == Denied(reason=Reason.WRONG_PASSWORD)


@pytest.mark.parametrize("state", [AccountState.BLOCKED, AccountState.DELETED])
@pytest.mark.parametrize("password", [FIRST, SECOND, "new", ""])
async def test_an_account_that_ended_is_denied_at_the_usual_cost(
    by_password: Crossing, weighing: Weighing, state: AccountState, password: str
) -> None:
    """As much work as for a wrong password of an active one."""
    candidate = await alice(by_password, state)
    assert await weighing.weigh(candidate, Secret(password), follows=True) == Denied(reason=Reason.BLOCKED)
    assert len(by_password.jobs) == 2


async def test_a_claimant_bars_what_it_held_before_and_everything_once_it_ended(
    by_password: Crossing, weighing: Weighing
) -> None:
    """One of several is enough; nobody bars nothing."""
    await by_password.granted("bob", "p&b=100%+ bob")
    bob = await by_password.account("2")
    active = await alice(by_password)
    assert not await weighing.bars((), Secret(FIRST))
    assert await weighing.bars((bob, active), Secret(FIRST))
    assert not await weighing.bars((bob, active), Secret(SECOND))
    blocked = await alice(by_password, AccountState.BLOCKED)
    assert await weighing.bars((bob, blocked), Secret(SECOND))
