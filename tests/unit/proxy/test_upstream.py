"""Which address of an app a request goes to, and how many connections there may be."""

import asyncio
from dataclasses import dataclass, field

import pytest

from gateway.errors import AppUnavailable
from gateway.proxy.addresses import Unreachable
from gateway.proxy.limits import Limits
from gateway.proxy.pool import Reuse
from gateway.proxy.tasks import Tasks
from gateway.proxy.upstream import Upstream
from gateway.proxy.upstream_connection import UpstreamConnection
from gateway.proxy.whole_answer import WholeAnswer
from tests.helpers.transport import FakeTransport

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(eq=False)
class Place:
    """Is a Destination whose connections are made by hand; `state` is up, refusing, silent, foreign, full or broken."""

    name: str
    state: str = "up"
    tried: int = 0
    lines: list[tuple[UpstreamConnection, FakeTransport]] = field(default_factory=list)

    def __str__(self) -> str:
        return self.name

    async def connect(self, connection: asyncio.Protocol) -> None:
        self.tried += 1
        if self.state == "silent":
            await asyncio.Event().wait()
        if self.state == "refusing":
            raise Unreachable("connect", "it accepts no connection")
        if self.state == "foreign":
            raise Unreachable("tls", "its certificate is another's")
        if self.state == "full":
            raise Unreachable("exhausted", "the gateway has no descriptor left")
        if self.state == "broken":
            raise UnicodeError
        transport = FakeTransport()
        assert isinstance(connection, UpstreamConnection)
        self.lines.append((connection, transport))
        connection.connection_made(transport)


class World:
    """Is an app at these places, and a clock that stands still until it is moved."""

    def __init__(self, *places: Place, **limits: float) -> None:
        self.now = 0.0
        self.places = places
        self.errors: list[str] = []
        self.rests: list[tuple[str, str]] = []
        self.failures: list[BaseException] = []
        self.tasks = Tasks(self.failures.append)
        self.upstream = Upstream(*places, limits=Limits(**limits), tasks=self.tasks,  # type: ignore[arg-type]
                                 clock=lambda: self.now, on_error=self.errors.append,
                                 on_rest=lambda address, reason: self.rests.append((address, reason)))

    async def asks(self, reuse: Reuse = Reuse.ANY) -> WholeAnswer:
        """Send a request and wait until it is on a connection, or has failed."""
        whole = WholeAnswer(asyncio.get_running_loop().create_future(), limit=100)
        self.upstream.attach(whole, b"request", method=b"GET", reuse=reuse)
        while len(self.tasks):
            await asyncio.sleep(0)
        assert not self.failures
        return whole

    async def served(self, reuse: Reuse = Reuse.ANY) -> str:
        """Send a request, answer it where it arrives, and return that place's name."""
        whole = await self.asks(reuse)
        for place in self.places:
            for connection, transport in place.lines:
                if transport.take():
                    connection.data_received(OK)
                    assert (await whole.result).body == b"ok"
                    return place.name
        raise AssertionError(whole.result.exception())


def refusal(whole: WholeAnswer) -> AppUnavailable:
    error = whole.result.exception()
    assert isinstance(error, AppUnavailable)
    return error


async def test_addresses_take_turns() -> None:
    """By requests, not by connections: idle ones are used at the address whose turn it is."""
    world = World(a := Place("a"), b := Place("b"), c := Place("c"))
    assert [await world.served() for _ in range(6)] == ["b", "c", "a"] * 2
    assert [place.tried for place in (a, b, c)] == [1, 1, 1]


async def test_an_address_that_refuses_is_left_alone() -> None:
    """The request that found out is served elsewhere, as are those after it; the operator is told once."""
    world = World(a := Place("a"), b := Place("b", "refusing"))
    assert [await world.served() for _ in range(6)] == ["a"] * 6
    assert (b.tried, world.upstream.resting) == (1, 1)
    assert world.errors == []
    assert world.rests == [("b", "it accepts no connection")]
    assert a.tried == 1


