"""A running server as its data folder and the process table show it, and how it is ended.

Owns the reading of `postmaster.pid` (its lines: src/include/utils/pidfile.h) and the three signals.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

PROC = Path("/proc")

# What PostgreSQL makes of the signals: fast, immediate, none at all; and the seconds each is given. On a full
# disk the first is not obeyed. The sum stays below the five seconds that a stop may take.
ENDINGS = ((signal.SIGINT, 2.5), (signal.SIGQUIT, 1.0), (signal.SIGKILL, 1.0))

POLL = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Postmaster:
    """Is what a data folder says about the server that uses it."""

    pid: int
    data: Path
    socket_folder: str
    is_ready: bool

    @classmethod
    def read(cls, data: Path) -> Self | None:
        """Read postmaster.pid; None when there is none or it is only half written."""
        try:
            lines = (data / "postmaster.pid").read_text("utf-8").splitlines()
        except FileNotFoundError:
            return None
        if len(lines) < 5 or not lines[0].isdecimal():
            return None
        status = lines[7].strip() if len(lines) > 7 else ""
        return cls(pid=int(lines[0]), data=data, socket_folder=lines[4], is_ready=status == "ready")

    def is_running(self) -> bool:
        """Say whether the process of that number is a postgres on this very data folder.

        A number alone says nothing: after a crash it may be anybody's.
        """
        command = _command(self.pid)
        return bool(command) and Path(command[0]).name == "postgres" and str(self.data) in command

    def end(self) -> None:
        """End a server that is nobody's child any more."""
        end_process(self.pid, self.data, self.is_running)


def end_process(pid: int, data: Path, is_running: Callable[[], bool]) -> None:
    """End a server within five seconds, gently first, and see its children go."""
    for number, seconds in ENDINGS:
        if not is_running():
            break
        os.kill(pid, number)
        wait_until(lambda: not is_running(), seconds)
    wait_until(lambda: not _works_in(data), 1.0)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition; False when it did not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def _command(pid: int) -> list[str]:
    """Return a process's command line; empty when it is gone or a zombie."""
    if PROC.joinpath("self", "cmdline").exists():
        try:
            return PROC.joinpath(str(pid), "cmdline").read_text("utf-8", "replace").split("\0")[:-1]
        except (FileNotFoundError, ProcessLookupError):
            return []
    listed = subprocess.run(["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)],  # noqa: S603  # a number
                            capture_output=True, text=True, check=False)
    return listed.stdout.split()


def _works_in(data: Path) -> bool:
    """Say whether any process still stands in the data folder: some outlive a killed postmaster a little."""
    for entry in PROC.glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink() == data:
                return True
        except OSError:
            continue
    return False
