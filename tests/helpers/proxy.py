"""A data plane on real sockets between raw clients and a raw app, for tests that read as dialogues.

Client sends, app gets, app replies, client gets.
"""

import asyncio
import functools
import itertools
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar

import uvloop

from gateway.errors import RequestRefused
from gateway.http.head import RequestHead
from gateway.http.rewriting import Rewrite
from gateway.proxy.addresses import Address, Destination
from gateway.proxy.client import ClientConnection
from gateway.proxy.connections import Connections
from gateway.proxy.ids import RequestIds
from gateway.proxy.limits import Limits
from gateway.proxy.peers import Peers
from gateway.proxy.sites import Site, Sites
from gateway.proxy.steps import PLAIN, Ask, ClientInfo, Reply, Step
from gateway.proxy.surroundings import Surroundings
from gateway.proxy.tasks import Tasks
from gateway.proxy.tunnel import End
from gateway.proxy.upstream import Upstream
from tests.helpers.certificates import ServerCertificate

HOLDING_SECONDS = 60.0  # a slow machine needs long to fill the sockets' own buffers
READ_BYTES = 256 * 1024  # what uvloop reads at once
PATIENCE = 5.0  # seconds after which a dialogue has gone wrong
HOST = b"Host: shop.test\r\n"
T = TypeVar("T")


