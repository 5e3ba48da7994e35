"""The data plane on real sockets when an app or a client fails, and what that means for kept connections."""

import json
import socket

import pytest

from gateway.proxy.addresses import Address
from gateway.proxy.limits import Limits
from tests.helpers.apps import GET, OK, post
from tests.helpers.proxy import HOST, on_uvloop, world

# Breakdowns.


@on_uvloop
async def test_an_app_that_is_down_is_a_502_for_people_and_programs() -> None:
    """Connection refused is a page for a browser and problem details for a program; the client may go on."""
    async with world() as gateway:
        await gateway.app.close()
        client = await gateway.client()
        await client.sends(b"GET / HTTP/1.1\r\n" + HOST + b"Accept: text/html\r\n\r\n")
        head, body = await client.gets_answer()
        assert head.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        assert b"Content-Type: text/html" in head
        assert gateway.watcher.notes[0].request_id in body
        await client.sends(b"GET / HTTP/1.1\r\n" + HOST + b"Accept: application/json\r\n\r\n")
        head, body = await client.gets_answer()
        assert b"Content-Type: application/problem+json\r\n" in head
        assert json.loads(body)["status"] == 502
        assert gateway.watcher.errors == [("shop", "connect")] * 2


@on_uvloop
async def test_a_body_that_met_an_app_that_is_down_is_not_taken_for_a_request() -> None:
    """After a 502 in the middle of an upload, the rest of the body is thrown away and the connection ends."""
    async with world() as gateway:
        await gateway.app.close()
        client = await gateway.client()
        await client.sends(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\n")
        assert (await client.gets_answer())[0].startswith(b"HTTP/1.1 502 ")
        await client.sends(GET)
        assert await client.gets_all() == b""
        assert gateway.watcher.statuses == [502]


@pytest.mark.parametrize("nonsense", [
    b"HELLO\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40_000 + b"\r\n\r\n",
])
@on_uvloop
async def test_an_answer_that_is_no_http_is_a_502(nonsense: bytes) -> None:
    """The app's answers are read as strictly as requests are; none of such a one reaches the client."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(GET)
        app = await gateway.app.accepts()
        await app.gets_head()
        app.writer.write(nonsense)
        assert (await client.gets_answer())[0].startswith(b"HTTP/1.1 502 ")
        assert gateway.watcher.errors == [("shop", "protocol")]


@on_uvloop
async def test_an_app_that_closes_without_an_answer_is_a_502() -> None:
    """A fresh connection that is lost before the answer is not tried again."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(GET)
        app = await gateway.app.accepts()
        await app.gets_head()
        app.leaves()
        assert (await client.gets_answer())[0].startswith(b"HTTP/1.1 502 ")
        assert gateway.watcher.errors == [("shop", "lost")]
        assert gateway.app.accepted == 1


@on_uvloop
async def test_a_slow_app_is_a_504() -> None:
    """An answer that has not begun after a minute is given up."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(GET)
        app = await gateway.app.accepts()
        await app.gets_head()
        gateway.passes(59.0)
        assert await client.hears_nothing()
        gateway.passes(2.0)
        assert (await client.gets_answer())[0].startswith(b"HTTP/1.1 504 ")
        assert gateway.watcher.errors == [("shop", "timeout")]
        assert await app.gets_all() == b""


@on_uvloop
async def test_an_upload_that_stops_is_the_clients_408() -> None:
    """When the app waits for a body that does not come, the client is told, not the app blamed."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\nhalf")
        app = await gateway.app.accepts()
        await app.gets_head()
        gateway.passes(61.0)
        assert (await client.gets_answer())[0].startswith(b"HTTP/1.1 408 ")
        await app.gets_all()


