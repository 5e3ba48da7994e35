"""The child processes of the demo: started in sessions of their own, recorded, stopped for certain.

A record of each lies in the state folder, so that the next start finds what a SIGKILL left over. A process
is stopped only when its command line still names that state folder: a process id may have been given away.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PROC = Path("/proc")
STOP_SECONDS = 4.0  # Ctrl-C is answered within five
POLL_SECONDS = 0.05


class Processes:
    """Owns the processes started for one state folder."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._records = state / "run"
        self._records.mkdir(exist_ok=True)
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str], *, environ: Mapping[str, str]) -> None:
        """Start a process whose output goes to `<name>.log`; its command must name the state folder."""
        with (self._state / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(  # noqa: S603  # our own commands
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **environ}, start_new_session=True,
            )
        self._children[name] = child
        (self._records / f"{name}.pid").write_text(f"{child.pid}\n")

    def ended(self) -> str | None:
        """Return the name of a process that has ended by itself, if one has."""
        return next((name for name, child in self._children.items() if child.poll() is not None), None)

    def exit_code(self, name: str) -> int | None:
        """Return how a process ended, the number of a signal below zero; None while it runs."""
        return self._children[name].poll()

    def stop(self) -> None:
        """Stop everything, the last started first, within `STOP_SECONDS`."""
        children = list(reversed(self._children.values()))
        for child in children:
            _signal(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for child in children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
        for child in children:
            _signal(child.pid, signal.SIGKILL)
            child.wait()
        for record in self._records.glob("*.pid"):
            record.unlink()

    def stop_left_over(self) -> list[str]:
        """Stop what an earlier demo left running in this state; return the names."""
        stopped = []
        for record in self._records.glob("*.pid"):
            number = record.read_text().strip()
            if number.isdecimal() and str(self._state) in _command_line(pid := int(number)):
                _signal(pid, signal.SIGTERM)
                _wait_for_end(pid, STOP_SECONDS)
                _signal(pid, signal.SIGKILL)
                stopped.append(record.stem)
            record.unlink()
        return stopped


def _signal(pid: int, number: signal.Signals) -> None:
    """Signal the process's whole session; it may be gone, or (macOS) dead and not yet waited for."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _command_line(pid: int) -> str:
    """Return a process's command line; empty when it is gone."""
    if PROC.joinpath("self", "cmdline").exists():  # small systems have no ps
        try:
            return PROC.joinpath(str(pid), "cmdline").read_text("utf-8", "replace").replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    shown = subprocess.run(  # noqa: S603  # a number
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False,
    )
    return shown.stdout


def _wait_for_end(pid: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and _command_line(pid):
        time.sleep(POLL_SECONDS)
