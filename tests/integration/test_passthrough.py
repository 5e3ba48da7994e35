"""The data plane on real sockets: what a client and an app see of one another."""

import asyncio
import hashlib
import json
import random
import socket

import pytest

from gateway.proxy.addresses import Address
from gateway.proxy.limits import WRITE_BUFFER_BYTES, Limits
from tests.helpers.proxy import HOST, PATIENCE, READ_BYTES, Side, beside, on_uvloop, world

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
MIB = 1024 * 1024


def post(body: bytes, *lines: bytes, target: bytes = b"/") -> bytes:
    """Return a POST with a Content-Length."""
    head = b"".join(line + b"\r\n" for line in lines)
    return b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n%b\r\n%b" % (target, HOST, len(body), head, body)


# Exchanges.


@on_uvloop
async def test_a_request_and_its_answer_cross() -> None:
    """A plain request reaches the app with the gateway's fields, and its answer comes back as it was."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(b"GET /a?b=c HTTP/1.1\r\n" + HOST + b"X-Odd:  kept\r\n\r\n")
        app = await gateway.app.accepts()
        head = await app.gets_head()
        assert head.startswith(b"GET /a?b=c HTTP/1.1\r\nHost: shop.test\r\nX-Odd:  kept\r\n")
        assert b"X-Forwarded-For: 127.0.0.1\r\n" in head
        answer = b"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-App: 1\r\n\r\nok"
        await app.replies(answer)
        assert await client.gets(len(answer)) == answer
        [note] = gateway.watcher.notes
        assert (note.site, note.method, note.target, note.status) == ("shop", b"GET", b"/a?b=c", 200)
        assert (note.peer, note.sent) == ("127.0.0.1", len(answer))
        assert b"X-Request-Id: " + note.request_id in head


@on_uvloop
async def test_connections_are_kept_on_both_sides() -> None:
    """Requests that follow one another on a connection use one connection to the app."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(GET)
        app = await gateway.app.accepts()
        for _ in range(3):
            await app.gets_head()
            await app.replies(OK)
            assert await client.gets(len(OK)) == OK
            await client.sends(GET)
        assert gateway.app.accepted == 1


@on_uvloop
async def test_a_pipeline_is_answered_in_order() -> None:
    """Requests sent at once reach the app one after another, and the answers keep their order."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(b"".join(b"GET /%d HTTP/1.1\r\n%b\r\n" % (number, HOST) for number in range(5)))
        app = await gateway.app.accepts()
        for number in range(5):
            assert (await app.gets_head()).startswith(b"GET /%d " % number)
            assert await app.hears_nothing(0.01)
            await app.replies(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
        for number in range(5):
            assert (await client.gets_answer())[1] == b"%d" % number


@on_uvloop
async def test_a_pipeline_behind_a_body_is_not_sent_on_early() -> None:
    """What follows a body in one packet is the next request, and waits for the first answer."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(post(b"first") + post(b"second"))
        app = await gateway.app.accepts()
        await app.gets_head()
        assert await app.gets(5) == b"first"
        assert await app.hears_nothing()
        await app.replies(OK)
        await app.gets_head()
        assert await app.gets(6) == b"second"


@on_uvloop
async def test_a_long_pipeline_that_the_gateway_answers_itself_does_not_grow_the_stack() -> None:
    """Thousands of misdirected requests in one go get thousands of answers."""
    async with world(hosts=("shop.test",)) as gateway:
        client = await gateway.client()
        client.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3000)
        for _ in range(3000):
            head, _ = await client.gets_answer()
            assert head.startswith(b"HTTP/1.1 421 ")


@on_uvloop
async def test_a_pipeline_that_is_never_read_is_bounded() -> None:
    """A client that asks and asks but takes no answer is not read any more."""
    async with world(limits=Limits(write_buffer=16 * 1024), hosts=("shop.test",)) as gateway:
        client = await gateway.client(limit=1024)
        client.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 200_000)
        assert await gateway.holds_back() <= 20 * 1024
        assert 0 < len(gateway.watcher.notes) < 100_000


@on_uvloop
async def test_a_head_may_come_byte_by_byte() -> None:
    """A head in the smallest pieces, from both sides, is a head."""
    async with world() as gateway:
        client = await gateway.client()
        for number in range(len(GET)):
            await client.sends(GET[number:number + 1])
            await asyncio.sleep(0)
        app = await gateway.app.accepts()
        await app.gets_head()
        for number in range(len(OK)):
            await app.replies(OK[number:number + 1])
            await asyncio.sleep(0)
        assert await client.gets(len(OK)) == OK


@pytest.mark.parametrize(("method", "status"), [(b"HEAD", b"200 OK"), (b"GET", b"204 No Content"),
                                                (b"GET", b"304 Not Modified")])
