"""What people who are logged in notice of those who log in: latency of pass-through while the hash pool is full."""

from tests.bench.crowd import Crowd
from tests.bench.gateway import PEOPLE, move_everybody, start_gateway
from tests.bench.load import Load, run_wrk
from tests.bench.report import Bar, Section
from tests.bench.stage import Stage

SECONDS = 8
PROBES, PACE_MS = 8, 10  # some 800 requests/s: a busy site, far from what the gateway can do
WARM_UP_SECONDS = 1.0
COLUMNS = ("", "requests", "p50 ms", "p99 ms", "logins/s")


def run(stage: Stage) -> Section:
    """Probe a full gateway twice: at rest, and in the storm."""
    one = start_gateway(stage, full=True, cores=stage.machine.cores)
    try:
        move_everybody(one.port)
        still = probe(stage, one.port)
        with Crowd(one.port) as crowd:
            crowd.rate(WARM_UP_SECONDS)
            before = crowd.logins
            stormy = probe(stage, one.port)
            logins = (crowd.logins - before) / stormy.seconds
    finally:
        stage.fleet.stop(*one.running)
    rows = [(name, load.requests, load.p50 * 1000, load.p99 * 1000, per_second)
            for name, load, per_second in (("at rest", still, 0.0), ("in the storm", stormy, logins))]
    return Section(
        title="Latency in a login storm", columns=COLUMNS, rows=rows,
        bars=[Bar(what="p99 of pass-through in a login storm, × its value at rest", value=stormy.p99 / still.p99,
                  bar=3.0, goal=2.0)],
        notes=[f"{PROBES} connections that rest {PACE_MS} ms between requests.",
               f"{PEOPLE} people who log in without a pause; one hashing thread for each core.",
               "The gateway may use every core; probes, people, app and store share them with it."],
        is_whole=not (still.trouble or stormy.trouble),
    )


def probe(stage: Stage, port: int) -> Load:
    """Ask at a steady pace."""
    return run_wrk(port, stage.folder / f"request-{port}", cores=stage.machine.load, seconds=stage.seconds(SECONDS),
                   connections=PROBES, pace_ms=PACE_MS)
