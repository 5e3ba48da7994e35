"""The hot path, driven by hand from both ends."""

import pytest

from gateway.errors import AppUnavailable, RequestRefused
from gateway.http.parsing import HeadLimits, parse_request
from gateway.http.rewriting import Rewrite
from gateway.proxy.passage import Passage
from gateway.proxy.sites import Site
from gateway.proxy.steps import ClientInfo, Pass
from gateway.proxy.turn import Turn
from tests.helpers.desk import App, Desk

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class ClientSide:
    """Is a Crossing that writes down what it is told."""

    def __init__(self) -> None:
        self.must_close = False
        self.written = b""
        self.events: list[object] = []

    def write(self, data: bytes) -> None:
        self.written += data

    def begun(self, status: int) -> bool:
        self.events.append(status)
        return self.must_close

    def passed(self, now: float, *, close: bool) -> None:
        self.events.append("close" if close else "keep")

    def broken(self, error: AppUnavailable) -> None:
        self.events.append(("broken", error.status))

    def hold(self, *, is_held: bool) -> None:
        self.events.append("held" if is_held else "released")


class Bridge:
    """Is a passage between a client's side and an app connection."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.app: App = self.desk.app()
        self.client = ClientSide()
        self.passage = Passage(self.client)

    def begins(self, request: bytes, extra: bytes = b"", rewrite: Rewrite | None = None) -> bytes:
        """Begin with a request, and return what does not belong to it."""
        head = parse_request(request, HeadLimits())
        assert head is not None
        site = Site(name="shop", hosts=("*",), upstream=self.desk.upstream, rewrite=rewrite)
        info = ClientInfo(peer="192.0.2.1", address="192.0.2.1", scheme=b"https", is_trusted=False)
        turn = Turn(head, info, b"id", 0.0)
        turn.site = site
        return self.passage.begin(Pass(to_client=extra), turn, request[head.size:])


def request(*lines: bytes, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    return (method + b" / HTTP/" + version + b"\r\nHost: x\r\n" + b"".join(line + b"\r\n" for line in lines)
            + b"\r\n")


def test_head_and_body_go_out_in_one_write_each_way() -> None:
    """What came in one packet leaves in one, and what is beyond the body is given back."""
    bridge = Bridge()
    assert bridge.begins(request(b"Content-Length: 4", method=b"PUT") + b"bodynext") == b"next"
    sent = bridge.app.gets()
    assert sent.startswith(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n")
    assert b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n" in sent
    assert sent.endswith(b"X-Request-Id: id\r\n\r\nbody")
    assert bridge.passage.is_request_whole
    bridge.app.replies(OK)
    assert bridge.client.written == OK
    assert bridge.client.events == [200, "keep"]


@pytest.mark.parametrize("framing", [b"Content-Length: 14", b"Transfer-Encoding: chunked"])
def test_a_body_streams_as_it_comes(framing: bytes) -> None:
    """Each piece goes on at once; the end is found, and what follows is given back."""
    body = b"4\r\nbody\r\n0\r\n\r\n"
    bridge = Bridge()
    bridge.begins(request(framing, method=b"PUT"))
    bridge.app.gets()
    for start in range(len(body) - 1):
        assert bridge.passage.feed(body[start:start + 1]) == b""
        assert bridge.app.gets() == body[start:start + 1]
        assert not bridge.passage.is_request_whole
    assert bridge.passage.feed(body[-1:] + b"next") == b"next"
    assert bridge.passage.is_request_whole
    bridge.app.replies(OK)
    assert bridge.client.events == [200, "keep"]


def test_a_broken_chunk_is_refused() -> None:
    """At the start nothing goes out; later the caller ends the exchange."""
    bridge = Bridge()
    with pytest.raises(RequestRefused):
        bridge.begins(request(b"Transfer-Encoding: chunked", method=b"PUT") + b"x\r\n")
    assert bridge.app.gets() == b""
    bridge.begins(request(b"Transfer-Encoding: chunked", method=b"PUT"))
    with pytest.raises(RequestRefused):
        bridge.passage.feed(b"x\r\n")
    bridge.passage.abandon()
    assert bridge.app.transport.is_aborted


def test_an_answer_that_comes_early_closes() -> None:
    """It says so, and the end of the answer ends the exchange although the body never came."""
    bridge = Bridge()
    bridge.begins(request(b"Content-Length: 4", method=b"PUT"))
    bridge.app.replies(OK)
    assert b"Connection: close\r\n" in bridge.client.written
    assert bridge.client.events == [200, "close"]
    assert bridge.app.transport.is_aborted


def test_an_answer_that_must_close_says_so() -> None:
    """The client's side decides."""
    bridge = Bridge()
    bridge.client.must_close = True
    bridge.begins(request())
    bridge.app.replies(OK)
    assert b"Connection: close\r\n" in bridge.client.written
    assert bridge.client.events == [200, "close"]


def test_an_answer_until_close_closes() -> None:
    """Its end is the connection's."""
    bridge = Bridge()
    bridge.begins(request())
    bridge.app.replies(b"HTTP/1.1 200 OK\r\n\r\nsome")
    bridge.app.connection.connection_lost(None)
    assert bridge.client.written == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome"
    assert bridge.client.events == [200, "close"]


