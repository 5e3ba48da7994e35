"""A tunnel between a client and an app, driven by hand from both ends."""

import asyncio

import pytest

from gateway.http.head import RequestHead
from gateway.proxy.limits import Limits
from gateway.proxy.sites import Site
from gateway.proxy.steps import ClientInfo, Pass, Step
from gateway.proxy.tunnel import End
from tests.helpers.desk import Client, Desk, Dialling

OPENING = (b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
GRANT = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Session:
    """Is a Standing whose word is the test's."""

    def __init__(self, holds: bool | None = True) -> None:
        self.word = holds
        self.row = True
        self.questions = 0
        self.answer = asyncio.Event()

    def holds(self) -> bool | None:
        return self.word

    async def ask(self) -> bool:
        self.questions += 1
        await self.answer.wait()
        return self.row


class Rides:
    """Is an Interceptor for whom everybody rides on one session."""

    def __init__(self, session: Session | None, to_client: bytes = b"") -> None:
        self.step = Pass(to_client=to_client, standing=session)

    def examine(self, site: Site, head: RequestHead, client: ClientInfo) -> Step:
        return self.step


class Way:
    """Is a client that has asked for a WebSocket, and the fresh connection to the app on which it did."""

    def __init__(self, session: Session | None = None, *, limits: Limits | None = None, to_client: bytes = b"") -> None:
        self.desk = Desk(interceptor=Rides(session, to_client), limits=limits or Limits(), upstream_type=Dialling)
        self.desk.upstream.made = self.made = []  # type: ignore[attr-defined]
        self.client: Client = self.desk.client()

    def asks(self, early: bytes = b"") -> "Way":
        self.client.sends(OPENING + early)
        self.app = self.made[0].transport
        return self

    def opens(self, early: bytes = b"", with_it: bytes = b"") -> "Way":
        """Open the tunnel; `early` came before the grant, `with_it` from the app in the same packet."""
        self.asks(early)
        self.made[0].replies(GRANT + with_it)
        self.front = self.client.transport.protocol
        self.back = self.app.protocol
        assert isinstance(self.front, End)
        assert isinstance(self.back, End)
        return self

    @property
    def statuses(self) -> list[int]:
        return self.desk.watcher.statuses


def test_a_grant_makes_a_tunnel() -> None:
    """The opening reaches the app as one, the grant the client, and from then on bytes go across as they are."""
    way = Way().opens(with_it=b"hello")
    sent = way.app.take()
    assert sent.startswith(b"GET /live HTTP/1.1\r\n")
    assert b"Connection: Upgrade\r\nUpgrade: websocket\r\n" in sent
    got = way.client.gets()
    assert got.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert got.endswith(b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
    way.front.data_received(b"GET / HTTP/1.1\r\n\r\n")
    assert way.app.take() == b"GET / HTTP/1.1\r\n\r\n"
    way.back.data_received(b"\x81\x02hi")
    assert way.client.gets() == b"\x81\x02hi"
    assert way.statuses == []


def test_what_comes_before_the_grant_is_held_and_bounded() -> None:
    """Nothing of it reaches the app before the 101, and all of it after."""
    way = Way(limits=Limits(pipeline=100)).asks(b"x" * 60)
    assert not way.app.take().endswith(b"x")
    way.client.sends(b"y" * 60)
    assert way.client.transport.is_paused
    assert way.app.take() == b""
    way.made[0].replies(GRANT)
    assert way.app.take() == b"x" * 60 + b"y" * 60
    assert not way.client.transport.is_paused


@pytest.mark.parametrize("answer", [OK, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"])
def test_a_refused_opening_ends_the_connection(answer: bytes) -> None:
    """What came early is neither a request nor anything else, and the app's connection is not used again."""
    way = Way().asks(b"GET /admin HTTP/1.1\r\nHost: x\r\n\r\n")
    way.app.take()
    way.made[0].replies(answer)
    assert b"\r\nConnection: close\r\n" in way.client.gets()
    assert way.client.transport.is_ended
    assert way.app.is_aborted
    way.client.sends(b"GET /admin HTTP/1.1\r\nHost: x\r\n\r\n")
    assert way.app.take() == b""
    assert len(way.made) == 1


def test_a_grant_that_nobody_asked_for_is_refused() -> None:
    """An ordinary request is not answered by a 101."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    client.sends(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    app.replies(GRANT)
    assert client.gets().startswith(b"HTTP/1.1 502 ")
    assert desk.watcher.statuses == [502]


def test_a_renewed_session_travels_with_the_grant() -> None:
    """The cookies that the guard adds are in the 101."""
    way = Way(to_client=b"Set-Cookie: a=b\r\n").opens()
    assert b"\r\nSet-Cookie: a=b\r\n" in way.client.gets()


def test_backpressure_crosses_both_ways() -> None:
    """The end that is faster is not read while the other takes nothing."""
    way = Way().opens()
    way.front.pause_writing()
    assert way.app.is_paused
    way.front.resume_writing()
    assert not way.app.is_paused
    way.back.pause_writing()
    assert way.client.transport.is_paused
    way.back.resume_writing()
    assert not way.client.transport.is_paused


def test_backpressure_from_before_the_grant_holds_on() -> None:
    """A transport that was full says only that it is empty again, so the tunnel must know."""
    way = Way().asks()
    way.client.connection.pause_writing()
    way.made[0].connection.pause_writing()
    way.made[0].replies(GRANT)
    assert way.app.is_paused
    assert way.client.transport.is_paused
    way.client.transport.protocol.resume_writing()  # type: ignore[attr-defined]
    way.app.protocol.resume_writing()  # type: ignore[attr-defined]
    assert not way.app.is_paused
    assert not way.client.transport.is_paused


def test_a_half_close_crosses_and_the_second_ends_it() -> None:
    """One direction may end before the other."""
    way = Way().opens()
    assert way.front.eof_received()
    assert way.app.is_ended
    assert not way.client.transport.is_closing()
    way.back.data_received(b"still")
    assert way.client.gets().endswith(b"still")
    way.back.eof_received()
    assert way.client.transport.is_ended
    assert way.client.transport.is_closed
    assert way.app.is_closed


def test_a_client_that_ended_before_the_grant_has_ended_after_it() -> None:
    """Its end follows what it had sent."""
    way = Way().asks(b"last words")
    assert way.client.connection.eof_received()
    way.app.take()
    way.made[0].replies(GRANT)
    assert way.app.take() == b"last words"
    assert way.app.is_ended


def test_an_ended_end_is_neither_paused_nor_resumed() -> None:
    """Reading on after the end would read the end again."""
    way = Way().opens()
    way.front.eof_received()
    way.back.pause_writing()
    assert not way.client.transport.is_paused
    way.back.resume_writing()


def test_tls_ends_by_closing() -> None:
    """A transport that cannot be half-closed is closed, and does not stay open for a half."""
    way = Way().opens()
    way.app.is_tls = True
    way.front.eof_received()
    assert way.app.is_closed
    assert not way.back.eof_received()


def test_a_lost_end_closes_the_other_and_the_account_is_one() -> None:
    """Status 101, all bytes to the client, and the time until both ends were gone."""
    way = Way().opens(with_it=b"12345")
    granted = len(way.client.gets())
    way.back.data_received(b"678")
    way.desk.now = 7.0
    way.back.connection_lost(None)
    assert way.client.transport.is_closed
    assert way.statuses == []
    assert len(way.desk.connections) == 1
    way.front.connection_lost(None)
    [note] = way.desk.watcher.notes
    assert (note.status, note.sent, note.seconds, note.target) == (101, granted + 3, 7.0, b"/live")
    assert len(way.desk.connections) == 0


def test_the_pool_counts_the_apps_end_until_it_is_closed() -> None:
    """A tunnel is a connection of the app's like any other, though no request can have it."""
    way = Way().opens()
    [pool] = way.desk.upstream.pools
    way.desk.passes(100.0)
    assert len(pool) == 1
    for end in (way.front, way.back):
        end.connection_lost(None)
    assert len(pool) == 0


def test_a_silent_tunnel_is_closed() -> None:
    """Five minutes without a byte in either direction; one is enough for five more."""
    way = Way().opens()
    for end in (way.front, way.back):
        way.desk.passes(290.0)
        end.data_received(b".")
        way.desk.passes(1.0)
    way.client.transport.unsent = 1000
    way.desk.passes(290.0)
    way.client.transport.unsent = 999
    way.desk.passes(290.0)
    way.desk.passes(290.0)
    assert not way.client.transport.is_aborted
    way.desk.passes(11.0)
    assert way.client.transport.is_aborted
    assert way.app.is_aborted


def test_the_rest_must_be_taken_in_a_minute() -> None:
    """With the app gone, a client that takes nothing holds nothing any more."""
    way = Way().opens()
    way.client.transport.unsent = 1000
    way.desk.passes(1.0)
    way.back.connection_lost(None)
    way.desk.passes(60.0)
    assert not way.client.transport.is_aborted
    way.desk.passes(1.0)
    assert way.client.transport.is_aborted


def test_a_tunnel_ends_with_its_session() -> None:
    """At the next look, both ends."""
    session = Session()
    way = Way(session).opens()
    way.desk.passes(1.0)
    assert not way.client.transport.is_aborted
    session.word = False
    way.desk.passes(1.0)
    assert way.client.transport.is_aborted
    assert way.app.is_aborted


@pytest.mark.parametrize("row", [True, False])
async def test_who_cannot_tell_is_asked_once_at_a_time(row: bool) -> None:
    """The row decides; while its answer is awaited nobody asks again."""
    session = Session(None)
    session.row = row
    way = Way(session).opens()
    for _ in range(3):
        way.desk.passes(1.0)
        await asyncio.sleep(0)
    assert session.questions == 1
    session.answer.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert way.client.transport.is_aborted is not row
    for end in (way.front, way.back) if not row else ():
        end.connection_lost(None)
    way.desk.passes(1.0)
    await asyncio.sleep(0)
    assert session.questions == (2 if row else 1)


async def test_a_stop_waits_for_tunnels_until_the_grace_is_over() -> None:
    """They go on meanwhile, and are closed then."""
    way = Way().opens()
    draining = asyncio.get_running_loop().create_task(way.desk.connections.drain(0.05))
    await asyncio.sleep(0.01)
    way.front.data_received(b"on")
    assert way.app.take().endswith(b"on")
    async with asyncio.timeout(5.0):
        while not way.client.transport.is_aborted:
            await asyncio.sleep(0.01)
    assert way.app.is_aborted
    for end in (way.front, way.back):
        end.connection_lost(None)
    await draining
