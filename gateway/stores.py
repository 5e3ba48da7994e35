"""Which store there is: one that the operator runs, or the bundled server of the state folder."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.errors import StoreUnavailable
from gateway.model import Secret
from gateway.proxy.tasks import Tasks
from gateway.settings import StoreSection
from gateway.store.embedded import EmbeddedPostgres
from gateway.store.postgres import PostgresStore


@asynccontextmanager
async def running_store(section: StoreSection, tasks: Tasks) -> AsyncIterator[Secret]:
    """Yield the store's URL; the bundled server is started for it, and started again should it die."""
    if not section.is_embedded:
        yield section.url
        return
    server = EmbeddedPostgres(section.state)
    try:
        url = await asyncio.to_thread(server.start)
        watch = tasks.start(server.keep_running())
        yield url
        watch.cancel()
    finally:
        await asyncio.to_thread(server.stop)


@asynccontextmanager
async def opened_store(section: StoreSection) -> AsyncIterator[PostgresStore]:
    """Open the store for one command: beside a running gateway, or with the bundled server to itself.

    Raises `StoreUnavailable` where no gateway has made a store yet: that is not for a command to do.
    """
    if not section.is_embedded:
        async with PostgresStore.open(section.url) as store:
            yield store
        return
    server = EmbeddedPostgres(section.state)
    try:
        if not await asyncio.to_thread(server.is_made):
            raise StoreUnavailable(f"there is no store in {section.state} yet: the gateway makes it at its first start")
        url = await asyncio.to_thread(server.attach)
        async with PostgresStore.open(url if url is not None else await asyncio.to_thread(server.start)) as store:
            yield store
    finally:
        await asyncio.to_thread(server.stop)  # does nothing to a server that somebody else started
