"""What h11 and llhttp are known to read otherwise than we do, one by one, each with its reason.

Where it can be done, the message is changed in the one place that the other reader does not take, so that
everything else in it is still compared.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from gateway.http.head import RequestHead, ResponseHead
from gateway.http.lines import connection_options
from tests.fuzz.readers import Reading

_KNOWN_TO_LLHTTP = frozenset(
    b"DELETE GET HEAD POST PUT OPTIONS COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND UNBIND ACL "
    b"REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK UNLINK QUERY"
    .split(),
)
_high_octets = re.compile(rb"[\x80-\xff]")
_proxy_connection = re.compile(rb"\r\nproxy-connection:", re.IGNORECASE)


def readable(wire: bytes) -> bytes:
    """Replace octets above ASCII in the target.

    Neither h11 nor llhttp takes them; nginx and most applications do, and old browsers sent them in queries.
    """
    line, end, fields = wire.partition(b"\r\n")
    return _high_octets.sub(b"x", line) + end + fields


def first_line(wire: bytes, head: RequestHead) -> tuple[tuple[object, bytes], Sequence[tuple[bytes, bytes]]]:
    """Return the method, target and fields that a reader of the bytes as sent sees.

    Neither h11 nor llhttp turns an absolute target into origin-form, which is our duty as a proxy (RFC 9112
    3.2.2): target and Host are then compared as they were sent.
    """
    target = _high_octets.sub(b"x", wire.split(b" ", 2)[1])
    if target[:1] == b"/" or target == head.target:
        return (head.method, target), head.fields
    sent = (line.partition(b":") for line in wire.split(b"\r\n")[1:-2])
    hosts = [value.strip(b" \t") for name, _, value in sent if name.lower() == b"host"]
    fields = [(name, hosts[0] if name.lower() == b"host" else value) for name, value in head.fields]
    return (head.method, target), fields


def is_interim(reading: Reading) -> bool:
    """Say whether a message is an interim answer, which says nothing about the connection."""
    status = reading.start[0]
    return isinstance(status, int) and status < 200


def for_h11(ours: Reading, head: RequestHead | ResponseHead) -> Reading:
    """Return what h11 should see.

    It waits for the answer to an Upgrade before it says whether the connection lasts. It never keeps an
    HTTP/1.0 connection, not even with keep-alive, where a proxy in front of old clients does.
    """
    if isinstance(head, RequestHead) and head.values(b"upgrade"):
        return replace(ours, is_persistent=True)
    return replace(ours, is_persistent=False) if head.is_http_10 else ours


def for_llhttp(ours: Reading, message: bytes, head: RequestHead | ResponseHead) -> tuple[Reading, bytes]:
    """Return what llhttp should see, and of which bytes.

    It obeys Proxy-Connection, which is no field of HTTP's (RFC 9112 appendix C.2.2) and goes no further than us:
    it gets the field under another name. Of keep-alive and close in one HTTP/1.0 message it obeys the first, we
    the second.
    """
    message = _proxy_connection.sub(b"\r\nOther-Connection:", message)
    fields = [(b"other-connection" if name == b"proxy-connection" else name, value) for name, value in ours.fields]
    is_kept = head.is_http_10 and b"keep-alive" in connection_options(head.values(b"connection"))
    return replace(ours, fields=fields, is_persistent=ours.is_persistent or is_kept), message


def for_llhttp_response(ours: Reading, message: bytes, head: ResponseHead) -> tuple[Reading, bytes]:
    """Return what llhttp should see of an answer, and of which bytes.

    It believes the framing of an interim answer beyond 103, where none has a body (RFC 9112 6.3); what goes
    back has no framing.
    """
    ours, message = for_llhttp(ours, message, head)
    if 103 < head.status < 200:
        message = message.replace(b" %d" % head.status, b" 103", 1)
        ours = replace(ours, start=(103, head.reason))
    return ours, message


def for_llhttp_request(ours: Reading, message: bytes, head: RequestHead) -> tuple[Reading, bytes]:
    """Return what llhttp should see of a request, and of which bytes.

    It knows a list of methods, where RFC 9110 9.1 wants any token. What follows the head of a request to
    upgrade it takes for the other protocol, even a body; what goes on holds no such Upgrade, and is compared
    whole.
    """
    ours, message = for_llhttp(ours, message, head)
    if head.method not in _KNOWN_TO_LLHTTP:
        message = message.replace(head.method, b"PURGE", 1)
        ours = replace(ours, start=(b"PURGE", ours.start[1]))
    if any(head.values(b"upgrade")) and b"upgrade" in connection_options(head.values(b"connection")):
        message = message[:message.index(b"\r\n\r\n") + 4]
        ours = replace(ours, payload=b"", is_whole=True, rest=None)
    return ours, message
