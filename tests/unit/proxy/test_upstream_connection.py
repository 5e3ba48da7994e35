"""One connection to an app, driven by hand."""

from collections.abc import Callable

import pytest

from gateway.errors import AppUnavailable
from gateway.http.body import Framing
from gateway.http.head import ResponseHead
from gateway.proxy.limits import Limits
from gateway.proxy.upstream_connection import Receiver, UpstreamConnection
from tests.helpers.transport import FakeTransport

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Told:
    """Is a Receiver that writes down what it is told; it may give up at a word."""

    def __init__(self, gives_up_at: str = "") -> None:
        self.events: list[object] = []
        self.connection: UpstreamConnection | None = None
        self._gives_up_at = gives_up_at

    def _note(self, *event: object) -> None:
        self.events.append(event if len(event) > 1 else event[0])
        if event[0] == self._gives_up_at and self.connection is not None:
            self.connection.abandon()

    def attached(self, connection: UpstreamConnection) -> None:
        self.connection = connection

    def interim(self, head: ResponseHead) -> None:
        self._note("interim", head.status)

    def answered(self, head: ResponseHead, framing: Framing | None, data: bytes) -> None:
        self._note("answered", head.status, data[head.size:])

    def continued(self, body: bytes) -> None:
        self._note("continued", body)

    def finished(self) -> None:
        self._note("finished")

    def failed(self, error: AppUnavailable) -> None:
        self._note("failed", error.status)

    def hold(self) -> None:
        self._note("hold")

    def release(self) -> None:
        self._note("release")


class Shelf:
    """Is a Pool without connections of its own."""

    def __init__(self) -> None:
        self.limits = Limits()
        self.now = 0.0
        self.clock: Callable[[], float] = lambda: self.now
        self.errors: list[str] = []
        self.on_error: Callable[[str], None] = self.errors.append
        self.kept: list[UpstreamConnection] = []
        self.retried: list[bytes] = []
        self.known: list[str] = []

    def opened(self, connection: UpstreamConnection) -> None:
        self.known.append("opened")

    def lost(self, connection: UpstreamConnection) -> None:
        self.known.append("lost")

    def keep(self, connection: UpstreamConnection) -> None:
        self.kept.append(connection)

    def retry(self, receiver: Receiver, request: bytes, *, method: bytes) -> None:
        self.retried.append(request)


class Line:
    """Is a connection that is up and carries a request."""

    def __init__(self, *, method: bytes = b"GET", is_repeatable: bool = True, is_sent: bool = True,
                 gives_up_at: str = "") -> None:
        self.shelf = Shelf()
        self.told = Told(gives_up_at)
        self.transport = FakeTransport()
        self.connection = UpstreamConnection(self.shelf)
        self.connection.connection_made(self.transport)
        self.shelf.kept.clear()
        self.connection.is_request_sent = is_sent
        self.connection.begin(self.told, b"request", method=method, is_repeatable=is_repeatable)

    def gets(self, data: bytes, step: int = 1_000_000) -> "Line":
        for start in range(0, len(data), step):
            self.connection.data_received(data[start:start + step])
        return self


def test_a_small_answer_is_told_in_one_piece_and_the_connection_kept() -> None:
    """Head and body of one packet come together; afterwards the connection may carry the next request."""
    line = Line().gets(OK)
    assert line.transport.take() == b"request"
    assert line.told.events == [("answered", 200, b"ok"), "finished"]
    assert line.shelf.kept == [line.connection]
    assert line.connection.is_usable


@pytest.mark.parametrize("step", [1, 3, 7])
def test_an_answer_may_come_in_pieces(step: int) -> None:
    """The pieces are told as they come, and add up."""
    line = Line().gets(b"HTTP/1.1 100 Continue\r\n\r\n" + OK, step)
    names = [event if isinstance(event, str) else event[0] for event in line.told.events]  # type: ignore[index]
    assert names[0] == "interim"
    assert names[1] == "answered"
    assert names[-1] == "finished"
    bodies = [event[-1] for event in line.told.events if event[0] in ("answered", "continued")]  # type: ignore[index]
    assert b"".join(bodies) == b"ok"


