"""The benchmark works: it measures the gateway beside nginx, with figures that nobody compares here."""

import shutil

import pytest

from tests.bench.cpu import resident_bytes
from tests.bench.gateway import start_gateway
from tests.bench.machine import this_machine
from tests.bench.peers import PASSING, start_peer
from tests.bench.proxies import Tally, measure
from tests.bench.stage import staged

MISSING = [program for program in ("nginx", "wrk", "taskset") if shutil.which(program) is None]


@pytest.mark.skipif(bool(MISSING), reason=f"NOT TESTED: {MISSING} missing; `make bench` installs them")
def test_one_round() -> None:
    """The gateway and nginx pass every request of a round on, and each round costs CPU."""
    with staged(this_machine(), rounds=1, quick=True) as stage:
        contestants = (start_gateway(stage, full=True, cores=stage.machine.proxy), start_peer(stage, PASSING["nginx"]))
        for contestant in contestants:
            measure(stage, contestant, tally := Tally())
            assert tally.trouble == ""
            assert (tally.cost or 0.0) > 0.0
            assert resident_bytes(contestant.pids) > 0
