"""All client connections of one worker: where they begin, and how they end.

Owns the one timer that looks after every time limit, and the graceful stop. A timer per request would
cost more than the request.
"""

import asyncio

from gateway.proxy.client import ClientConnection
from gateway.proxy.limits import SWEEP_SECONDS
from gateway.proxy.surroundings import OpenConnection, Surroundings


class Connections:
    """Makes a connection's protocol when called (`loop.create_server(connections, …)`), and owns it.

    `start` sets the timer going; `drain` ends everything. The order of a whole stop: close the listeners,
    `drain`, then `Tasks.close`, then each `Upstream.close`.
    """

    __slots__ = ("_around", "_emptied", "_is_draining", "_open", "_timer")

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._open: set[OpenConnection] = set()
        self._emptied = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._is_draining = False

    def __call__(self) -> ClientConnection:
        """Make the protocol of one connection."""
        return ClientConnection(self._around, self)

    def __len__(self) -> int:
        return len(self._open)

    @property
    def is_draining(self) -> bool:
        """Whether each connection closes after its exchange."""
        return self._is_draining

    def start(self) -> None:
        """Look after the time limits from now on."""
        self._timer = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._tick)

    async def drain(self, grace: float) -> None:
        """Close idle connections now, busy ones after their exchange, and after `grace` seconds all."""
        self._is_draining = True
        for connection in tuple(self._open):
            connection.drain()
        if not await self._is_emptied_within(grace):
            for connection in tuple(self._open):
                connection.abort()
            await self._is_emptied_within(SWEEP_SECONDS)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def opened(self, connection: OpenConnection) -> None:
        """Know a connection from now on."""
        self._open.add(connection)

    def closed(self, connection: OpenConnection) -> None:
        """Forget a connection."""
        self._open.discard(connection)
        if not self._open:
            self._emptied.set()

    def sweep(self) -> None:
        """Apply the time limits to clients and apps."""
        now = self._around.clock()
        for connection in tuple(self._open):
            connection.sweep(now)
        for upstream in self._around.sites.upstreams:
            upstream.sweep(now)

    def _tick(self) -> None:
        self.start()
        self.sweep()

    async def _is_emptied_within(self, seconds: float) -> bool:
        """Wait until no connection is open, or the time is over."""
        if not self._open:
            return True
        self._emptied.clear()
        try:
            await asyncio.wait_for(self._emptied.wait(), seconds)
        except TimeoutError:
            return False
        return True
