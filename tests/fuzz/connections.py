"""The state machine of connections under every order of events: what clients and apps send, in any pieces.

    python -m tests.fuzz.connections --minutes 30 --seed 1

A program is a list of decisions: what the clients ask, what the apps answer, and which of all possible events
comes next. After each event the invariants hold; at the end, when everything may flow, nobody waits for ever. A
program that breaks this is made smaller and written to tests/fuzz/seeds, which the unit tests replay.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from random import Random

from gateway.errors import RequestRefused
from gateway.http.head import RequestHead
from gateway.proxy.addresses import Unreachable
from gateway.proxy.connections import Connections
from gateway.proxy.ids import RequestIds
from gateway.proxy.peers import Peers
from gateway.proxy.sites import Site, Sites
from gateway.proxy.steps import PLAIN, Ask, ClientInfo, Intercept, Pass, Reply, Step, WholeRequest
from gateway.proxy.surroundings import Surroundings
from gateway.proxy.tasks import Tasks
from gateway.proxy.upstream import Upstream
from gateway.proxy.upstream_connection import UpstreamConnection
from tests.fuzz.ends import LARGEST, LIMITS, AppEnd, ClientEnd, InOrder
from tests.fuzz.invariants import Broken, check, check_rest, must
from tests.fuzz.messages import Ambiguous
from tests.fuzz.scripts import Choices, Said, client_script
from tests.helpers.proxy import Watcher, counting_entropy

SEEDS = Path(__file__).parent / "seeds"
EVENTS = 400  # of one program, at most
SETTLING = 2000  # rounds in which everything must have flowed
PIECES = (1, 7, 60, 500, LARGEST)
CLOCK_JUMPS = (0.1, 1.0, 3.0, 12.0, 61.0, 301.0)
MOST_CLIENTS = 4


class Play:
    """Is a gateway between fuzzed clients and a fuzzed app, with a clock of its own."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.now = 0.0
        self.troubles: list[BaseException] = []
        self.soon: list[Callable[[], None]] = []
        self.connecting: list[tuple[UpstreamConnection, asyncio.Future[bool]]] = []
        self.gates: list[asyncio.Future[None]] = []
        self.apps: list[AppEnd] = []
        self.said: dict[bytes, list[Said]] = {}
        self.watcher = Watcher()
        self.draining: asyncio.Task[None] | None = None
        self.tasks = Tasks(self.troubles.append)
        self.upstream = Upstream(self, limits=LIMITS, tasks=self.tasks, clock=self.clock, on_error=lambda _kind: None)
        site = Site(name="shop", hosts=("shop",), upstream=self.upstream)
        self.connections = Connections(Surroundings(
            sites=Sites([site]), interceptor=self, traffic=self.watcher, limits=LIMITS,
            peers=Peers(trusted=[ip_network("192.0.2.0/31")], scheme=b"http"), tasks=self.tasks,
            request_ids=RequestIds(counting_entropy()), clock=self.clock,
            on_crash=lambda error, _id: self.troubles.append(error)))
        self.connections._open = InOrder()
        for pool in self.upstream.pools:
            pool._connections = InOrder()
        self.clients = [ClientEnd(number, client_script(choices, number), self) for number in range(2)]

    def clock(self) -> float:
        return self.now

    def later(self, what: Callable[[], None]) -> None:
        self.soon.append(what)

    # What the gateway asks of those around it.

    async def connect(self, connection: UpstreamConnection) -> None:
        """Be a Destination that accepts when the program says so."""
        future = asyncio.get_running_loop().create_future()
        self.connecting.append((connection, future))
        if not await future:
            raise Unreachable("connect", "refused")
        app = AppEnd(connection, self)
        self.apps.append(app)
        connection.connection_made(app.wire)

    def examine(self, site: Site, head: RequestHead, client: ClientInfo) -> Step:
        """Be an Interceptor that does what the target says."""
        _, way, mark = (head.target + b"//").split(b"/")[:3]
        match way:
            case b"ask" | b"askreply":
                return Ask(decide=lambda: self._decide(way, mark, head.method))
            case b"intercept":
                return Intercept(handler=self._handle, body_limit=600)
            case b"reply":
                return own_reply(mark, head.method)
            case b"refuse":
                raise RequestRefused(403, "No.")
            case _:
                return PLAIN

    async def _gate(self) -> None:
        gate = asyncio.get_running_loop().create_future()
        self.gates.append(gate)
        await gate

    async def _decide(self, way: bytes, mark: bytes, method: bytes) -> Pass | Reply:
        await self._gate()
        return own_reply(mark, method) if way == b"askreply" else PLAIN

    async def _handle(self, request: WholeRequest) -> Reply:
        await self._gate()
        return own_reply(request.head.target.rpartition(b"/")[2], request.head.method)

    # Events.

    async def run(self) -> None:
        """Play the program to its end, and then let everything flow."""
        for _ in range(EVENTS):
            if self.choices.is_over:
                break
            self._step()
            await self._pass()
            check(self)
        await self._settle()
        check(self)
        check_rest(self)
        await self._close()

    def _step(self) -> None:
        if self.soon and self.choices.pick(2):
            self._do_soon()
        events = self._events()
        events[self.choices.pick(len(events))]()

    def _events(self) -> list[Callable[[], None]]:
        """Return what may happen next; the common several times."""
        size = PIECES[self.choices.pick(len(PIECES))]
        events: list[Callable[[], None]] = [self._rare, self._tick]
        for client in self.clients:
            if client.wire.is_heard and client.sent < len(client.script.data):
                events += [partial(client.says, size)] * 3
            if client.wire.unsent:
                events += [partial(client.wire.takes, size)] * 2
        for app in self.apps:
            if app.wire.unsent:
                events += [partial(app.takes, size)] * 3
            if app.outgoing and app.wire.is_heard:
                events += [partial(app.replies, size)] * 4
            if app.closes and not app.outgoing and app.wire.is_heard:
                events.append(app.wire.ends)
        if self.connecting:
            events += [self._accept] * 3
        if self.gates:
            events += [self._open_gate] * 3
        return events

    def _accept(self, *, surely: bool = False) -> None:
        _, future = self.connecting.pop(self.choices.pick(len(self.connecting)))
        if not future.done():
            future.set_result(surely or self.choices.pick(10) != 1)

    def _open_gate(self) -> None:
        self.gates.pop(self.choices.pick(len(self.gates))).set_result(None)

    def _do_soon(self) -> None:
        soon, self.soon = self.soon, []
        for what in soon:
            what()

    def _tick(self) -> None:
        self.now += CLOCK_JUMPS[self.choices.pick(len(CLOCK_JUMPS)) if self.choices.pick(4) == 1 else 0]
        self.connections.sweep()

    def _rare(self) -> None:
        """Do what ends things."""
        what = self.choices.pick(25)
        client = self.clients[self.choices.pick(len(self.clients))]
        if what in (1, 2) and client.wire.is_heard:
            client.wire.ends()
        elif what == 3:
            client.wire.resets()
        elif what == 4 and len(self.clients) < MOST_CLIENTS:
            number = len(self.clients)
            self.clients.append(ClientEnd(number, client_script(self.choices, number), self))
        elif what == 5 and self.choices.pick(4) == 1 and self.draining is None:
            self.draining = asyncio.get_running_loop().create_task(self.connections.drain(1e9))
        elif self.apps:
            app = self.apps[self.choices.pick(len(self.apps))]
            if what == 6 and app.wire.is_heard and not (app.closes and app.outgoing):
                app.wire.ends()
            elif what == 7:
                app.wire.resets()
            elif what == 8 and app.wire.is_heard and app.connection.is_usable and app.wire.protocol is app.connection:
                app.wire.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Mark: nobody\r\n\r\nnobody")
                must(app.wire.is_closing(), "unsolicited bytes are borne")

    async def _pass(self) -> None:
        for _ in range(4):
            await asyncio.sleep(0)

    async def _settle(self) -> None:
        """Let everything flow until nothing moves."""
        for _ in range(SETTLING):
            self._do_soon()
            moves = [*self._waiting(), *(move for client in self.clients for move in self._of_client(client)),
                     *(move for app in self.apps for move in self._of_app(app))]
            for move in moves:
                move()
            await self._pass()
            if not (moves or self.soon or self.connecting or self.gates):
                return
        raise Broken("it never comes to rest")

    def _waiting(self) -> list[Callable[[], None]]:
        return [partial(self._accept, surely=True)] * len(self.connecting) + [self._open_gate] * len(self.gates)

    @staticmethod
    def _of_client(client: ClientEnd) -> list[Callable[[], None]]:
        says = [partial(client.says, LARGEST)] if client.wire.is_heard and client.sent < len(client.script.data) else []
        return [*says, partial(client.wire.takes, LARGEST)] if client.wire.unsent else says

    @staticmethod
    def _of_app(app: AppEnd) -> list[Callable[[], None]]:
        if app.wire.unsent:
            return [partial(app.takes, LARGEST)]
        if not app.wire.is_heard:
            return []
        return [partial(app.replies, LARGEST)] if app.outgoing else [app.wire.ends] if app.closes else []

    async def _close(self) -> None:
        for client in self.clients:
            client.wire.resets()
        self._do_soon()
        for app in self.apps:
            app.wire.resets()
        self._do_soon()
        await self._pass()
        if self.draining is not None:
            await asyncio.wait_for(self.draining, 5.0)
        await self.tasks.close(1.0)
        must(len(self.connections) == 0, "a connection is still registered")
        must(not any(len(pool) for pool in self.upstream.pools), "an app connection is still known")


