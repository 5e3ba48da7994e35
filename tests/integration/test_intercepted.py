"""Requests that do not simply pass, on real sockets: collected, handled, renewed, and fetched whole."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from gateway.errors import AppUnavailable, RequestRefused, StoreUnavailable
from gateway.http.head import RequestHead
from gateway.proxy.limits import Limits
from gateway.proxy.sites import Site
from gateway.proxy.steps import PLAIN, Ask, ClientInfo, Intercept, Pass, Reply, Step, WholeRequest
from tests.helpers.proxy import HOST, PATIENCE, Side, World, beside, on_uvloop, world

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
CANARY = b"hunter2-canary"


def login(body: bytes, *lines: bytes) -> bytes:
    """Return a login as browsers post it."""
    head = b"".join(line + b"\r\n" for line in lines)
    return b"POST /login HTTP/1.1\r\n%bContent-Length: %d\r\n%b\r\n%b" % (HOST, len(body), head, body)


class Door:
    """Is an Interceptor that does one thing at /login and lets the rest pass."""

    def __init__(self, step: Step | Exception) -> None:
        self.step = step
        self.clients: list[ClientInfo] = []

    def examine(self, site: Site, head: RequestHead, client: ClientInfo) -> Step:
        self.clients.append(client)
        if head.target != b"/login":
            return PLAIN
        if isinstance(self.step, Exception):
            raise self.step
        return self.step


class Handler:
    """Handles with what a test says, and remembers what it was asked."""

    def __init__(self, answer: Reply | Exception) -> None:
        self.answer = answer
        self.requests: list[WholeRequest] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.ended = 0

    async def __call__(self, request: WholeRequest) -> Reply:
        self.requests.append(request)
        await self.may_go_on.wait()
        self.ended += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def intercepting(handler: Callable[[WholeRequest], Awaitable[Reply]], limit: int = 1000) -> Door:
    return Door(Intercept(handler=handler, body_limit=limit))


async def served(gateway: World, client: Side, app: Side | None = None) -> Side:
    """Prove that a client's connection goes on: a request passes and is answered."""
    await client.sends(GET)
    app = app or await gateway.app.accepts()
    await app.gets_head()
    await app.replies(OK)
    assert await client.gets(len(OK)) == OK
    return app


# Intercept.


@on_uvloop
async def test_a_whole_request_is_handled_and_the_connection_goes_on() -> None:
    """The handler gets head and body, its reply goes out as it is, and the next request passes."""
    handler = Handler(Reply(wire=OK, status=200))
    async with world(interceptor=intercepting(handler)) as gateway:
        client = await gateway.client()
        request = login(b"user=alice&password=x")
        await client.sends(request[:-5])
        await client.sends(request[-5:])
        assert await client.gets(len(OK)) == OK
        [seen] = handler.requests
        assert (seen.body, seen.head.method, seen.site.name) == (b"user=alice&password=x", b"POST", "shop")
        assert seen.client == ClientInfo(peer="127.0.0.1", address="127.0.0.1", scheme=b"http", is_trusted=False)
        assert gateway.watcher.notes[0].request_id == seen.request_id
        assert gateway.app.accepted == 0
        await served(gateway, client)


@on_uvloop
async def test_a_chunked_body_is_handed_over_without_chunks() -> None:
    """The handler sees what was inside the chunks."""
    handler = Handler(Reply(wire=OK, status=200))
    async with world(interceptor=intercepting(handler)) as gateway:
        client = await gateway.client()
        await client.sends(b"POST /login HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
                           b"3\r\nabc\r\n4;x\r\ndefg\r\n0\r\n\r\n" + GET)
        assert await client.gets(len(OK)) == OK
        assert handler.requests[0].body == b"abcdefg"
        app = await gateway.app.accepts()
        await app.gets_head()


@pytest.mark.parametrize("framing", [
    b"Content-Length: 1001\r\n\r\n",
    b"Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n3E9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n",
])
@on_uvloop
async def test_a_body_beyond_the_limit_is_a_413(framing: bytes) -> None:
    """It is refused at the first byte too much, and nobody is asked to send it."""
    handler = Handler(Reply(wire=OK, status=200))
    async with world(interceptor=intercepting(handler)) as gateway:
        client = await gateway.client()
        await client.sends(b"POST /login HTTP/1.1\r\n" + HOST + framing)
        assert (await client.gets_all()).startswith(b"HTTP/1.1 413 ")
        assert handler.requests == []


