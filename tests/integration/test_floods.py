"""Floods: the memory of a data plane in its own process stays within its stated buffers, whatever clients do."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterable, Iterator

import pytest

from gateway.proxy.limits import PIPELINE_BYTES, WRITE_BUFFER_BYTES
from tests.helpers.data_plane import KIB, allow_files, data_plane
from tests.helpers.proxy import HOST, App, Side, beside, on_uvloop

GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
IDLE_CONNECTION_KIB = 4  # at most; the sockets' own buffers are the kernel's
READ_KIB = 256  # what uvloop reads at once
BODY_KIB = 64 * 1024  # more than the sockets of two connections take
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 16384\r\n\r\n" + bytes(16384)
PIECE = bytes(256 * KIB)


class Echoes(asyncio.Protocol):
    """Is an app that answers every request with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.rest = b""

    def data_received(self, data: bytes) -> None:
        *requests, self.rest = (self.rest + data).split(b"\r\n\r\n")
        self.transport.write(self.answer * len(requests))


@contextlib.asynccontextmanager
async def app(answer: bytes = OK) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(lambda: Echoes(answer), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@contextlib.contextmanager
def connected(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Open so many connections."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(count)]


def ask(sockets: Iterable[socket.socket]) -> None:
    """Ask once on each connection."""
    for each in sockets:
        each.sendall(GET)
        assert each.recv(1000) == OK


@pytest.mark.parametrize("is_used", [False, True])
@on_uvloop
async def test_an_idle_connection_costs_little(is_used: bool) -> None:
    """Ten thousand that wait for nothing, fresh ones and such as have had an answer: 4 KiB each at most."""
    count = min(10_000, allow_files() - 500)
    async with app() as app_port:
        with data_plane(app_port) as plane:
            with connected(plane.port, 200) as first:
                await asyncio.to_thread(ask, first)
            before = await plane.settled()
            with connected(plane.port, count) as sockets:
                await asyncio.to_thread(ask, sockets if is_used else ())
                each_kib = (await plane.settled() - before) / count
                print(f"{each_kib:.2f} KiB per idle connection, used: {is_used}")
                assert each_kib < IDLE_CONNECTION_KIB
                await asyncio.to_thread(ask, sockets[-1:])


@on_uvloop
async def test_a_hundred_thousand_pipelined_requests_are_answered_in_bounded_memory() -> None:
    """In order, one after another, in no more than what a client may send ahead."""
    count = 100_000
    async with app() as app_port:
        with data_plane(app_port) as plane:
            reader, writer = await asyncio.open_connection("127.0.0.1", plane.port)
            writer.write(GET)
            assert await reader.readexactly(len(OK)) == OK
            before = highest = plane.resident
            writer.write(GET * count)
            async with asyncio.timeout(120.0):
                for _ in range(count // 1000):
                    assert await reader.readexactly(len(OK) * 1000) == OK * 1000
                    highest = max(highest, plane.resident)
            assert highest - before < 4 * (PIPELINE_BYTES // KIB + READ_KIB) + 2048
            writer.close()


@on_uvloop
async def test_a_client_that_asks_and_never_reads_holds_its_buffers_and_no_more() -> None:
    """A hundred of them ask for ever, and the memory stays where it is."""
    count = 100
    async with app(PAGE) as app_port:
        with data_plane(app_port) as plane:
            streams = [await asyncio.open_connection("127.0.0.1", plane.port, limit=1) for _ in range(count)]
            before = plane.resident
            for reader, writer in streams:
                reader._transport.pause_reading()  # type: ignore[attr-defined]
                writer.write(GET * 50_000)
            held = await plane.settled() - before
            bound = count * (WRITE_BUFFER_BYTES + PIPELINE_BYTES) // KIB + count * READ_KIB
            print(f"{held / count:.0f} KiB per client that reads nothing")
            assert held < bound
            for _, writer in streams:
                writer.transport.abort()


async def send_body(side: Side) -> None:
    for _ in range(BODY_KIB * KIB // len(PIECE)):
        side.writer.write(PIECE)
        await side.writer.drain()


@pytest.mark.parametrize("direction", ["request", "answer"])
@on_uvloop
async def test_a_body_is_never_held(direction: str) -> None:
    """However much of it the one side sends while the other takes nothing, and then while it takes all."""
    app = App()
    await app.open()
    with data_plane(app.port) as plane:
        client = Side(*await asyncio.open_connection("127.0.0.1", plane.port))
        await client.sends(GET)
        behind = await app.accepts()
        await behind.gets_head()
        await behind.replies(OK)
        assert await client.gets(len(OK)) == OK
        before = highest = await plane.settled()
        length = b"Content-Length: %d\r\n\r\n" % (BODY_KIB * KIB)
        await client.sends(GET if direction == "answer" else b"POST / HTTP/1.1\r\n" + HOST + length)
        await behind.gets_head()
        sender, reader = client, behind
        if direction == "answer":
            await behind.replies(b"HTTP/1.1 200 OK\r\n" + length)
            await client.gets_head()
            sender, reader = behind, client
        sending = beside(send_body(sender))
        highest = max(highest, await plane.settled())
        assert not sending.done()
        for _ in range(BODY_KIB * KIB // len(PIECE)):
            assert await reader.gets(len(PIECE)) == PIECE
            highest = max(highest, plane.resident)
        await sending
        print(f"{highest - before} KiB held of a body of {BODY_KIB} KiB, {direction}")
        assert highest - before < 4 * (WRITE_BUFFER_BYTES // KIB + READ_KIB) + 2048
        client.leaves()
    await app.close()
