"""What h11 and llhttp make of the first message on a connection.

Owns their calling conventions. It must not know our own readers; what both are known to do otherwise than
we do, and why, stands in `differences`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import h11
import httptools

Fields = list[tuple[bytes, bytes]]
Parser = httptools.HttpRequestParser | httptools.HttpResponseParser
NEXT_REQUEST = b"GET /next HTTP/1.1\r\nHost: next\r\n\r\n"
NEXT_RESPONSE = b"HTTP/1.1 503 Next\r\nContent-Length: 0\r\n\r\n"


@dataclass(slots=True)
class Reading:
    """Is a message as one reader sees it; `start` is (method, target) or (status, reason).

    `is_whole` says whether its end was seen, `is_persistent` whether another may follow, `rest` what came
    after its end: None where the reader cannot tell.
    """

    start: tuple[object, bytes]
    fields: Fields
    payload: bytes = b""
    is_whole: bool = False
    is_persistent: bool = True
    rest: bytes | None = field(default=b"", compare=False)


def lowered(fields: Iterable[tuple[bytes, bytes]]) -> Fields:
    """Return fields with names in lower case, and the coding too, as h11 writes it."""
    pairs = ((name.lower(), value) for name, value in fields)
    return [(name, value.lower() if name == b"transfer-encoding" else value) for name, value in pairs]


def h11_request(wire: bytes) -> Reading | None:
    """Return what h11 reads as a server; None when it refuses the message or its body."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    return _h11_reading(connection, wire)


def h11_response(wire: bytes, status: int = 200, method: bytes = b"GET") -> Reading | None:
    """Return what h11 reads as a client that asked with this method; interim answers count as answers.

    Where a 101 is expected as `status`, it was asked for.
    """
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    upgrade = [("connection", "upgrade"), ("upgrade", "websocket")] if status == 101 else []
    connection.send(h11.Request(method=method, target="/", headers=[("host", "a"), *upgrade]))
    connection.send(h11.EndOfMessage())
    return _h11_reading(connection, wire)


def _h11_reading(connection: h11.Connection, wire: bytes) -> Reading | None:
    """Take events until the message ends, the bytes do, or h11 objects."""
    connection.receive_data(wire)
    reading: Reading | None = None
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Data) and reading is not None:
                reading.payload += bytes(event.data)
            elif isinstance(event, h11.Request):
                reading = Reading((bytes(event.method), bytes(event.target)), lowered(event.headers))
            elif isinstance(event, h11.InformationalResponse):
                start = (event.status_code, bytes(event.reason))
                return Reading(start, lowered(event.headers), is_whole=True)
            elif isinstance(event, h11.Response):
                reading = Reading((event.status_code, bytes(event.reason)), lowered(event.headers))
            else:
                break
    except h11.RemoteProtocolError:
        return None
    if reading is not None and isinstance(event, h11.EndOfMessage):
        reading.is_whole = True
        reading.rest = bytes(connection.trailing_data[0])
    if reading is not None:
        reading.is_persistent = connection.their_state not in (h11.MUST_CLOSE, h11.CLOSED)
    return reading


class _Messages:
    """Takes llhttp's callbacks; `count` says how many messages have begun.

    Whether the connection lasts must be asked while the first message ends: afterwards llhttp has forgotten.
    """

    def __init__(self, kind: type[Parser]) -> None:
        self.parser = kind(self)
        self.is_persistent = True
        self.count = 0
        self.url = b""
        self.reason = b""
        self.fields: Fields = []
        self.payload = b""
        self.has_head = False
        self.is_whole = False

    def on_message_begin(self) -> None:
        self.count += 1

    def on_url(self, url: bytes) -> None:
        self.url += url if self.count == 1 else b""

    def on_status(self, status: bytes) -> None:
        self.reason += status if self.count == 1 else b""

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.has_head:
            self.fields.append((name, value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.has_head = True

    def on_body(self, body: bytes) -> None:
        self.payload += body if self.count == 1 else b""

    def on_message_complete(self) -> None:
        if self.count == 1:
            self.is_whole = True
            self.is_persistent = self.parser.should_keep_alive()


def llhttp_request(message: bytes, rest: bytes = b"") -> Reading | None:
    """Return what llhttp reads as a server; None when it refuses the message.

    `rest` is given to it afterwards: all of it must be the beginning of another message, or the reading
    is not whole.
    """
    messages = _Messages(httptools.HttpRequestParser)
    if not _fed(messages, (message,)):
        return None
    reading = Reading((messages.parser.get_method(), messages.url), lowered(messages.fields), messages.payload,
                      messages.is_whole, messages.is_persistent)
    return _followed(messages, reading, rest)


def llhttp_response(message: bytes, rest: bytes = b"") -> Reading | None:
    """Return what llhttp reads as a client that asked with GET."""
    messages = _Messages(httptools.HttpResponseParser)
    if not _fed(messages, (message,)):
        return None
    reading = Reading((messages.parser.get_status_code(), messages.reason), lowered(messages.fields), messages.payload,
                      messages.is_whole, messages.is_persistent)
    return _followed(messages, reading, rest)


def llhttp_chunked(pieces: Sequence[bytes]) -> Reading | None:
    """Return what llhttp reads of a chunked request whose body arrives in pieces."""
    messages = _Messages(httptools.HttpRequestParser)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    if not _fed(messages, (head, *pieces)):
        return None
    return Reading((b"POST", messages.url), [], messages.payload, messages.is_whole)


def _fed(messages: _Messages, pieces: Iterable[bytes]) -> bool:
    """Give bytes to llhttp and say whether it took them all as one message, as far as it went."""
    try:
        for piece in pieces:
            messages.parser.feed_data(piece)
    except httptools.HttpParserUpgrade as upgrade:
        return messages.is_whole and upgrade.args[0] == len(piece)
    except httptools.HttpParserError:
        return False
    return messages.has_head and messages.count == 1


def _followed(messages: _Messages, reading: Reading, rest: bytes) -> Reading:
    """Say in a reading whether the message that follows is seen where it begins."""
    if not rest:
        return reading
    payload = messages.payload
    try:
        messages.parser.feed_data(rest)
    except httptools.HttpParserError:
        reading.rest = None
    else:
        reading.rest = rest if messages.count == 2 and messages.payload == payload else None
    return reading