@on_uvloop
async def test_the_gateway_says_100_for_a_body_that_it_wants() -> None:
    """A client that asks first is answered by the gateway, since no app is asked."""
    handler = Handler(Reply(wire=OK, status=200))
    async with world(interceptor=intercepting(handler)) as gateway:
        client = await gateway.client()
        await client.sends(login(b"abc", b"Expect: 100-continue")[:-3])
        assert await client.gets_head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.sends(b"abc")
        assert await client.gets(len(OK)) == OK


@on_uvloop
async def test_a_body_that_does_not_come_is_a_408() -> None:
    """It must come at a least rate after ten seconds, and be whole after twenty."""
    handler = Handler(Reply(wire=OK, status=200))
    async with world(interceptor=intercepting(handler)) as gateway:
        client = await gateway.client()
        await client.sends(login(b"abcdef")[:-3])
        await asyncio.sleep(0.02)
        gateway.passes(9.0)
        assert await client.hears_nothing()
        gateway.passes(2.0)
        assert (await client.gets_all()).startswith(b"HTTP/1.1 408 ")
        assert handler.requests == []


@on_uvloop
async def test_a_request_behind_an_intercepted_one_waits() -> None:
    """A pipelined request is served after the handler's reply."""
    handler = Handler(Reply(wire=OK, status=200))
    handler.may_go_on.clear()
    async with world(interceptor=intercepting(handler)) as gateway:
        client = await gateway.client()
        await client.sends(login(b"a") + GET)
        await gateway.until(lambda: handler.requests)
        await asyncio.sleep(0.02)
        assert gateway.app.accepted == 0
        handler.may_go_on.set()
        assert await client.gets(len(OK)) == OK
        app = await gateway.app.accepts()
        await app.gets_head()
        await app.replies(OK)
        assert await client.gets(len(OK)) == OK


@on_uvloop
async def test_a_client_that_leaves_does_not_stop_the_handler() -> None:
    """What a handler has begun runs to its end; its reply is dropped."""
    handler = Handler(Reply(wire=OK, status=200))
    handler.may_go_on.clear()
    async with world(interceptor=intercepting(handler)) as gateway:
        client = await gateway.client()
        await client.sends(login(b"a"))
        await gateway.until(lambda: handler.requests)
        client.resets()
        await gateway.until(lambda: not len(gateway.connections))
        handler.may_go_on.set()
        await gateway.until(lambda: handler.ended)
        await gateway.until(lambda: not len(gateway.tasks))
        assert gateway.watcher.statuses == [499]


@on_uvloop
async def test_a_half_closed_client_gets_its_reply() -> None:
    """A client that ended its side after the login still gets the answer, and then the end."""
    handler = Handler(Reply(wire=OK, status=200))
    handler.may_go_on.clear()
    async with world(interceptor=intercepting(handler)) as gateway:
        client = await gateway.client()
        await client.sends(login(b"a"))
        client.ends()
        await asyncio.sleep(0.02)
        handler.may_go_on.set()
        assert await client.gets_all() == OK


@on_uvloop
async def test_a_reply_says_close_when_the_connection_closes() -> None:
    """A client that asked to close is told so, and a reply that closes ends the connection."""
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    handler = Handler(Reply(wire=OK, status=200))
    async with world(interceptor=intercepting(handler)) as gateway:
        client = await gateway.client()
        await client.sends(login(b"a", b"Connection: close"))
        assert await client.gets_all() == closing
        handler.answer = Reply(wire=closing, status=200, close=True)
        client = await gateway.client()
        await client.sends(login(b"a"))
        assert await client.gets_all() == closing


