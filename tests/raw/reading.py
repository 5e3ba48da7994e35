"""What bytes on a wire mean, read so strictly that only one reading is left; h11 must agree.

Owns the judgement "unambiguous" about both directions, apart from the code under test: nothing of the
gateway is imported. Bytes that stop in the middle of a message are no offence: an aborted message is one
that everybody sees as aborted.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import h11

FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\xff]*?)[ \t]*")
REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21\x22\x24-\x7e\x80-\xff]+) HTTP/1\.([01])")
STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: ([\t\x20-\x7e\x80-\xff]*))?")
SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})((?:;[\t\x20-\x7e]*)?)")
# RFC 3986 3.2.2, without percent signs read: what stands here is never a path, a user or two names.
AUTHORITY = re.compile(rb"(?:[0-9A-Za-z._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")
FRAMING = {b"content-length", b"transfer-encoding", b"host", b"connection"}
# Names in which an app may believe; a CGI or WSGI server reads `-` and `_` alike.
BELIEVED = re.compile(
    rb"x-forwarded-.*|forwarded|x-real-ip|x-original-.*|x-rewrite-.*|x-sluicegate.*|x-http-method.*|proxy"
)
SIGNS = bytes.maketrans(b"!#$%&'*+.^_`|~", b"-" * 14)


class Ambiguous(Exception):
    """Says in which way bytes can be read differently by different readers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Is one message: `start` are the groups of its first line; `is_whole` says whether it was all there."""

    start: tuple[bytes, ...]
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes
    trailers: tuple[tuple[bytes, bytes], ...]
    is_whole: bool

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of a field, by its lower-case name."""
        return [value for found, value in self.fields if found.lower() == name]

    @property
    def status(self) -> int:
        """The status of an answer."""
        return int(self.start[0])


def read_requests(data: bytes, *, limit: int = 10_000) -> tuple[list[Message], bytes]:
    """Return at most `limit` whole requests and the bytes of an unfinished one; raises Ambiguous."""
    found: list[Message] = []
    while data and len(found) < limit:
        read = _read_request(data)
        if read is None:
            break
        message, size = read
        _agree(data[:size], message)
        found.append(message)
        data = data[size:]
    return found, data


def _read_request(data: bytes) -> tuple[Message, int] | None:
    head = _split_head(data)
    if head is None:
        return None
    first, fields, position = head
    line = REQUEST_LINE.fullmatch(first)
    if line is None:
        raise Ambiguous(f"request line {first!r}")
    _check_request_fields(fields)
    framing = _framing(fields)
    body, trailers, size = _body(data[position:], 0 if framing is None else framing)
    if body is None:
        return None
    message = Message(start=(line[1], line[2]), fields=fields, body=body, trailers=trailers, is_whole=True)
    return message, position + size


def read_answers(data: bytes, methods: Sequence[bytes], *, is_closed: bool) -> tuple[list[Message], bytes]:
    """Return answers, interim ones included, and what is left over; raises Ambiguous.

    `methods` are those of the requests, in order. An answer until close is whole when `is_closed`; the last
    answer may be one that is not.
    """
    found: list[Message] = []
    owed = list(methods)
    while data and owed:
        head = _split_head(data)
        if head is None:
            break
        first, fields, position = head
        line = STATUS_LINE.fullmatch(first)
        if line is None:
            raise Ambiguous(f"status line {first!r}")
        status, rest = int(line[1]), data[position:]
        is_final = status >= 200 or status == 101
        framing = _framing(fields)
        if status < 200 or status in (204, 304) or owed[0] == b"HEAD":
            framing = 0
        if framing is None:
            body, trailers, size, is_whole = rest, (), len(rest), is_closed
        else:
            body, trailers, size = _body(rest, framing)
            is_whole = body is not None
        found.append(Message(start=(line[1],), fields=fields, body=body or b"", trailers=trailers, is_whole=is_whole))
        data = rest[size:] if is_whole else b""
        if is_final:
            owed.pop(0)
        if status == 101:
            break
    return found, data


def _split_head(data: bytes) -> tuple[bytes, tuple[tuple[bytes, bytes], ...], int] | None:
    """Return the first line, the fields and where the body begins."""
    end = data.find(b"\r\n\r\n")
    head = data if end < 0 else data[:end]
    for octets in (b"\r", b"\n"):
        if octets in head.replace(b"\r\n", b"").removesuffix(b"\r"):
            raise Ambiguous("bare CR or LF in a head")
    if re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", head):
        raise Ambiguous("control byte in a head")
    if end < 0:
        return None
    first, *lines = head.split(b"\r\n")
    fields = []
    for line in lines:
        match = FIELD.fullmatch(line)
        if match is None:
            raise Ambiguous(f"field line {line[:40]!r}")
        fields.append((match[1], match[2]))
    return first, tuple(fields), end + 4


