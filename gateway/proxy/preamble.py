"""The PROXY protocol: what a balancer below HTTP says before the first byte of its client.

Owns the grammar of both versions (HAProxy's doc/proxy-protocol.txt), strictly: what is not exactly right is
refused, for the rest of the connection would be read as somebody else's. Pure; reads no socket.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

LONGEST_LINE = 107  # version 1: the longest line with its CRLF, by the text
LONGEST = 2048  # version 2: addresses need 36 bytes; the rest is for options (a balancer's ids, a certificate's name)

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
HEADER = 16  # bytes of version 2 before the addresses
LOCAL, PROXY = 0x20, 0x21  # version 2 and the command
UNSPECIFIED = 0x00

_port = rb"(?:0|[1-9][0-9]{0,4})"
_line = re.compile(rb"PROXY (?:UNKNOWN(?: [ -~]*)?|(TCP4|TCP6) ([0-9.]{7,15}|[0-9A-Fa-f:.]{2,45})"
                   rb" ([0-9.]{7,15}|[0-9A-Fa-f:.]{2,45}) (" + _port + rb") (" + _port + rb"))\r\n")
Kind = type[IPv4Address] | type[IPv6Address]
ADDRESSES: Mapping[bytes, Kind] = {b"TCP4": IPv4Address, b"TCP6": IPv6Address}
FAMILIES: Mapping[int, tuple[Kind, int]] = {0x11: (IPv4Address, 4), 0x21: (IPv6Address, 16)}  # TCP alone

HIGHEST_PORT = 65535


class PreambleRefused(Exception):
    """Says that a connection begins with something else, or with more than it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preamble:
    """Is a whole preamble of `size` bytes; `source` is None when the balancer speaks for itself or does not know."""

    size: int
    source: IPv4Address | IPv6Address | None


def read_preamble(data: bytes) -> Preamble | None:
    """Read the preamble at the beginning of `data`, None when it is not whole yet; raises `PreambleRefused`."""
    if data.startswith(SIGNATURE[: len(data)]):
        return _read_binary(data)
    if data.startswith(b"PROXY "[: len(data)]):
        return _read_line(data)
    raise PreambleRefused


def _read_line(data: bytes) -> Preamble | None:
    end = data.find(b"\n", 0, LONGEST_LINE) + 1
    if not end:
        if len(data) >= LONGEST_LINE:
            raise PreambleRefused
        return None
    match = _line.fullmatch(data, 0, end)
    if match is None:
        raise PreambleRefused
    if match[1] is None:
        return Preamble(size=end, source=None)
    kind = ADDRESSES[match[1]]
    try:
        source, _ = kind(match[2].decode()), kind(match[3].decode())
    except ValueError:
        raise PreambleRefused from None
    if max(int(match[4]), int(match[5])) > HIGHEST_PORT:
        raise PreambleRefused
    return Preamble(size=end, source=source)


def _read_binary(data: bytes) -> Preamble | None:
    if len(data) < HEADER:
        return None
    command, family = data[12], data[13]
    size = HEADER + int.from_bytes(data[14:16])
    if command not in (LOCAL, PROXY) or size > LONGEST:
        raise PreambleRefused
    if len(data) < size:
        return None
    if command == LOCAL or family == UNSPECIFIED:
        return Preamble(size=size, source=None)
    if family not in FAMILIES:
        raise PreambleRefused
    kind, width = FAMILIES[family]
    if size < HEADER + 2 * width + 4:  # two addresses and two ports
        raise PreambleRefused
    return Preamble(size=size, source=kind(data[HEADER : HEADER + width]))
