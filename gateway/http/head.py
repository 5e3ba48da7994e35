"""What a head is: the values that a request's and an answer's head become (RFC 9110, RFC 9112).

Owns what can be asked of a head. It must not know how bytes become one (`parsing`), what is forwarded (`fields`),
nor where a body ends (`body`).
"""

from collections.abc import Mapping, Sequence

from gateway.http.lines import gather
from gateway.http.marks import MarkedLine, find_in_request, find_in_response

READING = frozenset({b"GET", b"HEAD"})  # methods that ask for nothing but to be shown something (RFC 9110 9.3)


class _Head:
    """Is what request and response heads share. Plain classes: a frozen dataclass costs 2 µs more.

    A new head means what it means without any marked field: HTTP/1.1, persistent, nothing said of a body. Each
    kind sets all of this itself, because a call of a common constructor costs 0.3 µs an exchange.
    """

    __slots__ = ("_buffer", "_fields", "_found", "_line_end", "_marked", "_raw", "content_length", "is_chunked",
                 "is_http_10", "is_persistent", "is_usual", "size")

    size: int
    content_length: int | None
    is_chunked: bool
    is_http_10: bool
    is_persistent: bool
    is_usual: bool
    _buffer: bytes
    _line_end: int
    _marked: Sequence[MarkedLine] | None
    _raw: bytes | None
    _found: Mapping[bytes, Sequence[bytes]] | None
    _fields: tuple[tuple[bytes, bytes], ...] | None

    @staticmethod
    def _find(buffer: bytes, start: int, end: int) -> Sequence[MarkedLine]:
        """Return the marked lines between two positions."""
        raise NotImplementedError

    @property
    def marked(self) -> Sequence[MarkedLine]:
        """Return the lines that a proxy acts on."""
        if self._marked is None:
            self._marked = self._find(self._buffer, self._line_end, self.size)
        return self._marked

    @property
    def as_sent(self) -> bytes:
        """Return the bytes of the head as they came, without the blank line."""
        return self._buffer[:self.size - 2]

    @property
    def raw(self) -> bytes:
        """Return the field lines, from the CRLF before the first to the CRLF after the last."""
        if self._raw is None:
            self._raw = self._buffer[self._line_end:self.size - 2]
        return self._raw

    @property
    def fields(self) -> tuple[tuple[bytes, bytes], ...]:
        """Return the fields as sent, in order; values without the blanks around them."""
        if self._fields is None:
            lines = (line.partition(b":") for line in self.raw[2:-2].split(b"\r\n") if line)
            self._fields = tuple((name, value.strip(b" \t")) for name, _, value in lines)
        return self._fields

    @property
    def marked_values(self) -> Mapping[bytes, Sequence[bytes]]:
        """Return the values of the marked fields by lower-case name."""
        if self._found is None:
            self._found = gather(self.marked)
        return self._found

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of every field of this name (lower case), in order."""
        return [value for field, value in self.fields if field.lower() == name]


class RequestHead(_Head):
    """Is a request's head.

    `target` is origin-form (or `*`), `host` the lower-case authority with its port, `size` the bytes that
    the head took, the blank line included. `cookie` joins several Cookie fields by `; `, `forwarded_for` several
    X-Forwarded-For by `, `. `upgrade` is `websocket` for a request that opens a WebSocket, else None. `has_body`:
    bytes of a body follow; a Content-Length of 0 announces none.
    `is_usual`: of the marked fields there are only a Host, at most one Cookie, and keep-alive.

    `keeps_open`: after the answer the connection may carry another request. For HTTP/1.0 it never may: the word
    of its keep-alive would have to be given, for nobody today. Nor after the opening of a WebSocket that was not
    granted: whether a client that did not wait has sent frames or requests, only itself can know.
    """

    __slots__ = ("cookie", "expects_continue", "forwarded_for", "has_body", "host", "keeps_open", "method", "target",
                 "upgrade")
    _find = staticmethod(find_in_request)

    def __init__(self, buffer: bytes, line_end: int, size: int, method: bytes, target: bytes,
                 marked: Sequence[MarkedLine] | None = None, raw: bytes | None = None) -> None:
        self._buffer = buffer
        self._line_end = line_end
        self._marked = marked
        self._raw = raw
        self._found = self._fields = None
        self.size = size
        self.content_length = None
        self.is_persistent = True
        self.is_chunked = self.is_http_10 = self.is_usual = False
        self.method = method
        self.target = target
        self.host = b""
        self.cookie: bytes | None = None
        self.forwarded_for: bytes | None = None
        self.has_body = False
        self.expects_continue = False
        self.upgrade: bytes | None = None
        self.keeps_open = True


class ResponseHead(_Head):
    """Is the head of an app's answer, an interim one included; `size` as in a request.

    `is_usual`: the marked fields, if any, are one framing and keep-alive, so the whole head may travel as it is.
    """

    __slots__ = ("reason", "status")
    _find = staticmethod(find_in_response)

    def __init__(self, buffer: bytes, line_end: int, size: int, status: int, reason: bytes,
                 marked: Sequence[MarkedLine] | None = None) -> None:
        self._buffer = buffer
        self._line_end = line_end
        self._marked = marked
        self._raw = None
        self._found = self._fields = None
        self.size = size
        self.content_length = None
        self.is_persistent = True
        self.is_chunked = self.is_http_10 = self.is_usual = False
        self.status = status
        self.reason = reason
