"""What a second worker adds.

With three cores or more the workers have two of them, and requests are counted. With fewer the load would take
cores from them: then both workers share one core, which shows what a request costs with one and with two of them,
and how evenly the work is dealt out. What they could answer on two cores follows from that.
"""

from dataclasses import dataclass, field

from tests.bench.contestant import Contestant
from tests.bench.cpu import children, cpu_seconds, own_seconds
from tests.bench.gateway import start_gateway
from tests.bench.load import Load, run_wrk
from tests.bench.report import Bar, Section
from tests.bench.stage import Stage

SECONDS = 3
CONNECTIONS = 64  # the kernel deals them out by hash: with few, one worker would have many more than the other
FREE_CORES = 3  # two for the workers, one for the load
COLUMNS = ("workers", "requests/s", "CPU µs per request", "busiest worker's part", "errors")


@dataclass(slots=True, kw_only=True)
class Crew:
    """Gathers the rounds of some workers: their requests, the CPU of all, and each process's own."""

    requests: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    parts: dict[int, float] = field(default_factory=dict)
    trouble: str = ""

    @property
    def cost(self) -> float:
        """CPU µs per request."""
        return self.cpu / self.requests * 1e6

    @property
    def busiest(self) -> float:
        """The busiest worker's part of the CPU."""
        return max(self.parts.values()) / sum(self.parts.values())

    @property
    def per_second(self) -> float:
        """Requests per second."""
        return self.requests / self.wall


def run(stage: Stage) -> Section:
    """Measure one worker and two, by turns."""
    is_free = len(stage.machine.cores) >= FREE_CORES
    started = {count: start(stage, count, is_free=is_free) for count in (1, 2)}
    crews = {count: Crew() for count in started}
    try:
        for _ in range(stage.rounds):
            for count, gateway in started.items():
                measure(stage, gateway, crews[count])
    finally:
        stage.fleet.stop(*(running for gateway in started.values() for running in gateway.running))
    one, two = crews[1], crews[2]
    value = two.per_second / one.per_second if is_free else capacity(one, two)
    note = "by requests" if is_free else "inferred: by CPU per request, and the busiest worker's part of it"
    return Section(
        title="Workers", columns=COLUMNS,
        rows=[(count, crew.per_second, crew.cost, crew.busiest, crew.trouble) for count, crew in crews.items()],
        bars=[Bar(what="two workers, × one", value=value, bar=1.8, at_least=True, note=note)],
        notes=[] if is_free else ["One core for the load: the two workers share the other."],
        is_whole=not (one.trouble or two.trouble),
    )


def capacity(one: Crew, two: Crew) -> float:
    """Return how many times one worker's requests two would answer on cores of their own, until the busier is full."""
    return one.cost * one.busiest / (two.cost * two.busiest)


def start(stage: Stage, count: int, *, is_free: bool) -> Contestant:
    """Start that many workers and warm them up."""
    cores = stage.machine.cores[:count] if is_free else stage.machine.proxy
    gateway = start_gateway(stage, full=False, cores=cores, workers=count)
    gateway.expect_right()
    load_once(stage, gateway, seconds=1)
    return gateway


def measure(stage: Stage, gateway: Contestant, crew: Crew) -> None:
    """Add a round."""
    [head] = gateway.pids
    before = {pid: own_seconds(pid) for pid in (head, *children(head))}  # what is no worker hardly works
    whole = cpu_seconds([head])
    load = load_once(stage, gateway, seconds=stage.seconds(SECONDS))
    crew.cpu += cpu_seconds([head]) - whole
    for pid, begun in before.items():
        crew.parts[pid] = crew.parts.get(pid, 0.0) + own_seconds(pid) - begun
    crew.requests += load.requests
    crew.wall += load.seconds
    crew.trouble = crew.trouble or load.trouble


def load_once(stage: Stage, gateway: Contestant, *, seconds: int) -> Load:
    """Load a gateway."""
    return run_wrk(gateway.port, gateway.request, cores=stage.machine.load, seconds=seconds, connections=CONNECTIONS)
