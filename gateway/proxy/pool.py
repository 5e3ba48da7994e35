"""The connections to one address of an app: which of them a request may take, and which are kept.

Owns idle connections. Must not know clients, nor the app's other addresses.
"""

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from gateway.proxy.addresses import Destination
from gateway.proxy.limits import Limits
from gateway.proxy.rest import Rest
from gateway.proxy.upstream_connection import Receiver, UpstreamConnection


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


# For the hot path: in Python 3.11 `Reuse.ANY` is a call (0.15 µs, four times a request), a module's name is none.
ANY, RECENT, NEVER = Reuse


class Owner(Protocol):
    """Is the app that an address belongs to."""

    limits: Limits
    clock: Callable[[], float]
    on_error: Callable[[str], None]

    def retry(self, receiver: Receiver, request: bytes, *, method: bytes) -> None:
        """Send a whole request again, on a fresh connection."""


class AddressPool:
    """Is one address with its connections and its rest; the `Pool` that its connections know."""

    __slots__ = ("_connections", "_gone", "_idle", "_is_closed", "_owner", "address", "clock", "limits", "on_error",
                 "rest")

    def __init__(self, address: Destination, owner: Owner) -> None:
        self.address = address
        self.limits = owner.limits
        self.clock = owner.clock
        self.on_error = owner.on_error
        self.rest = Rest()
        self._owner = owner
        self._connections: set[UpstreamConnection] = set()
        self._idle: list[UpstreamConnection] = []
        self._is_closed = False
        self._gone = asyncio.Event()

    def __len__(self) -> int:
        return len(self._connections)

    def take(self, reuse: Reuse) -> UpstreamConnection | None:
        """Return the connection used last (LIFO keeps few of them warm), if `reuse` allows it."""
        while self._idle and reuse is not NEVER:
            connection = self._idle[-1]
            if reuse is RECENT and self.clock() - connection.touched > self.limits.fresh_seconds:
                return None
            self._idle.pop()
            if connection.is_usable:
                return connection
        return None

    def keep(self, connection: UpstreamConnection) -> None:
        """Take a connection back, or close it when there are enough."""
        if self._is_closed or len(self._idle) >= self.limits.pool_size:
            connection.abandon()
            return
        self._idle.append(connection)

    def release_oldest(self) -> bool:
        """Close the connection that idles for longest; say whether there was one."""
        if not self._idle:
            return False
        connection = self._idle[0]
        self.lost(connection)
        connection.abandon()
        return True

    def retry(self, receiver: Receiver, request: bytes, *, method: bytes) -> None:
        """Send a whole request again, on a fresh connection, to whichever address."""
        self._owner.retry(receiver, request, method=method)

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
        """Look after the times of all connections."""
        for connection in tuple(self._connections):
            connection.sweep(now)

    def abandon(self) -> None:
        """Close every connection, whatever it does, and keep none that is still to come."""
        self._is_closed = True
        self._gone.clear()
        for connection in tuple(self._connections):
            connection.abandon()

    async def gone(self) -> None:
        """Wait until every connection is closed."""
        if self._connections:
            await self._gone.wait()
