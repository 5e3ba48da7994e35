"""What every `gateway.store.base.Throttle` does: the one on PostgreSQL and the one of the unit tests."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from gateway.model import Secret
from gateway.store.base import Throttle, ThrottlePolicy
from gateway.store.postgres import PostgresStore
from tests.helpers.memory_store import Clock, MemoryThrottle
from tests.helpers.postgres import fetch

POLICY = ThrottlePolicy(free=5, longest=timedelta(seconds=60), forget=timedelta(days=1))
KEY, OTHER = b"k" * 16, b"o" * 16

# The store's clock runs on while a test works; a pause is then this much shorter than said.
TOLERANCE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Is a throttle and its time."""

    throttle: Throttle
    wait: Callable[[float], Awaitable[None]]

    async def fail(self, times: int) -> None:
        """Let attempts fail as fast as the throttle allows."""
        for _ in range(times):
            pause = await self.throttle.reserve(KEY, POLICY)
            if pause:
                await self.wait(pause + 0.01)
                assert await self.throttle.reserve(KEY, POLICY) == 0


@pytest.fixture
def on_postgres(postgres: PostgresStore, database: Secret) -> World:
    async def wait(seconds: float) -> None:
        await fetch(database, "UPDATE throttle SET blocked_until = blocked_until - $1::interval,"
                              " forget_at = forget_at - $1::interval", timedelta(seconds=seconds))

    return World(throttle=postgres.throttle, wait=wait)


@pytest.fixture
def in_memory() -> World:
    clock = Clock()

    async def wait(seconds: float) -> None:
        clock.advance(seconds)

    return World(throttle=MemoryThrottle(clock), wait=wait)


@pytest.fixture(params=["on_postgres", "in_memory"])
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.getfixturevalue(request.param)
    return found


async def test_the_free_failures_and_one_more_cost_no_time(world: World) -> None:
    """Six attempts are let through; the sixth failure starts the first pause, of a second."""
    assert [await world.throttle.reserve(KEY, POLICY) for _ in range(6)] == [0] * 6
    assert 1 - TOLERANCE < await world.throttle.reserve(KEY, POLICY) <= 1


async def test_the_pause_doubles_up_to_the_longest(world: World) -> None:
    """1, 2, 4 … seconds and never more than the policy's longest: no lock for ever."""
    await world.fail(5)
    pauses = []
    for _ in range(9):
        await world.fail(1)
        pauses.append(await world.throttle.reserve(KEY, POLICY))
    for pause, expected in zip(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True):
        assert expected - TOLERANCE < pause <= expected


async def test_a_refused_attempt_is_not_counted(world: World) -> None:
    """Hammering at a closed door makes it stay closed no longer."""
    await world.fail(6)
    for _ in range(20):
        assert 0 < await world.throttle.reserve(KEY, POLICY) <= 1
    await world.wait(1.01)
    assert await world.throttle.reserve(KEY, POLICY) == 0
    assert 2 - TOLERANCE < await world.throttle.reserve(KEY, POLICY) <= 2


async def test_keys_do_not_share_a_count(world: World) -> None:
    """One account's failures cost another nothing."""
    await world.fail(6)
    assert await world.throttle.reserve(KEY, POLICY) > 0
    assert await world.throttle.reserve(OTHER, POLICY) == 0


async def test_success_forgets_all_failures(world: World) -> None:
    """After a right password the count begins anew."""
    await world.fail(6)
    await world.throttle.clear(KEY)
    assert [await world.throttle.reserve(KEY, POLICY) for _ in range(6)] == [0] * 6
    assert await world.throttle.reserve(KEY, POLICY) > 0


async def test_a_refund_gives_one_attempt_back(world: World) -> None:
    """An attempt that could not be judged counts for nothing, and its pause ends with it."""
    await world.fail(6)
    await world.throttle.refund(KEY, POLICY)
    assert await world.throttle.reserve(KEY, POLICY) == 0
    assert 0 < await world.throttle.reserve(KEY, POLICY) <= 1


async def test_a_refund_leaves_the_pause_that_the_other_failures_earned(world: World) -> None:
    """Attempts that cannot be judged are no way to shorten the wait for guesses."""
    await world.fail(8)
    await world.throttle.refund(KEY, POLICY)
    assert 2 - TOLERANCE < await world.throttle.reserve(KEY, POLICY) <= 2


async def test_refunds_never_give_credit(world: World) -> None:
    """More refunds than reservations leave a count of none, not of fewer."""
    await world.throttle.refund(OTHER, POLICY)
    await world.fail(1)
    for _ in range(3):
        await world.throttle.refund(KEY, POLICY)
    await world.fail(6)
    assert await world.throttle.reserve(KEY, POLICY) > 0


async def test_failures_are_forgotten_after_a_time_without_one(world: World) -> None:
    """The next failure is a first one."""
    await world.fail(9)
    await world.wait(POLICY.forget.total_seconds() + 1)
    assert [await world.throttle.reserve(KEY, POLICY) for _ in range(6)] == [0] * 6
    assert await world.throttle.reserve(KEY, POLICY) > 0


async def test_a_pause_outlives_the_memory_of_its_failures(world: World) -> None:
    """A policy that forgets sooner than it pauses does not open the door early."""
    hasty = ThrottlePolicy(free=0, longest=timedelta(hours=1), forget=timedelta(seconds=1))
    assert await world.throttle.reserve(KEY, hasty) == 0
    await world.wait(1.01)
    assert await world.throttle.reserve(KEY, hasty) == 0
    assert 0 < await world.throttle.reserve(KEY, hasty) <= 1


async def test_fifty_parallel_attempts_do_not_outrun_the_count(world: World) -> None:
    """Exactly the free ones and one more are let through."""
    answers = await asyncio.gather(*(world.throttle.reserve(KEY, POLICY) for _ in range(50)))
    assert answers.count(0) == POLICY.free + 1
    assert all(1 - TOLERANCE < answer <= 1 for answer in answers if answer)


async def test_a_long_series_of_failures_does_not_overflow(on_postgres: World, database: Secret) -> None:
    """After ten thousand failures the pause is still the longest."""
    await on_postgres.fail(1)
    await fetch(database, "UPDATE throttle SET failures = 10000")
    await on_postgres.fail(1)
    assert 60 - TOLERANCE < await on_postgres.throttle.reserve(KEY, POLICY) <= 60


async def test_forgotten_keys_make_room_for_new_ones(on_postgres: World, database: Secret) -> None:
    """Guessing identifiers does not fill the disk for longer than failures are remembered."""
    for number in range(6):
        await on_postgres.throttle.reserve(b"old" + bytes([number]) * 13, POLICY)
    await on_postgres.wait(POLICY.forget.total_seconds() + 1)
    for number in range(3):
        await on_postgres.throttle.reserve(b"new" + bytes([number]) * 13, POLICY)
    kept = await fetch(database, "SELECT key FROM throttle")
    assert sorted(row["key"][:3] for row in kept) == [b"new"] * 3


async def test_no_identifier_is_stored(on_postgres: World, database: Secret) -> None:
    """The table knows a digest of sixteen bytes, a count and two times."""
    await on_postgres.fail(1)
    [row] = await fetch(database, "SELECT * FROM throttle")
    assert set(row.keys()) == {"key", "failures", "blocked_until", "forget_at"}
    assert row["key"] == KEY
