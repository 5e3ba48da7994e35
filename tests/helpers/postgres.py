"""A real PostgreSQL for the tests: one embedded server for a session, a fresh database for each test.

The schema is applied once, to a template, by the very code under test; a test's database is a copy of it.
"""

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from uuid import uuid4

import asyncpg

from gateway.model import Secret
from gateway.store.embedded import EmbeddedPostgres
from gateway.store.postgres import PostgresStore

# Tests ask nothing of a disk; those of the launcher itself leave this out.
HASTY = MappingProxyType({"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
                          "shared_buffers": "16MB", "max_connections": "200"})

TEMPLATE = "template_of_tests"


class PostgresServer:
    """Is a running server with a template; `start` and `stop` as the embedded server's own."""

    def __init__(self) -> None:
        self.state = Path(tempfile.mkdtemp(prefix="sluicegate-tests-"))
        self.embedded = EmbeddedPostgres(self.state, settings=HASTY)
        self._url = Secret("")

    async def start(self) -> None:
        self._url = self.embedded.start()
        await self._administer(f"CREATE DATABASE {TEMPLATE}")
        async with PostgresStore.open(self.url_of(TEMPLATE), pool_size=1):
            pass

    def stop(self) -> None:
        self.embedded.stop()
        shutil.rmtree(self.state)

    def url_of(self, database: str) -> Secret:
        """Return the URL of one database of this server."""
        return Secret(self._url.reveal().replace("/postgres?", f"/{database}?"))

    @asynccontextmanager
    async def database(self, template: str = TEMPLATE) -> AsyncIterator[Secret]:
        """Make a database as a copy of a template, hand out its URL, and drop it."""
        name = f"test_{uuid4().hex}"
        await self._administer(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        try:
            yield self.url_of(name)
        finally:
            await self._administer(f"DROP DATABASE {name} WITH (FORCE)")

    async def _administer(self, statement: str) -> None:
        connection = await asyncpg.connect(self._url.reveal())
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


async def fetch(url: Secret, query: str, *arguments: object) -> list[asyncpg.Record]:
    """Look into a database past the store, as a test must to see what is really there."""
    connection = await asyncpg.connect(url.reveal())
    try:
        return await connection.fetch(query, *arguments)
    finally:
        await connection.close()