def on_uvloop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test on the loop that serves in production."""

    @functools.wraps(test)
    def run(*arguments: object, **named: object) -> None:
        async def main() -> None:
            await test(*arguments, **named)

        uvloop.run(main())

    return run


def beside(work: Coroutine[object, object, T]) -> asyncio.Task[T]:
    """Let one side of a dialogue go on while the test speaks for the other; the test awaits it."""
    return asyncio.get_running_loop().create_task(work)


def counting_entropy() -> Callable[[int], bytes]:
    """Return a stand-in for os.urandom whose bytes are a counter's, so that ids differ and repeat."""
    counter = itertools.count(1)
    return lambda size: b"".join(next(counter).to_bytes(16, "big") for _ in range(size // 16))


@dataclass
class Note:
    """What the traffic was told of one request."""

    site: str
    method: bytes
    target: bytes
    status: int
    seconds: float
    peer: str
    request_id: bytes
    sent: int


@dataclass
class Watcher:
    """Is a Traffic that remembers."""

    notes: list[Note] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)

    def answered(self, *what: object) -> None:
        self.notes.append(Note(*what))  # type: ignore[arg-type]

    def upstream_error(self, site: str, kind: str) -> None:
        self.errors.append((site, kind))

    @property
    def statuses(self) -> list[int]:
        return [note.status for note in self.notes]


class PassAll:
    """Is an Interceptor that lets everything pass, and has nothing of its own."""

    def own(self, head: RequestHead, client: ClientInfo) -> Ask | Reply:
        raise RequestRefused(404, "")

    def examine(self, site: Site, head: RequestHead, client: ClientInfo) -> Step:
        return PLAIN


class Side:
    """Is one end of a raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def sends(self, data: bytes) -> None:
        self.writer.write(data)
        await asyncio.wait_for(self.writer.drain(), PATIENCE)

    replies = sends

    async def gets(self, size: int) -> bytes:
        """Return exactly so many bytes."""
        return await asyncio.wait_for(self.reader.readexactly(size), PATIENCE)

    async def gets_head(self) -> bytes:
        """Return a head, its blank line included."""
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)

    async def gets_answer(self) -> tuple[bytes, bytes]:
        """Return a head and the body that its Content-Length promises."""
        head = await self.gets_head()
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        return head, await self.gets(length)

    async def gets_all(self) -> bytes:
        """Return everything up to the end of the connection."""
        return await asyncio.wait_for(self.reader.read(), PATIENCE)

    async def hears_nothing(self, seconds: float = 0.05) -> bool:
        """Say whether nothing arrives for so long."""
        try:
            return not await asyncio.wait_for(self.reader.read(1), seconds)
        except TimeoutError:
            return True

    def ends(self) -> None:
        """Send no more."""
        self.writer.write_eof()

    def leaves(self) -> None:
        """Close."""
        self.writer.close()

    def resets(self) -> None:
        """Close by a reset."""
        connected = self.writer.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class App:
    """Is a raw server: the test speaks for it; with a `certificate`, over TLS."""

    def __init__(self, certificate: ServerCertificate | None = None) -> None:
        self._tls = certificate.context() if certificate is not None else None
        self._arrived: asyncio.Queue[Side] = asyncio.Queue()
        self.accepted = 0
        self._sides: list[Side] = []
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port, limit=2**20, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def open_socket(self, path: Path) -> None:
        self._server = await asyncio.start_unix_server(self._accept, path, limit=2**20)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        side = Side(reader, writer)
        self._sides.append(side)
        self._arrived.put_nowait(side)

    async def accepts(self) -> Side:
        """Return the next connection that the gateway opened."""
        return await asyncio.wait_for(self._arrived.get(), PATIENCE)

    async def close(self) -> None:
        for side in self._sides:
            side.writer.transport.abort()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        await asyncio.sleep(0)


class World:
    """Is a gateway before one app, and whatever clients a test opens; `addresses` lead elsewhere than to it."""

    def __init__(self, *, interceptor: object = None, limits: Limits | None = None,
                 trusted: Sequence[str] = (), hosts: tuple[str, ...] = ("*",),
                 addresses: Sequence[Destination] = (), rewrite: Rewrite | None = None) -> None:
        self.watcher = Watcher()
        self.crashes: list[tuple[BaseException, bytes]] = []
        self.failures: list[BaseException] = []
        self.limits = limits or Limits()
        self.now = 0.0  # added to the clock: tests let hours pass
        self.tasks = Tasks(self.failures.append)
        self.app = App()
        self._interceptor = interceptor or PassAll()
        self._trusted = [ip_network(text) for text in trusted]
        self._hosts = hosts
        self._addresses = addresses
        self._rewrite = rewrite
        self.rests: list[tuple[str, str]] = []
        self._sides: list[Side] = []
        self._served: list[ClientConnection] = []
        self._server: asyncio.Server | None = None

    def clock(self) -> float:
        return time.monotonic() + self.now

    async def open(self) -> None:
        await self.app.open()
        addresses = self._addresses or [Address(host="127.0.0.1", port=self.app.port)]
        self.upstream = Upstream(*addresses, limits=self.limits, tasks=self.tasks, clock=self.clock,
                                 on_error=lambda kind: self.watcher.upstream_error("shop", kind),
                                 on_rest=lambda address, reason: self.rests.append((address, reason)))
        site = Site(name="shop", hosts=self._hosts, upstream=self.upstream, rewrite=self._rewrite)
        around = Surroundings(
            sites=Sites([site]), interceptor=self._interceptor, traffic=self.watcher,  # type: ignore[arg-type]
            limits=self.limits, peers=Peers(trusted=self._trusted, scheme=b"http"), tasks=self.tasks,
            request_ids=RequestIds(counting_entropy()), clock=self.clock,
            on_crash=lambda error, request_id: self.crashes.append((error, request_id)))
        self.connections = Connections(around)
        self.connections.start()
        self._server = await asyncio.get_running_loop().create_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def _serve(self) -> ClientConnection:
        self._served.append(self.connections())
        return self._served[-1]

    @property
    def _transports(self) -> list[asyncio.Transport]:
        """The gateway's own ends of its connections to clients and to apps."""
        clients = [each._transport for each in self._served]
        apps = [each._transport for pool in self.upstream.pools for each in pool._connections]
        ends = [each.get_protocol() for each in clients]
        tunnelled = [end.far._transport for end in ends if isinstance(end, End)]
        return [each for each in (*clients, *apps, *tunnelled) if each is not None and not each.is_closing()]

    async def holds_back(self) -> int:
        """Wait until the gateway does not read one of its connections; return how much it holds to be sent at most."""
        async with asyncio.timeout(HOLDING_SECONDS):
            while all(each.is_reading() for each in self._transports):
                await asyncio.sleep(0.001)
        return max(each.get_write_buffer_size() for each in self._transports)

    async def client(self, limit: int = 2**20) -> Side:
        """Return a new connection to the gateway."""
        side = Side(*await asyncio.open_connection("127.0.0.1", self.port, limit=limit))
        self._sides.append(side)
        return side

    def passes(self, seconds: float) -> None:
        """Let time pass, and the sweep see it."""
        self.now += seconds
        self.connections.sweep()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.001)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for side in self._sides:
            side.writer.transport.abort()
        await self.connections.drain(0.2)
        await self.tasks.close(0.2)
        await self.upstream.close()
        await self.app.close()
        if self._server is not None:
            await self._server.wait_closed()


@asynccontextmanager
async def world(**options: object) -> AsyncIterator[World]:
    """Open a world and close it."""
    opened = World(**options)  # type: ignore[arg-type]
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()
    assert not opened.failures, opened.failures
