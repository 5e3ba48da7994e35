"""Heads from bytes, strictly (RFC 9110, RFC 9112).

Owns the grammar: which heads are accepted, how much of one is read, and what it means. It must not know what is
forwarded (`fields`), nor whose connection the bytes are from.

A usual head is validated and understood by one possessive pattern. Of another that is well-formed a second
pattern says so and a third finds the few fields that a proxy acts on; the rest stays one slice. What neither takes
goes line by line, where each mistake has its sentence. All ways accept the same heads and understand them alike:
tests draw and mutate heads to prove it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address

from gateway.errors import AppUnavailable, RequestRefused
from gateway.http.head import RequestHead, ResponseHead
from gateway.http.lines import (
    LENGTH_DIGITS,
    WEBSOCKET,
    check_octets,
    framing,
    gather,
    is_persistent,
    is_token,
    split_lines,
    switches_to_websocket,
)
from gateway.http.marks import (
    OTHER_IN_REQUEST,
    OTHER_IN_RESPONSE,
    TOKEN,
    VALUE,
    MarkedLine,
    is_marked_in_request,
    is_marked_in_response,
)

HEAD_BYTES = 32 * 1024  # what nginx grants in its large buffers; cookies and tickets need it
FIELDS = 100  # httpd's default; browsers send twenty
REQUEST_LINE = 8 * 1024  # RFC 9112 section 3 asks for 8000 at least

# Narrower than RFC 3986: no sub-delims, no percent signs, no userinfo, no empty port. A Host that holds
# anything else is never a name that an operator serves, and `host/evil` ends up in some app's links.
_PORT = rb"(?::(?:[0-9]{1,4}|[1-5][0-9]{4}|6(?:[0-4][0-9]{3}|5(?:[0-4][0-9]{2}|5(?:[0-2][0-9]|3[0-5])))))?"
_NAMED = rb"[0-9A-Za-z_][0-9A-Za-z._-]*+" + _PORT

_REQUEST_LINE = rb"(GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS) (/[\x21\x22\x24-\x7e\x80-\xff]*+) HTTP/1\.1\r\n"
_STATUS_LINE = rb"HTTP/1\.1 ([2-5][0-9][0-9]) (" + VALUE + rb"*+)\r\n"
_FIELD_LINE = rb"(?:" + TOKEN + rb"++:" + VALUE + rb"*+\r\n)"
_HOST = rb"Host: (" + _NAMED + rb")\r\n"
_COOKIE = rb"Cookie: (?![ \t])(" + VALUE + rb"*+)\r\n"
_FRAMING = rb"(?:Content-Length: ([0-9]{1,%d})|(Transfer-Encoding: chunked))\r\n" % LENGTH_DIGITS

Matcher = Callable[[bytes], re.Match[bytes] | None]

COMMON_METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS")  # RFC 9110 9.3, RFC 5789
_VERSION = b" HTTP/1.1"
NO_CONTENT = 204

_is_target = re.compile(rb"[\x21\x22\x24-\x7e\x80-\xff]++").fullmatch
_is_version = re.compile(rb"HTTP/[0-9]\.[0-9]").fullmatch
_is_named = re.compile(_NAMED).fullmatch
_bracketed = re.compile(rb"\[([0-9A-Fa-f:.]++)\]" + _PORT).fullmatch
_absolute_form = re.compile(rb"[hH][tT][tT][pP][sS]?://([^/?]*+)(.*+)", re.DOTALL).fullmatch
_status_line = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: (" + VALUE + rb"*+))?").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadLimits:
    """How much of a head is read: bytes of the whole, number of fields, bytes of the first line.

    The patterns of heads count the fields themselves: to count them apart costs 0.3 µs a head. A usual head has
    up to half of the fields on either side of its Cookie, or of what frames its body.
    """

    head_bytes: int = HEAD_BYTES
    fields: int = FIELDS
    request_line: int = REQUEST_LINE
    usual_request: Matcher = field(init=False, repr=False, compare=False)
    usual_response: Matcher = field(init=False, repr=False, compare=False)
    formed_request: Matcher = field(init=False, repr=False, compare=False)
    formed_response: Matcher = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lines = _FIELD_LINE + rb"{1,%d}+\r\n" % self.fields
        half = rb"{0,%d}+" % max(0, (self.fields - 2) // 2)
        asked, answered = OTHER_IN_REQUEST + half, OTHER_IN_RESPONSE + half
        patterns = {
            "usual_request": _REQUEST_LINE + _HOST + asked + rb"(?:" + _COOKIE + asked + rb")?+\r\n",
            "usual_response": _STATUS_LINE + answered + rb"(?:" + _FRAMING + answered + rb")?+\r\n",
            "formed_request": _REQUEST_LINE + lines,
            "formed_response": _STATUS_LINE + lines,
        }
        for name, pattern in patterns.items():
            object.__setattr__(self, name, re.compile(pattern).match)


def parse_request(buffer: bytes, limits: HeadLimits) -> RequestHead | None:
    """Read a request's head from the start of a buffer; None while it is incomplete.

    Raises `RequestRefused` with 400, 405 (CONNECT, TRACE), 414, 417, 431 or 505.
    """
    # Behind a proxy of the operator's no head is usual: to see it so costs 0.1 µs, to find it out 2.
    usual = None if b"\r\nX-Forwarded-" in buffer else limits.usual_request(buffer)
    match = usual or limits.formed_request(buffer)
    if match is None:
        return _parse_request_strictly(buffer, limits)
    size = match.end()
    line_end = match.end(2) + len(_VERSION)
    if size > limits.head_bytes or line_end > limits.request_line:
        return _parse_request_strictly(buffer, limits)
    head = RequestHead(buffer, line_end, size, match[1], match[2])
    if usual is None:
        _understand_request(head)
        return head
    cookie = usual[4]
    head.host = usual[3].lower()
    head.cookie = cookie and cookie.rstrip(b" ")
    head.is_usual = True
    return head


def _parse_request_strictly(buffer: bytes, limits: HeadLimits) -> RequestHead | None:
    """Read a head line by line; a mistake in an incomplete head is refused before its end arrives."""
    end = buffer.find(b"\r\n\r\n")
    head = buffer if end < 0 else buffer[:end + 2]
    line_end = head.find(b"\r\n")
    if (line_end if line_end >= 0 else len(head.removesuffix(b"\r"))) > limits.request_line:
        raise RequestRefused(414, "The request line is too long.")
    if (end + 4 if end >= 0 else len(head) + 1) > limits.head_bytes:
        raise RequestRefused(431, "The request head is too large.")
    check_octets(head, _bad_request)
    if line_end < 0:
        return None
    method, target, is_http_10 = _read_request_line(head[:line_end])
    raw = head[line_end:]
    if raw.count(b"\n") > limits.fields + 1:
        raise RequestRefused(431, "The request has too many fields.")
    if end < 0:
        return None
    marked = [line for line in split_lines(raw, _bad_request) if is_marked_in_request(line[1])]
    if target[:1] != b"/" and target != b"*":
        target, raw, marked = _reduce_absolute(method, target, raw, marked)
    understood = RequestHead(buffer, line_end, end + 4, method, target, marked, raw)
    understood.is_http_10 = is_http_10
    _understand_request(understood)
    return understood


def _bad_request(reason: str) -> RequestRefused:
    return RequestRefused(400, reason)


def _read_request_line(line: bytes) -> tuple[bytes, bytes, bool]:
    """Return method, target as sent, and whether the version is 1.0."""
    parts = line.split(b" ")
    if len(parts) != 3:
        raise _bad_request("The request line is malformed.")
    method, target, version = parts
    if not _is_version(version) or version.startswith((b"HTTP/0", b"HTTP/2")):
        raise _bad_request("The request line does not end in HTTP/1.1 or HTTP/1.0.")
    if version not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise RequestRefused(505, "This version of HTTP is not supported.")
    # Django upper-cases methods: `post` would pass a rule for POST by.
    if not is_token(method) or method != method.upper():
        raise _bad_request("The method is malformed.")
    if method in (b"CONNECT", b"TRACE"):
        raise RequestRefused(405, "This method is not allowed.", allow=COMMON_METHODS)
    if not _is_target(target):
        raise _bad_request("The request target is malformed.")
    if target == b"*" and method != b"OPTIONS":
        raise _bad_request("The request target is malformed.")
    return method, target, version == b"HTTP/1.0"


def _reduce_absolute(method: bytes, target: bytes, raw: bytes,
                     marked: list[MarkedLine]) -> tuple[bytes, bytes, list[MarkedLine]]:
    """Turn absolute-form into origin-form; its authority replaces Host (RFC 9112 3.2.2)."""
    match = _absolute_form(target)
    if match is None or not is_authority(match[1]):
        raise _bad_request("The request target is malformed.")
    rest = match[2] or (b"*" if method == b"OPTIONS" else b"/")
    if rest.startswith(b"?"):
        rest = b"/" + rest
    host = b"Host: " + match[1]
    reduced = []
    _only_host([value.rstrip(b" ") for _, name, value in marked if name.lower() == b"host"])
    for line, name, value in marked:
        if name.lower() == b"host":
            raw = raw.replace(b"\r\n" + line + b"\r\n", b"\r\n" + host + b"\r\n", 1)
            reduced.append((host, b"Host", match[1]))
        else:
            reduced.append((line, name, value))
    return rest, raw, reduced


def _understand_request(head: RequestHead) -> None:
    """Draw the meaning of a well-formed head from its marked fields."""
    found = head.marked_values
    head.host = _only_host(found.get(b"host", ()))
    head.content_length, head.is_chunked = framing(found, _bad_request, is_http_10=head.is_http_10)
    head.has_body = head.is_chunked or bool(head.content_length)
    head.is_persistent = is_persistent(found, is_http_10=head.is_http_10)
    cookies = found.get(b"cookie")
    head.cookie = b"; ".join(cookies) if cookies else None
    forwarded = found.get(b"x-forwarded-for")
    head.forwarded_for = b", ".join(forwarded) if forwarded else None
    head.expects_continue = b"expect" in found and _expects_continue(found[b"expect"], head)
    head.upgrade = WEBSOCKET if b"upgrade" in found and _opens_websocket(found, head) else None
    head.keeps_open = head.is_persistent and not head.is_http_10 and head.upgrade is None


def is_authority(text: bytes) -> bool:
    """Say whether a Host, or the authority of a target, is a name or an address, with or without port."""
    if _is_named(text):
        return True
    match = _bracketed(text)
    if match is None:
        return False
    try:
        IPv6Address(match[1].decode())
    except ValueError:
        return False
    return True


def _only_host(hosts: Sequence[bytes]) -> bytes:
    """Return the one Host in lower case."""
    if len(hosts) != 1:
        raise _bad_request("The request needs exactly one Host.")
    if not is_authority(hosts[0]):
        raise _bad_request("The Host is malformed.")
    return hosts[0].lower()


def _expects_continue(expectations: Sequence[bytes], head: RequestHead) -> bool:
    """Say whether the client waits for 100 (RFC 9110 10.1.1); in HTTP/1.0 the field means nothing."""
    if any(expectation.lower() != b"100-continue" for expectation in expectations):
        raise RequestRefused(417, "The only expectation understood is 100-continue.")
    return head.has_body and not head.is_http_10


def _opens_websocket(found: Mapping[bytes, Sequence[bytes]], head: RequestHead) -> bool:
    """Say whether a request with an Upgrade asks for a WebSocket and for nothing else (RFC 6455 4.1).

    Any other upgrade, h2c above all, would carry requests past everything that is checked here.
    """
    return (
        head.method == b"GET" and not head.is_http_10 and not head.has_body and switches_to_websocket(found)
    )


def parse_response(buffer: bytes, limits: HeadLimits, *, expects_upgrade: bool = False) -> ResponseHead | None:
    """Read an answer's head from the start of a buffer; None while it is incomplete.

    Raises `AppUnavailable` (502) for what is malformed, and for a 101 unless it grants the WebSocket that
    was asked for (`expects_upgrade`).
    """
    usual = limits.usual_response(buffer)
    match = usual or limits.formed_response(buffer)
    if match is None:
        return _parse_response_strictly(buffer, limits, expects_upgrade=expects_upgrade)
    size = match.end()
    if size > limits.head_bytes:
        return _parse_response_strictly(buffer, limits)
    head = ResponseHead(buffer, match.end(2), size, int(match[1]), match[2])
    if usual is None:
        _understand_response(head)
        return head
    length = usual[3]
    head.content_length = None if length is None else int(length)
    head.is_chunked = usual[4] is not None
    head.is_usual = head.status != NO_CONTENT  # it has no body, so what frames one must not travel
    return head


def _parse_response_strictly(buffer: bytes, limits: HeadLimits, *,
                             expects_upgrade: bool = False) -> ResponseHead | None:
    """Read an answer's head line by line."""
    end = buffer.find(b"\r\n\r\n")
    head = buffer if end < 0 else buffer[:end + 2]
    if (end + 4 if end >= 0 else len(head) + 1) > limits.head_bytes:
        raise AppUnavailable("The app's answer has too large a head.")
    check_octets(head, AppUnavailable)
    line_end = head.find(b"\r\n")
    if line_end < 0:
        return None
    match = _status_line(head[:line_end])
    if match is None:
        raise AppUnavailable("The app's answer has no valid status line.")
    if match[2] == b"101" and not expects_upgrade:
        raise AppUnavailable("The app switched protocols without being asked.")
    raw = head[line_end:]
    if raw.count(b"\n") > limits.fields + 1:
        raise AppUnavailable("The app's answer has too many fields.")
    if end < 0:
        return None
    marked = [line for line in split_lines(raw, AppUnavailable) if is_marked_in_response(line[1])]
    if match[2] == b"101" and (match[1] == b"0" or not switches_to_websocket(gather(marked))):
        raise AppUnavailable("The app switched to another protocol than it was asked for.")
    understood = ResponseHead(buffer, line_end, end + 4, int(match[2]), match[3] or b"", marked)
    understood.is_http_10 = match[1] == b"0"
    _understand_response(understood)
    return understood


def _understand_response(head: ResponseHead) -> None:
    """Draw the meaning of a well-formed answer's head from its marked fields."""
    found = head.marked_values
    head.content_length, head.is_chunked = framing(found, AppUnavailable, is_http_10=head.is_http_10)
    head.is_persistent = is_persistent(found, is_http_10=head.is_http_10)
