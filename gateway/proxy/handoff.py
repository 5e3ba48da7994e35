"""The hand-off: a browser's own request goes to the unchanged app, once, and its answer comes back.

Owns what may change on the way (the password field, the body's length, the codings that are asked for, our
Set-Cookie lines) and nothing else may. Knows no accounts and no decisions.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import AppUnavailable, SluicegateError
from gateway.http.answer import Answer
from gateway.http.fields import forward_request, forward_response
from gateway.http.parsing import HeadLimits, parse_response
from gateway.proxy import pages
from gateway.proxy.steps import Reply, WholeRequest

END = b"\r\n\r\n"
ACCEPTED_CODINGS = re.compile(rb"\r\naccept-encoding:([^\r]*)", re.IGNORECASE)
GZIP = re.compile(rb"(?:^|,)(?:x-)?gzip(?!;q=0(?:\.0*)?(?:,|$))")  # with q=0 it is refused (RFC 9110 12.5.3)
BODILESS = frozenset({204, 304})  # RFC 9110 6.4.1
ANY_HEAD = HeadLimits(head_bytes=1 << 30, fields=1 << 20)  # the answer's head was within limits when it came


async def forward(request: WholeRequest, body: bytes, extra: bytes = b"") -> Answer:
    """Send the browser's request on with this body, once; raises `AppUnavailable`, also for a cut answer.

    `extra` is complete field lines for the app: who the user is.
    """
    wire = forward_request(
        request.head,
        peer=request.client.peer.encode(),
        scheme=request.client.scheme,
        is_trusted=request.client.is_trusted,
        request_id=request.request_id,
        body_length=len(body),
        extra=extra,
    )
    answer = await request.site.upstream.fetch(_legible(wire) + body, method=request.head.method)
    if not answer.is_whole:
        raise AppUnavailable("the app's answer was cut")
    return answer


def _legible(wire: bytes) -> bytes:
    """Return a request's head that asks for no other coding than gzip: in br or zstd no refusal can be read."""
    offered = [value.replace(b" ", b"").lower() for value in ACCEPTED_CODINGS.findall(wire)]
    if not offered:
        return wire
    coding = b"gzip" if GZIP.search(b",".join(offered)) else b"identity"
    return ACCEPTED_CODINGS.sub(b"", wire).replace(END, b"\r\nAccept-Encoding: %b%b" % (coding, END), 1)


def relay(request: WholeRequest, answer: Answer, extra: bytes = b"") -> Reply:
    """Give the app's answer back as the app gave it, with our own fields `extra` (complete lines)."""
    start = b"HTTP/1.1 %d %b\r\n" % (answer.status, answer.reason)
    head = parse_response(start + lines(answer.fields) + b"\r\n", ANY_HEAD)
    assert head is not None
    close = not request.head.is_persistent
    has_body = request.head.method != b"HEAD" and answer.status not in BODILESS
    wire = forward_response(head, close=close, extra=extra, private=bool(extra),
                            body_length=len(answer.body) if has_body else None,
                            rewrite=request.site.rewrite, origin=request.client.origin(request.head.host))
    return Reply(wire=wire + answer.body if has_body else wire, status=answer.status, close=close)


def lines(fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return fields as complete lines."""
    return b"".join(name + b": " + value + b"\r\n" for name, value in fields)


def redirect(location: str, fields: bytes = b"", *, close: bool = False) -> Reply:
    """Send a browser on by a GET; `fields` are complete lines."""
    return own_answer(b"303 See Other", 303, b"Location: %b\r\n%b" % (location.encode("ascii"), fields), b"",
                      close=close)


def own_answer(line: bytes, status: int, fields: bytes, body: bytes, *, close: bool = False) -> Reply:
    """Return a whole answer that nobody else may see; `line` is the status line without the version."""
    length = b"" if status in BODILESS else b"Content-Length: %d\r\n" % len(body)
    end = b"Connection: close\r\n" if close else b""
    wire = b"HTTP/1.1 %b\r\nCache-Control: private, no-store\r\n%b%b%b\r\n" % (line, length, fields, end)
    return Reply(wire=wire + body, status=status, close=close)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAnswers:
    """Makes the gateway's own answers to an app's requests; foreign origins that are listed may read them."""

    allowed_origins: frozenset[str]

    def plain(self, request: WholeRequest, status: int, reason: str, *, retry_after: int | None = None,
              extra: bytes = b"") -> Reply:
        """Return a page or JSON, by the request's Accept field."""
        head = request.head
        wire = pages.answer(
            status,
            reason=reason,
            accept=b", ".join(head.values(b"accept")),
            request_id=request.request_id,
            retry_after=retry_after,
            extra=extra + self._cors(request),
            head_only=head.method == b"HEAD",
            close=not head.is_persistent,
        )
        return Reply(wire=wire, status=status, close=not head.is_persistent)

    def welcome(self, request: WholeRequest, location: str, fields: bytes) -> Reply:
        """Answer a granted login: send a browser on, tell a program where to go on."""
        head = request.head
        if pages.prefers_page(b", ".join(head.values(b"accept"))):
            return redirect(location, fields + self._cors(request), close=not head.is_persistent)
        body = json.dumps({"status": "ok", "next": location}).encode() + b"\n"
        extra = b"Content-Type: application/json\r\n" + fields + self._cors(request)
        return own_answer(b"200 OK", 200, extra, body, close=not head.is_persistent)

    def breakdown(self, request: WholeRequest, error: SluicegateError) -> Reply:
        """Return the answer that an error deserves."""
        return self.plain(request, error.status, str(error) if error.status < 500 else "",
                          retry_after=error.retry_after)

    def _cors(self, request: WholeRequest) -> bytes:
        origin = b"".join(request.head.values(b"origin"))
        if origin.decode("latin-1") not in self.allowed_origins:
            return b""
        return (b"Access-Control-Allow-Origin: " + origin + b"\r\n"
                b"Access-Control-Allow-Credentials: true\r\nVary: Origin\r\n")