@pytest.mark.parametrize(("error", "status", "retry_after"), [
    (RequestRefused(415, "Only plain forms are taken here."), 415, None),
    (AppUnavailable("The app said nonsense."), 502, None),
    (AppUnavailable("The app is slow.", status=504), 504, None),
    (StoreUnavailable("connection refused by 10.0.0.7"), 503, b"Retry-After: 5\r\n"),
])
@on_uvloop
async def test_a_handlers_error_becomes_its_page(error: Exception, status: int, retry_after: bytes | None) -> None:
    """Each error has its status; only a refusal's reason is told, and the connection goes on."""
    async with world(interceptor=intercepting(Handler(error))) as gateway:
        client = await gateway.client()
        await client.sends(login(b"a"))
        head, body = await client.gets_answer()
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert (retry_after or b"\r\n") in head
        told = json.loads(body)["detail"]
        assert (told == str(error)) is (status == 415)
        assert gateway.crashes == []
        await served(gateway, client)


@on_uvloop
async def test_a_crash_is_a_500_that_tells_nothing() -> None:
    """An exception that nobody foresaw fails one request; its text goes to the callback, not to the client."""
    crash = ValueError(CANARY.decode())
    async with world(interceptor=intercepting(Handler(crash))) as gateway:
        client = await gateway.client()
        await client.sends(login(b"password=" + CANARY, b"Accept: text/html"))
        head, body = await client.gets_answer()
        assert head.startswith(b"HTTP/1.1 500 ")
        assert CANARY not in head + body
        [(error, request_id)] = gateway.crashes
        assert error is crash
        assert request_id in body
        assert b"\r\nConnection: close\r\n" in head  # nobody knows what became of the bytes that wait
        assert await client.gets_all() == b""


