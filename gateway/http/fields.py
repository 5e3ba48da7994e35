"""The heads that go on: what is removed, what is added, both ways.

Owns the fate of hop-by-hop fields, forwarding fields and identity fields. It must not know connections,
nor what a body holds. A field that needs no change travels in the slice in which it came.
"""

import re
from collections.abc import Container, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

from gateway.http.cookies import without_own
from gateway.http.head import RequestHead, ResponseHead
from gateway.http.lines import connection_options
from gateway.http.marks import FOLD
from gateway.http.rewriting import Rewrite

CRLF = b"\r\n"
SWITCHING_PROTOCOLS = 101
_SWITCHING = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"

# keep: travels. drop: never does, or is written anew. trusted: travels when a trusted proxy sent it.
# framing: travels with the body it describes. The rest is looked at one by one.
Fate = Literal["keep", "drop", "trusted", "framing", "expect", "cookie", "connection"]

_BY_NAME: dict[bytes, Fate] = {
    b"host": "keep",
    b"cookie": "cookie",
    b"connection": "connection",
    b"content-length": "framing",
    b"transfer-encoding": "framing",
    b"trailer": "framing",
    b"expect": "expect",
    b"forwarded": "trusted",
    b"x-real-ip": "trusted",
    # Written anew, from what a trusted proxy sent where one did.
    b"x-forwarded-for": "drop",
    b"x-forwarded-proto": "drop",
    b"x-forwarded-host": "drop",
    b"x-request-id": "drop",
    # Who the user is, only the gateway says.
    b"x-forwarded-user": "drop",
    b"x-forwarded-email": "drop",
}
_FATES = _BY_NAME | {name.title(): fate for name, fate in _BY_NAME.items()}  # as nearly everyone writes them
# Which fates travel unchanged, by whether the peer is a trusted proxy and whether the body is the client's.
_KEPT: dict[tuple[bool, bool], tuple[Fate, ...]] = {
    (False, False): ("keep",),
    (False, True): ("keep", "framing"),
    (True, False): ("keep", "trusted"),
    (True, True): ("keep", "framing", "trusted"),
}
_TRUSTED_PREFIX = b"x-forwarded-"

_Address = IPv4Address | IPv6Address
_is_request_id = re.compile(rb"[0-9A-Za-z._-]{1,128}").fullmatch
_is_forwarded_name = re.compile(rb"[0-9A-Za-z._:\[\], -]+").fullmatch

# What the gateway has looked at, or what frames the message, must arrive whatever Connection says.
_PROTECTED = frozenset({
    b"host", b"cookie", b"set-cookie", b"authorization", b"origin", b"expect", b"transfer-encoding",
})
_USUAL_CONNECTIONS = frozenset({b"keep-alive", b"close"})
_NOT_NAMES = frozenset({b"close", b"keep-alive", b"upgrade", b""})
# Caches beside Cache-Control that obey a field of their own first (RFC 9213; Surrogate-Control is older).
_is_caching = re.compile(rb"(?:[!-~]*-)?cache-control|surrogate-control|expires|pragma").fullmatch


