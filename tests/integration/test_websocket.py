"""WebSockets through the gateway: the websockets library at both ends, and raw bytes where it is too polite."""

import asyncio
import gc
import resource
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from gateway.http.head import RequestHead
from gateway.model import Secret
from gateway.proxy.addresses import Address
from gateway.proxy.limits import Limits
from gateway.proxy.sites import Site
from gateway.proxy.steps import ClientInfo, Pass, Step
from tests.helpers.proxy import HOST, READ_BYTES, Side, World, beside, on_uvloop, world
from tests.helpers.stage import shop_stage

MIB = 1024 * 1024
OPENING = (b"GET /live HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
GRANT = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
GET = b"GET /next HTTP/1.1\r\n" + HOST + b"\r\n"


class Session:
    """Is a Standing that ends at the test's word."""

    def __init__(self, word: bool | None = True) -> None:
        self.word = word
        self.row = True

    def holds(self) -> bool | None:
        return self.word

    async def ask(self) -> bool:
        return self.row


class Rides:
    """Is an Interceptor for whom everybody rides on one session."""

    def __init__(self, session: Session) -> None:
        self._step = Pass(standing=session)

    def examine(self, site: Site, head: RequestHead, client: ClientInfo) -> Step:
        return self._step


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)



async def opened(gateway: World) -> tuple[Side, Side]:
    """Return the two ends of a new tunnel, client and app."""
    client = await gateway.client()
    await client.sends(OPENING)
    app = await gateway.app.accepts()
    await app.gets_head()
    await app.replies(GRANT)
    await client.gets_head()
    return client, app


@asynccontextmanager
async def before(handler: Callable[[ServerConnection], object] = echo, **options: object) -> AsyncIterator[World]:
    """Open a gateway before a websockets server."""
    serving = serve(handler, "127.0.0.1", 0, max_size=None, ping_interval=None, compression=None)
    async with serving as server, world(**options) as gateway:
        port = next(iter(server.sockets)).getsockname()[1]
        gateway.upstream.pools[0].address = Address(host="127.0.0.1", port=port)
        yield gateway


def through(gateway: World) -> connect:
    return connect(f"ws://127.0.0.1:{gateway.port}/live", max_size=None, ping_interval=None, compression=None,
                   open_timeout=60, proxy=None)


@on_uvloop
async def test_text_bytes_and_pings_cross() -> None:
    """Each kind of frame comes back, and the closing handshake with its code."""
    async with before() as gateway:
        async with through(gateway) as client:
            for message in ("text ä", b"\x00\xff" * 10, "", b""):
                await client.send(message)
                assert await client.recv() == message
            async with asyncio.timeout(5.0):
                assert await (await client.ping()) >= 0
            await client.close(code=4000, reason="enough")
        assert (client.close_code, client.close_reason) == (4000, "enough")
        await gateway.until(lambda: gateway.watcher.notes)
        [note] = gateway.watcher.notes
        assert (note.status, note.target) == (101, b"/live")
        assert note.sent > 100
        await gateway.until(lambda: not len(gateway.connections))


