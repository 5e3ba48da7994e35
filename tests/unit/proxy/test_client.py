"""A client connection, driven by hand from both ends."""


import pytest

from gateway.http.head import RequestHead
from gateway.http.parsing import HeadLimits
from gateway.proxy.limits import Limits
from gateway.proxy.sites import Site
from gateway.proxy.steps import Ask, ClientInfo, Intercept, Pass, Reply, Step, WholeRequest
from tests.helpers.desk import Desk
from tests.helpers.tracing import calls

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def put(length: int, body: bytes = b"") -> bytes:
    return b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length + body


class Door:
    """Is an Interceptor that always says the same."""

    def __init__(self, step: Step) -> None:
        self.step = step

    def examine(self, site: Site, head: RequestHead, client: ClientInfo) -> Step:
        return self.step


async def reply(request: WholeRequest) -> Reply:
    return Reply(wire=OK, status=200)


def test_requests_take_turns() -> None:
    """The second of two pipelined requests goes out when the first answer is whole."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    client.sends(GET + GET)
    assert app.gets().count(b"GET /") == 1
    app.replies(OK[:-1])
    assert app.gets() == b""
    app.replies(OK[-1:])
    assert app.gets().count(b"GET /") == 1
    app.replies(OK)
    assert client.gets() == OK + OK
    assert desk.watcher.statuses == [200, 200]


def test_an_incomplete_head_waits() -> None:
    """Nothing happens until the blank line."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    for start in range(len(GET) - 1):
        client.sends(GET[start:start + 1])
    assert app.gets() == b""
    client.sends(GET[-1:])
    assert app.gets().startswith(b"GET / ")


def test_a_head_in_drops_is_read_at_its_line_ends() -> None:
    """Reading it again at every byte would cost the work of a thousand heads."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    head = GET[:-2] + b"X-Long: " + b"x" * 500 + b"\r\n\r\n"
    made = calls(lambda: [client.sends(head[start:start + 1]) for start in range(len(head))])
    assert app.gets().startswith(b"GET / ")
    assert made.count(("parsing", "parse_request")) <= head.count(b"\n") + 1


def test_a_line_without_end_is_refused_at_the_heads_bound() -> None:
    """Also what comes in drops is read no further than a head may go."""
    desk = Desk(limits=Limits(head=HeadLimits(head_bytes=300)))
    client = desk.client()
    for _ in range(31):
        client.sends(b"GET /aaaaa")
    assert client.gets().startswith(b"HTTP/1.1 431 ")


def test_ids_differ_and_are_the_traffics() -> None:
    """Each request has its own id, which app, log and page share."""
    desk = Desk(hosts=("x",))
    app, client = desk.app(), desk.client()
    client.sends(GET)
    sent = app.gets()
    app.replies(OK)
    client.gets()
    client.sends(b"GET / HTTP/1.1\r\nHost: y\r\n\r\n")
    page = client.gets()
    first, second = (note.request_id for note in desk.watcher.notes)
    assert first != second
    assert b"X-Request-Id: " + first in sent
    assert b"X-Request-Id: " + second in page


def test_a_client_far_ahead_is_not_read_until_it_is_its_turn() -> None:
    """What a client may send ahead of its answers is bounded."""
    desk = Desk(limits=Limits(pipeline=100))
    app, client = desk.app(), desk.client()
    client.sends(GET * 3)
    assert not client.transport.is_paused
    client.sends(GET * 3)
    assert client.transport.is_paused
    for _ in range(6):
        app.replies(OK)
    assert not client.transport.is_paused
    assert client.gets() == OK * 6


def test_a_head_is_no_pipeline() -> None:
    """A head that is longer than what may be sent ahead is read to its end."""
    desk = Desk(limits=Limits(pipeline=100))
    app, client = desk.app(), desk.client()
    client.sends(GET[:-2] + b"X-Long: " + b"x" * 200)
    assert not client.transport.is_paused
    client.sends(b"\r\n\r\n")
    assert app.gets().startswith(b"GET / ")


def test_a_client_that_takes_nothing_gets_no_further_turn() -> None:
    """While answers wait to be taken, the next request waits too, and the app is not read."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    client.sends(GET + GET)
    app.gets()
    client.connection.pause_writing()
    assert app.transport.is_paused
    app.replies(OK)
    assert app.gets() == b""
    client.connection.resume_writing()
    assert app.gets().startswith(b"GET / ")
    assert not app.transport.is_paused