async def test_an_address_comes_back_after_its_rest() -> None:
    """It is tried again when the rest is over, and has its turn from then on."""
    world = World(Place("a"), b := Place("b", "refusing"))
    await world.served()
    b.state, world.now = "up", 0.9
    assert {await world.served() for _ in range(4)} == {"a"}
    world.now = 1.0
    assert {await world.served() for _ in range(4)} == {"a", "b"}
    assert world.upstream.resting == 0


async def test_any_request_moves_on_since_nothing_was_sent() -> None:
    """Also one that must go out only once."""
    world = World(Place("a"), Place("b", "refusing"))
    assert await world.served(Reuse.NEVER) == "a"


async def test_when_all_rest_the_one_that_rested_longest_is_tried_first() -> None:
    """And the others after it: better a try too much than a page that says no."""
    world = World(a := Place("a", "refusing"), b := Place("b", "refusing"))
    assert refusal(await world.asks()).status == 502
    assert (a.tried, b.tried) == (1, 1)
    world.now, b.state = 0.5, "up"
    assert await world.served(Reuse.NEVER) == "b"
    world.now, b.state = 0.6, "refusing"
    await world.asks(Reuse.NEVER)
    world.now = 0.7
    tried = a.tried, b.tried
    a.state = b.state = "up"
    assert await world.served(Reuse.NEVER) == "a"
    assert (a.tried, b.tried) == (tried[0] + 1, tried[1])


async def test_when_every_address_fails_so_does_the_request() -> None:
    """Each was tried once; the last failure is told."""
    world = World(Place("a", "foreign"), Place("b", "refusing"), Place("c", "refusing"))
    assert refusal(await world.asks()).status == 502
    assert world.errors == ["tls"]
    assert [address for address, _ in world.rests] == ["b", "c", "a"]


async def test_a_silent_address_costs_a_part_of_the_time() -> None:
    """The others get what is left of it."""
    world = World(Place("a"), b := Place("b", "silent"), connect_seconds=0.02)
    assert await world.served() == "a"
    assert (b.tried, world.upstream.resting) == (1, 1)


async def test_an_app_that_is_silent_everywhere_is_late() -> None:
    """That is 504, for the app may be busy rather than gone."""
    world = World(Place("a", "silent"), Place("b", "silent"), connect_seconds=0.02)
    assert refusal(await world.asks()).status == 504
    assert world.errors == ["connect"]


async def test_one_request_tries_an_address_that_was_silent() -> None:
    """While it waits, the others do not."""
    world = World(Place("a"), b := Place("b", "silent"), connect_seconds=0.02)
    await world.served()
    world.now = 1.0
    wholes = [WholeAnswer(asyncio.get_running_loop().create_future(), limit=100) for _ in range(6)]
    for whole in wholes:
        world.upstream.attach(whole, b"request", method=b"GET", reuse=Reuse.NEVER)
    while len(world.tasks):
        await asyncio.sleep(0.001)
    assert b.tried == 2
    assert world.upstream.resting == 1


async def test_a_lone_address_is_tried_although_it_rests() -> None:
    """There is nowhere else to go; the log says it once for the rest."""
    world = World(a := Place("a", "refusing"))
    for _ in range(3):
        assert refusal(await world.asks()).status == 502
    assert (a.tried, len(world.rests)) == (3, 1)
    assert world.errors == ["connect"] * 3
    a.state = "up"
    assert await world.served() == "a"


async def test_too_many_connections_are_busy() -> None:
    """Beyond the cap a client is sent away, to come back at once; nothing is tried."""
    world = World(a := Place("a"), upstream_connections=2)
    waiting = [await world.asks(), await world.asks()]
    error = refusal(await world.asks())
    assert (error.status, error.retry_after) == (503, 1)
    assert (world.errors, a.tried) == (["busy"], 2)
    a.lines[0][0].data_received(OK)
    assert (await waiting[0].result).body == b"ok"
    assert await world.served() == "a"
    assert a.tried == 2


