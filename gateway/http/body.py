"""Where a body ends: by length, by chunks, or with the connection (RFC 9112 6 and 7).

Owns the counting of body bytes. It must not know what a body means, nor whose connection it is on: the
bytes pass as they are, and the count says how many of them belong to the body.

The rule of trailers: they travel with the chunks that they follow, up to 8 KiB, and end with them where a
body goes on whole; they are never merged with the head. One that says something about the message, the
user or the route ends the exchange, in every spelling, because some applications do merge them.
"""

import re
from collections.abc import Callable
from typing import Protocol

from gateway.errors import AppUnavailable, RequestRefused
from gateway.http.head import RequestHead, ResponseHead
from gateway.http.marks import FOLD, TOKEN, VALUE, is_marked_in_request

SIZE_LINE = 256  # bytes of a chunk's first line; extensions are ignored by everyone, so none needs room
TRAILER_BYTES = 8 * 1024  # bytes of all trailers together, as a request line

_NO_BODY = frozenset({204, 304})

_FORBIDDEN_TRAILERS = (b"authorization", b"content-", b"set-cookie", b"www-authenticate")  # beside the marked ones

# Without the blanks that RFC 9112 7.1.1 lets stand around `;` and `=`: parsers differ about them.
_EXTENSION = rb";" + TOKEN + rb"++(?:=(?:" + TOKEN + rb"++|\"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e]|\\[\t\x20-\x7e])*+\"))?+"
_read_size = re.compile(rb"([0-9A-Fa-f]{1,15})(?:" + _EXTENSION + rb")*+\r\n").fullmatch
_read_trailer = re.compile(rb"(" + TOKEN + rb"++):" + VALUE + rb"*+\r\n").fullmatch


class Framing(Protocol):
    """Counts the bytes of one body.

    `feed` returns where the body ends among the given bytes, which count from `start` on; their length while it
    goes on. It raises what the framing was told to raise when the form is broken.
    """

    @property
    def is_complete(self) -> bool:
        """Say whether the last byte was seen; never for a body that ends with the connection."""

    def feed(self, data: bytes, start: int = 0) -> int:
        """Count the next bytes that arrived."""


class SizedBody:
    """Counts a body of a known length."""

    __slots__ = ("is_complete", "left")

    def __init__(self, length: int) -> None:
        self.left = length
        self.is_complete = not length

    def feed(self, data: bytes, start: int = 0) -> int:
        """Count bytes down."""
        left = self.left - len(data) + start
        if left > 0:
            self.left = left
            return len(data)
        self.left = 0
        self.is_complete = True
        return len(data) + left


class UntilClose:
    """Counts a body that ends with its connection: all bytes are its own, and nobody sees it cut."""

    __slots__ = ()
    is_complete = False

    def feed(self, data: bytes, start: int = 0) -> int:  # noqa: ARG002  # as every framing
        """Take everything."""
        return len(data)


class ChunkedBody:
    """Finds the end of a chunked body, and on demand keeps what is inside the chunks.

    Each parser that reads sizes, line ends or the CRLF after a chunk more leniently than the next one
    opens a way to smuggle requests: so none of it is lenient.
    """

    __slots__ = ("_keeps", "_left", "_line", "_payload", "_refuse", "_step", "_trailers", "is_complete")

    def __init__(self, refuse: Callable[[str], Exception], *, keeps_payload: bool = False) -> None:
        self.is_complete = False
        self._refuse = refuse
        self._keeps = keeps_payload
        self._payload: list[bytes] = []
        self._line = b""
        self._left = 0
        self._trailers = 0
        # A plain function: a bound method kept here would be a cycle, and the collector rarely runs.
        self._step: Callable[[ChunkedBody, bytes, int], int] = ChunkedBody._size

    def feed(self, data: bytes, start: int = 0) -> int:
        """Scan the next bytes; a line may be cut anywhere between two calls."""
        position = start
        while position < len(data) and not self.is_complete:
            position = self._step(self, data, position)
        return position

    def take_payload(self) -> bytes:
        """Return what the chunks held since the last call; empty unless it was to be kept."""
        payload = b"".join(self._payload)
        self._payload.clear()
        return payload

    def _size(self, data: bytes, position: int) -> int:
        """Read a chunk's first line."""
        line, position = self._read_line(data, position, SIZE_LINE)
        if line is None:
            return position
        match = _read_size(line)
        if match is None:
            raise self._refuse("A chunk's size is malformed.")
        self._left = int(match[1], 16)
        self._step = ChunkedBody._data if self._left else ChunkedBody._trailer
        return position

    def _data(self, data: bytes, position: int) -> int:
        """Pass over a chunk's data."""
        end = min(len(data), position + self._left)
        self._left -= end - position
        if self._keeps:
            self._payload.append(data[position:end])
        if not self._left:
            self._step = ChunkedBody._data_end
        return end

    def _data_end(self, data: bytes, position: int) -> int:
        """Compare the CRLF after a chunk's data: a peer that only counts it reads another body."""
        end = position + 2 - len(self._line)
        self._line += data[position:end]
        if not b"\r\n".startswith(self._line):
            raise self._refuse("A chunk is longer than its size.")
        if len(self._line) == 2:
            self._line = b""
            self._step = ChunkedBody._size
        return min(end, len(data))

    def _trailer(self, data: bytes, position: int) -> int:
        """Read a trailer, or the blank line that ends the body."""
        line, position = self._read_line(data, position, TRAILER_BYTES - self._trailers)
        if line is None:
            return position
        if line == b"\r\n":
            self.is_complete = True
            return position
        match = _read_trailer(line)
        if match is None or _is_forbidden_trailer(match[1]):
            raise self._refuse("A trailer is malformed or not allowed.")
        self._trailers += len(line)
        return position

    def _read_line(self, data: bytes, position: int, limit: int) -> tuple[bytes | None, int]:
        """Return the next line with its end, or None while it is incomplete, and the position after it."""
        end = data.find(b"\n", position) + 1
        line = self._line + (data[position:end] if end else data[position:])
        if len(line) > limit:
            raise self._refuse("A line of the chunked body is too long.")
        self._line = b"" if end else line
        return (line, end) if end else (None, len(data))


def _is_forbidden_trailer(name: bytes) -> bool:
    """Say whether a field must not come after the body (RFC 9110 6.5.1)."""
    return is_marked_in_request(name) is not None or name.translate(FOLD).startswith(_FORBIDDEN_TRAILERS)


def bad_request(reason: str) -> RequestRefused:
    """Return the refusal of a request whose body is malformed."""
    return RequestRefused(400, reason)


def request_framing(head: RequestHead) -> Framing | None:
    """Return how a request's body ends; None when it has none (RFC 9112 6.3)."""
    if head.is_chunked:
        return ChunkedBody(bad_request)
    return SizedBody(head.content_length) if head.content_length else None


def response_framing(head: ResponseHead, *, request_method: bytes) -> Framing | None:
    """Return how an answer's body ends; None when it has none, whatever its fields say (RFC 9112 6.3)."""
    if request_method == b"HEAD" or head.status < 200 or head.status in _NO_BODY:
        return None
    if head.is_chunked:
        return ChunkedBody(AppUnavailable)
    if head.content_length is None:
        return UntilClose()
    return SizedBody(head.content_length) if head.content_length else None
