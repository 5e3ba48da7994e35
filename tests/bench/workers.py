"""What a second worker adds.

With three cores or more the workers have two of them, and requests are counted. With fewer the load would take
cores from them: then both workers share one core, which shows what a request costs with one and with two of them,
and how evenly the work is dealt out. What they could answer on two cores follows from that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.cpu import children, cpu_seconds, own_seconds
from tests.bench.fleet import CannotMeasure
from tests.bench.gateway import start_gateway, takes_workers
from tests.bench.load import Load, run_wrk
from tests.bench.report import Bar, Section
from tests.bench.stage import Stage

SECONDS = 5
CONNECTIONS = 64  # the kernel deals them out by hash: with few, one worker would have many more than the other
FREE_CORES = 3  # two for the workers, one for the load
COLUMNS = ("workers", "requests/s", "CPU µs per request", "busiest worker's part", "errors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Is how some workers did: the load that they answered, its CPU, and the busiest one's part of that."""

    load: Load
    seconds: float
    busiest: float

    @property
    def cost(self) -> float:
        """CPU µs per request."""
        return self.seconds / self.load.requests * 1e6


def run(stage: Stage) -> Section:
    """Measure one worker and two."""
    if not takes_workers():
        raise CannotMeasure("`sluicegate serve` has no --workers")
    crews = {count: crew(stage, count) for count in (1, 2)}
    one, two = crews[1], crews[2]
    is_free = len(stage.machine.cores) >= FREE_CORES
    value = two.load.per_second / one.load.per_second if is_free else capacity(one, two)
    note = "by requests" if is_free else "inferred: by CPU per request, and the busiest worker's part of it"
    return Section(
        title="Workers", columns=COLUMNS,
        rows=[(count, one.load.per_second, one.cost, one.busiest, one.load.trouble) for count, one in crews.items()],
        bars=[Bar(what="two workers, × one", value=value, bar=1.8, at_least=True, note=note)],
        notes=[] if is_free else ["One core for the load: the two workers share the other."],
        is_whole=not (one.load.trouble or two.load.trouble),
    )


def capacity(one: Crew, two: Crew) -> float:
    """Return how many times one worker's requests two would answer on cores of their own, until the busier is full."""
    return one.cost * one.busiest / (two.cost * two.busiest)


def crew(stage: Stage, count: int) -> Crew:
    """Start that many workers and load them."""
    is_free = len(stage.machine.cores) >= FREE_CORES
    cores = stage.machine.cores[:count] if is_free else stage.machine.proxy
    started = start_gateway(stage, full=False, cores=cores, workers=count)
    [head] = started.pids
    try:
        started.wait_until_right()
        load_once(stage, started.port, started.request.name, seconds=1)
        before = {pid: own_seconds(pid) for pid in family(head)}
        whole = cpu_seconds([head])
        load = load_once(stage, started.port, started.request.name, seconds=stage.seconds(SECONDS))
        spent = cpu_seconds([head]) - whole
        parts = [own_seconds(pid) - begun for pid, begun in before.items()]
    finally:
        stage.fleet.stop(*started.running)
    return Crew(load=load, seconds=spent, busiest=max(parts) / sum(parts))


def family(head: int) -> Sequence[int]:
    """Return the process and its children: the workers are among them, and what is not one hardly works."""
    return [head, *children(head)]


def load_once(stage: Stage, port: int, request: str, *, seconds: int) -> Load:
    """Load the gateway."""
    return run_wrk(port, stage.folder / request, cores=stage.machine.load, seconds=seconds, connections=CONNECTIONS)
