"""The connections to one address of an app, driven by hand."""

import asyncio

from gateway.proxy.addresses import Address
from gateway.proxy.limits import Limits
from gateway.proxy.pool import Reuse
from gateway.proxy.tasks import Tasks
from gateway.proxy.upstream import Upstream
from gateway.proxy.upstream_connection import UpstreamConnection
from gateway.proxy.whole_answer import WholeAnswer
from tests.helpers.transport import FakeTransport

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Pool:
    """Is an upstream whose connections the test makes."""

    def __init__(self, **limits: float) -> None:
        self.now = 0.0
        self.upstream = Upstream(Address(host="app", port=80), limits=Limits(**limits),  # type: ignore[arg-type]
                                 tasks=Tasks([].append), clock=lambda: self.now, on_error=[].append)

    def connected(self) -> tuple[UpstreamConnection, FakeTransport]:
        connection, transport = UpstreamConnection(self.upstream.pools[0]), FakeTransport()
        connection.connection_made(transport)
        return connection, transport

    def takes(self, reuse: Reuse) -> UpstreamConnection | None:
        return self.upstream.pools[0].take(reuse)


def test_the_connection_used_last_is_taken_first() -> None:
    """LIFO keeps few connections warm and lets the rest grow old."""
    pool = Pool()
    (first, _), (second, _) = pool.connected(), pool.connected()
    assert pool.takes(Reuse.ANY) is second
    assert pool.takes(Reuse.ANY) is first
    assert pool.takes(Reuse.ANY) is None


def test_how_old_a_connection_may_be_is_the_requests_business() -> None:
    """Safe requests take any, others only a recent one, and those that decide something none."""
    pool = Pool()
    connection, _ = pool.connected()
    assert pool.takes(Reuse.NEVER) is None
    pool.now = 1.1
    assert pool.takes(Reuse.RECENT) is None
    connection.touched = 0.2
    assert pool.takes(Reuse.RECENT) is connection


def test_a_dead_connection_is_not_taken() -> None:
    """One that is closing is passed over, and one that is lost is gone."""
    pool = Pool()
    (first, _), (_, closing), (third, _) = pool.connected(), pool.connected(), pool.connected()
    closing.close()
    third.connection_lost(None)
    assert pool.takes(Reuse.ANY) is first
    assert pool.takes(Reuse.ANY) is None


def test_the_pool_is_bounded() -> None:
    """What is too many is closed."""
    pool = Pool(pool_size=2)
    pool.connected()
    pool.connected()
    _, transport = pool.connected()
    assert transport.is_aborted


def test_idle_connections_are_swept() -> None:
    """The sweep reaches every connection, and closes what was idle for too long."""
    pool = Pool(pool_seconds=10.0)
    _, old = pool.connected()
    pool.now = 5.0
    _, young = pool.connected()
    pool.upstream.sweep(10.1)
    assert old.is_closed
    assert not young.is_closed


async def test_a_request_on_a_pooled_connection_needs_no_task() -> None:
    """The hot path writes at once, and the connection comes back with the answer."""
    pool = Pool()
    connection, transport = pool.connected()
    answer = await _fetched(pool, connection, transport)
    assert answer == b"ok"
    assert pool.takes(Reuse.ANY) is connection


async def _fetched(pool: Pool, connection: UpstreamConnection, transport: FakeTransport) -> bytes:
    whole = WholeAnswer(asyncio.get_running_loop().create_future(), limit=100)
    pool.upstream.attach(whole, b"request", method=b"GET", reuse=Reuse.ANY)
    assert transport.take() == b"request"
    connection.data_received(OK)
    return (await whole.result).body


async def test_closing_aborts_everything_and_waits() -> None:
    """After the close nothing is open, and what comes later is not kept."""
    pool = Pool()
    connection, transport = pool.connected()
    closing = asyncio.get_running_loop().create_task(pool.upstream.close())
    await asyncio.sleep(0)
    assert transport.is_aborted
    assert not closing.done()
    connection.connection_lost(None)
    await closing
    _, late = pool.connected()
    assert late.is_aborted


async def test_closing_what_was_never_opened_is_nothing() -> None:
    """There is nothing to wait for."""
    pool = Pool()
    await pool.upstream.close()
    await pool.upstream.close()
    assert pool.takes(Reuse.ANY) is None


def test_the_oldest_idle_connection_gives_way() -> None:
    """It is closed and no longer known, at once; one that is at work never is."""
    pool = Pool()
    (_, first), (second, at_work) = pool.connected(), pool.connected()
    place = pool.upstream.pools[0]
    assert pool.takes(Reuse.ANY) is second
    assert place.release_oldest()
    assert first.is_aborted
    assert len(place) == 1
    assert not place.release_oldest()
    assert not at_work.is_aborted
