"""One app as the data plane knows it: its address, its pool of connections, and whole answers.

Owns which connection a request may take. Must not know clients.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from gateway.errors import AppUnavailable
from gateway.http.answer import Answer
from gateway.proxy.limits import Limits
from gateway.proxy.tasks import Tasks
from gateway.proxy.upstream_connection import Receiver, UpstreamConnection
from gateway.proxy.whole_answer import WholeAnswer


class Reuse(Enum):
    """Which pooled connection a request may take, since the app may have closed it a moment ago.

    A request that met a closed connection may have been acted upon, so only safe ones are sent again (RFC
    9110 9.2.2). ANY: safe and without a body: any connection, sent again once on a fresh one. RECENT: one
    used within the last second, which no common app has closed by itself; the cost is a new connection
    (about 0.1 ms on a near network) for each such request after a pause, and a 502 in the rare case that
    the app stopped in that second. NEVER: a fresh one, for requests whose failure decides something.
    """

    ANY = "any"
    RECENT = "recent"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Is where an app listens; names are resolved at each connect."""

    host: str
    port: int


class Upstream:
    """Is one app as the data plane knows it: its address and its connections.

    `on_error` is called with connect, timeout, protocol or lost. `clock` counts seconds and never goes back.
    """

    __slots__ = ("_connections", "_gone", "_idle", "_is_closed", "_tasks", "address", "clock", "limits",
                 "on_error")

    def __init__(self, address: Address, *, limits: Limits, tasks: Tasks, clock: Callable[[], float],
                 on_error: Callable[[str], None]) -> None:
        self.address = address
        self.limits = limits
        self.clock = clock
        self.on_error = on_error
        self._tasks = tasks
        self._connections: set[UpstreamConnection] = set()
        self._idle: list[UpstreamConnection] = []
        self._is_closed = False
        self._gone = asyncio.Event()

    def attach(self, receiver: Receiver, request: bytes, *, method: bytes, reuse: Reuse,
               is_last: bool = True) -> None:
        """Send `request` on a connection and tell `receiver` all that follows.

        `is_last` is False while more of the body is to come: the receiver then sets `is_request_sent` on
        the connection together with the last piece.
        """
        connection = self._pooled(reuse)
        if connection is None:
            connection = UpstreamConnection(self)
            self._tasks.start(self._connect(connection))
        connection.is_request_sent = is_last
        connection.begin(receiver, request, method=method, is_repeatable=reuse is Reuse.ANY)

    async def fetch(self, request: bytes, *, method: bytes, safe: bool = False) -> Answer:
        """Send a whole request and return the whole answer, without transfer coding.

        Raises AppUnavailable: 502 (refused, malformed, larger than `limits.answer_held`, or closed before
        there was an answer), 504 (late). An answer that is cut within its body is returned as not whole.
        Unless `safe`, the request goes out exactly once, on a fresh connection: nobody may log in, or
        change a password, twice.
        """
        fetched = WholeAnswer(asyncio.get_running_loop().create_future(), limit=self.limits.answer_held)
        self.attach(fetched, request, method=method, reuse=Reuse.ANY if safe else Reuse.NEVER)
        try:
            async with asyncio.timeout(self.limits.answer_whole_seconds):
                return await fetched.result
        except TimeoutError:
            self.on_error("timeout")
            return fetched.cut(AppUnavailable("The app did not answer in time.", status=504))
        finally:
            fetched.abandon()

    def retry(self, receiver: Receiver, request: bytes, *, method: bytes) -> None:
        """Send a whole request again, on a fresh connection."""
        self.attach(receiver, request, method=method, reuse=Reuse.NEVER)

    def keep(self, connection: UpstreamConnection) -> None:
        """Take a connection back into the pool, or close it when there are enough."""
        if self._is_closed or len(self._idle) >= self.limits.pool_size:
            connection.abandon()
            return
        self._idle.append(connection)

    def opened(self, connection: UpstreamConnection) -> None:
        """Know a connection from now on."""
        self._connections.add(connection)

    def lost(self, connection: UpstreamConnection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if not self._connections:
            self._gone.set()

    def sweep(self, now: float) -> None:
        """Look after the times of all connections; called about once a second."""
        for connection in tuple(self._connections):
            connection.sweep(now)

    async def close(self) -> None:
        """Close every connection, whatever it does, and wait until they are gone."""
        self._is_closed = True
        self._gone.clear()
        for connection in tuple(self._connections):
            connection.abandon()
        if self._connections:
            await self._gone.wait()

    def _pooled(self, reuse: Reuse) -> UpstreamConnection | None:
        """Return the connection used last (LIFO keeps few of them warm), if `reuse` allows it."""
        while self._idle and reuse is not Reuse.NEVER:
            connection = self._idle[-1]
            if reuse is Reuse.RECENT and self.clock() - connection.touched > self.limits.fresh_seconds:
                return None
            self._idle.pop()
            if connection.is_usable:
                return connection
        return None

    async def _connect(self, connection: UpstreamConnection) -> None:
        """Connect, or fail the request that waits for it."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.limits.connect_seconds):
                await loop.create_connection(lambda: connection, self.address.host, self.address.port)
        except TimeoutError:
            connection.fail("connect", AppUnavailable("The app accepts no connection in time.", status=504))
        except OSError:
            connection.fail("connect", AppUnavailable("The app does not accept connections."))
