"""A real terminal with one program in it, and somebody who reads and presses Ctrl-C.

    with Terminal(["sluicegate", "demo"], environ={}) as terminal:
        terminal.read_until("Ctrl-C stops everything")
        terminal.press_ctrl_c()
        assert terminal.ended(5) == 0
"""

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Self

CTRL_C = b"\x03"

# The program becomes the terminal's own, as a login makes a shell the terminal's: only then Ctrl-C is a signal.
TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """Is a program in a terminal; `text` is what the screen showed so far."""

    def __init__(self, command: Sequence[str], *, environ: Mapping[str, str]) -> None:
        self.text = ""
        self._screen, keyboard = os.openpty()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", TAKE_TERMINAL, *command], stdin=keyboard, stdout=keyboard, stderr=keyboard,
                env={**os.environ, **environ}, start_new_session=True,
            )
        finally:
            os.close(keyboard)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._screen)

    @property
    def pid(self) -> int:
        """The program's process."""
        return self._process.pid

    def read_until(self, words: str, seconds: float = 60.0) -> str:
        """Return the screen once it shows these words; fails when the program ends or takes too long."""
        deadline = time.monotonic() + seconds
        while words not in self.text:
            assert time.monotonic() < deadline, f"not shown in time: {words!r}; but:\n{self.text}"
            assert self._read(), f"ended without {words!r}:\n{self.text}"
        return self.text

    def press_ctrl_c(self) -> None:
        """Press it, once."""
        os.write(self._screen, CTRL_C)

    def type(self, line: str) -> None:
        """Type a line and press Enter."""
        os.write(self._screen, f"{line}\n".encode())

    def kill(self) -> None:
        """Send SIGKILL to this one process."""
        self._process.kill()
        self._process.wait()

    def ended(self, seconds: float) -> int:
        """Return the exit code; fails when the program is still there after so many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._read():
            pass
        return self._process.wait(max(0.1, deadline - time.monotonic()))

    def _read(self) -> bool:
        """Read what there is within a moment; False once nobody can write any more."""
        ready, _, _ = select.select([self._screen], [], [], 0.1)
        if not ready:
            return True
        data = b""
        with contextlib.suppress(OSError):  # Linux says EIO where others say end of file
            data = os.read(self._screen, 65536)
        self.text += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)
