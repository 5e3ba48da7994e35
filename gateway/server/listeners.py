"""Both listeners of a worker: opened on sockets that somebody else holds, and ended without cutting anybody off.

Owns the order: the public one opens first, so whoever finds the gateway ready finds it open; at the end it
closes first, and the private one says until the last moment how things are.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from aiohttp import web

from gateway.app import Gateway
from gateway.proxy.entrance import Entrance
from gateway.server.certificates import server_context
from gateway.server.sockets import Sockets
from gateway.settings import Settings

QUIET_SECONDS = 1.0  # a connection that was not used for so long after the drain began is hardly used right now


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Says how a worker ends; seconds.

    Until `delay` is over new connections are taken. Then those that idle for `quiet` are closed, and after
    `grace` all. `is_stopping` says that nobody takes this worker's place.
    """

    delay: float = 0.0
    grace: float
    quiet: float = QUIET_SECONDS
    is_stopping: bool = True


class Listeners:
    """Serves a gateway on sockets, which become its own."""

    __slots__ = ("_gateway", "_runner", "_servers")

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._runner = web.AppRunner(gateway.private, access_log=None)
        self._servers: list[asyncio.Server | Entrance] = []

    async def open(self, settings: Settings, *, context: ssl.SSLContext | None, public: Sequence[socket.socket],
                   private: Sequence[socket.socket]) -> None:
        """Serve from now on."""
        await self._runner.setup()
        for one in public:
            self._servers.append(await self._serve(settings, context, one))
        for one in private:
            await web.SockSite(self._runner, one).start()
        self._gateway.connections.start()

    async def _serve(self, settings: Settings, context: ssl.SSLContext | None,
                     one: socket.socket) -> asyncio.Server | Entrance:
        """Accept on one public socket; a plain one needs nobody at the entrance."""
        gateway = self._gateway
        if context is None and not settings.listen.proxy_protocol:
            loop = asyncio.get_running_loop()
            return await loop.create_server(gateway.connections, sock=one, backlog=socket.SOMAXCONN)
        entrance = Entrance(one, gateway.connections, gateway.loops, context=context, on_refused=gateway.on_refused,
                            announcers=gateway.peers if settings.listen.proxy_protocol else None)
        entrance.open()
        return entrance

    async def leave(self, order: Leave) -> None:
        """End the public side as ordered; cancelled, it can be begun anew with another order."""
        gateway = self._gateway
        if order.is_stopping:
            gateway.operations.leave()
        else:  # the place is taken: who comes now, comes to others
            for site in tuple(self._runner.sites):
                await site.stop()
        gateway.connections.wind_down()
        await asyncio.sleep(order.delay)
        self._close_public()
        await gateway.connections.drain(order.grace, quiet=order.quiet)

    async def close(self) -> None:
        """Close what is open, whatever came before."""
        self._close_public()
        await self._runner.cleanup()

    def _close_public(self) -> None:
        for server in self._servers:
            server.close()


@contextlib.asynccontextmanager
async def listening(settings: Settings, gateway: Gateway) -> AsyncIterator[None]:
    """Serve within this process alone, on the addresses that the settings name; leaving ends everything."""
    sockets = Sockets.open(settings, 1)
    listeners = Listeners(gateway)
    try:
        await listeners.open(settings, context=server_context(settings), public=sockets.public[0],
                             private=sockets.private)
        yield
        await listeners.leave(Leave(grace=settings.listen.drain_seconds))
    finally:
        await listeners.close()
        sockets.close()
