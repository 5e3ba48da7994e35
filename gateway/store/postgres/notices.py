"""Listens to what other workers and operators changed, on a connection of its own."""

# ruff: noqa: D102  # the contract, gateway.store.base, carries these texts

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from gateway.errors import StoreUnavailable
from gateway.store.postgres.connection import Address, OwnConnection, connect, lost_when_closed, translated
from gateway.store.postgres.journal import CHANNEL

# Seconds. The first try comes at once after a loss; a server that is away is asked about once a second.
SHORTEST_PAUSE = 0.05
LONGEST_PAUSE = 1.0

# Seconds of silence after which the server is asked for a sign of life: a peer that vanished says nothing.
SILENCE = 5.0

Heard = asyncio.Queue[str | None]


class PostgresNotices:
    """Implements `gateway.store.base.Notices`."""

    def __init__(self, address: Address) -> None:
        self._address = address

    async def listen(self, on_notice: Callable[[str, str], Awaitable[None]]) -> None:
        pause = SHORTEST_PAUSE
        while True:
            try:
                async with self._listening() as (connection, heard):
                    await on_notice("resync", "")
                    pause = SHORTEST_PAUSE
                    await self._pass_on(connection, heard, on_notice)
            except StoreUnavailable:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[tuple[OwnConnection, Heard]]:
        connection, heard = await connect(self._address), Heard()
        try:
            connection.add_termination_listener(lambda _: heard.put_nowait(None))
            with translated(self._address.name), lost_when_closed(connection):
                await connection.add_listener(CHANNEL, lambda *notice: heard.put_nowait(str(notice[-1])))
            yield connection, heard
        finally:
            connection.terminate()

    async def _pass_on(self, connection: OwnConnection, heard: Heard,
                       on_notice: Callable[[str, str], Awaitable[None]]) -> None:
        while True:
            try:
                async with asyncio.timeout(SILENCE):
                    payload = await heard.get()
            except TimeoutError:
                with translated(self._address.name), lost_when_closed(connection):
                    await connection.execute("SELECT 1")
                continue
            if payload is None:
                raise StoreUnavailable(f"the store at {self._address.name} closed the connection")
            topic, _, value = payload.partition(" ")
            await on_notice(topic, value)