def test_http_10_gets_its_body_without_chunks() -> None:
    """However the chunks are cut."""
    bridge = Bridge()
    bridge.begins(request(version=b"1.0"))
    wire = CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    for start in range(len(wire)):
        bridge.app.replies(wire[start:start + 1])
    assert bridge.client.written == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde"
    assert bridge.client.events == [200, "close"]


def test_http_10_hears_of_no_chunks_where_there_is_no_body() -> None:
    """The answer to a HEAD says nothing of a coding that the version does not know (RFC 9112 6.1)."""
    bridge = Bridge()
    bridge.begins(request(method=b"HEAD", version=b"1.0"))
    bridge.app.replies(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert bridge.client.written == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(("version", "relayed"), [(b"1.1", b"HTTP/1.1 103 Early Hints\r\n\r\n"), (b"1.0", b"")])
def test_interim_answers_are_for_http_11(version: bytes, relayed: bytes) -> None:
    """They begin no answer."""
    bridge = Bridge()
    bridge.begins(request(version=version))
    bridge.app.replies(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    assert bridge.client.written == relayed
    assert bridge.client.events == []


def test_additions_make_an_answer_private() -> None:
    """A Set-Cookie of ours is kept by no cache; the next answer has none of it."""
    bridge = Bridge()
    bridge.begins(request(), extra=b"Set-Cookie: a=1\r\n")
    bridge.app.replies(OK)
    assert b"Set-Cookie: a=1\r\nCache-Control: private, no-store\r\n" in bridge.client.written
    bridge.client.written = b""
    bridge.begins(request())
    bridge.app.replies(OK)
    assert bridge.client.written == OK


def test_backpressure_crosses_both_ways() -> None:
    """A slow app holds the client, a slow client stops the app."""
    bridge = Bridge()
    bridge.begins(request(b"Content-Length: 4", method=b"PUT"))
    bridge.app.connection.pause_writing()
    bridge.app.connection.resume_writing()
    assert bridge.client.events == ["held", "released"]
    bridge.passage.pause()
    assert bridge.app.transport.is_paused
    bridge.passage.resume()
    assert not bridge.app.transport.is_paused


def test_an_abandoned_exchange_is_silent() -> None:
    """The app's connection is closed, and nothing of it reaches the client."""
    bridge = Bridge()
    bridge.begins(request())
    bridge.passage.abandon()
    bridge.app.connection.connection_lost(None)
    assert bridge.app.transport.is_aborted
    assert bridge.client.events == []
    bridge.passage.abandon()
    bridge.passage.pause()
    bridge.passage.resume()


def test_a_failure_is_told() -> None:
    """The client's side answers for it."""
    bridge = Bridge()
    bridge.begins(request(b"Content-Length: 4", method=b"PUT"))
    bridge.app.connection.connection_lost(None)
    assert bridge.client.events == [("broken", 502)]


@pytest.mark.parametrize(("method", "lines", "is_repeated"), [
    (b"GET", (), True), (b"HEAD", (), True), (b"OPTIONS", (), True), (b"GET", (b"Content-Length: 0",), True),
    (b"GET", (b"Content-Length: 4",), False), (b"DELETE", (), False), (b"POST", (), False), (b"PUT", (), False),
])
async def test_only_what_has_no_effect_is_repeated(method: bytes, lines: tuple[bytes, ...], is_repeated: bool) -> None:
    """A stale connection under a safe request without a body is replaced; under any other it is a failure."""
    bridge = Bridge()
    bridge.begins(request(*lines, method=method))
    bridge.app.connection.connection_lost(None)
    assert (bridge.client.events == []) is is_repeated
    assert len(bridge.desk.tasks) == is_repeated
    bridge.passage.abandon()
    await bridge.desk.tasks.close(0.0)


INTERNAL = Rewrite(locations=("http://legacy.internal:8000",), cookie_domains={"legacy.internal": "shop.test"})
MOVED = (b"HTTP/1.1 302 Found\r\nLocation: http://legacy.internal:8000/next\r\n"
         b"Set-Cookie: a=b; Domain=legacy.internal\r\nContent-Length: 0\r\n\r\n")


def test_an_app_that_tells_its_own_address_is_put_right() -> None:
    """The client learns the address that it asked for, with the scheme under which it came."""
    bridge = Bridge()
    bridge.begins(request(), rewrite=INTERNAL)
    bridge.app.replies(MOVED)
    assert b"\r\nLocation: https://x/next\r\nSet-Cookie: a=b; Domain=shop.test\r\n" in bridge.client.written


def test_rewriting_is_the_apps_own_affair() -> None:
    """The next request on the connection, for another app, is answered as it is."""
    bridge = Bridge()
    bridge.begins(request(), rewrite=INTERNAL)
    bridge.app.replies(MOVED)
    bridge.client.written = b""
    bridge.begins(request())
    bridge.app.replies(MOVED)
    assert bridge.client.written == MOVED
