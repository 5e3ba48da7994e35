"""PostgreSQL. A small pool of connections, made when they are needed; read-only transactions.

Statements are unnamed and settings are the transaction's own, so a pooler in transaction mode may stand
between.
"""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from adapters.base import AdapterError, AdapterMisconfigured, AdapterUnavailable
from adapters.sql import parameters
from adapters.sql.options import LOGIN, Query, SqlOptions
from adapters.sql.rows import Answer
from gateway.model import Outcome

CLOSE_SECONDS = 2.0  # nothing is lost by an abrupt end: every question only reads
IDLE_SECONDS = 60.0  # logins come in bursts; between them the legacy database keeps its connections
APPLICATION = "sluicegate"  # how the legacy database's own tools see these connections

UNAVAILABLE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
    asyncpg.TransactionRollbackError,
    asyncpg.InterfaceError,
)
BROKEN = (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

Tls = ssl.SSLContext | Literal["verify-full"] | None


class PostgresDatabase:
    """Asks one database, or one of several hosts that the URL lists."""

    def __init__(self, pool: asyncpg.Pool, query: Query, timeout_seconds: float) -> None:
        self._pool = pool
        self._query = parameters.numbered(query.text, LOGIN)
        self._timeout = timeout_seconds

    @classmethod
    async def open(cls, options: SqlOptions, query: Query, timeout_seconds: float) -> Self:
        """Make the pool; no connection is made yet, so the database may be down."""
        url = options.url.reveal()
        with _translated():
            pool = await asyncpg.create_pool(
                url,
                ssl=tls(url),
                min_size=0,
                max_size=options.connections,
                max_inactive_connection_lifetime=IDLE_SECONDS,
                timeout=timeout_seconds,
                statement_cache_size=0,
            )
        return cls(pool, query, timeout_seconds)

    async def ask(self, login: str) -> Answer:
        """Put the login query. A connection on which it fails in any way is not used again."""
        with _translated():
            connection = await self._pool.acquire(timeout=self._timeout)
            answer = None
            try:
                answer = await self._read(connection, login)
            finally:
                if answer is None:
                    connection.terminate()
                await self._pool.release(connection)
            return answer

    async def _read(self, connection: "PoolConnectionProxy[asyncpg.Record]", login: str) -> Answer:
        transaction = connection.transaction(readonly=True)
        await transaction.start()
        await connection.execute(f"SET LOCAL statement_timeout = {round(self._timeout * 1000)}")
        statement = await connection.prepare(self._query)
        columns = [attribute.name for attribute in statement.get_attributes()]
        rows = await (await statement.cursor(login)).fetch(2)
        await transaction.rollback()
        return Answer(columns=columns, rows=[tuple(row) for row in rows])

    async def close(self) -> None:
        """Close the pool; what does not let itself be closed in time is cut."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._pool.close()
        except (TimeoutError, *UNAVAILABLE):
            self._pool.terminate()


def tls(url: str) -> Tls:
    """Say how a connection is protected: verified, unless it is local or the URL says otherwise."""
    query = parse_qs(urlsplit(url).query)
    if "sslmode" in query or all(_is_local(host) for host in _hosts(url)):
        return None
    if "sslrootcert" in query or "sslcert" in query:
        return "verify-full"
    return ssl.create_default_context()


def _hosts(url: str) -> list[str]:
    """Return the hosts of a URL, at least one: without it the environment would choose it unseen."""
    parts = urlsplit(url)
    listed = parts.netloc.rpartition("@")[2] or ",".join(parse_qs(parts.query).get("host", []))
    hosts = [unquote(host) for host in listed.split(",") if host]
    if not hosts:
        raise AdapterMisconfigured("the source's url must name a host, or a folder of sockets by ?host=/…")
    return hosts


def _is_local(host: str) -> bool:
    name = host.partition("]")[0].strip("[") if host.startswith("[") else host.partition(":")[0]
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or host.startswith("/")


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the driver's errors into the adapter's; their texts may hold values or the URL."""
    try:
        yield
    except BROKEN as error:
        raise _translation(error) from None


def _translation(error: Exception) -> AdapterError:
    match error:
        case TimeoutError() | asyncpg.QueryCanceledError():
            return AdapterUnavailable("the database did not answer in time", Outcome.TIMEOUT)
        case ssl.SSLCertVerificationError():
            return AdapterMisconfigured(
                "the database's certificate cannot be verified; add ?sslrootcert=… to the source's url"
            )
        case asyncpg.InvalidAuthorizationSpecificationError() | asyncpg.InvalidCatalogNameError():
            return AdapterMisconfigured("the database refuses the url's user, password or database name")
        case ValueError():
            return AdapterMisconfigured("the source's url is not understood")
        case _ if isinstance(error, UNAVAILABLE):
            return AdapterUnavailable("the database cannot be reached, or offers no TLS", Outcome.UNAVAILABLE)
        case asyncpg.DataError() if type(error) is asyncpg.DataError:  # the driver's own, from before sending
            return AdapterMisconfigured("the login query compares :login with what is no text; CAST it")
        case asyncpg.PostgresError():
            return AdapterMisconfigured(
                f"PostgreSQL refuses the login query (SQLSTATE {error.sqlstate}); try it by hand"
            )
        case _:
            return AdapterUnavailable("the database speaks another protocol", Outcome.PROTOCOL_ERROR)