@pytest.mark.parametrize(("answer", "is_sent"), [
    (OK + b"more", True),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", True),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", True),
    (OK, False),
])
def test_a_connection_in_doubt_is_not_kept(answer: bytes, is_sent: bool) -> None:
    """Bytes too many, the app's wish, HTTP/1.0, or a request that is not sent yet: it is closed."""
    line = Line(is_sent=is_sent).gets(answer)
    assert line.told.events == [("answered", 200, b"ok"), "finished"]
    assert line.shelf.kept == []
    assert line.transport.is_aborted


def test_a_body_after_an_answer_without_one_is_poison() -> None:
    """What follows the answer to HEAD is not relayed, and the connection not kept."""
    line = Line(method=b"HEAD").gets(OK)
    assert line.told.events == [("answered", 200, b""), "finished"]
    assert line.transport.is_aborted


def test_bytes_that_nobody_asked_for_close_the_connection() -> None:
    """An idle connection that speaks is not used again."""
    line = Line().gets(OK).gets(b"HTTP/1.1 200 OK\r\n")
    assert line.transport.is_aborted
    assert not line.connection.is_usable
    assert line.told.events[-1] == "finished"


@pytest.mark.parametrize(("answer", "events"), [
    (b"nonsense\r\n\r\n", [("failed", 502)]),
    (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", [("failed", 502)]),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", [("failed", 502)]),
    (b"HTTP/1.1 100 Continue\r\n\r\nnonsense\r\n\r\n", [("interim", 100), ("failed", 502)]),
])
def test_what_is_no_http_fails_before_it_is_told(answer: bytes, events: list[object]) -> None:
    """Nothing of a malformed answer is told."""
    line = Line().gets(answer)
    assert line.told.events == events
    assert line.shelf.errors == ["protocol"]
    assert line.transport.is_aborted