@on_uvloop
async def test_answers_without_body_end_with_their_head(method: bytes, status: bytes) -> None:
    """HEAD, 204 and 304 have no body, whatever their length field says, and the connections go on."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(method + b" / HTTP/1.1\r\n" + HOST + b"\r\n")
        app = await gateway.app.accepts()
        await app.gets_head()
        length = b"" if status.startswith(b"204") else b"Content-Length: 10\r\n"
        await app.replies(b"HTTP/1.1 " + status + b"\r\n" + length + b"\r\n")
        assert (await client.gets_head()).startswith(b"HTTP/1.1 " + status)
        await client.sends(GET)
        await app.gets_head()
        await app.replies(OK)
        assert await client.gets(len(OK)) == OK


@on_uvloop
async def test_chunks_cross_in_both_directions_as_they_are() -> None:
    """A chunked body keeps its chunks, extensions and trailers, however it is cut."""
    body = b"3;x=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n"
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n")
        for number in range(len(body)):
            await client.sends(body[number:number + 1])
            await asyncio.sleep(0)
        app = await gateway.app.accepts()
        assert b"Transfer-Encoding: chunked\r\n" in await app.gets_head()
        assert await app.gets(len(body)) == body
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        await app.replies(head + body[:7])
        assert await client.gets(len(head) + 7) == head + body[:7]
        await app.replies(body[7:])
        assert await client.gets(len(body) - 7) == body[7:]
        await client.sends(GET)
        await app.gets_head()
        assert gateway.app.accepted == 1


@on_uvloop
async def test_an_answer_until_close_ends_with_the_connection() -> None:
    """An answer without length lasts until the app closes; the client is told so, and sees it end."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(GET)
        app = await gateway.app.accepts()
        await app.gets_head()
        await app.replies(b"HTTP/1.1 200 OK\r\n\r\nsome")
        assert await client.gets_head() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
        await app.replies(b" more")
        app.leaves()
        assert await client.gets_all() == b"some more"
        assert gateway.watcher.statuses == [200]


@on_uvloop
async def test_http_10_gets_no_chunks_and_no_interim_answer() -> None:
    """To an HTTP/1.0 client a chunked answer goes without chunks, until close, and 103 not at all."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(b"GET / HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\n\r\n")
        app = await gateway.app.accepts()
        assert (await app.gets_head()).startswith(b"GET / HTTP/1.1\r\n")
        await app.replies(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        await app.replies(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await app.replies(b"4\r\ndefg\r\n0\r\n\r\n")
        assert await client.gets_all() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcdefg"


@on_uvloop
async def test_interim_answers_are_relayed() -> None:
    """103 reaches an HTTP/1.1 client before the final answer."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(GET)
        app = await gateway.app.accepts()
        await app.gets_head()
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        await app.replies(hints + OK)
        assert await client.gets(len(hints + OK)) == hints + OK


