"""Logins per second, beside what the hash alone would let through on the same cores."""

import subprocess
import sys

from tests.bench.crowd import Crowd
from tests.bench.fleet import ROOT
from tests.bench.gateway import PEOPLE, move_everybody, start_gateway
from tests.bench.report import Bar, Section, middle
from tests.bench.stage import Stage

SECONDS = 5
WARM_UP_SECONDS = 1.0
SPARE_SECONDS = 30


def run(stage: Stage) -> Section:
    """Let the crowd log in, and the bare hash work before and after it."""
    one = start_gateway(stage, full=True, cores=stage.machine.cores)
    try:
        move_everybody(one.port)
        bare = [bare_rate(stage)]
        with Crowd(one.port) as crowd:
            crowd.rate(WARM_UP_SECONDS)
            rate = crowd.rate(stage.seconds(SECONDS))
        bare.append(bare_rate(stage))
    finally:
        stage.fleet.stop(*one.running)
    alone = middle(bare) or 0.0
    threads = len(stage.machine.cores)
    return Section(
        title="Logins", columns=("", "per second"),
        rows=[("logins", rate), (f"bare argon2-cffi, {threads} threads", alone)],
        bars=[Bar(what="logins per second, part of what bare argon2-cffi does", value=rate / alone, bar=0.9,
                  at_least=True)],
        notes=[f"{PEOPLE} people whose passwords are in the store already; the same parameters and the same cores.",
               "Store, app and the people themselves take a part of these cores, too."],
    )


def bare_rate(stage: Stage) -> float:
    """Return the verifications per second of a process of its own."""
    seconds = stage.seconds(SECONDS)
    said = subprocess.run(
        ["taskset", "-c", ",".join(map(str, stage.machine.cores)), sys.executable, "-m", "tests.bench.bare",
         str(len(stage.machine.cores)), str(seconds)],
        cwd=ROOT, capture_output=True, text=True, timeout=seconds + SPARE_SECONDS, check=True)
    return float(said.stdout)
