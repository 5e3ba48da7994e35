"""How fast one client gives and takes.

Owns whether the client is read, since when it has taken nothing of what waits for it, and whether a body
comes fast enough.
"""

import asyncio
import socket
import struct

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER for 0 s


class Pace:
    """Watches and governs one client's transport."""

    __slots__ = ("_transport", "_unsent", "is_paused", "moved")

    def __init__(self, transport: asyncio.Transport, now: float) -> None:
        self._transport = transport
        self.is_paused = False
        self._unsent = 0
        self.moved = now

    def regulate(self, *, is_paused: bool) -> None:
        """Read on, or not; saying so again changes nothing."""
        if is_paused is self.is_paused or self._transport.is_closing():
            return
        self.is_paused = is_paused
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

    def end(self) -> None:
        """Say that nothing more will be sent, and read on; TLS cannot say it without closing."""
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def reset(self) -> None:
        """Close by a reset, which no client takes for the end of an answer."""
        connected: socket.socket = self._transport.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._transport.abort()


class BodyPace:
    """Measures how fast a request's body comes: at `rate` bytes a second, `grace` seconds of pauses excepted.

    Bytes earn time and time is spent, so one burst buys no long silence. While the gateway does not read, for
    the app takes no more, no time is spent: who is held back is not slow.
    """

    __slots__ = ("_grace", "_left", "_looked", "_rate", "received")

    def __init__(self, now: float, *, grace: float, rate: int) -> None:
        self._looked = now
        self._grace = self._left = grace
        self._rate = rate
        self.received = 0

    def is_slow(self, now: float, *, is_held: bool) -> bool:
        """Say whether the time is used up; called about once a second."""
        elapsed, self._looked = now - self._looked, now
        received, self.received = self.received, 0
        if not is_held:
            self._left = min(self._grace, self._left + received / self._rate) - elapsed
        return self._left < 0