def test_a_broken_chunk_fails_in_the_middle() -> None:
    """The pieces before it were told; it is not."""
    line = Line().gets(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n").gets(b"-1\r\n")
    assert line.told.events == [("answered", 200, b"1\r\na\r\n"), ("failed", 502)]


def test_a_stale_connection_is_retried() -> None:
    """Closed before any answer, with a repeatable request on it: once more, elsewhere."""
    line = Line()
    line.connection.connection_lost(None)
    assert line.shelf.retried == [b"request"]
    assert line.shelf.errors == []
    assert line.told.events == []


@pytest.mark.parametrize(("received", "is_repeatable"), [(b"", False), (b"HTTP/1.1 2", True),
                                                         (b"HTTP/1.1 100 Continue\r\n\r\n", True)])
def test_a_lost_connection_is_not_retried_in_doubt(received: bytes, is_repeatable: bool) -> None:
    """The app may have acted, or had begun to answer: that is a failure."""
    line = Line(is_repeatable=is_repeatable).gets(received)
    line.connection.connection_lost(None)
    assert line.shelf.retried == []
    assert line.shelf.errors == ["lost"]
    assert line.told.events[-1] == ("failed", 502)


def test_a_fresh_connection_is_not_retried() -> None:
    """Only a connection that was up before can be stale."""
    shelf, told = Shelf(), Told()
    connection = UpstreamConnection(shelf)
    connection.is_request_sent = True
    connection.begin(told, b"request", method=b"GET", is_repeatable=True)
    connection.connection_made(FakeTransport())
    connection.connection_lost(None)
    assert shelf.retried == []
    assert told.events == [("failed", 502)]


@pytest.mark.parametrize(("lost", "last"), [(None, "finished"), (ConnectionResetError(), ("failed", 502))])
def test_an_answer_until_close_ends_with_an_orderly_close_only(lost: Exception | None, last: object) -> None:
    """A reset is a cut."""
    line = Line().gets(b"HTTP/1.1 200 OK\r\n\r\nsome")
    line.connection.connection_lost(lost)
    assert line.told.events == [("answered", 200, b"some"), last]


def test_a_sized_answer_that_is_cut_fails() -> None:
    """An orderly close in the middle is a cut, too."""
    line = Line().gets(OK[:-1])
    line.connection.connection_lost(None)
    assert line.told.events[-1] == ("failed", 502)


@pytest.mark.parametrize("word", ["answered", "continued", "interim"])
def test_a_receiver_may_give_up_while_it_is_told(word: str) -> None:
    """After that it hears nothing more, and the connection is closed, not kept."""
    line = Line(gives_up_at=word).gets(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK[:-1]).gets(OK[-1:])
    names = [event[0] if isinstance(event, tuple) else event for event in line.told.events]
    assert names[-1] == word or "finished" not in names
    assert line.transport.is_aborted
    assert line.shelf.kept == []


def test_what_is_sent_while_connecting_waits_and_holds() -> None:
    """A body is held back; what came all the same is kept, and both are made good when the connection is up."""
    shelf, told, transport = Shelf(), Told(), FakeTransport()
    connection = UpstreamConnection(shelf)
    connection.begin(told, b"head,", method=b"POST", is_repeatable=False)
    assert told.events == ["hold"]
    connection.send(b"one,")
    connection.send(b"two")
    connection.connection_made(transport)
    assert told.events == ["hold", "release"]
    assert transport.take() == b"head,one,two"
    connection.send(b"three")
    assert transport.take() == b"three"


def test_a_whole_request_is_not_held_while_connecting() -> None:
    """There is nothing to hold back."""
    told = Told()
    connection = UpstreamConnection(Shelf())
    connection.is_request_sent = True
    connection.begin(told, b"request", method=b"GET", is_repeatable=True)
    connection.connection_made(FakeTransport())
    assert told.events == []


def test_a_connection_that_nobody_waits_for_any_more_is_kept() -> None:
    """The client left while the gateway connected: nothing was sent, so the next one may have it."""
    shelf, transport = Shelf(), FakeTransport()
    connection = UpstreamConnection(shelf)
    connection.begin(Told(), b"request", method=b"GET", is_repeatable=True)
    connection.abandon()
    connection.connection_made(transport)
    assert shelf.kept == [connection]
    assert transport.written == b""


def test_the_apps_backpressure_is_passed_on() -> None:
    """A full write buffer holds the sender, and a connection that still is full is not kept."""
    line = Line()
    line.connection.pause_writing()
    line.connection.resume_writing()
    line.connection.pause_writing()
    line.gets(OK)
    assert line.told.events == ["hold", "release", "hold", ("answered", 200, b"ok"), "finished"]
    assert line.shelf.kept == []


def test_reading_pauses_once_and_is_resumed_for_the_next_request() -> None:
    """A slow client stops the reading; a connection in the pool reads."""
    line = Line()
    line.connection.pause()
    line.connection.pause()
    assert line.transport.is_paused
    line.connection.resume()
    line.connection.resume()
    assert not line.transport.is_paused
    line.connection.pause()
    line.gets(OK)
    assert not line.transport.is_paused
    assert line.shelf.kept == [line.connection]


def test_times_count_from_the_last_bytes() -> None:
    """The answer's head has a minute from the last sign of life, a body five, an idle connection one."""
    line = Line(is_sent=False)
    line.shelf.now = 50.0
    line.connection.send(b"more of the body")
    line.connection.sweep(110.0)
    assert line.told.events == []
    line.connection.sweep(110.1)
    assert line.told.events == [("failed", 504)]
    assert line.shelf.errors == ["timeout"]

    line = Line().gets(OK[:-1])
    line.connection.sweep(300.0)
    assert not line.transport.is_closing()
    line.gets(OK[-1:])
    line.connection.sweep(60.0)
    assert not line.transport.is_closing()
    line.connection.sweep(60.1)
    assert line.transport.is_closed


def test_an_answer_that_stands_still_is_given_up_unless_the_client_does() -> None:
    """A hanging app does not hold its client for ever; a client that takes nothing has limits of its own."""
    line = Line().gets(OK[:-1])
    line.connection.pause()
    line.connection.sweep(10_000.0)
    assert not line.transport.is_closing()
    line.shelf.now = 10_000.0
    line.connection.resume()
    line.connection.sweep(10_300.0)
    assert not line.transport.is_closing()
    line.connection.sweep(10_300.1)
    assert line.told.events[-1] == ("failed", 504)


def test_interim_answers_are_counted() -> None:
    """An app that sends 103 for ever is cut off; the count begins anew with each request."""
    early = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    line = Line().gets(early * 64 + OK)
    assert line.told.events[-1] == "finished"
    line = Line().gets(early * 65 + OK)
    assert line.told.events[-1] == ("failed", 502)


def test_the_pool_learns_of_birth_and_death() -> None:
    """Every connection is known while it is open."""
    line = Line()
    line.connection.connection_lost(None)
    assert line.shelf.known == ["opened", "lost"]
