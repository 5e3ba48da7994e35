"""Every process of a run: started on its cores within the run's folder, awaited, and stopped by its number."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

READY_SECONDS = 30.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05
LAST_WORDS = 300
ROOT = Path(__file__).parents[2]


class CannotMeasure(Exception):
    """Says in one sentence why a figure is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Is one process; its words are in `log`."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    def expect_alive(self) -> None:
        """Raise `CannotMeasure` with its last line if it has ended."""
        if self.process.poll() is not None:
            lines = self.log.read_text(errors="replace").splitlines() or ["without a word"]
            raise CannotMeasure(f"{self.name} ended with {self.process.returncode}: {lines[-1][-LAST_WORDS:]}")


class Fleet:
    """Owns the processes started in one folder; the last started ends first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[Running] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(*self._running)

    def start(self, name: str, command: Sequence[str], *, cores: Sequence[int],
              environ: Mapping[str, str] | None = None, port: int = 0) -> Running:
        """Start a process on these cores, and wait until it listens on `port` if it is given."""
        log = self.folder / f"{name.replace(' ', '-')}-{len(list(self.folder.iterdir()))}.log"
        with log.open("wb") as written:
            process = subprocess.Popen(
                ["taskset", "-c", ",".join(map(str, cores)), *command], cwd=ROOT, stdin=subprocess.DEVNULL,
                stdout=written, stderr=written, start_new_session=True,
                env={**os.environ, "HOME": str(self.folder), **(environ or {})},
            )
        running = Running(name=name, process=process, log=log)
        self._running.append(running)
        if port:
            wait_for(running, port)
        return running

    def stop(self, *running: Running) -> None:
        """Stop some of the processes, at last with SIGKILL."""
        for one in reversed(running):
            one.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for one in reversed(running):
            try:
                one.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()
        self._running = [one for one in self._running if one not in running]


def wait_for(running: Running, port: int) -> None:
    """Wait until somebody listens on a port of loopback."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        running.expect_alive()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(POLL_SECONDS)
        else:
            return
    raise CannotMeasure(f"{running.name} does not listen on port {port}")