def _framing(fields: Sequence[tuple[bytes, bytes]]) -> int | str | None:
    """Return a length, "chunked", or None for neither."""
    lengths = [value for name, value in fields if name.lower() == b"content-length"]
    codings = [value for name, value in fields if name.lower() == b"transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        raise Ambiguous("more than one framing")
    if codings:
        if codings[0].lower() != b"chunked":
            raise Ambiguous(f"coding {codings[0]!r}")
        return "chunked"
    if lengths and not (re.fullmatch(rb"[0-9]+", lengths[0]) and int(lengths[0]) < 2**63):
        raise Ambiguous(f"length {lengths[0][:30]!r}")
    return int(lengths[0]) if lengths else None


def _body(data: bytes, framing: int | str) -> tuple[bytes | None, tuple[tuple[bytes, bytes], ...], int]:
    """Return a body, its trailers and its size on the wire; None for a body that is not whole."""
    if isinstance(framing, int):
        return (data[:framing], (), framing) if len(data) >= framing else (None, (), 0)
    payload, position = [], 0
    while True:
        end = data.find(b"\r\n", position)
        line = data[position:end] if end >= 0 else data[position : position + 20].rstrip(b"\r")
        match = SIZE.fullmatch(line)
        if match is None and (line or end >= 0):
            raise Ambiguous(f"chunk size {line[:30]!r}")
        if end < 0 or match is None:
            return None, (), 0
        size, start = int(match[1], 16), end + 2
        if size == 0:
            return _trailers(data, start, b"".join(payload))
        payload.append(data[start : start + size])
        after = data[start + size : start + size + 2]
        if not b"\r\n".startswith(after):
            raise Ambiguous(f"{after!r} after a chunk")
        if len(after) < 2:
            return None, (), 0
        position = start + size + 2


def _trailers(data: bytes, start: int, payload: bytes) -> tuple[bytes | None, tuple[tuple[bytes, bytes], ...], int]:
    trailers = []
    while True:
        end = data.find(b"\r\n", start)
        if end < 0:
            return None, (), 0
        line, start = data[start:end], end + 2
        if not line:
            return payload, tuple(trailers), start
        match = FIELD.fullmatch(line)
        if match is None:
            raise Ambiguous(f"trailer {line[:40]!r}")
        folded = match[1].lower().translate(SIGNS)
        if folded in FRAMING or BELIEVED.fullmatch(folded):
            raise Ambiguous(f"the trailer {match[1].decode()!r}, which some servers merge with the head")
        trailers.append((match[1], match[2]))


def _check_request_fields(fields: Sequence[tuple[bytes, bytes]]) -> None:
    """Refuse what makes two servers see two requests, or two users, in one."""
    names = [name.lower() for name, _ in fields]
    if names.count(b"host") != 1:
        raise Ambiguous(f"{names.count(b'host')} Host fields")
    for name, value in fields:
        lower = name.lower()
        folded = lower.translate(SIGNS)
        if folded != lower and (folded in FRAMING or BELIEVED.fullmatch(folded)):
            raise Ambiguous(f"{name.decode()!r}, which many servers read as {folded.decode()!r}")
        if BELIEVED.fullmatch(folded) and b"forged" in value:
            raise Ambiguous(f"{name.decode()!r} as the client forged it")
        if lower == b"host" and not AUTHORITY.fullmatch(value):
            raise Ambiguous(f"Host {value!r}")
    options = {
        option.strip().lower()
        for name, value in fields
        if name.lower() == b"connection"
        for option in value.split(b",")
    }
    if options - {b"close", b"keep-alive", b"upgrade", b""}:
        raise Ambiguous("Connection still names fields for the next reader to drop")
    upgrades = [value.lower() for name, value in fields if name.lower() == b"upgrade"]
    if upgrades not in ([], [b"websocket"]) or (upgrades and b"upgrade" not in options):
        raise Ambiguous(f"Upgrade still asks for {b', '.join(upgrades).decode()!r}")


def _agree(wire: bytes, message: Message) -> None:
    """Let h11 read the same bytes; it must see the same request and nothing beyond it."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(wire)
    try:
        head = connection.next_event()
        body, event = b"", connection.next_event()
        while isinstance(event, h11.Data):
            body += bytes(event.data)
            event = connection.next_event()
    except h11.RemoteProtocolError as error:
        raise Ambiguous(f"h11: {error}") from error
    if not isinstance(head, h11.Request) or not isinstance(event, h11.EndOfMessage) or connection.trailing_data[0]:
        raise Ambiguous("h11 reads other bounds")
    if (head.method, head.target, body) != (*message.start, message.body):
        raise Ambiguous("h11 reads another request")