def forward_request(head: RequestHead, *, peer: bytes, scheme: bytes, is_trusted: bool, request_id: bytes,
                    body_length: int | None = None, extra: bytes = b"", keeps_expect: bool = False) -> bytes:
    """Return the head for the app, its blank line included.

    `peer` is the address of the connection, `scheme` http or https, `is_trusted` whether the peer is a
    trusted proxy, whose X-Request-Id goes before `request_id`. With `body_length` (bytes) the body is a
    whole one that replaces the client's: no chunks, no expectation. `extra` are complete field lines, each
    with its CRLF: who the user is, in the gateway's own words. `keeps_expect` passes 100-continue on. The
    opening of a WebSocket stays one.

    A usual head travels whole, but for our cookies: that takes 1 µs less. Its keep-alive may stay, for of the
    connection to the app we would say the same.
    """
    if head.is_usual and not is_trusted and body_length is None:
        sent = head.as_sent if head.cookie is None else _without_own_cookies(head, head.cookie)
        return b"".join((sent, extra, *_lines(peer, scheme, head.host, request_id), CRLF))
    raw = _onward(head, _KEPT[is_trusted, body_length is None], keeps_expect=keeps_expect and not head.is_http_10)
    length = b"" if body_length is None else b"Content-Length: %d\r\n" % body_length
    added = _appended(head, peer, scheme, request_id) if is_trusted else _lines(peer, scheme, head.host, request_id)
    switching = _SWITCHING if head.upgrade is not None else b""
    return b"".join((head.method, b" ", head.target, b" HTTP/1.1", raw, length, extra, *added, switching, CRLF))


def _without_own_cookies(head: RequestHead, cookie: bytes) -> bytes:
    """Return a usual head as it travels, without the blank line."""
    sent = head.as_sent
    left = without_own(cookie)
    if len(left) == len(cookie):
        return sent
    start = sent.index(b"\r\nCookie:") + len(CRLF)
    end = sent.index(CRLF, start)
    return sent[:start] + (b"Cookie: " + left + sent[end:] if left else sent[end + len(CRLF):])


def _onward(head: RequestHead, kept: Container[Fate], *, keeps_expect: bool) -> bytes:
    """Return the field lines that travel.

    A line is found by its name, not as a whole: the search for a long Cookie takes ten times as long (2 µs).
    Marked lines come in order and no other line has such a name, so the next one found is the right one.
    """
    raw = head.raw
    nominated: list[bytes] = []
    at = 0
    for line, name, value in head.marked:
        fate = _FATES.get(name) or _fate(name)
        if fate in kept or (fate == "expect" and keeps_expect):
            continue
        start = raw.index(CRLF + name + b":", at)
        at = start + len(CRLF) + len(line)
        left = b""
        if fate == "cookie":
            cookie = without_own(value)
            if cookie == value:
                continue
            left = CRLF + name + b": " + cookie if cookie else b""
        elif fate == "connection" and value not in _USUAL_CONNECTIONS:
            nominated += _nominated(value)
        raw = raw[:start] + left + raw[at:]
        at = start + len(left)
    return _without(raw, nominated) if nominated else raw


def _fate(name: bytes) -> Fate:
    """Return what becomes of a marked field; under another than its right spelling nothing travels."""
    lower = name.lower()
    fate = _FATES.get(lower)
    if fate is not None:
        return fate
    # Never, from nobody: X-Original-URL and X-Rewrite-URL, for the app would route on another path than
    # the one that was matched, and proxies in front pass them on unread; X-HTTP-Method-Override and its kin,
    # for the app would act on another method; Proxy, which CGI makes HTTP_PROXY.
    is_right = lower == name.translate(FOLD)
    return "trusted" if is_right and lower.startswith(_TRUSTED_PREFIX) else "drop"


def _nominated(connection: bytes) -> list[bytes]:
    """Return the fields that a Connection field takes off the message (RFC 9110 7.6.1)."""
    return [
        option for option in connection_options([connection])
        if option not in _NOT_NAMES and option not in _PROTECTED and not option.startswith(b"content-")
    ]


def _without(raw: bytes, names: Sequence[bytes]) -> bytes:
    """Return field lines without those of the given lower-case names."""
    unwanted = frozenset(names)  # thousands of options fit into one Connection
    return CRLF.join(line for line in raw.split(CRLF) if line.partition(b":")[0].lower() not in unwanted)


def _lines(addresses: bytes, scheme: bytes, host: bytes, request_id: bytes) -> tuple[bytes, ...]:
    """Return the gateway's own lines, in pieces: they are joined once, with the rest."""
    return (b"X-Forwarded-For: ", addresses, b"\r\nX-Forwarded-Proto: ", scheme, b"\r\nX-Forwarded-Host: ", host,
            b"\r\nX-Request-Id: ", request_id, CRLF)


