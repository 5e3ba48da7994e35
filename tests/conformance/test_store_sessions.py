"""What every `gateway.store.base.Sessions` does: the one on PostgreSQL and the one of the unit tests."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from gateway.model import AccountState, Profile, Secret
from gateway.store.base import Sessions
from gateway.store.postgres import PostgresStore
from tests.helpers.memory_store import Clock, MemoryStore
from tests.helpers.postgres import fetch
from tests.helpers.rows import FIRST, adoption, handle, password
from tests.helpers.stores import Store

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Is a store with its time."""

    store: Store
    wait: Callable[[timedelta], Awaitable[None]]

    @property
    def sessions(self) -> Sessions:
        return self.store.sessions

    async def account(self) -> UUID:
        wanted = adoption(str(uuid4()))
        assert await self.store.accounts.adopt(wanted)
        return wanted.account_id

    async def block(self, account_id: UUID) -> None:
        await self.store.management.set_state(account_id, AccountState.BLOCKED, actor="cli")


@pytest.fixture
def on_postgres(postgres: PostgresStore, database: Secret) -> World:
    async def wait(span: timedelta) -> None:
        await fetch(database, "UPDATE sessions SET expires_at = expires_at - $1::interval", span)

    return World(store=postgres, wait=wait)


@pytest.fixture
def in_memory() -> World:
    clock = Clock()

    async def wait(span: timedelta) -> None:
        clock.advance(span.total_seconds())

    return World(store=MemoryStore(clock), wait=wait)


@pytest.fixture(params=["on_postgres", "in_memory"])
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.getfixturevalue(request.param)
    return found


async def test_an_open_session_is_live_behind_its_handle(world: World) -> None:
    """What was opened is what a later request finds."""
    alice = await world.account()
    opened = await world.sessions.open(account_id=alice, app="shop", handle=handle("a"), lifetime=HOUR, proven=FIRST)
    assert opened is not None
    assert (opened.account_id, opened.app) == (alice, "shop")
    assert opened.expires_at.tzinfo is not None
    assert await world.sessions.live("shop", handle("a")) == opened


async def test_a_handle_opens_nothing_elsewhere(world: World) -> None:
    """Neither an unknown handle nor another app's is a session."""
    alice = await world.account()
    await world.sessions.open(account_id=alice, app="shop", handle=handle("a"), lifetime=HOUR, proven=FIRST)
    assert await world.sessions.live("shop", handle("b")) is None
    assert await world.sessions.live("wiki", handle("a")) is None


async def test_a_session_is_found_by_its_id_while_it_stands(world: World) -> None:
    """As by its handle; and not once it, its account or its time has ended."""
    alice, bob = await world.account(), await world.account()
    opened = [await world.sessions.open(account_id=owner, app="shop", handle=handle(name), lifetime=HOUR, proven=FIRST)
              for owner, name in ((alice, "a"), (alice, "b"), (bob, "c"))]
    ended, timed, blocked = (each for each in opened if each is not None)
    assert [await world.sessions.find(each.id) for each in (ended, timed, blocked)] == [ended, timed, blocked]
    assert await world.sessions.find(uuid4()) is None
    await world.sessions.end(ended.id, reason="logout")
    await world.block(bob)
    assert [await world.sessions.find(each.id) for each in (ended, timed, blocked)] == [None, timed, None]
    await world.wait(HOUR)
    assert await world.sessions.find(timed.id) is None


@pytest.mark.parametrize(("profile", "names"), [
    (Profile(username="Alice", email="alice@shop.test"), ("Alice", "alice@shop.test")), (Profile(), ("legacy 7", "")),
])
async def test_a_session_names_its_user(world: World, profile: Profile, names: tuple[str, str]) -> None:
    """By the profile's name or else the legacy id, at the opening and at each look."""
    wanted = adoption("legacy 7")
    wanted = replace(wanted, user=replace(wanted.user, profile=profile))
    assert await world.store.accounts.adopt(wanted)
    opened = await world.sessions.open(account_id=wanted.account_id, app="shop", handle=handle("a"), lifetime=HOUR,
                                       proven=FIRST)
    assert opened is not None
    assert (opened.username, opened.email) == names
    assert await world.sessions.live("shop", handle("a")) == await world.sessions.find(opened.id) == opened


