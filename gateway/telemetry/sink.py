"""Lines of bytes on their way to a file descriptor, without ever waiting for whoever reads there.

Owns the backlog and the count of what is lost. Knows nothing of what a line says. The descriptor stays
blocking: it is often shared with other processes (a terminal, a pipe of the service manager), and
O_NONBLOCK would become theirs as well. Several workers write to it: a write ends with a line's end, and is
short enough for a pipe to take it in one (POSIX: up to PIPE_BUF), so lines never mix. Only a longer line may.
"""

import os
import select
from collections.abc import Sequence

BACKLOG_BYTES = 1 << 20  # about 4000 access log lines wait for a slow reader; beyond, lines are dropped
PIECE_BYTES = select.PIPE_BUF  # a pipe that polls as writable takes so much without blocking, and in one piece


class LineSink:
    """Writes whole lines to `descriptor`, which stays the caller's to close."""

    __slots__ = ("_backlog", "_descriptor", "_dropped", "_is_cut", "_poll")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._backlog = b""
        self._is_cut = False
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """The number of lines that were lost so far."""
        return self._dropped

    def write(self, lines: Sequence[bytes]) -> None:
        """Take lines, each with its newline, and write what the reader takes now."""
        if len(self._backlog) < BACKLOG_BYTES:
            self._backlog += b"".join(lines)
        else:
            self._dropped += len(lines)
        try:
            self._drain()
        except BlockingIOError:  # another worker was faster, and the pipe is full
            return
        except OSError:  # a full disk, or a reader that went away: the log suffers, the traffic does not
            self._give_up()

    def close(self) -> None:
        """Write what the reader takes at once, and count the rest as lost."""
        self.write(())
        self._give_up()

    def _drain(self) -> None:
        backlog, view, start = self._backlog, memoryview(self._backlog), 0
        try:
            while start < len(backlog) and self._poll.poll(0):  # an error polls as ready, and shows in the write
                whole = backlog.rfind(b"\n", start, start + PIECE_BYTES) + 1
                start += os.write(self._descriptor, view[start: whole or start + PIECE_BYTES])
                self._is_cut = not backlog.endswith(b"\n", 0, start)
        finally:
            self._backlog = backlog[start:]  # once: a megabyte that is copied for each piece takes 5 ms

    def _give_up(self) -> None:
        """Drop the backlog. A newline ends a line that was cut; one that leads the backlog is no line."""
        self._dropped += self._backlog.count(b"\n") - self._backlog.startswith(b"\n")
        self._backlog = b"\n" if self._is_cut else b""