def _appended(head: RequestHead, peer: bytes, scheme: bytes, request_id: bytes) -> tuple[bytes, ...]:
    """Return the gateway's own lines behind a trusted proxy, whose word on scheme and host stands."""
    addresses = head.forwarded_for + b", " + peer if head.forwarded_for else peer
    hosts = b", ".join(head.marked_values.get(b"x-forwarded-host", ()))
    schemes = b", ".join(head.marked_values.get(b"x-forwarded-proto", ()))
    return _lines(addresses, schemes if _is_forwarded_name(schemes) else scheme,
                  hosts if _is_forwarded_name(hosts) else head.host, given_request_id(head) or request_id)


def given_request_id(head: RequestHead) -> bytes | None:
    """Return the request id that a trusted proxy gave, if it is one and fit for a log."""
    given = head.marked_values.get(b"x-request-id", ())
    return given[0] if len(given) == 1 and _is_request_id(given[0]) else None


def forward_response(head: ResponseHead, *, close: bool, extra: bytes = b"", private: bool = False,
                     body_length: int | None = None, until_close: bool = False,
                     rewrite: Rewrite | None = None, origin: bytes = b"") -> bytes:
    """Return the head for the client, its blank line included.

    `extra` are complete field lines, each with its CRLF. `private` forbids every cache to keep the answer
    (BEHAVIOUR: an answer to which the gateway adds Set-Cookie). With `body_length` (bytes) the body is sent
    whole; with `until_close` it is sent without chunks and ended by closing, as HTTP/1.0 needs. A 101 says
    what the connection becomes, whatever else was asked for. `rewrite` puts `origin`, under which the client
    came, where the app wrote one of its own.
    """
    raw = head.raw
    unwanted: list[bytes] = []
    # A client that reads a body where none can be (RFC 9112 6.3) would take the next answer for it.
    has_no_body = head.status < 200 or head.status == 204
    reframed = body_length is not None or (until_close and head.is_chunked) or has_no_body
    for line, name, value in head.marked:
        fate = _FATES.get(name) or _FATES.get(name.lower(), "drop")
        if fate == "framing" and not reframed:
            continue
        if fate == "connection" and value not in _USUAL_CONNECTIONS:
            unwanted += _nominated(value)
        raw = raw.replace(CRLF + line + CRLF, CRLF, 1)
    if private:
        unwanted += [lower for name, _ in head.fields if _is_caching(lower := name.lower())]
        extra += b"Cache-Control: private, no-store\r\n"
    if unwanted:
        raw = _without(raw, unwanted)
    if rewrite is not None:
        raw = rewrite.translate(raw, origin)
    if body_length is not None:
        extra += b"Content-Length: %d\r\n" % body_length
    if head.status == SWITCHING_PROTOCOLS:
        extra += _SWITCHING
    elif close or until_close:
        extra += b"Connection: close\r\n"
    return b"HTTP/1.1 %d %b%b%b\r\n" % (head.status, head.reason, raw, extra)


def client_address(peer: str, forwarded_for: bytes | None,
                   trusted: Sequence[IPv4Network | IPv6Network]) -> str:
    """Return the address of the client: from the right, the first that no trusted proxy has.

    An entry that is no address ends the walk at the proxy that wrote it down: what stands further left
    may have been written by anybody.
    """
    address = _address(peer)
    if address is None:
        return peer
    entries = forwarded_for.decode("latin-1").split(",") if forwarded_for else []
    while entries and any(address in network for network in trusted):
        named = _address(entries.pop())
        if named is None:
            break
        address = named
    return str(address)


def _address(text: str) -> _Address | None:
    """Read an address as proxies write it: with or without port and brackets, never with a zone."""
    text = text.strip(" \t\"")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
