"""Where connections wait that are no HTTP yet: until their preamble is read and their TLS is agreed upon.

Owns one listening socket, and each connection from its acceptance until it is a client connection. The
preamble is read from the socket byte-exactly, so that TLS begins where it ends. Plain listeners need none
of this: `loop.create_server` is theirs.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from gateway.proxy.connections import Connections
from gateway.proxy.peers import Peers
from gateway.proxy.preamble import LONGEST, PreambleRefused, read_preamble
from gateway.proxy.steps import ClientInfo
from gateway.proxy.tasks import Tasks

PREAMBLE_SECONDS = 5.0  # the balancer sends it at once; a lost packet comes again after 3 s
HANDSHAKE_SECONDS = 10.0  # two round trips, on the worst of mobile networks
BATCH = 64  # connections accepted in a row before others have their turn
FULL_SECONDS = 1.0  # how long nothing is accepted when the process has no descriptor left


class BalancerRefused(Exception):
    """Says that a connection comes from somebody who may announce nobody."""


class Entrance:
    """Accepts on one listening socket, which becomes its own.

    `announcers` knows who may name the client of a connection; None where connections have no preamble. Without
    a `context` they are not encrypted. `on_refused` is called with why a connection was closed here (untrusted,
    preamble or tls) and with the address at its other end; not for one that ended by itself, as a balancer's
    checks do.
    """

    __slots__ = ("_announcers", "_connections", "_context", "_listener", "_on_refused", "_tasks")

    def __init__(self, listener: socket.socket, connections: Connections, tasks: Tasks, *,
                 announcers: Peers | None, context: ssl.SSLContext | None,
                 on_refused: Callable[[str, str], None]) -> None:
        self._listener = listener
        self._connections = connections
        self._tasks = tasks
        self._announcers = announcers
        self._context = context
        self._on_refused = on_refused

    def open(self) -> None:
        """Accept connections from now on."""
        self._listener.settimeout(0)
        self._listener.listen(socket.SOMAXCONN)
        self._watch()

    def close(self) -> None:
        """Accept nothing more; who has entered goes on."""
        if self._listener.fileno() != -1:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()

    def _watch(self) -> None:
        if self._listener.fileno() != -1:
            asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(BATCH):
            try:
                accepted, address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no descriptor is left: the queue waits, and this process gets some rest
                loop.remove_reader(self._listener)
                loop.call_later(FULL_SECONDS, self._watch)
                return
            accepted.settimeout(0)
            self._tasks.start(self._admit(accepted, address[0]))

    async def _admit(self, accepted: socket.socket, peer: str) -> None:
        """Make a client connection of what was accepted, or close it without a word to whoever is there."""
        arrival = Arrival(accepted)
        self._connections.opened(arrival)
        try:
            announced = await self._announced(accepted, peer)
            await asyncio.get_running_loop().connect_accepted_socket(
                partial(self._connections, announced), accepted, ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_SECONDS if self._context is not None else None)
        except (OSError, BalancerRefused, PreambleRefused) as error:
            accepted.close()
            reason = next((reason for kind, reason in REFUSALS.items() if isinstance(error, kind)), None)
            if reason is not None:
                self._on_refused(reason, peer)
        finally:
            self._connections.closed(arrival)

    async def _announced(self, accepted: socket.socket, balancer: str) -> ClientInfo | None:
        """Return the client that the preamble names, if there has to be one."""
        if self._announcers is None:
            return None
        if not self._announcers.info(balancer).is_trusted:
            raise BalancerRefused
        async with asyncio.timeout(PREAMBLE_SECONDS):
            return await _receive(accepted, partial(self._announcers.announced, balancer))


REFUSALS: Mapping[type[Exception], str] = MappingProxyType({
    BalancerRefused: "untrusted",
    PreambleRefused: "preamble",
    TimeoutError: "preamble",
    ssl.SSLError: "tls",
    ConnectionAbortedError: "tls",  # what asyncio and uvloop make of a handshake that is late
})
"""What a connection is refused for, by what went wrong; whatever else is an OSError, the other end has gone."""


class Arrival:
    """Is an accepted connection in the register: a drain waits for it, and its end comes by shutting it."""

    __slots__ = ("_accepted",)

    def __init__(self, accepted: socket.socket) -> None:
        self._accepted = accepted

    def sweep(self, now: float) -> None:
        """Do nothing: every wait at the entrance has its own limit."""

    def drain(self) -> None:
        """Do nothing: whoever has arrived is answered once."""

    def abort(self) -> None:
        """End both directions, which ends whatever wait is on."""
        try:
            self._accepted.shutdown(socket.SHUT_RDWR)
        except OSError:  # it has gone by itself
            return


async def _receive(accepted: socket.socket, announced: Callable[..., ClientInfo]) -> ClientInfo:
    """Take the preamble, and nothing beyond it, off a connection."""
    held = b""
    while True:
        await _readable(accepted)
        piece = accepted.recv(LONGEST - len(held), socket.MSG_PEEK)
        if not piece and not held:
            raise ConnectionResetError
        if not piece:
            raise PreambleRefused
        preamble = read_preamble(held + piece)
        if preamble is not None:
            accepted.recv(preamble.size - len(held))
            return announced(preamble.source)
        held += accepted.recv(len(piece))


async def _readable(accepted: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(accepted, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(accepted)
