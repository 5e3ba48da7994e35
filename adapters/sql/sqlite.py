"""SQLite. The file is opened for each question, read-only, and by its path as it then is.

An open connection would read on after the file was moved away or replaced, and an ordinary one would create
an empty file where there is none.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import quote

import aiosqlite

from adapters.base import AdapterMisconfigured, AdapterUnavailable
from adapters.sql.options import LOGIN, Query
from adapters.sql.rows import Answer
from gateway.model import Outcome

PRIMARY_CODE = 0xFF  # the rest of a result code is detail (sqlite.org/rescode.html)
BUSY_PAUSE = 0.02  # seconds; SQLite's own waiting holds a thread that nothing can interrupt
BREAKDOWNS = {
    sqlite3.SQLITE_CANTOPEN: Outcome.UNAVAILABLE,
    sqlite3.SQLITE_PERM: Outcome.UNAVAILABLE,
    sqlite3.SQLITE_IOERR: Outcome.UNAVAILABLE,
    sqlite3.SQLITE_FULL: Outcome.UNAVAILABLE,
    sqlite3.SQLITE_NOMEM: Outcome.UNAVAILABLE,
    sqlite3.SQLITE_READONLY: Outcome.UNAVAILABLE,  # a WAL database whose writer has closed it
    sqlite3.SQLITE_PROTOCOL: Outcome.UNAVAILABLE,
    sqlite3.SQLITE_SCHEMA: Outcome.UNAVAILABLE,
    sqlite3.SQLITE_INTERRUPT: Outcome.TIMEOUT,
    sqlite3.SQLITE_CORRUPT: Outcome.PROTOCOL_ERROR,
    sqlite3.SQLITE_NOTADB: Outcome.PROTOCOL_ERROR,
}
BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class SqliteDatabase:
    """Asks one file."""

    def __init__(self, file: Path, query: Query) -> None:
        self._uri = f"file:{quote(str(file))}?mode=ro"
        self._query = query.text

    async def ask(self, login: str) -> Answer:
        """Put the login query; while a writer has locked the file, again and again until cancelled."""
        with _translated():
            async with _connection(self._uri) as connection:
                while (answer := await self._read(connection, login)) is None:  # noqa: ASYNC110  # no one tells
                    await asyncio.sleep(BUSY_PAUSE)
                return answer

    async def _read(self, connection: aiosqlite.Connection, login: str) -> Answer | None:
        """Return the answer, or None while the file is locked."""
        try:
            cursor = await connection.execute(self._query, {LOGIN: login})
            rows = [tuple(row) for row in await cursor.fetchmany(2)]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & PRIMARY_CODE in BUSY:
                return None
            raise
        return Answer(columns=[column[0] for column in cursor.description or ()], rows=rows)

    async def close(self) -> None:
        """Do nothing: no connection outlives its question."""


@asynccontextmanager
async def _connection(uri: str) -> AsyncIterator[aiosqlite.Connection]:
    connection = await aiosqlite.connect(uri, uri=True, timeout=0, isolation_level=None)
    connection.text_factory = _decoded
    try:
        yield connection
    except asyncio.CancelledError:
        await connection.interrupt()  # or closing would wait for the query to end by itself
        raise
    finally:
        await connection.close()


def _decoded(raw: bytes) -> str | bytes:
    """Read a column of text; one in another encoding than UTF-8 must not spoil the whole row."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


@contextmanager
def _translated() -> Iterator[None]:
    """Turn SQLite's errors into the adapter's, by result code; their texts may quote the query."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        name = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
        outcome = BREAKDOWNS.get(code & PRIMARY_CODE)
        if outcome is None:
            raise AdapterMisconfigured(f"SQLite refuses the login query ({name}); try it by hand") from None
        raise AdapterUnavailable(f"the SQLite file cannot be read ({name})", outcome) from None