@pytest.mark.parametrize(("error", "status"), [(RequestRefused(403, "From elsewhere."), 403), (KeyError("x"), 500)])
@on_uvloop
async def test_an_interceptor_that_refuses_or_crashes_is_answered_for(error: Exception, status: int) -> None:
    """A refusal at the door is an answer; so is a crash there."""
    async with world(interceptor=Door(error)) as gateway:
        client = await gateway.client()
        await client.sends(b"GET /login HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (await client.gets_answer())[0].startswith(b"HTTP/1.1 %d " % status)
        assert len(gateway.crashes) == (status == 500)
        if status == 500:
            assert await client.gets_all() == b""
        else:
            await served(gateway, client)


@on_uvloop
async def test_a_refused_body_is_not_read_as_a_request() -> None:
    """When a request with a body is refused unread, the connection ends with the answer."""
    async with world(interceptor=Door(RequestRefused(403, "From elsewhere."))) as gateway:
        client = await gateway.client()
        await client.sends(login(GET))
        answer = await client.gets_all()
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"Connection: close\r\n" in answer
        assert gateway.watcher.statuses == [403]


@on_uvloop
async def test_the_address_behind_a_trusted_proxy_is_walked() -> None:
    """The interceptor learns the client's address and scheme from a trusted proxy, and only from one."""
    lines = b"X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\nX-Forwarded-Proto: https\r\n"
    walked, plain = ("203.0.113.9", b"https", True), ("127.0.0.1", b"http", False)
    for trusted, expected in (("127.0.0.1/32", walked), ("10.0.0.0/8", plain)):
        door = intercepting(Handler(Reply(wire=OK, status=200)))
        async with world(interceptor=door, trusted=[trusted]) as gateway:
            client = await gateway.client()
            await client.sends(b"GET /login HTTP/1.1\r\n" + HOST + lines + b"\r\n")
            await client.gets(len(OK))
            [seen] = door.clients
            assert (seen.address, seen.scheme, seen.is_trusted) == expected


@on_uvloop
async def test_the_stop_lets_a_handler_finish() -> None:
    """A login in progress is answered while draining, with the connection's end."""
    handler = Handler(Reply(wire=OK, status=200))
    handler.may_go_on.clear()
    async with world(interceptor=intercepting(handler)) as gateway:
        client = await gateway.client()
        await client.sends(login(b"a"))
        await gateway.until(lambda: handler.requests)
        draining = beside(gateway.connections.drain(PATIENCE))
        await asyncio.sleep(0.02)
        assert not draining.done()
        handler.may_go_on.set()
        assert (await client.gets_all()).endswith(b"\r\n\r\nok")
        await draining


# What must be asked about.


@on_uvloop
async def test_a_renewal_is_added_to_the_apps_answer() -> None:
    """The request passes once the fields are there, and its answer is made private."""

    async def decide() -> Pass:
        await asyncio.sleep(0)
        return Pass(to_client=b"Set-Cookie: a=1\r\n")

    async with world(interceptor=Door(Ask(decide=decide))) as gateway:
        client = await gateway.client()
        await client.sends(b"POST /login HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n\r\nbo")
        await client.sends(b"dy" + GET)
        app = await gateway.app.accepts()
        await app.gets_head()
        assert await app.gets(4) == b"body"
        await app.replies(b"HTTP/1.1 200 OK\r\nCache-Control: public\r\nContent-Length: 2\r\n\r\nok")
        head, body = await client.gets_answer()
        assert b"Set-Cookie: a=1\r\n" in head
        assert b"Cache-Control: private, no-store\r\n" in head
        assert b"public" not in head
        assert body == b"ok"
        await app.gets_head()
        await app.replies(OK)
        assert await client.gets(len(OK)) == OK


@on_uvloop
async def test_a_renewal_with_nothing_to_add_leaves_the_answer_alone() -> None:
    """Empty fields change nothing."""

    async def decide() -> Pass:
        return PLAIN

    async with world(interceptor=Door(Ask(decide=decide))) as gateway:
        client = await gateway.client()
        await client.sends(b"GET /login HTTP/1.1\r\n" + HOST + b"\r\n")
        app = await gateway.app.accepts()
        await app.gets_head()
        await app.replies(OK)
        assert await client.gets(len(OK)) == OK


@on_uvloop
async def test_a_renewal_that_breaks_is_a_503() -> None:
    """The request does not reach the app, and the connection goes on."""

    async def decide() -> Pass:
        raise StoreUnavailable("no")

    async with world(interceptor=Door(Ask(decide=decide))) as gateway:
        client = await gateway.client()
        await client.sends(b"GET /login HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (await client.gets_answer())[0].startswith(b"HTTP/1.1 503 ")
        await served(gateway, client)


@on_uvloop
async def test_a_client_that_leaves_during_a_renewal_is_not_passed_on() -> None:
    """Nothing reaches the app for a client that is gone."""
    may_go_on = asyncio.Event()

    async def decide() -> Pass:
        await may_go_on.wait()
        return PLAIN

    async with world(interceptor=Door(Ask(decide=decide))) as gateway:
        client = await gateway.client()
        await client.sends(b"GET /login HTTP/1.1\r\n" + HOST + b"\r\n")
        await gateway.until(lambda: len(gateway.tasks))
        client.resets()
        await gateway.until(lambda: not len(gateway.connections))
        may_go_on.set()
        await gateway.until(lambda: not len(gateway.tasks))
        assert gateway.app.accepted == 0


# Whole answers.

REQUEST = b"POST /login HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n\r\na"


@on_uvloop
async def test_a_whole_answer_is_fetched_without_chunks() -> None:
    """Interim answers are skipped, the fields keep their order and number, the body is without chunks."""
    async with world() as gateway:
        fetching = beside(gateway.upstream.fetch(REQUEST, method=b"POST"))
        app = await gateway.app.accepts()
        assert await app.gets(len(REQUEST)) == REQUEST
        await app.replies(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await app.replies(b"HTTP/1.1 302 Found\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
                          b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await app.replies(b"1\r\nd\r\n0\r\n\r\n")
        answer = await fetching
        assert (answer.status, answer.reason, answer.body, answer.is_whole) == (302, b"Found", b"abcd", True)
        assert answer.values(b"set-cookie") == [b"a=1", b"b=2"]


@on_uvloop
async def test_a_request_with_effects_is_fetched_on_a_fresh_connection() -> None:
    """A fetch that is not safe takes no pooled connection, and gives its own to the pool."""
    async with world() as gateway:
        client = await gateway.client()
        first = await served(gateway, client)
        fetching = beside(gateway.upstream.fetch(REQUEST, method=b"POST"))
        second = await gateway.app.accepts()
        await second.gets(len(REQUEST))
        await second.replies(OK)
        assert (await fetching).body == b"ok"
        assert await first.hears_nothing(0.01)
        await served(gateway, client, second)


@on_uvloop
async def test_a_safe_fetch_is_sent_again_when_its_connection_was_stale() -> None:
    """A safe fetch may use the pool, and is repeated once."""
    async with world() as gateway:
        stale = await served(gateway, await gateway.client())
        fetching = beside(gateway.upstream.fetch(GET, method=b"GET", safe=True))
        await stale.gets_head()
        stale.leaves()
        fresh = await gateway.app.accepts()
        await fresh.gets_head()
        await fresh.replies(OK)
        assert (await fetching).body == b"ok"


@on_uvloop
async def test_an_answer_that_is_cut_is_not_whole() -> None:
    """Within the body, the end of the connection is told by the answer, which keeps what came."""
    async with world() as gateway:
        fetching = beside(gateway.upstream.fetch(REQUEST, method=b"POST"))
        app = await gateway.app.accepts()
        await app.gets(len(REQUEST))
        await app.replies(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        app.leaves()
        answer = await fetching
        assert (answer.status, answer.body, answer.is_whole) == (200, b"half", False)


@pytest.mark.parametrize(("reply", "leaves"), [
    (b"nonsense\r\n\r\n", False),
    (b"HTTP/1.1 200 OK\r\nContent-Le", True),
    (b"", True),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2001\r\n\r\n" + b"x" * 2001, False),
    (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", False),
])
@on_uvloop
async def test_an_app_without_usable_answer_is_unavailable(reply: bytes, leaves: bool) -> None:
    """Nonsense, silence and too much are 502, and the request is not sent again."""
    async with world(limits=Limits(answer_held=2000)) as gateway:
        fetching = beside(gateway.upstream.fetch(REQUEST, method=b"POST"))
        app = await gateway.app.accepts()
        await app.gets(len(REQUEST))
        await app.replies(reply)
        if leaves:
            app.leaves()
        with pytest.raises(AppUnavailable) as raised:
            await fetching
        assert raised.value.status == 502
        assert gateway.app.accepted == 1
        await app.gets_all()


@on_uvloop
async def test_a_late_answer_is_a_504() -> None:
    """The app's head has a minute."""
    async with world() as gateway:
        fetching = beside(gateway.upstream.fetch(REQUEST, method=b"POST"))
        app = await gateway.app.accepts()
        await app.gets(len(REQUEST))
        gateway.passes(61.0)
        with pytest.raises(AppUnavailable) as raised:
            await fetching
        assert raised.value.status == 504
        assert gateway.watcher.errors == [("shop", "timeout")]


@on_uvloop
async def test_an_answer_that_drips_is_given_up() -> None:
    """The whole answer has a time of its own, after which it is not whole."""
    async with world(limits=Limits(answer_whole_seconds=0.1)) as gateway:
        fetching = beside(gateway.upstream.fetch(REQUEST, method=b"POST"))
        app = await gateway.app.accepts()
        await app.gets(len(REQUEST))
        await app.replies(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        answer = await fetching
        assert (answer.body, answer.is_whole) == (b"half", False)
        assert await app.gets_all() == b""


@on_uvloop
async def test_an_app_that_is_down_is_unavailable_at_once() -> None:
    """Nobody accepts: 502."""
    async with world() as gateway:
        await gateway.app.close()
        with pytest.raises(AppUnavailable) as raised:
            await gateway.upstream.fetch(REQUEST, method=b"POST")
        assert raised.value.status == 502
        assert gateway.watcher.errors == [("shop", "connect")]


@on_uvloop
async def test_a_fetch_that_is_cancelled_closes_its_connection() -> None:
    """Nothing is left of a fetch that nobody waits for any more."""
    async with world() as gateway:
        fetching = beside(gateway.upstream.fetch(REQUEST, method=b"POST"))
        app = await gateway.app.accepts()
        await app.gets(len(REQUEST))
        fetching.cancel()
        assert await app.gets_all() == b""
        with pytest.raises(asyncio.CancelledError):
            await fetching
