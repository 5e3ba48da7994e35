"""The load: wrk with one request, on the cores that are not the proxy's."""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.fleet import CannotMeasure

CONNECTIONS = 32
SCRIPT = Path(__file__).with_name("load.lua")
SIGN = "LOAD "
BODY_BYTES = 1024
"""Of every right answer; a redirect or an error page is shorter."""
SPARE_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Is what wrk counted; times in seconds."""

    requests: int
    seconds: float
    bytes: int
    p50: float
    p99: float
    errors: int

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return self.requests / self.seconds

    @property
    def trouble(self) -> str:
        """What was wrong with the answers, or nothing."""
        if not self.requests:
            return "no answers"
        if self.errors:
            return f"{self.errors} errors"
        if self.bytes < self.requests * BODY_BYTES:
            return "some answers were not the app's"
        return ""


def run_wrk(port: int, request: Path, *, cores: Sequence[int], seconds: int, connections: int = CONNECTIONS,
            pace_ms: int | None = None) -> Load:
    """Send the request in that file again and again, and return what came of it.

    With `pace_ms` each connection rests about so long between its requests.
    """
    command = ["taskset", "-c", ",".join(map(str, cores)), "wrk", "-t", "1", "-c", str(connections),
               "-d", f"{seconds}s", "--timeout", "10s", "-s", str(SCRIPT), f"http://127.0.0.1:{port}/", "--",
               str(request)]
    environ = dict(os.environ) if pace_ms is None else {**os.environ, "PACE_MS": str(pace_ms)}
    said = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=seconds + SPARE_SECONDS,
                          check=False)
    return read_report(said.stdout, said.stderr)


def read_report(text: str, complaint: str = "") -> Load:
    """Read what the script printed at the end; raises `CannotMeasure` when it printed nothing."""
    line = next((line for line in text.splitlines() if line.startswith(SIGN)), None)
    if line is None:
        raise CannotMeasure(f"wrk said nothing: {' '.join((text + complaint).split())[-300:]}")
    told = json.loads(line.removeprefix(SIGN))
    return Load(requests=told["requests"], seconds=told["microseconds"] / 1e6, bytes=told["bytes"],
                p50=told["p50"] / 1e6, p99=told["p99"] / 1e6, errors=told["errors"])
