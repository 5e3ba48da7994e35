"""A transport without a socket, for driving protocols by hand."""

import asyncio
from collections.abc import Iterable


class Socket:
    """Takes the one option that is ever set."""

    def setsockopt(self, *option: object) -> None:
        self.option = option


class FakeTransport(asyncio.Transport):
    """Remembers what was written; how much of it is unsent is the test's to say."""

    def __init__(self, peer: tuple[str, int] | None = ("192.0.2.1", 50000)) -> None:
        super().__init__({"peername": peer, "socket": Socket()})
        self.written = b""
        self.unsent = 0
        self.is_paused = False
        self.is_closed = False
        self.is_aborted = False
        self.is_ended = False
        self.is_tls = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_ended
        self.written += bytes(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def take(self) -> bytes:
        """Return what was written since the last call."""
        written, self.written = self.written, b""
        return written

    def write_eof(self) -> None:
        self.is_ended = True

    def can_write_eof(self) -> bool:
        return not self.is_tls

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        assert not self.is_paused
        self.is_paused = True

    def resume_reading(self) -> None:
        assert self.is_paused
        self.is_paused = False

    def is_closing(self) -> bool:
        return self.is_closed or self.is_aborted

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_aborted = True