def test_a_slow_app_stops_the_client() -> None:
    """The client's body is read as fast as the app takes it."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    client.sends(put(10))
    app.connection.pause_writing()
    assert client.transport.is_paused
    app.connection.resume_writing()
    assert not client.transport.is_paused


def test_a_hold_does_not_outlive_its_exchange() -> None:
    """An app that answers without taking the body leaves no client that is never read again."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    client.sends(put(10, b"half"))
    app.connection.pause_writing()
    app.replies(OK)
    assert client.transport.is_ended
    assert not client.transport.is_paused


@pytest.mark.parametrize(("sent", "owed"), [(b"", False), (b"GET", False), (put(5, b"half"), False), (GET, True)])
def test_the_end_of_a_clients_side_closes_unless_an_answer_is_owed(sent: bytes, owed: bool) -> None:
    """A half-closed client that has asked gets its answer; then the connection closes."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    if sent:
        client.sends(sent)
    assert client.connection.eof_received() is owed
    if owed:
        app.replies(OK)
        assert client.gets() == OK
        assert client.transport.is_closed


def test_a_lost_client_takes_its_request_along() -> None:
    """The app's connection is closed, and the traffic told once."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    client.sends(GET)
    client.connection.connection_lost(None)
    assert app.transport.is_aborted
    assert desk.watcher.statuses == [499]
    assert len(desk.connections) == 0


def test_a_peer_without_an_address_has_left() -> None:
    """A socket that was reset before it was accepted is closed without a word."""
    desk = Desk()
    client = desk.client(peer=None)
    assert client.transport.is_aborted
    client.connection.connection_lost(None)
    assert desk.watcher.notes == []


@pytest.mark.parametrize(("sent", "seconds", "status"), [(b"GET", 20.0, 408), (b"", 75.0, None)])
def test_time_runs_out(sent: bytes, seconds: float, status: int | None) -> None:
    """A head has twenty seconds from its first byte, silence seventy-five."""
    desk = Desk()
    client = desk.client()
    if sent:
        client.sends(sent)
    desk.passes(seconds)
    assert not client.transport.is_closing()
    assert client.gets() == b""
    desk.passes(0.1)
    assert desk.watcher.statuses == ([status] if status else [])
    assert client.transport.is_ended if status else client.transport.is_closed


def test_a_head_that_drips_gets_no_more_time() -> None:
    """The time counts from the first byte, not from the last."""
    desk = Desk()
    client = desk.client()
    for start in range(21):
        client.sends(GET[start:start + 1])
        desk.passes(1.0)
    assert desk.watcher.statuses == [408]


def test_a_busy_connection_is_left_to_the_apps_limits() -> None:
    """However long an answer takes to begin, and between two of its pieces: the client is not to blame."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    client.sends(GET)
    app.replies(OK[:-2])
    for piece in (OK[-2:-1], OK[-1:]):
        desk.passes(290.0)
        assert not client.transport.is_closing()
        app.replies(piece)
    assert client.gets() == OK


def test_a_client_that_moves_is_not_cut_off() -> None:
    """Only a minute without a single byte taken is a minute too much."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    client.sends(GET)
    app.replies(OK[:-1])
    for unsent in (1000, 900, 800):
        client.transport.unsent = unsent
        desk.passes(50.0)
    assert not client.transport.is_aborted
    desk.passes(50.0)
    assert not client.transport.is_aborted
    desk.passes(50.0)
    assert client.transport.is_aborted


async def test_an_intercepted_request_is_answered_by_a_task() -> None:
    """The body is collected, the handler's reply written, the connection kept."""
    desk = Desk(interceptor=Door(Intercept(handler=reply, body_limit=10)))
    client = desk.client()
    client.sends(put(4, b"bo"))
    assert len(desk.tasks) == 0
    client.sends(b"dy")
    assert len(desk.tasks) == 1
    await desk.tasks.close(1.0)
    assert client.gets() == OK
    assert not client.transport.is_closing()
    assert desk.watcher.statuses == [200]


