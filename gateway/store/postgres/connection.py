"""The way to the server: the address, the pool, transactions, and the border for foreign errors.

Owns every contact with asyncpg's connections and the translation of what they raise. Knows no table.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Self, TypeAlias
from urllib.parse import unquote

import asyncpg
from asyncpg.connect_utils import SessionAttribute
from asyncpg.pool import PoolConnectionProxy

from gateway.errors import ConfigurationError, StoreUnavailable
from gateway.model import Secret

# Seconds. A login waits for a handful of these at most; beyond that a 503 serves the user better.
CONNECT_TIMEOUT = 5.0
COMMAND_TIMEOUT = 5.0
CLOSE_TIMEOUT = 5.0

POOL_SIZE = 10

# A gateway that was frozen in mid-transaction must not keep a user's row locked for the others.
SERVER_SETTINGS = {"application_name": "sluicegate", "idle_in_transaction_session_timeout": "10000"}

# Only one reading of a URL is allowed: a password with a bare @, /, ? or # would end up in the host's place.
HOST = r"(?:\[[0-9A-Fa-f:.%]+\]|[^@/?#\s,:\[\]]*)(?::[0-9]{1,5})?"
URL = re.compile(rf"postgres(?:ql)?://(?:[^@/?#\s]*@)?(?P<hosts>{HOST}(?:,{HOST})*)"
                 r"(?:/[^@?#\s]*)?(?:\?(?P<query>[^@#\s]*))?")

# What breaks at the server or on the way there, and how that is said after "the store at …".
# The first match counts, so the particular stands before the general.
BREAKDOWNS: tuple[tuple[type[Exception], str], ...] = (
    (asyncpg.DiskFullError, "has no space left on its disk"),
    (asyncpg.TooManyConnectionsError, "has no connection left"),
    (asyncpg.InsufficientResourcesError, "is out of resources"),
    (asyncpg.InvalidAuthorizationSpecificationError, "refused the user name or the password"),
    (asyncpg.InvalidCatalogNameError, "has no such database"),
    (asyncpg.ReadOnlySQLTransactionError, "takes no writes"),
    (asyncpg.TargetServerAttributeNotMatched, "takes no writes"),
    (asyncpg.IdleInTransactionSessionTimeoutError, "gave up waiting for the gateway"),
    (asyncpg.QueryCanceledError, "did not finish in time"),
    (asyncpg.OperatorInterventionError, "is starting or stopping"),
    (asyncpg.TransactionRollbackError, "could not finish a transaction"),
    (asyncpg.PostgresConnectionError, "closed the connection"),
    (asyncpg.PostgresSystemError, "cannot use its disk"),
    (asyncpg.InternalServerError, "failed inside"),
    (TimeoutError, "did not answer in time"),
    (OSError, "cannot be reached"),
)
FOREIGN = tuple(kind for kind, _ in BREAKDOWNS)

Record = asyncpg.Record
Connection: TypeAlias = "PoolConnectionProxy[Record]"
OwnConnection: TypeAlias = "asyncpg.Connection[Record]"
Pool: TypeAlias = "asyncpg.Pool[Record]"


class CommitUnknown(StoreUnavailable):
    """Says that the connection broke while a transaction was being committed: it may have happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Is where the store lies. `name` is fit for messages: hosts or socket folder, never user or password."""

    url: Secret
    name: str

    @classmethod
    def parse(cls, url: Secret) -> Self:
        """Read a URL; raises ConfigurationError, without a word of it, when it has not the one form."""
        match = URL.fullmatch(url.reveal())
        if match is None:
            raise ConfigurationError("the store's URL has not the form postgresql://user:password@host/database"
                                     " (special characters of user and password are percent-encoded)")
        query = dict(pair.partition("=")[::2] for pair in (match["query"] or "").split("&"))
        return cls(url=url, name=match["hosts"] or unquote(query.get("host", "")) or "the default address")


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn what asyncpg and the system raise into StoreUnavailable; programming errors pass.

    Those are stripped of their detail: PostgreSQL quotes the whole failing row in it.
    """
    try:
        yield
    except FOREIGN as error:
        said = next(words for kind, words in BREAKDOWNS if isinstance(error, kind))
        raise StoreUnavailable(f"the store at {name} {said}") from error
    except asyncpg.PostgresError as error:
        error.detail = None
        raise


