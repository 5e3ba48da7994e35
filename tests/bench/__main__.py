"""`make bench`: measures Sluicegate beside its peers and prints the report.

    python -m tests.bench --only proxies,bodies --rounds 5 --json build/bench.json
"""

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.bench import bodies, idle, logins, proxies, storm, workers
from tests.bench.fleet import ROOT, CannotMeasure
from tests.bench.machine import raise_open_files, this_machine
from tests.bench.report import Report, Section, as_json, markdown
from tests.bench.stage import Stage, staged

SECTIONS: Mapping[str, Callable[[Stage], Section]] = {
    "proxies": proxies.run, "bodies": bodies.run, "idle": idle.run, "storm": storm.run, "logins": logins.run,
    "workers": workers.run,
}
PROGRAMS = ("nginx", "haproxy", "wrk", "taskset")
ROUNDS = 3


def main(words: Sequence[str]) -> int:
    """Run what was asked for; 0 when all of it could be measured, whatever the bars say."""
    options = arguments(words)
    os.environ["PATH"] += os.pathsep + "/usr/sbin"  # where Debian keeps nginx, out of an ordinary user's sight
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        print(f"not installed: {', '.join(missing)}; `sh tests/bench/install.sh` does it on Debian", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped
    raise_open_files()
    machine, found = this_machine(), {}
    os.sched_setaffinity(0, machine.load)  # what is measured names its own cores
    rounds = options.rounds or (1 if options.quick else ROUNDS)
    with staged(machine, rounds=rounds, quick=options.quick) as stage:
        for name in options.only:
            found[name] = measured(name, stage)
    report = Report(machine=machine, rounds=rounds, quick=options.quick, sections=found)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(as_json(report))
    print(markdown(report))
    return 0 if report.is_whole else 1


def measured(name: str, stage: Stage) -> Section:
    """Run one section; what cannot be measured is said, and the others go on."""
    began = time.monotonic()
    try:
        section = SECTIONS[name](stage)
    except (CannotMeasure, OSError) as error:
        section = Section(title=f"{name}: not measured", notes=[str(error)], is_whole=False)
    print(f"==> {name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return section


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Sluicegate beside its peers.")
    parser.add_argument("--only", type=names, default=list(SECTIONS), help=f"some of {','.join(SECTIONS)}")
    parser.add_argument("--rounds", type=int, help=f"interleaved rounds of the proxies, {ROUNDS} by default")
    parser.add_argument("--quick", action="store_true", help="one short round of everything, to see that it works")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench.json", help="where the figures go")
    return parser.parse_args(words)


def names(text: str) -> list[str]:
    """Read names of sections."""
    wanted = text.split(",")
    if unknown := [name for name in wanted if name not in SECTIONS]:
        raise argparse.ArgumentTypeError(f"no such measurement: {', '.join(unknown)}")
    return wanted


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
