"""What the data plane refuses clients, how long it waits for whom, and how it stops; on real sockets."""

import asyncio

import pytest

from tests.helpers.apps import GET, OK
from tests.helpers.proxy import HOST, PATIENCE, beside, on_uvloop, world

# Refusals.


@pytest.mark.parametrize("request_", [
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +1\r\n\r\na",
    b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"A: b\nC: d\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n c\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
])
@on_uvloop
async def test_what_may_be_understood_in_two_ways_is_refused(request_: bytes) -> None:
    """A request that hides another gets 400, the connection ends, and the app sees none of it."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(request_ + GET)
        answer = await client.gets_all()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"\r\n\r\n") == 1
        assert b"Connection: close\r\n" in answer
        assert gateway.watcher.statuses == [400]
        await asyncio.sleep(0.01)
        assert gateway.app.accepted == 0


@on_uvloop
async def test_an_unknown_host_is_misdirected() -> None:
    """A Host that no site has gets 421, and the connection goes on."""
    async with world(hosts=("shop.test",)) as gateway:
        client = await gateway.client()
        await client.sends(b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n")
        assert (await client.gets_answer())[0].startswith(b"HTTP/1.1 421 Misdirected Request\r\n")
        await client.sends(b"GET / HTTP/1.1\r\nHost: SHOP.test.:8080\r\n\r\n")
        app = await gateway.app.accepts()
        assert b"Host: SHOP.test.:8080\r\n" in await app.gets_head()
        assert gateway.watcher.notes[0].site == "-"


@on_uvloop
async def test_a_refused_method_learns_which_are_allowed() -> None:
    """405 says Allow."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n")
        answer = await client.gets_all()
        assert answer.startswith(b"HTTP/1.1 405 ")
        assert b"Allow: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT" in answer


# Time.


@on_uvloop
async def test_a_slow_head_is_a_408() -> None:
    """A head that is not whole after twenty seconds ends the connection with an answer."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(b"GET / HT")
        await asyncio.sleep(0.02)
        gateway.passes(19.0)
        assert await client.hears_nothing()
        gateway.passes(2.0)
        assert (await client.gets_all()).startswith(b"HTTP/1.1 408 ")
        assert gateway.watcher.statuses == [408]


@on_uvloop
async def test_an_idle_client_is_let_go_without_a_word() -> None:
    """After 75 seconds without a request the connection is closed."""
    async with world() as gateway:
        client = await gateway.client()
        await asyncio.sleep(0.02)
        gateway.passes(74.0)
        assert await client.hears_nothing()
        gateway.passes(2.0)
        assert await client.gets_all() == b""
        assert gateway.watcher.notes == []


@on_uvloop
async def test_a_client_that_takes_nothing_is_cut_off() -> None:
    """A reader who stands still for a minute, with an answer waiting, is gone."""
    async with world() as gateway:
        client = await gateway.client(limit=1024)
        await client.sends(GET)
        app = await gateway.app.accepts()
        await app.gets_head()
        app.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + b"x" * 20_000_000)
        await asyncio.sleep(0.2)
        gateway.passes(1.0)
        gateway.passes(59.0)
        assert len(gateway.connections) == 1
        gateway.passes(2.0)
        await gateway.until(lambda: not len(gateway.connections))


@on_uvloop
async def test_an_upload_that_trickles_is_a_408_at_once() -> None:
    """Less than 1 KiB a second, ten seconds of pauses excepted, is not waited for until the app gives up."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 100000\r\n\r\n")
        app = await gateway.app.accepts()
        await app.gets_head()
        for _ in range(6):
            await client.sends(b"x" * 100)
            await app.gets(100)
            gateway.passes(2.0)
        assert (await client.gets_answer())[0].startswith(b"HTTP/1.1 408 ")
        assert await app.gets_all() == b""


# The stop.


@on_uvloop
async def test_the_stop_ends_idle_connections_at_once_and_busy_ones_after_their_answer() -> None:
    """Draining closes who waits, lets who is served finish, and says so in the answer."""
    async with world() as gateway:
        idle, busy = await gateway.client(), await gateway.client()
        await busy.sends(GET)
        app = await gateway.app.accepts()
        await app.gets_head()
        draining = beside(gateway.connections.drain(PATIENCE))
        assert await idle.gets_all() == b""
        assert not draining.done()
        await app.replies(OK)
        assert await busy.gets_all() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
        await draining


@on_uvloop
async def test_the_stop_does_not_wait_for_ever() -> None:
    """At the deadline who still waits for an answer is told to come again, and nothing stays open."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(GET)
        app = await gateway.app.accepts()
        await app.gets_head()
        await gateway.connections.drain(0.05)
        answer = await client.gets_all()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1\r\n" in answer
        assert gateway.watcher.statuses == [503]
        assert len(gateway.connections) == 0