@pytest.mark.parametrize(("sent", "interim"), [(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), (b"bo", b"")])
async def test_the_gateway_says_100_only_to_who_still_waits(sent: bytes, interim: bytes) -> None:
    """A client that sends its body without waiting needs no word (RFC 9110 10.1.1)."""
    desk = Desk(interceptor=Door(Intercept(handler=reply, body_limit=10)))
    client = desk.client()
    client.sends(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n" + sent)
    assert client.gets() == interim
    client.sends(b"body"[len(sent):])
    await desk.tasks.close(1.0)
    assert client.gets() == OK


async def test_a_reply_to_a_client_that_left_is_dropped() -> None:
    """The handler ran; nothing is written to a closed connection, and the account is not kept twice."""
    desk = Desk(interceptor=Door(Intercept(handler=reply, body_limit=10)))
    client = desk.client()
    client.sends(GET)
    client.connection.connection_lost(None)
    await desk.tasks.close(1.0)
    assert client.gets() == b""
    assert desk.watcher.statuses == [499]


async def test_a_renewed_request_keeps_its_body() -> None:
    """What comes while the fields are waited for goes on with the request."""

    async def decide() -> Pass:
        return Pass(to_client=b"Set-Cookie: a=1\r\n")

    desk = Desk(interceptor=Door(Ask(decide=decide)))
    app, client = desk.app(), desk.client()
    client.sends(put(4, b"bo"))
    client.sends(b"dy" + GET)
    await desk.tasks.close(1.0)
    sent = app.gets()
    assert sent.startswith(b"PUT / ")
    assert sent.endswith(b"\r\n\r\nbody")
    app.replies(OK)
    assert b"Set-Cookie: a=1\r\n" in client.gets()


def test_a_body_that_trickles_is_given_up() -> None:
    """At 1 KiB a second, a pause of 10 s excepted, an upload may take all day; at less it is a 408, at the app too."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    client.sends(put(1_000_000, b"x"))
    for _ in range(100):
        client.sends(bytes(1024))
        desk.passes(1.0)
    assert desk.watcher.statuses == []
    for _ in range(21):
        client.sends(bytes(512))
        desk.passes(1.0)
    assert desk.watcher.statuses == [408]
    assert app.transport.is_aborted


def test_a_client_that_is_held_back_is_not_slow() -> None:
    """While the app takes nothing nobody expects anything of the client."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    client.sends(put(1_000_000, b"x"))
    app.connection.pause_writing()
    for _ in range(50):
        desk.passes(1.0)
    app.connection.resume_writing()
    desk.passes(9.0)
    assert desk.watcher.statuses == []
    desk.passes(2.0)
    assert desk.watcher.statuses == [408]


def test_who_waits_for_100_is_not_slow_before_the_first_byte() -> None:
    """The app has a minute to say it; from then on the body counts."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    client.sends(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
    desk.passes(50.0)
    app.replies(b"HTTP/1.1 100 Continue\r\n\r\n")
    desk.passes(10.0)
    assert desk.watcher.statuses == []
    client.sends(b"12")
    desk.passes(9.0)
    assert desk.watcher.statuses == []
    desk.passes(2.0)
    assert desk.watcher.statuses == [408]


async def test_a_login_that_trickles_is_given_up() -> None:
    """A body that the gateway reads itself comes no slower, and has its own limit beside."""
    desk = Desk(interceptor=Door(Intercept(handler=reply, body_limit=65536)))
    client = desk.client()
    client.sends(put(60_000, b"x"))
    desk.passes(9.0)
    assert desk.watcher.statuses == []
    desk.passes(2.0)
    assert desk.watcher.statuses == [408]


@pytest.mark.parametrize("rest", [b"", b"ab"])
def test_a_body_that_can_never_come_is_not_waited_for(rest: bytes) -> None:
    """A client that ended its side before its turn came cannot finish: the app is not kept busy with it."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    client.sends(GET + put(4, rest))
    client.connection.eof_received()
    app.gets()
    app.replies(OK)
    assert client.gets().removeprefix(OK).startswith(b"HTTP/1.1 400 ")
    assert app.transport.is_aborted


def test_an_opening_that_was_given_up_leaves_nothing_behind() -> None:
    """A 101 to a request that asked for none is refused, whatever its connection was made for."""
    desk = Desk()
    app = desk.app()
    app.connection.expects_upgrade = True  # as a client leaves it that went while the app was being reached
    client = desk.client()
    client.sends(GET)
    app.replies(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nEVIL")
    assert client.gets().startswith(b"HTTP/1.1 502 ")


def test_an_answer_until_close_lasts_until_it_closes() -> None:
    """Its time is not that of its last bytes."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    client.sends(GET)
    app.replies(b"HTTP/1.1 200 OK\r\n\r\nhello")
    desk.now = 3.0
    app.connection.connection_lost(None)
    assert desk.watcher.notes[0].seconds == 3.0
