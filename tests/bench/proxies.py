"""CPU per request: all proxies side by side, in rounds, each with the same load."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.bench.contestant import Contestant
from tests.bench.cpu import cpu_time
from tests.bench.credentials import make_credentials
from tests.bench.fleet import CannotMeasure
from tests.bench.gateway import FULL, PLAIN, start_gateway
from tests.bench.load import run_wrk
from tests.bench.peers import GUARDED, PASSING, start_peer, start_service
from tests.bench.report import Bar, Section, middle, ratio
from tests.bench.stage import Stage

SECONDS = 3
COLUMNS = ("proxy", "CPU µs per request", "× nginx", "of it system", "requests/s", "p99 ms", "note")
BARS = (  # (what, whose CPU, beside whose, bar, goal)
    ("full gateway, CPU × nginx", FULL, "nginx", 3.0, 2.0),
    ("plain pass-through, CPU × nginx", PLAIN, "nginx", 2.0, 1.5),
    ("full gateway, CPU × Envoy + jwt_authn", FULL, "Envoy + jwt_authn", 0.6, None),
    ("full gateway, CPU × Traefik", FULL, "Traefik", 0.4, None),
    ("full gateway, CPU × Caddy", FULL, "Caddy", 0.3, None),
    ("full gateway, CPU × nginx + auth_request", FULL, "nginx + auth_request", 0.2, None),
)


@dataclass(slots=True, kw_only=True)
class Tally:
    """Gathers the rounds of one proxy; `trouble` fails its row."""

    micros: list[float] = field(default_factory=list)
    system: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    trouble: str = ""

    @property
    def cost(self) -> float | None:
        """CPU µs per request: the median of the rounds, None when an answer was wrong."""
        return None if self.trouble else middle(self.micros)


def run(stage: Stage) -> Section:
    """Measure every proxy; one that cannot be started or answers wrongly has a row that says so."""
    tallies: dict[str, Tally] = {}
    contestants = [one for one in (start(stage, name, tallies) for name in (PLAIN, FULL, *PASSING, *GUARDED)) if one]
    try:
        for number in range(stage.rounds):
            turn = number % len(contestants)
            for one in contestants[turn:] + contestants[:turn]:  # nobody always follows the same neighbour
                measure(stage, one, tallies[one.name])
        return section(tallies, {one.name: one.note for one in contestants})
    finally:
        stage.fleet.stop(*{running.pid: running for one in contestants for running in one.running}.values())


def start(stage: Stage, name: str, tallies: dict[str, Tally]) -> Contestant | None:
    """Start a proxy and warm it up."""
    tally = tallies[name] = Tally()
    try:
        contestant = start_one(stage, name)
        contestant.wait_until_right()
        run_wrk(contestant.port, contestant.request, cores=stage.machine.load, seconds=1)
    except CannotMeasure as error:
        tally.trouble = str(error)
        return None
    return contestant


def start_one(stage: Stage, name: str) -> Contestant:
    """Start the proxy of a name on the proxies' core."""
    if name in {PLAIN, FULL}:
        return start_gateway(stage, full=name == FULL, cores=stage.machine.proxy)
    peer = PASSING.get(name) or GUARDED[name]
    return start_peer(stage, peer, credentials=make_credentials() if peer.is_guarded else None,
                      service=start_service(stage) if peer.asks_service else None)


def measure(stage: Stage, one: Contestant, tally: Tally) -> None:
    """Add a round."""
    try:
        before = cpu_time(one.pids)
        load = run_wrk(one.port, one.request, cores=stage.machine.load, seconds=stage.seconds(SECONDS))
        spent = cpu_time(one.pids).since(before)
        one.expect_right()
    except CannotMeasure as error:
        tally.trouble = str(error)
        return
    tally.trouble = tally.trouble or load.trouble
    if not load.requests:
        return
    tally.micros.append(spent.whole / load.requests * 1e6)
    tally.system.append(spent.system / load.requests * 1e6)
    tally.per_second.append(load.per_second)
    tally.p99.append(load.p99 * 1000)


def section(tallies: Mapping[str, Tally], notes: Mapping[str, str]) -> Section:
    """Return the table and its bars."""
    nginx = tallies["nginx"].cost
    rows = [(name, tally.cost, ratio(tally.cost, nginx), middle(tally.system), middle(tally.per_second),
             middle(tally.p99), tally.trouble or notes.get(name, "")) for name, tally in tallies.items()]
    rows.sort(key=lambda row: row[1] or float("inf"))
    return Section(
        title="CPU per request", columns=COLUMNS, rows=rows,
        bars=[Bar(what=what, value=ratio(tallies[ours].cost, tallies[theirs].cost), bar=bar, goal=goal)
              for what, ours, theirs, bar, goal in BARS],
        notes=["User and system time of a proxy and everything below it, auth service and embedded store included.",
               "wrk, 32 connections, requests of 970 bytes, answers of 1 KiB, keep-alive on both sides, no TLS."],
        is_whole=not any(tally.trouble for tally in tallies.values()),
    )
