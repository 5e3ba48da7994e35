"""Transports without sockets whose other end is a fuzzer's: bytes move when it says so, and not before.

They behave as uvloop's do: reading can be paused, a full write buffer says so once, `close` sends what waits,
`abort` does not, and `connection_lost` comes later. What a real transport would raise for is an error here.
"""

import asyncio
from collections import deque
from collections.abc import Callable

LOW_SHARE = 4  # of the high-water mark: where a transport says that it has room again


class Linger:
    """Is the socket of which only SO_LINGER matters: set, a close is a reset."""

    def __init__(self) -> None:
        self.is_set = False

    def setsockopt(self, *_option: object) -> None:
        self.is_set = True


class Wire(asyncio.Transport):
    """Is one connection of the gateway's; `later` is called with what the loop would do in its next round."""

    def __init__(self, later: Callable[[Callable[[], None]], None], peer: str) -> None:
        self.linger = Linger()
        super().__init__({"peername": (peer, 1), "socket": self.linger})
        self._later = later
        self._high = 64 * 1024
        self._unsent: deque[bytes] = deque()
        self.unsent = 0
        self.received = bytearray()  # by the other end
        self.is_reading = True
        self.is_full = False
        self.is_ended = False
        self.is_lost = False
        self.saw_end = False  # the other end has read our end
        self.saw_reset = False
        self.has_ended = False  # the other end has sent its end
        self._closing = False
        self._aborted = False

    # The gateway's side.

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = high or 0

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self._closing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_lost, "a write to a connection that is gone"
        assert not self.is_ended, "a write after the end"
        if not data or self._aborted:
            return
        self._unsent.append(bytes(data))
        self.unsent += len(data)
        if self.unsent > self._high and not self.is_full:
            self.is_full = True
            self.protocol.pause_writing()  # type: ignore[attr-defined]

    def write_eof(self) -> None:
        assert not self.is_lost, "an end to a connection that is gone"
        self.is_ended = True
        self._see_end()

    def pause_reading(self) -> None:
        assert self.is_reading, "paused twice"
        self.is_reading = False

    def resume_reading(self) -> None:
        assert not self.is_reading, "resumed twice"
        self.is_reading = True

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            if not self.unsent:
                self._later(self._lose)

    def abort(self) -> None:
        if self._aborted or self.is_lost:
            return
        self._closing = self._aborted = True
        self._unsent.clear()
        self.unsent = 0
        self._later(self._lose)

    def _lose(self, error: Exception | None = None) -> None:
        if not self.is_lost:
            self.is_lost = self._closing = True
            self.saw_reset = self.saw_reset or self.linger.is_set
            self.saw_end = True
            self.protocol.connection_lost(error)  # type: ignore[call-arg]

    def _see_end(self) -> None:
        if self.is_ended and not self.unsent:
            self.saw_end = True

    # The other end's side.

    @property
    def is_heard(self) -> bool:
        """Whether the gateway would read now."""
        return self.is_reading and not self._closing and not self.has_ended

    def sends(self, data: bytes) -> None:
        self.protocol.data_received(data)  # type: ignore[attr-defined]

    def ends(self) -> None:
        self.has_ended = True
        if not self.protocol.eof_received():  # type: ignore[attr-defined]
            self.close()

    def resets(self) -> None:
        if not self.is_lost:
            self._unsent.clear()
            self.unsent = 0
            self._closing = self._aborted = self.saw_reset = True
            self._later(lambda: self._lose(ConnectionResetError()))

    def takes(self, size: int) -> None:
        """Take so many bytes of what waits."""
        while self._unsent and size > 0:
            piece = self._unsent.popleft()
            if len(piece) > size:
                self._unsent.appendleft(piece[size:])
                piece = piece[:size]
            self.received += piece
            self.unsent -= len(piece)
            size -= len(piece)
        self._see_end()
        if self.is_full and self.unsent <= self._high // LOW_SHARE and not self._aborted:
            self.is_full = False
            self.protocol.resume_writing()  # type: ignore[attr-defined]
        if self._closing and not self.unsent and not self.is_lost:
            self._later(self._lose)