@pytest.mark.parametrize("reuse", [Reuse.NEVER, Reuse.RECENT])
async def test_an_idle_connection_gives_way(reuse: Reuse) -> None:
    """One that the request must not take is closed in its favour, at whichever address."""
    world = World(a := Place("a"), b := Place("b"), upstream_connections=2)
    await world.served()
    await world.served()
    world.now = 10.0
    whole = await world.asks(reuse)
    assert not whole.result.done()
    assert [transport.is_aborted for _, transport in (*a.lines[:1], *b.lines[:1])] == [True, False]
    assert a.tried + b.tried == 3


async def test_connections_under_way_count() -> None:
    """A flood that comes before the first is accepted is bounded, too."""
    world = World(a := Place("a", "silent"), upstream_connections=3, connect_seconds=0.02)
    wholes = [WholeAnswer(asyncio.get_running_loop().create_future(), limit=100) for _ in range(10)]
    for whole in wholes:
        world.upstream.attach(whole, b"request", method=b"GET", reuse=Reuse.ANY)
    while len(world.tasks):
        await asyncio.sleep(0.001)
    assert sorted(refusal(whole).status for whole in wholes) == [503] * 7 + [504] * 3
    assert a.tried == 3


async def test_a_stale_connection_is_replaced_once_at_the_next_address() -> None:
    """A safe request that met a closed connection goes out again on a fresh one, and no third time."""
    world = World(a := Place("a"))
    await world.served()
    whole = await world.asks()
    a.lines[0][0].connection_lost(None)
    while len(world.tasks):
        await asyncio.sleep(0)
    assert a.lines[1][1].take() == b"request"
    a.lines[1][0].connection_lost(None)
    assert refusal(whole).status == 502
    assert a.tried == 2


async def test_fetching_tells_a_full_app_from_a_dead_one() -> None:
    """Whoever fetches gets the same error as a passing request."""
    world = World(Place("a"), upstream_connections=1)
    await world.asks()
    with pytest.raises(AppUnavailable) as caught:
        await world.upstream.fetch(b"request", method=b"POST")
    assert (caught.value.status, caught.value.retry_after) == (503, 1)


async def test_closing_closes_every_address() -> None:
    """It waits for each connection's end."""
    world = World(a := Place("a"), b := Place("b"))
    await world.asks()
    await world.asks()
    closing = asyncio.get_running_loop().create_task(world.upstream.close())
    await asyncio.sleep(0)
    for connection, transport in (*a.lines, *b.lines):
        assert transport.is_aborted
        assert not closing.done()
        connection.connection_lost(None)
        await asyncio.sleep(0)
    await closing


async def test_what_the_gateway_lacks_puts_no_address_to_rest() -> None:
    """A healthy app is asked as soon as there are descriptors again; meanwhile clients may come back."""
    world = World(a := Place("a", "full"))
    told = refusal(await world.asks())
    assert (told.status, told.retry_after) == (503, 1)
    assert (world.errors, world.rests, world.upstream.resting) == (["exhausted"], [], 0)
    a.state = "up"
    assert await world.served() == "a"


async def test_a_connect_that_nobody_foresaw_leaves_nobody_waiting() -> None:
    """Its client is told that there is no app, and its task says what it was."""
    world = World(Place("a", "broken"))
    whole = WholeAnswer(asyncio.get_running_loop().create_future(), limit=100)
    world.upstream.attach(whole, b"request", method=b"GET", reuse=Reuse.ANY)
    while len(world.tasks):
        await asyncio.sleep(0)
    assert refusal(whole).status == 502
    assert world.errors == ["connect"]
    assert [type(failure) for failure in world.failures] == [UnicodeError]
