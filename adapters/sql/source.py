"""A `HashSource` over a database that is opened when the source is."""

import asyncio
from types import TracebackType
from typing import Protocol, Self

from adapters.base import AdapterMisconfigured, AdapterUnavailable, LegacyRow
from adapters.sql.options import Query, SqlOptions
from adapters.sql.rows import Answer, legacy_row
from gateway.model import Outcome


class Database(Protocol):
    """One kind of database. Raises only what adapters raise; is cancelled when it takes too long."""

    async def ask(self, login: str) -> Answer:
        """Put the login query."""

    async def close(self) -> None:
        """Let go of every connection."""


class SqlSource:
    """Shows the hash of a user in a table. Opens with `async with`, even while the database is down."""

    def __init__(self, options: SqlOptions, *, timeout_seconds: float) -> None:
        self._options = options
        self._timeout = timeout_seconds
        self._query: Query | None = None
        self._database: Database | None = None

    async def __aenter__(self) -> Self:
        self._query = self._options.query
        self._database = await _open(self._options, self._query, self._timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._database is not None:
            await self._database.close()
        self._database = None

    async def ping(self) -> None:
        """Put the login query for nobody: the database answers, and with the right columns."""
        await self._ask("")

    async def fetch(self, login: str) -> LegacyRow | Outcome:
        """Return the row of the user who may log in by this identifier, or why there is none."""
        return await self._ask(login) if _is_name(login) else Outcome.NOT_FOUND

    async def _ask(self, login: str) -> LegacyRow | Outcome:
        if self._database is None or self._query is None:
            raise AdapterUnavailable("the source is not open")
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._database.ask(login)
        except TimeoutError:
            raise AdapterUnavailable("the database did not answer in time", Outcome.TIMEOUT) from None
        return legacy_row(answer, self._query.identifiers)


def _is_name(login: str) -> bool:
    """Say whether this can be anybody's: an empty column is no name, and no text holds NUL or a lone surrogate."""
    return bool(login) and "\0" not in login and not any("\ud800" <= character <= "\udfff" for character in login)


async def _open(options: SqlOptions, query: Query, timeout_seconds: float) -> Database:
    """Open the database that the URL names; drivers are imported here, for most are extras."""
    file = options.sqlite_file
    if file is None:
        from adapters.sql.postgres import PostgresDatabase

        return await PostgresDatabase.open(options, query, timeout_seconds)
    try:
        from adapters.sql.sqlite import SqliteDatabase
    except ImportError:
        raise AdapterMisconfigured(
            "the driver for SQLite is not installed: pip install 'sluicegate[sqlite]'"
        ) from None
    return SqliteDatabase(file, query)