def own_reply(mark: bytes, method: bytes) -> Reply:
    """Return an answer of the gateway's own."""
    body = b"own answer"
    wire = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Mark: %b\r\nOwn: 1\r\n\r\n" % (len(body), mark)
    return Reply(wire=wire if method == b"HEAD" else wire + body, status=200)


# Programs.


def play(source: Random | Sequence[int]) -> tuple[list[int], str | None]:
    """Play a program; return its decisions, and what it broke."""
    choices = Choices(source)

    async def main() -> None:
        await Play(choices).run()

    try:
        asyncio.run(main())
    except (Broken, Ambiguous) as broken:
        return choices.made, f"{type(broken).__name__}: {broken}"
    except Exception as error:  # noqa: BLE001  # whatever the gateway raises is what is looked for
        return choices.made, f"{type(error).__name__}: {error}"
    return choices.made, None


def smaller(program: list[int], deadline: float) -> list[int]:
    """Return a shorter program that breaks something, too."""
    size = len(program) // 2
    while size and time.monotonic() < deadline:
        start = 0
        while start < len(program) and time.monotonic() < deadline:
            for candidate in (program[:start] + program[start + size:],
                              program[:start] + [0] * size + program[start + size:]):
                if sum(candidate) + len(candidate) < sum(program) + len(program) and play(candidate)[1]:
                    program = candidate
                    break
            else:
                start += size
        size //= 2
    return program


def keep(program: list[int]) -> Path:
    """Write a program down for the unit tests."""
    text = json.dumps(program)
    path = SEEDS / f"connections-{sha256(text.encode()).hexdigest()[:12]}.json"
    path.write_text(text + "\n", encoding="ascii")
    return path


def main() -> int:
    """Play programs for so many minutes; return 1 if one broke something."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stop-after", type=int, default=10, help="broken programs")
    arguments = parser.parse_args()
    end = time.monotonic() + arguments.minutes * 60
    count, failures, decisions = 0, Counter[str](), 0
    while time.monotonic() < end and failures.total() < arguments.stop_after:
        made, failure = play(Random(arguments.seed * 1_000_000_007 + count))
        count += 1
        decisions += len(made)
        if failure is not None:
            failures[failure] += 1
            if failures[failure] == 1:
                program = smaller(made, time.monotonic() + 60.0)
                print(f"{failure}\n  {keep(program)} (program {count}, {len(program)} decisions)", flush=True)
    print(f"{count} programs, {decisions} decisions, {failures.total()} broke something")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