@on_uvloop
async def test_sixteen_mebibytes_cross_in_one_message() -> None:
    """A message larger than every buffer comes back whole, in both directions at once."""
    async with before() as gateway, through(gateway) as client:
        message = bytes(range(256)) * (16 * MIB // 256)
        async with asyncio.timeout(60.0):
            await client.send(message)
            assert await client.recv() == message


@on_uvloop
async def test_a_slow_reader_holds_the_sender_back() -> None:
    """The gateway keeps its buffers' worth, not the message."""
    sent = 0

    async def floods(connection: ServerConnection) -> None:
        nonlocal sent
        for _ in range(200):
            await connection.send(bytes(MIB))
            sent += 1

    async with before(floods, limits=Limits(write_buffer=64 * 1024)) as gateway:
        client = await gateway.client(limit=1024)
        await client.sends(OPENING)
        await client.gets_head()
        assert await gateway.holds_back() <= 64 * 1024 + READ_BYTES
        assert sent < 60


@on_uvloop
async def test_a_thousand_tunnels_stand_side_by_side() -> None:
    """Every one carries its own messages, and afterwards nothing is left."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1000 if hard >= 6000 or hard == resource.RLIM_INFINITY else 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 6000)), hard))
    limits = Limits(upstream_connections=2000)
    try:
        async with before(limits=limits) as gateway, asyncio.timeout(120.0):
            clients: list[ClientConnection] = []
            for start in range(0, wanted, 50):
                clients += await asyncio.gather(*(through(gateway) for _ in range(start, start + 50)))
            for number, client in enumerate(clients):
                await client.send(str(number))
            assert [await client.recv() for client in clients] == [str(number) for number in range(wanted)]
            assert len(gateway.connections) == wanted
            await asyncio.gather(*(client.close() for client in clients))
            await gateway.until(lambda: not len(gateway.connections))
            assert gateway.watcher.statuses == [101] * wanted
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        gc.collect()


@pytest.mark.parametrize("word", [False, None])
@on_uvloop
async def test_a_revoked_session_closes_its_tunnel(word: bool | None) -> None:
    """At the next look, a second later at most, whether that is known at once or only the row can tell."""
    session = Session()
    async with before(interceptor=Rides(session)) as gateway, through(gateway) as client:
        await client.send("a")
        assert await client.recv() == "a"
        session.word, session.row = word, False
        with pytest.raises(websockets.ConnectionClosedError):
            async with asyncio.timeout(2.0):
                await client.recv()


@on_uvloop
async def test_a_silent_tunnel_is_closed_in_time() -> None:
    """Pings keep it; without any it ends after its limit."""
    async with before() as gateway, through(gateway) as client:
        for _ in range(3):
            gateway.passes(299.0)
            await (await client.ping())
        gateway.passes(1.0)
        gateway.passes(301.0)
        with pytest.raises(websockets.ConnectionClosedError):
            async with asyncio.timeout(5.0):
                await client.recv()


# As raw bytes.


@on_uvloop
async def test_nothing_sent_early_reaches_the_app_before_the_grant() -> None:
    """It follows the grant, and what the app sent with the grant precedes all else."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(OPENING + b"early")
        app = await gateway.app.accepts()
        assert b"Connection: Upgrade\r\nUpgrade: websocket\r\n" in await app.gets_head()
        assert await app.hears_nothing()
        await client.sends(b" bird")
        await app.replies(GRANT + b"hello")
        assert (await client.gets_head()).startswith(b"HTTP/1.1 101 ")
        assert await client.gets(5) == b"hello"
        assert await app.gets(10) == b"early bird"


@on_uvloop
async def test_what_follows_a_refused_opening_is_no_request() -> None:
    """A client, or a proxy before us, that takes the tunnel for granted cannot send a request through it."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(OPENING + GET)
        app = await gateway.app.accepts()
        await app.gets_head()
        await app.replies(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno")
        head, body = await client.gets_answer()
        assert b"Connection: close\r\n" in head
        assert body == b"no"
        await client.sends(GET)
        assert await client.gets_all() == b""
        assert await app.gets_all() == b""
        assert gateway.app.accepted == 1
        assert gateway.watcher.statuses == [200]


@pytest.mark.parametrize("lines", [b"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
                                   b"Upgrade: websocket\r\n", b"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n"])
@on_uvloop
async def test_any_other_upgrade_is_an_ordinary_request(lines: bytes) -> None:
    """The app hears nothing of it, and a 101 to it is an error."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(b"GET / HTTP/1.1\r\n" + HOST + lines + b"\r\n")
        app = await gateway.app.accepts()
        head = (await app.gets_head()).lower()
        assert b"upgrade" not in head
        assert b"http2" not in head
        await app.replies(GRANT)
        assert (await client.gets_head()).startswith(b"HTTP/1.1 502 ")


@on_uvloop
async def test_one_direction_may_end_before_the_other() -> None:
    """The end of a side crosses as such, from either end, and what is on its way still arrives."""
    async with world() as gateway:
        for first in ("client", "app"):
            client, app = await opened(gateway)
            ending, staying = (client, app) if first == "client" else (app, client)
            await ending.sends(b"last")
            ending.ends()
            assert await staying.gets_all() == b"last"
            await staying.sends(b"but not least")
            staying.ends()
            assert await ending.gets_all() == b"but not least"
            await gateway.until(lambda: not len(gateway.connections))


@on_uvloop
async def test_a_reset_end_takes_the_other_along() -> None:
    """Neither side waits for one that is gone."""
    async with world() as gateway:
        client, app = await opened(gateway)
        client.resets()
        assert await app.gets_all() == b""
        await gateway.until(lambda: gateway.watcher.statuses == [101])


@on_uvloop
async def test_a_stop_lets_tunnels_live_for_the_grace() -> None:
    """Then it closes both ends."""
    async with before() as gateway, through(gateway) as client:
        draining = beside(gateway.connections.drain(0.3))
        await client.send("still")
        assert await client.recv() == "still"
        with pytest.raises(websockets.ConnectionClosedError):
            async with asyncio.timeout(5.0):
                await client.recv()
        await draining


# With everything above the data plane.


async def test_a_logout_closes_what_rides_on_the_session(database: Secret, tmp_path: Path) -> None:
    """A WebSocket that was opened with a session ends within two seconds after it; one of nobody's goes on."""
    async with shop_stage(database, tmp_path, "sql") as scene:
        scene.shop.set_password("alice", "a Hare")
        scene.shop.odd = lambda request: GRANT if request.target == "/live" else None
        browser = scene.browser()
        assert (await scene.log_in(browser, "alice", "a Hare")).status == 302
        port = urlsplit(scene.gateway.url).port
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        sides = []
        for line in (f"Cookie: {cookie}\r\n".encode(), b""):
            side = Side(*await asyncio.open_connection("127.0.0.1", port))
            await side.sends(OPENING[:-2] + line + b"\r\n")
            assert (await side.gets_head()).startswith(b"HTTP/1.1 101 ")
            sides.append(side)
        hers, nobodys = sides
        assert await hers.hears_nothing(1.5)
        await browser.get("/logout")
        async with asyncio.timeout(2.5):
            assert await hers.gets_all() == b""
        assert await nobodys.hears_nothing(0.5)
        assert not nobodys.reader.at_eof()
        for side in sides:
            side.leaves()