async def connect(address: Address) -> OwnConnection:
    """Open a connection of one's own, for what a pool cannot do."""
    with translated(address.name):
        return await asyncpg.connect(address.url.reveal(), timeout=CONNECT_TIMEOUT,
                                     command_timeout=COMMAND_TIMEOUT, server_settings=SERVER_SETTINGS,
                                     target_session_attrs=SessionAttribute.read_write)


class Database:
    """Is the pool of connections to one store."""

    def __init__(self, address: Address, pool: Pool) -> None:
        self.address = address
        self._pool = pool

    @classmethod
    @asynccontextmanager
    async def open(cls, address: Address, *, pool_size: int) -> AsyncIterator[Self]:
        """Make the pool; it connects when it is used, and again when a connection was lost.

        So it stays empty while the server is away, instead of trying, and logging, by itself.
        """
        pool = asyncpg.create_pool(
            address.url.reveal(), min_size=0, max_size=pool_size, timeout=CONNECT_TIMEOUT,
            command_timeout=COMMAND_TIMEOUT, server_settings=SERVER_SETTINGS, reset=_keep,
            # a demoted server is noticed at connecting, and of several hosts the right one is taken
            target_session_attrs=SessionAttribute.read_write)
        try:
            await pool
            yield cls(address, pool)
        finally:
            await _close(pool)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection, outside any transaction."""
        with translated(self.address.name):
            async with self._borrowed() as connection:
                yield connection

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[Connection]:
        try:
            async with self._pool.acquire(timeout=CONNECT_TIMEOUT) as connection:
                with lost_when_closed(connection):
                    yield connection
        except asyncpg.ReadOnlySQLTransactionError:
            # the server was demoted under us: no connection to it is of any use
            await self._pool.expire_connections()
            raise
        except asyncpg.InterfaceError as error:
            if not self._pool.is_closing():
                raise
            raise ConnectionAbortedError("the store is being closed") from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection within a transaction; raises CommitUnknown when its fate is not known.

        Read committed, whatever the server's default: each update re-checks its reason under a row lock.
        """
        committing = False
        try:
            async with self.connection() as connection, connection.transaction(isolation="read_committed"):
                yield connection
                committing = True
        except StoreUnavailable as error:
            if not committing:
                raise
            raise CommitUnknown(str(error)) from error

    async def rows(self, query: str, *arguments: object) -> list[Record]:
        """Run one statement and return its rows."""
        async with self.connection() as connection:
            return await connection.fetch(query, *arguments)

    async def row(self, query: str, *arguments: object) -> Record | None:
        """Run one statement and return its first row, if any."""
        async with self.connection() as connection:
            return await connection.fetchrow(query, *arguments)

    async def run(self, query: str, *arguments: object) -> None:
        """Run one statement."""
        async with self.connection() as connection:
            await connection.execute(query, *arguments)


@contextmanager
def lost_when_closed(connection: "Connection | OwnConnection") -> Iterator[None]:
    """Tell a connection that closed under us from a misuse of it: asyncpg raises one class for both."""
    try:
        yield
    except asyncpg.InterfaceError as error:
        if not _is_gone(connection):
            raise
        raise ConnectionResetError("the connection was closed") from error


def _is_gone(connection: "Connection | OwnConnection") -> bool:
    """Say whether a borrowed connection is dead; one that the pool took back while it was borrowed is, too."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


async def _keep(connection: object) -> None:
    """Leave a returned connection as it is: nothing of ours outlives its transaction; a round trip less."""


async def _close(pool: Pool) -> None:
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await pool.close()
    except TimeoutError:
        pool.terminate()
