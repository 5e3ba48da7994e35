"""Puts the parts of the store together and opens them. Knows no table."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from gateway.model import Secret
from gateway.store.postgres.accounts import PostgresAccounts
from gateway.store.postgres.connection import POOL_SIZE, Address, Database
from gateway.store.postgres.keys import PostgresKeys
from gateway.store.postgres.management import PostgresManagement
from gateway.store.postgres.migrations import migrate
from gateway.store.postgres.notices import PostgresNotices
from gateway.store.postgres.passwords import PostgresChanges, PostgresPasswords
from gateway.store.postgres.phases import PostgresPhases
from gateway.store.postgres.sessions import PostgresSessions
from gateway.store.postgres.throttle import PostgresThrottle


class PostgresStore:
    """Is the store: each attribute implements one protocol of `gateway.store.base`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.accounts = PostgresAccounts(database)
        self.passwords = PostgresPasswords(database)
        self.changes = PostgresChanges(database)
        self.sessions = PostgresSessions(database)
        self.management = PostgresManagement(database)
        self.phases = PostgresPhases(database)
        self.keys = PostgresKeys(database)
        self.throttle = PostgresThrottle(database)
        self.notices = PostgresNotices(database.address)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: Secret, *, pool_size: int = POOL_SIZE) -> AsyncIterator[Self]:
        """Connect and bring the schema up to date; `pool_size` is the most connections it keeps.

        `url` is a postgresql:// URL; several hosts are tried until one takes writes. Raises
        StoreUnavailable when no server answers, ConfigurationError when the URL or the database is wrong.
        """
        async with Database.open(Address.parse(url), pool_size=pool_size) as database:
            await migrate(database)
            yield cls(database)

    async def ping(self) -> None:
        """Ask the server for a sign of life; raises StoreUnavailable."""
        await self._database.run("SELECT 1")