async def test_two_sessions_of_one_account_are_two(world: World) -> None:
    """Ending one browser's session leaves the other's."""
    alice = await world.account()
    first = await world.sessions.open(account_id=alice, app="shop", handle=handle("a"), lifetime=HOUR, proven=FIRST)
    second = await world.sessions.open(account_id=alice, app="shop", handle=handle("b"), lifetime=HOUR, proven=FIRST)
    assert first is not None
    assert second is not None
    assert first.id != second.id
    await world.sessions.end(first.id, reason="logout")
    assert await world.sessions.live("shop", handle("a")) is None
    assert await world.sessions.live("shop", handle("b")) == second


async def test_a_session_is_over_when_its_lifetime_is(world: World) -> None:
    """It lives just short of its lifetime and not at the end of it."""
    alice = await world.account()
    await world.sessions.open(account_id=alice, app="shop", handle=handle("a"), lifetime=HOUR, proven=FIRST)
    await world.wait(HOUR - timedelta(seconds=30))
    assert await world.sessions.live("shop", handle("a")) is not None
    await world.wait(timedelta(seconds=30))
    assert await world.sessions.live("shop", handle("a")) is None


async def test_a_password_that_changed_since_it_was_proven_opens_no_session(world: World) -> None:
    """A login that was about to end must not outlive the change that ends every session."""
    alice = await world.account()
    await world.store.passwords.follow(alice, old=FIRST, new=password("second"), legacy_seen=None)
    opening = {"account_id": alice, "app": "shop", "lifetime": HOUR}
    assert await world.sessions.open(**opening, handle=handle("late"), proven=FIRST) is None
    assert await world.sessions.open(**opening, handle=handle("new"), proven=password("second").encoded) is not None


async def test_a_blocked_account_opens_no_session_and_keeps_none(world: World) -> None:
    """The block is re-checked where the session is written, and at each look."""
    alice = await world.account()
    await world.sessions.open(account_id=alice, app="shop", handle=handle("a"), lifetime=HOUR, proven=FIRST)
    await world.block(alice)
    assert await world.sessions.live("shop", handle("a")) is None
    assert await world.sessions.open(account_id=alice, app="shop", handle=handle("b"),
                                     lifetime=HOUR, proven=FIRST) is None
    assert await world.sessions.live("shop", handle("b")) is None


async def test_ending_twice_or_what_never_was_is_no_error(world: World) -> None:
    """Two logouts at once are one."""
    alice = await world.account()
    opened = await world.sessions.open(account_id=alice, app="shop", handle=handle("a"), lifetime=HOUR, proven=FIRST)
    assert opened is not None
    await world.sessions.end(opened.id, reason="logout")
    await world.sessions.end(opened.id, reason="logout")
    await world.sessions.end(uuid4(), reason="logout")
    assert await world.sessions.live("shop", handle("a")) is None


async def test_an_unknown_account_opens_no_session(store: Store) -> None:
    """There is no session without an account."""
    assert await store.sessions.open(account_id=uuid4(), app="shop", handle=handle("a"),
                                     lifetime=HOUR, proven=FIRST) is None


async def test_an_end_is_audited_once_with_its_reason(on_postgres: World, database: Secret) -> None:
    """The reason of the first end is the one that stands."""
    alice = await on_postgres.account()
    opened = await on_postgres.sessions.open(account_id=alice, app="shop", handle=handle("a"),
                                             lifetime=HOUR, proven=FIRST)
    assert opened is not None
    for reason in ("logout", "again"):
        await on_postgres.sessions.end(opened.id, reason=reason)
    entries = await fetch(database, "SELECT account_id, detail->>'reason' FROM audit WHERE event = 'session ended'")
    assert [tuple(entry) for entry in entries] == [(alice, "logout")]


async def test_expired_sessions_go_when_their_owner_comes_back(on_postgres: World, database: Secret) -> None:
    """The table keeps one account's live sessions, not its history."""
    alice = await on_postgres.account()
    for number in range(3):
        await on_postgres.sessions.open(account_id=alice, app="shop", handle=handle(f"old {number}"),
                                        lifetime=HOUR, proven=FIRST)
    await on_postgres.wait(HOUR * 2)
    await on_postgres.sessions.open(account_id=alice, app="shop", handle=handle("new"), lifetime=HOUR, proven=FIRST)
    assert [row["handle"] for row in await fetch(database, "SELECT handle FROM sessions")] == [handle("new")]
