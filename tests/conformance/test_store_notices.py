"""What every `gateway.store.base.Notices` does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from gateway.errors import StoreUnavailable
from gateway.model import AccountState, Phase, Secret
from gateway.store.base import StoredKey
from gateway.store.postgres import PostgresStore, notices
from gateway.store.postgres.connection import Address, OwnConnection, connect
from tests.helpers.postgres import fetch
from tests.helpers.rows import FIRST, adoption, handle, password
from tests.helpers.stores import Store

HOUR = timedelta(hours=1)
PATIENCE = 10.0

END_LISTENERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%'"""


class Listener:
    """Is a worker that listens; what it heard is taken one by one. It can be made to fail at a resync."""

    def __init__(self) -> None:
        self._heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.failures = 0

    async def __call__(self, topic: str, value: str) -> None:
        self._heard.put_nowait((topic, value))
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("the store went away while it was re-read")

    async def hear(self) -> tuple[str, str]:
        async with asyncio.timeout(PATIENCE):
            return await self._heard.get()


@asynccontextmanager
async def listening_to(store: Store) -> AsyncIterator[Listener]:
    listener = Listener()
    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(store.notices.listen(listener))
        assert await listener.hear() == ("resync", "")
        yield listener
        listening.cancel()


@pytest.fixture
async def listener(store: Store) -> AsyncIterator[Listener]:
    """Is a listener that has just been connected, on each implementation."""
    async with listening_to(store) as listener:
        yield listener


@pytest.fixture
async def on_postgres(postgres: PostgresStore) -> AsyncIterator[Listener]:
    """Is one whose connection can be lost."""
    async with listening_to(postgres) as listener:
        yield listener


async def alice(store: Store) -> UUID:
    wanted = adoption()
    assert await store.accounts.adopt(wanted)
    return wanted.account_id


async def test_the_end_of_a_session_is_heard(store: Store, listener: Listener) -> None:
    """Its id is told once."""
    session = await store.sessions.open(account_id=await alice(store), app="shop", handle=handle("a"),
                                        lifetime=HOUR, proven=FIRST)
    assert session is not None
    await store.sessions.end(session.id, reason="logout")
    await store.sessions.end(session.id, reason="logout")
    assert await listener.hear() == ("session", str(session.id))
    await store.phases.ensure("shop", Phase.MIGRATE)
    await store.phases.change("shop", Phase.COMPLETE, actor="cli")
    assert await listener.hear() == ("phase", "shop")


@pytest.mark.parametrize("state", [AccountState.BLOCKED, AccountState.DELETED])
async def test_a_block_and_a_deletion_are_heard(store: Store, listener: Listener, state: AccountState) -> None:
    """One word for all sessions of the account."""
    account_id = await alice(store)
    await store.management.set_state(account_id, state, actor="cli")
    assert await listener.hear() == ("account", str(account_id))


async def test_a_followed_password_is_heard(store: Store, listener: Listener) -> None:
    """All sessions of the account ended with it."""
    account_id = await alice(store)
    await store.passwords.follow(account_id, old=password("first").encoded, new=password("second"), legacy_seen=None)
    assert await listener.hear() == ("account", str(account_id))


async def test_a_promotion_names_the_sessions_that_ended(store: Store, listener: Listener) -> None:
    """The kept one is not among them."""
    account_id = await alice(store)
    kept, other = [await store.sessions.open(account_id=account_id, app="shop", handle=handle(text),
                                             lifetime=HOUR, proven=FIRST)
                   for text in ("kept", "other")]
    assert kept is not None
    assert other is not None
    change = await store.changes.begin(account_id, password("second"))
    await store.changes.promote(change, legacy_seen=None, keep_session=kept.id)
    assert await listener.hear() == ("session", str(other.id))
    await store.management.set_state(account_id, AccountState.BLOCKED, actor="cli")
    assert await listener.hear() == ("account", str(account_id))


async def test_new_keys_are_heard(store: Store, listener: Listener) -> None:
    """Other workers read them anew."""
    made = StoredKey(kid="k", algorithm="EdDSA", state="next", public_jwk={}, sealed_private=b"s",
                     created_at=datetime.now(UTC), activated_at=None)
    await store.keys.ensure(lambda _: [made])
    assert await listener.hear() == ("keys", "")


async def test_a_lost_connection_is_made_anew_and_says_so(postgres: PostgresStore, on_postgres: Listener,
                                                          database: Secret) -> None:
    """After a loss everything is to be read again, and later changes are heard."""
    await postgres.phases.ensure("shop", Phase.MIGRATE)
    for phase in (Phase.COMPLETE, Phase.MIGRATE):
        assert len(await fetch(database, END_LISTENERS)) == 1
        assert await on_postgres.hear() == ("resync", "")
        await postgres.phases.change("shop", phase, actor="cli")
        assert await on_postgres.hear() == ("phase", "shop")


async def test_a_connection_lost_before_it_listens_is_made_anew(
        postgres: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that restarts between the connect and the first statement ends no listener."""
    tried = []

    async def connect_in_bad_times(address: Address) -> OwnConnection:
        tried.append(await connect(address))
        if len(tried) < 3:
            tried[-1].terminate()
        return tried[-1]

    monkeypatch.setattr(notices, "connect", connect_in_bad_times)
    async with listening_to(postgres):
        assert len(tried) == 3


async def test_a_resync_that_failed_is_owed(postgres: PostgresStore, on_postgres: Listener, database: Secret) -> None:
    """A worker that could not re-read is told again until it could."""
    await postgres.phases.ensure("shop", Phase.MIGRATE)
    on_postgres.failures = 2
    await fetch(database, END_LISTENERS)
    assert [await on_postgres.hear() for _ in range(3)] == [("resync", "")] * 3
    await postgres.phases.change("shop", Phase.COMPLETE, actor="cli")
    assert await on_postgres.hear() == ("phase", "shop")


async def test_what_was_rolled_back_is_not_heard(store: Store, listener: Listener) -> None:
    """A word belongs to its transaction."""
    def refuse(_: object) -> list[StoredKey]:
        raise ValueError("no key today")

    with pytest.raises(ValueError, match="no key today"):
        await store.keys.ensure(refuse)
    account_id = await alice(store)
    await store.management.set_state(account_id, AccountState.BLOCKED, actor="cli")
    assert await listener.hear() == ("account", str(account_id))
