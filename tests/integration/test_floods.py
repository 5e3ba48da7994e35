"""Floods: the memory of a data plane in its own process stays within its stated buffers, whatever clients do."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from gateway.proxy.limits import PIPELINE_BYTES, WRITE_BUFFER_BYTES
from tests.helpers.data_plane import KIB, DataPlane, allow_files, data_plane
from tests.helpers.proxy import HOST, on_uvloop

GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
IDLE_CONNECTION_KIB = 4  # at most; the sockets' own buffers are the kernel's
READ_KIB = 256  # what uvloop reads at once


class Echoes(asyncio.Protocol):
    """Is an app that answers every request with the same few bytes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.rest = b""

    def data_received(self, data: bytes) -> None:
        *requests, self.rest = (self.rest + data).split(b"\r\n\r\n")
        self.transport.write(OK * len(requests))


@contextlib.asynccontextmanager
async def app() -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(Echoes, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@contextlib.contextmanager
def connected(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Open so many connections."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(count)]


def settled(measure: Callable[[], int]) -> int:
    """Return what a measure says once it says the same twice."""
    last = -1
    for _ in range(50):
        now = measure()
        if now == last:
            return now
        last = now
        time.sleep(0.1)
    return last


@pytest.mark.parametrize("is_used", [False, True])
def test_an_idle_connection_costs_little(is_used: bool) -> None:
    """Ten thousand that wait for nothing, fresh ones and such as have had an answer: 4 KiB each at most."""
    count = min(10_000, allow_files() - 500)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with app() as app_port:
            with data_plane(app_port) as plane:
                await loop.run_in_executor(None, lambda: measured(plane, count, is_used=is_used))

    def measured(plane: DataPlane, count: int, *, is_used: bool) -> None:
        with connected(plane.port, 200) as first:
            for each in first:
                each.sendall(GET)
                assert each.recv(1000) == OK
        before = settled(lambda: plane.resident)
        with connected(plane.port, count) as sockets:
            for each in sockets if is_used else ():
                each.sendall(GET)
                assert each.recv(1000) == OK
            each_kib = (settled(lambda: plane.resident) - before) / count
            print(f"{each_kib:.2f} KiB per idle connection, used: {is_used}")
            assert each_kib < IDLE_CONNECTION_KIB
            sockets[-1].sendall(GET)
            assert sockets[-1].recv(1000) == OK

    asyncio.run(main())


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
    async with app() as app_port:
        with data_plane(app_port) as plane:
            streams = [await asyncio.open_connection("127.0.0.1", plane.port, limit=1) for _ in range(count)]
            before = plane.resident
            for reader, writer in streams:
                reader._transport.pause_reading()  # type: ignore[attr-defined]
                writer.write(GET * 50_000)
            last = -1
            for _ in range(100):
                await asyncio.sleep(0.3)
                if plane.resident == last:
                    break
                last = plane.resident
            bound = count * (WRITE_BUFFER_BYTES + PIPELINE_BYTES) // KIB + count * READ_KIB
            print(f"{(plane.resident - before) / count:.0f} KiB per client that reads nothing")
            assert plane.resident - before < bound
            for _, writer in streams:
                writer.transport.abort()
