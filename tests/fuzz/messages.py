"""A strict reader of whole HTTP/1.1 streams, which shares nothing with the gateway's.

It reads what arrived at an app or at a client in all, and knows one way to understand each byte. Where a
stream has another, it raises.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_REQUEST = re.compile(rb"([A-Z]+) (/[!-~\x80-\xff]*|\*) HTTP/1\.1")
_STATUS = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [ -~]*")
_FIELD = re.compile(rb"([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*((?:[ -~\x80-\xff]|\t)*)")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[ -~]*)?")


class Ambiguous(AssertionError):
    """Says that a stream is not a sequence of plain messages."""


@dataclass
class Message:
    """Is one message: `body` without chunks; `is_whole` unless the stream stops within it."""

    start: bytes
    fields: dict[bytes, list[bytes]]
    body: bytes = b""
    is_whole: bool = False
    is_until_close: bool = False

    @property
    def status(self) -> int:
        return int(self.start.split(b" ")[1])

    @property
    def method(self) -> bytes:
        return self.start.split(b" ")[0]

    @property
    def target(self) -> bytes:
        return self.start.split(b" ")[1]

    def value(self, name: bytes) -> bytes:
        return b", ".join(self.fields.get(name, []))


def read_requests(data: bytes) -> tuple[list[Message], bytes]:
    """Return the requests in a stream, the last perhaps not whole, and what follows an opening of a WebSocket."""
    found: list[Message] = []
    while (head := _head(data, _REQUEST)) is not None:
        message, data = head
        data = _body(message, data, is_request=True)
        found.append(message)
        if b"upgrade" in message.fields:
            return found, data
        if not message.is_whole:
            break
    return found, b""


def read_answers(data: bytes, methods: Sequence[bytes], *, more: bool = False) -> tuple[list[Message], bytes]:
    """Return the final answers to requests of these methods, and what follows a 101.

    With `more` there may be others after them, of which nothing is known.
    """
    found: list[Message] = []
    while (head := _head(data, _STATUS)) is not None:
        message, data = head
        if message.status == 101:
            message.is_whole = True
            return [*found, message], data
        if message.status < 200:
            if not {b"content-length", b"transfer-encoding"}.isdisjoint(message.fields):
                raise Ambiguous("an interim answer with a body")
            continue
        if len(found) >= len(methods) and more:
            break
        if len(found) >= len(methods):
            raise Ambiguous("more answers than requests")
        has_none = methods[len(found)] == b"HEAD" or message.status in (204, 304)
        if has_none:
            message.is_whole = True
        else:
            data = _body(message, data, is_request=False)
        found.append(message)
        if not message.is_whole:
            break
    return found, b""


def _head(data: bytes, start: "re.Pattern[bytes]") -> tuple[Message, bytes] | None:
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = data[:end].split(b"\r\n")
    if not start.fullmatch(first):
        raise Ambiguous(f"no start line: {first!r}")
    fields: dict[bytes, list[bytes]] = {}
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise Ambiguous(f"no field: {line!r}")
        fields.setdefault(match[1].lower(), []).append(match[2])
    return Message(first, fields), data[end + 4:]


def _body(message: Message, data: bytes, *, is_request: bool) -> bytes:
    """Read a body, and return what follows it."""
    lengths, codings = (message.fields.get(name, []) for name in (b"content-length", b"transfer-encoding"))
    if len(lengths) + len(codings) > 1:
        raise Ambiguous("two framings")
    if codings:
        if codings != [b"chunked"]:
            raise Ambiguous("an unknown coding")
        return _chunks(message, data)
    if not lengths:
        if is_request:
            message.is_whole = True
            return data
        message.body, message.is_until_close = data, True
        return b""
    if not lengths[0].isdigit():
        raise Ambiguous("no length")
    length = int(lengths[0])
    message.body = data[:length]
    message.is_whole = len(data) >= length
    return data[length:]


def _chunks(message: Message, data: bytes) -> bytes:
    while True:
        line, end, data = data.partition(b"\r\n")
        if not end:
            return b""
        match = _SIZE.fullmatch(line)
        if match is None:
            raise Ambiguous(f"no chunk size: {line!r}")
        size = int(match[1], 16)
        if not size:
            break
        message.body += data[:size]
        if len(data) < size + 2:
            return b""
        if data[size:size + 2] != b"\r\n":
            raise Ambiguous("a chunk of another size")
        data = data[size + 2:]
    return _trailers(message, data)


def _trailers(message: Message, data: bytes) -> bytes:
    while True:
        line, end, data = data.partition(b"\r\n")
        if not end:
            return b""
        if not line:
            message.is_whole = True
            return data
        if not _FIELD.fullmatch(line):
            raise Ambiguous(f"no trailer: {line!r}")
