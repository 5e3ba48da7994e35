"""How answers end, and what becomes of the connection then."""

import pytest

from tests.helpers.desk import Desk

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def test_a_cut_answer_is_a_reset() -> None:
    """Neither FIN nor a page follows the first half of an answer."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    client.sends(GET)
    app.replies(OK[:-1])
    app.connection.connection_lost(None)
    assert client.gets() == OK[:-1]
    assert client.transport.is_aborted
    assert desk.watcher.statuses == [200]


@pytest.mark.parametrize(("request_", "status", "is_kept"), [
    (b"GET / HTTP/1.1\r\nHost: y\r\n\r\n", b"421", True),
    (b"GET / HTTP/1.1\r\nHost: y\r\nConnection: close\r\n\r\n", b"421", False),
    (b"GET / HTTP/1.0\r\nHost: y\r\nConnection: keep-alive\r\n\r\n", b"421", False),
    (b"PUT / HTTP/1.1\r\nHost: y\r\nContent-Length: 5\r\n\r\n", b"421", False),
    (b"nonsense\r\n\r\n", b"400", False),
    (b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000, b"431", False),
    (b"GET /" + b"x" * 9000, b"414", False),
])
def test_a_refusal_keeps_the_connection_if_it_knows_where_the_next_request_is(
    request_: bytes, status: bytes, is_kept: bool,
) -> None:
    """Where a body is unread or the head unclear, the answer is the last one."""
    desk = Desk(hosts=("x",))
    client = desk.client()
    client.sends(request_)
    answer = client.gets()
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert (b"Connection: close\r\n" not in answer) is is_kept
    assert (not client.transport.is_closed and not client.transport.is_ended) is is_kept
    assert desk.watcher.statuses == [int(status)]


def test_after_the_last_answer_nothing_is_understood_any_more() -> None:
    """Bytes that come while the client still reads its refusal are thrown away."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    client.sends(b"nonsense\r\n\r\n")
    client.gets()
    client.sends(GET)
    assert app.gets() == b""
    assert client.gets() == b""
    assert client.transport.is_ended
    assert client.connection.eof_received() is False


def test_lingering_waits_for_what_is_unsent_and_then_two_seconds() -> None:
    """A slow reader gets the whole last answer."""
    desk = Desk()
    client = desk.client()
    client.sends(b"nonsense\r\n\r\n")
    client.transport.unsent = 500
    desk.passes(30.0)
    assert not client.transport.is_aborted
    client.transport.unsent = 0
    desk.passes(1.0)
    desk.passes(2.0)
    assert not client.transport.is_aborted
    desk.passes(0.1)
    assert client.transport.is_aborted


@pytest.mark.parametrize(("begun", "unsent", "is_reset"), [(OK[:-1], 0, True), (OK, 10, True), (OK, 0, False)])
def test_an_answer_that_is_given_up_is_seen_as_cut(begun: bytes, unsent: int, is_reset: bool) -> None:
    """The end of a connection ends an answer until close, so where the rest is thrown away it is a reset."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    client.sends(GET)
    app.replies(begun)
    client.transport.unsent = unsent
    client.connection.abort()
    assert client.transport.is_aborted
    assert hasattr(client.transport.get_extra_info("socket"), "option") is is_reset
