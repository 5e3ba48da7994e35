"""The data plane on real sockets: what a client and an app see of one another."""

import asyncio
import hashlib
import random

import pytest

from gateway.proxy.limits import WRITE_BUFFER_BYTES, Limits
from tests.helpers.apps import GET, OK, post
from tests.helpers.proxy import HOST, READ_BYTES, Side, beside, on_uvloop, world

MIB = 1024 * 1024


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
