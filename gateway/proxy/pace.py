"""How fast one client gives and takes.

Owns whether the client is read, and since when it has taken nothing of what waits for it.
"""

import asyncio
import socket
import struct

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER for 0 s


class Pace:
    """Watches and governs one client's transport."""

    __slots__ = ("_is_paused", "_transport", "_unsent", "moved")

    def __init__(self, transport: asyncio.Transport, now: float) -> None:
        self._transport = transport
        self._is_paused = False
        self._unsent = 0
        self.moved = now

    def regulate(self, *, is_paused: bool) -> None:
        """Read on, or not; saying so again changes nothing."""
        if is_paused is self._is_paused or self._transport.is_closing():
            return
        self._is_paused = is_paused
        if is_paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def look(self, now: float) -> int:
        """Return how many bytes wait to be taken; `moved` is when that last changed between two looks."""
        unsent = self._transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent = unsent
            self.moved = now
        return unsent

    def reset(self) -> None:
        """Close by a reset, which no client takes for the end of an answer."""
        connected: socket.socket = self._transport.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._transport.abort()