@pytest.mark.parametrize("head", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
@on_uvloop
async def test_a_cut_answer_is_seen_as_cut(head: bytes) -> None:
    """When the app's connection ends within a body, so does the client's: by a reset."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(GET)
        app = await gateway.app.accepts()
        await app.gets_head()
        await app.replies(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n3\r\nabc\r\n")
        await client.gets_head()
        app.leaves()
        with pytest.raises(ConnectionResetError):
            await client.gets_all()
        assert gateway.watcher.statuses == [200]
        assert gateway.watcher.errors == [("shop", "lost")]


@on_uvloop
async def test_an_answer_until_close_that_is_reset_is_seen_as_cut() -> None:
    """A reset is not the end of an answer that lasts until close."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(GET)
        app = await gateway.app.accepts()
        await app.gets_head()
        await app.replies(b"HTTP/1.1 200 OK\r\n\r\nabc")
        await client.gets_head()
        app.resets()
        with pytest.raises(ConnectionResetError):
            await client.gets_all()


@on_uvloop
async def test_a_broken_chunk_in_an_answer_cuts_it() -> None:
    """A chunk that is longer than its size is not relayed as if it were the next one."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(GET)
        app = await gateway.app.accepts()
        await app.gets_head()
        await app.replies(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await client.gets_head()
        await app.replies(b"1\r\nabc\r\n0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await client.gets_all()
        assert gateway.watcher.errors == [("shop", "protocol")]


@on_uvloop
async def test_a_broken_chunk_in_a_request_ends_it_on_both_sides() -> None:
    """A malformed chunk is a 400 for the client and an aborted request for the app."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        app = await gateway.app.accepts()
        await app.gets_head()
        assert await app.gets(8) == b"3\r\nabc\r\n"
        await client.sends(b"+1\r\nX\r\n0\r\n\r\n")
        assert (await client.gets_all()).startswith(b"HTTP/1.1 400 ")
        assert await app.gets_all() == b""


@on_uvloop
async def test_a_client_that_leaves_ends_its_request_at_the_app() -> None:
    """An app is not left to answer somebody who has gone, and the log says 499."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\nhalf")
        app = await gateway.app.accepts()
        await app.gets_head()
        client.leaves()
        await app.gets_all()
        await gateway.until(lambda: gateway.watcher.notes)
        assert gateway.watcher.statuses == [499]


@on_uvloop
async def test_an_app_that_accepts_nobody_is_a_504_though_the_body_is_still_to_come() -> None:
    """A connection that is not made in time is the app's fault, not that of a client who was not read."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = []
    async with world(limits=Limits(connect_seconds=0.2)) as gateway:
        address = listener.getsockname()
        for _ in range(4):  # beyond the backlog, SYNs are dropped
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(address)
        gateway.upstream.pools[0].address = Address(host=address[0], port=address[1])
        client = await gateway.client()
        await client.sends(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\nhalf")
        assert (await client.gets_answer())[0].startswith(b"HTTP/1.1 504 ")
        assert gateway.watcher.errors == [("shop", "connect")]
    for connected in (*waiting, listener):
        connected.close()


@on_uvloop
async def test_an_app_that_promises_for_ever_is_a_502() -> None:
    """Interim answers are relayed, but not without end."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(GET)
        app = await gateway.app.accepts()
        await app.gets_head()
        await app.replies(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 1000)
        got = await client.gets(64 * len(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"))
        assert got.count(b"103 Early Hints") == 64
        assert (await client.gets_answer())[0].startswith(b"HTTP/1.1 502 ")
        assert gateway.watcher.errors == [("shop", "protocol")]


@on_uvloop
async def test_an_answer_that_hangs_is_cut() -> None:
    """An app that stops in the middle of an answer does not keep its client for ever."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(GET)
        app = await gateway.app.accepts()
        await app.gets_head()
        await app.replies(OK[:-1])
        await client.gets(len(OK) - 1)
        gateway.passes(301.0)
        with pytest.raises(ConnectionResetError):
            await client.gets_all()


# The pool.


@on_uvloop
async def test_a_safe_request_on_a_stale_connection_is_sent_again_once() -> None:
    """When the app closed a pooled connection just then, a GET goes out on a fresh one, unseen."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(GET)
        stale = await gateway.app.accepts()
        await stale.gets_head()
        await stale.replies(OK)
        await client.gets(len(OK))
        await client.sends(GET)
        await stale.gets_head()
        stale.leaves()
        fresh = await gateway.app.accepts()
        await fresh.gets_head()
        await fresh.replies(OK)
        assert await client.gets(len(OK)) == OK
        assert gateway.watcher.errors == []


@on_uvloop
async def test_a_request_with_effects_is_never_sent_twice() -> None:
    """A POST whose connection is lost is a 502: the app may have acted upon it."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(GET)
        app = await gateway.app.accepts()
        await app.gets_head()
        await app.replies(OK)
        await client.gets(len(OK))
        await client.sends(post(b"pay"))
        await app.gets_head()
        app.leaves()
        assert (await client.gets_answer())[0].startswith(b"HTTP/1.1 502 ")
        assert gateway.app.accepted == 1


@on_uvloop
async def test_a_request_with_effects_takes_no_connection_that_may_be_stale() -> None:
    """A POST uses a pooled connection only if that was used within the last second."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(GET)
        first = await gateway.app.accepts()
        await first.gets_head()
        await first.replies(OK)
        await client.gets(len(OK))
        gateway.now += 1.5
        await client.sends(post(b"pay"))
        second = await gateway.app.accepts()
        await second.gets_head()
        assert await first.hears_nothing()


@on_uvloop
async def test_unsolicited_bytes_never_reach_a_client() -> None:
    """What an app sends unasked poisons its connection, which is closed and not used again."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(GET)
        app = await gateway.app.accepts()
        await app.gets_head()
        await app.replies(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        assert await client.gets(len(OK)) == OK
        await client.sends(GET)
        other = await gateway.app.accepts()
        await other.gets_head()
        await other.replies(OK)
        assert await client.gets(len(OK)) == OK
        await other.replies(b"evil")
        await other.gets_all()


@on_uvloop
async def test_idle_connections_to_the_app_are_closed_in_time() -> None:
    """A pooled connection is closed after a minute without use."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(GET)
        app = await gateway.app.accepts()
        await app.gets_head()
        await app.replies(OK)
        await client.gets(len(OK))
        gateway.passes(59.0)
        assert await app.hears_nothing()
        gateway.passes(2.0)
        assert await app.gets_all() == b""
