"""What a connection that waits costs: the growth of resident memory by 10 000 of them, each of which was used once."""

import time
from contextlib import ExitStack

from tests.bench.contestant import Contestant
from tests.bench.cpu import resident_bytes
from tests.bench.fleet import CannotMeasure
from tests.bench.gateway import PLAIN, start_gateway
from tests.bench.peers import PASSING, start_peer
from tests.bench.report import Bar, Cell, Section
from tests.bench.stage import Stage
from tests.bench.wire import Wire

CONNECTIONS = 10_000
QUICK_CONNECTIONS = 2_000
SETTLE_SECONDS = 1.0
OK = 200


def run(stage: Stage) -> Section:
    """Measure us and the plain peers, one after another."""
    rows: list[list[Cell]] = []
    trouble = []
    for name in (PLAIN, *PASSING):
        try:
            rows.append([name, kib_per_connection(stage, name)])
        except (CannotMeasure, OSError) as error:
            trouble.append(f"{name}: {error}")
            rows.append([name, None])
    ours = next(cost for name, cost in rows if name == PLAIN)
    return Section(
        title="Idle connections", columns=("proxy", "KiB per idle connection"), rows=rows,
        bars=[Bar(what="memory of an idle connection", value=ours if isinstance(ours, float) else None,
                  bar=4.0, goal=2.0, unit="KiB")],
        notes=[f"Resident memory with {connections(stage):,} open connections less that without.",
               "Each connection had one request answered.", *trouble],
        is_whole=not trouble,
    )


def connections(stage: Stage) -> int:
    """Return how many connections are opened."""
    return QUICK_CONNECTIONS if stage.quick else CONNECTIONS


def kib_per_connection(stage: Stage, name: str) -> float:
    """Start a proxy, open the connections, and return what one of them costs."""
    one = start_gateway(stage, full=False, cores=stage.machine.proxy) if name == PLAIN else \
        start_peer(stage, PASSING[name])
    try:
        one.wait_until_right()
        return growth(stage, one) / connections(stage) / 1024
    finally:
        stage.fleet.stop(*one.running)


def growth(stage: Stage, one: Contestant) -> int:
    """Return the bytes by which a proxy grows."""
    request = one.request.read_bytes()
    before = resident_bytes(one.pids)
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(one.port)) for _ in range(connections(stage))]
        if any(wire.ask(request).status != OK for wire in wires):
            raise CannotMeasure(f"{one.name} did not answer every connection")
        time.sleep(SETTLE_SECONDS)
        return resident_bytes(one.pids) - before
