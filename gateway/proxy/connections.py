"""All client connections of one worker: where they begin, and how they end.

Owns the one timer that looks after every time limit, and the graceful stop. A timer per request would
cost more than the request.
"""

import asyncio

from gateway.proxy.client import ClientConnection
from gateway.proxy.limits import SWEEP_SECONDS
from gateway.proxy.steps import ClientInfo
from gateway.proxy.surroundings import OpenConnection, Surroundings


class Connections:
    """Makes a connection's protocol when called (`loop.create_server(connections, …)`), and owns it.

    `start` sets the timer going; `drain` ends everything. The order of a whole stop: `wind_down`, close the
    listeners, `drain`, then `Tasks.close`, then each `Upstream.close`.
    """

    __slots__ = ("_around", "_emptied", "_open", "_timer", "is_draining")

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._open: set[OpenConnection] = set()
        self._emptied = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self.is_draining = False

    def __call__(self, announced: ClientInfo | None = None) -> ClientConnection:
        """Make the protocol of one connection; `announced` is its client, where a balancer has named one."""
        return ClientConnection(self._around, self, announced)

    def __len__(self) -> int:
        return len(self._open)

    def start(self) -> None:
        """Look after the time limits from now on."""
        self._timer = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._tick)

    def wind_down(self) -> None:
        """Let each connection close after the exchange that runs, or after the next one."""
        self.is_draining = True

    async def drain(self, grace: float, *, quiet: float = 0.0) -> None:
        """End every connection: after its next answer, when it was idle for `quiet` seconds, or after `grace`.

        Closing an idle connection at once could meet a request that is under way: who uses the connection
        again soon is answered once more, and told that it closes.
        """
        self.wind_down()
        await asyncio.sleep(0)  # a connection that was just accepted is known by then
        quiet = min(quiet, grace)
        await self._is_emptied_within(quiet)
        for connection in tuple(self._open):
            connection.drain()
        if not await self._is_emptied_within(grace - quiet):
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
