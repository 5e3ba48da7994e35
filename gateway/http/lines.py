"""The lines of a head, request or answer: their octets, their names, and what they say about the message.

Owns framing, persistence and the switch to a WebSocket, in the strict reading. It must not know first lines.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from gateway.http.marks import TOKEN, MarkedLine

WEBSOCKET = b"websocket"  # the one protocol to which a connection may be switched

Refusal = Callable[[str], Exception]

LENGTH_DIGITS = 18  # a Content-Length of more overflows somebody's 64 bits

is_token = re.compile(TOKEN + rb"++").fullmatch
_is_length = re.compile(rb"[0-9]{1,%d}" % LENGTH_DIGITS).fullmatch
_LEGAL = bytes(range(0x20, 0x7F)) + b"\t\r\n" + bytes(range(0x80, 0x100))


def check_octets(head: bytes, refuse: Refusal) -> None:
    """Refuse octets that no head may hold; a CR at the end of an incomplete head may become a CRLF."""
    if head.translate(None, _LEGAL):
        raise refuse("The head holds control characters.")
    lines = head.count(b"\r\n")
    if head.count(b"\n") != lines or head.count(b"\r") - head.endswith(b"\r") != lines:
        raise refuse("The head holds a bare CR or LF.")


def split_lines(raw: bytes, refuse: Refusal) -> list[MarkedLine]:
    """Split field lines whose octets are legal; a blank before the colon, or before all (obs-fold), is no name's."""
    lines = []
    for line in raw[2:-2].split(b"\r\n") if len(raw) > 2 else ():
        name, colon, value = line.partition(b":")
        if not colon or not is_token(name):
            raise refuse("A field has no valid name.")
        lines.append((line, name, value.lstrip(b" \t")))
    return lines


def gather(marked: Sequence[MarkedLine]) -> dict[bytes, list[bytes]]:
    """Return the values of marked fields by lower-case name; other spellings stay names of their own.

    A tab behind a value stays, and is refused where it matters: llhttp knows no `chunked` with one (fuzzing
    found it), and would read an answer until the connection closes.
    """
    found: dict[bytes, list[bytes]] = {}
    for _, name, value in marked:
        lower = name.lower()
        if lower in found:
            found[lower].append(value.rstrip(b" "))
        else:
            found[lower] = [value.rstrip(b" ")]
    return found


def framing(found: Mapping[bytes, Sequence[bytes]], refuse: Refusal,
             *, is_http_10: bool) -> tuple[int | None, bool]:
    """Return Content-Length and whether the body is chunked; the two exclude one another (RFC 9112 6.3)."""
    lengths = found.get(b"content-length")
    codings = found.get(b"transfer-encoding")
    if codings is not None:
        if lengths is not None:
            raise refuse("Content-Length and Transfer-Encoding exclude one another.")
        if is_http_10 or len(codings) != 1 or codings[0].lower() != b"chunked":
            raise refuse("The only transfer coding understood is chunked, in HTTP/1.1.")
        return None, True
    if lengths is None:
        return None, False
    if len(lengths) != 1 or not _is_length(lengths[0]):
        raise refuse("The Content-Length is malformed.")
    return int(lengths[0]), False


def connection_options(values: Sequence[bytes]) -> list[bytes]:
    """Return the options that Connection fields list, in lower case (RFC 9110 7.6.1)."""
    return [option.strip(b" \t").lower() for value in values for option in value.split(b",")]


def is_persistent(found: Mapping[bytes, Sequence[bytes]], *, is_http_10: bool) -> bool:
    """Say whether the connection outlives this message (RFC 9112 9.3)."""
    values = found.get(b"connection")
    if values is None:
        return not is_http_10
    if len(values) == 1 and values[0] == b"keep-alive":  # as nearly everyone writes it
        return True
    options = connection_options(values)
    return b"close" not in options and (not is_http_10 or b"keep-alive" in options)


def switches_to_websocket(found: Mapping[bytes, Sequence[bytes]]) -> bool:
    """Say whether the one protocol that Upgrade names is websocket, and Connection lists the option."""
    upgrades = found.get(b"upgrade", ())
    is_websocket = len(upgrades) == 1 and upgrades[0].lower() == WEBSOCKET
    return is_websocket and b"upgrade" in connection_options(found.get(b"connection", ()))