@on_uvloop
async def test_100_continue_is_the_apps_to_say() -> None:
    """The expectation and the app's 100 cross, and only then the body."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(b"PUT / HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        app = await gateway.app.accepts()
        assert b"Expect: 100-continue\r\n" in await app.gets_head()
        await app.replies(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await client.gets_head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.sends(b"body")
        assert await app.gets(4) == b"body"
        await app.replies(OK)
        assert await client.gets(len(OK)) == OK


@on_uvloop
async def test_an_early_answer_ends_the_connection_but_is_read_whole() -> None:
    """A 413 that comes in the middle of an upload reaches the client, and closes both connections."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000\r\n\r\n" + b"x" * 1000)
        app = await gateway.app.accepts()
        await app.gets_head()
        await app.replies(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await client.sends(b"x" * 1000)
        assert await client.gets_all() == (b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n"
                                           b"Connection: close\r\n\r\nbig")
        await app.gets_all()
        client.leaves()
        await gateway.until(lambda: not len(gateway.connections))


@on_uvloop
async def test_a_client_that_goes_on_after_the_last_answer_is_cut_off_in_time() -> None:
    """What still comes after a closing answer is thrown away, for two seconds."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(b"nonsense\r\n\r\n")
        assert (await client.gets_head()).startswith(b"HTTP/1.1 400 ")
        await client.gets_all()
        await client.sends(b"more")
        await asyncio.sleep(0.02)
        gateway.passes(1.0)
        assert len(gateway.connections) == 1
        gateway.passes(2.0)
        await gateway.until(lambda: not len(gateway.connections))


@on_uvloop
async def test_a_client_may_end_its_side_once_it_has_asked() -> None:
    """A half-closed client still gets the answers to all that it asked, and then the end."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(GET + GET)
        client.ends()
        app = await gateway.app.accepts()
        for _ in range(2):
            await app.gets_head()
            await app.replies(OK)
        assert await client.gets_all() == OK + OK


@on_uvloop
async def test_hop_by_hop_fields_stay_on_their_hop() -> None:
    """Fields that Connection names, and identity fields in any spelling, do not reach the app."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close, X-Leg\r\nX-Leg: 1\r\n"
                           b"x_forwarded_user: root\r\nX-Forwarded-For: 1.2.3.4\r\nUpgrade: h2c\r\n\r\n")
        app = await gateway.app.accepts()
        head = (await app.gets_head()).lower()
        assert b"x-leg" not in head
        assert b"root" not in head
        assert b"upgrade" not in head
        assert b"1.2.3.4" not in head
        await app.replies(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close, X-Own\r\nX-Own: 1\r\n\r\nok")
        assert await client.gets_all() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@on_uvloop
async def test_a_trusted_proxys_word_is_passed_on_and_taken() -> None:
    """Behind a trusted proxy the client's address and the request id are the proxy's."""
    async with world(trusted=["127.0.0.0/8"]) as gateway:
        client = await gateway.client()
        await client.sends(b"GET / HTTP/1.1\r\n" + HOST + b"X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\n"
                           b"X-Request-Id: from-proxy\r\n\r\n")
        app = await gateway.app.accepts()
        head = await app.gets_head()
        assert b"X-Forwarded-For: 6.6.6.6, 203.0.113.9, 127.0.0.1\r\n" in head
        assert b"X-Request-Id: from-proxy\r\n" in head
        await app.replies(OK)
        await client.gets(len(OK))
        assert (gateway.watcher.notes[0].peer, gateway.watcher.notes[0].request_id) == ("203.0.113.9", b"from-proxy")


# Large bodies.


@on_uvloop
async def test_a_large_answer_crosses_byte_by_byte_past_a_slow_reader() -> None:
    """20 MiB reach a client that is slower than the app, whole and equal, and are never held."""
    body = random.Random(1).randbytes(20 * MIB)
    async with world() as gateway:
        client = await gateway.client(limit=64 * 1024)
        await client.sends(GET)
        app = await gateway.app.accepts()
        await app.gets_head()
        app.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        sending = beside(_send_slowly(app, body))
        assert await gateway.holds_back() <= WRITE_BUFFER_BYTES + READ_BYTES
        await client.gets_head()
        got = hashlib.sha256(await client.gets(len(body) // 2))
        got.update(await client.gets(len(body) - len(body) // 2))
        await sending
        assert got.digest() == hashlib.sha256(body).digest()


async def _send_slowly(side: Side, body: bytes) -> None:
    for start in range(0, len(body), 256 * 1024):
        side.writer.write(body[start:start + 256 * 1024])
        await side.writer.drain()


@on_uvloop
async def test_a_large_request_crosses_byte_by_byte_past_a_slow_app() -> None:
    """20 MiB reach an app that is slower than the client, whole and equal, and are never held."""
    body = random.Random(2).randbytes(20 * MIB)
    async with world() as gateway:
        client = await gateway.client()
        client.writer.write(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(body))
        sending = beside(_send_slowly(client, body))
        app = await gateway.app.accepts()
        assert await gateway.holds_back() <= WRITE_BUFFER_BYTES + READ_BYTES
        await app.gets_head()
        got = hashlib.sha256(await app.gets(len(body) // 2))
        got.update(await app.gets(len(body) - len(body) // 2))
        await sending
        assert got.digest() == hashlib.sha256(body).digest()
        await app.replies(OK)
        assert await client.gets(len(OK)) == OK


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
async def test_an_app_may_answer_early_and_close() -> None:
    """The answer is read whole, however much of the body the client still sends, and nothing of it is lost."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000\r\n\r\n" + b"x" * 1000)
        app = await gateway.app.accepts()
        await app.gets_head()
        await app.gets(1000)
        await app.replies(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        app.leaves()
        await client.sends(b"x" * 100_000)
        assert await client.gets_all() == (b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n"
                                           b"Connection: close\r\n\r\nbig")
        await client.sends(b"x" * 100_000)
        client.leaves()
        await gateway.until(lambda: not len(gateway.connections))
        assert gateway.watcher.statuses == [413]


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
async def test_an_app_of_http_10_is_understood() -> None:
    """Its answer ends with its connection, which is used for one request."""
    async with world() as gateway:
        client = await gateway.client()
        for number in range(2):
            await client.sends(GET)
            app = await gateway.app.accepts()
            await app.gets_head()
            await app.replies(b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
            assert await client.gets_answer() == (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", b"%d" % number)
            assert await app.gets_all() == b""


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
