"""One proxy that runs: where it listens, which processes are its cost, and the request that it is measured with."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.fleet import CannotMeasure, Running
from tests.bench.load import BODY_BYTES
from tests.bench.wire import ask_once, browser_request

OK = 200
READY_SECONDS = 5.0
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """Is a proxy that listens on `port`; `running` are all processes that work for it."""

    name: str
    port: int
    running: Sequence[Running]
    request: Path
    is_guarded: bool = False
    note: str = ""

    @property
    def pids(self) -> list[int]:
        """The processes that are its cost, each with everything below it."""
        return [one.pid for one in self.running]

    def wait_until_right(self) -> None:
        """Wait until it passes requests on: some listen before they know where to."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                return self.expect_right()
            except CannotMeasure:
                if time.monotonic() > deadline:
                    raise
            time.sleep(POLL_SECONDS)

    def expect_right(self) -> None:
        """Raise `CannotMeasure` unless it passes the app's answer on, and refuses strangers if it guards."""
        for one in self.running:
            one.expect_alive()
        answer = ask_once(self.port, self.request.read_bytes())
        if (answer.status, len(answer.body)) != (OK, BODY_BYTES):
            raise CannotMeasure(f"{self.name} answered {answer.status} with {len(answer.body)} bytes")
        if self.is_guarded and ask_once(self.port, browser_request(self.port)).status == OK:
            raise CannotMeasure(f"{self.name} lets strangers in")
