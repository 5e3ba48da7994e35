"""The PROXY protocol, byte by byte: the cases of HAProxy's doc/proxy-protocol.txt, and what borders on them."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.preamble import LONGEST, SIGNATURE, Preamble, PreambleRefused, read_preamble

V4 = ip_address("192.0.2.7").packed + ip_address("198.51.100.1").packed + struct.pack("!HH", 50000, 443)
V6 = ip_address("2001:db8::7").packed + ip_address("2001:db8::1").packed + struct.pack("!HH", 50000, 443)
LINE = b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n"


def binary(addresses: bytes = V4, *, command: int = 0x21, family: int = 0x11, more: bytes = b"") -> bytes:
    """Return a preamble of version 2."""
    body = addresses + more
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(body)) + body


WHOLE = [
    (LINE, "192.0.2.7"),
    (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255"),
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 0 443\r\n", "192.0.2.7"),
    (b"PROXY TCP6 2001:db8::7 2001:db8::1 50000 443\r\n", "2001:db8::7"),
    (b"PROXY TCP6 ffff:f000:ffff:ffff:ffff:ffff:ffff:ffff ::1 65535 65535\r\n",
     "ffff:f000:ffff:ffff:ffff:ffff:ffff:ffff"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None),
    (binary(), "192.0.2.7"),
    (binary(V6, family=0x21), "2001:db8::7"),
    (binary(more=b"\x03\x00\x04abcd"), "192.0.2.7"),
    (binary(more=bytes(LONGEST - 28)), "192.0.2.7"),
    (binary(b"", command=0x20, family=0), None),
    (binary(V4, command=0x20), None),
    (binary(b"", family=0), None),
    (binary(b"whatever", family=0), None),
]

REFUSED = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    b"PROXY\r\n",
    b"PROXY  TCP4 192.0.2.7 198.51.100.1 50000 443\r\n",
    b"PROXY tcp4 192.0.2.7 198.51.100.1 50000 443\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 443 \r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 50000\r\n",
    b"PROXY TCP4 192.0.2.07 198.51.100.1 50000 443\r\n",
    b"PROXY TCP4 192.0.2.256 198.51.100.1 50000 443\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 99999\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 050 443\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 -1 443\r\n",
    b"PROXY TCP4 2001:db8::7 2001:db8::1 50000 443\r\n",
    b"PROXY TCP6 192.0.2.7 198.51.100.1 50000 443\r\n",
    b"PROXY TCP6 fe80::1%eth0 2001:db8::1 50000 443\r\n",
    b"PROXY UDP4 192.0.2.7 198.51.100.1 50000 443\r\n",
    b"PROXY UNKNOWN \x00\r\n",
    b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
    b"PROXY UNKNOWN " + b"x" * 93,
    binary(command=0x11),  # version 1 in the binary form
    binary(command=0x22),
    binary(family=0x12),  # UDP
    binary(family=0x31),  # unix sockets
    binary(V4[:-1]),
    binary(V6[:-1], family=0x21),
    binary(more=bytes(LONGEST - 27)),
    SIGNATURE[:-1] + b"\r",
]


@pytest.mark.parametrize(("wire", "source"), WHOLE)
def test_whole_preambles(wire: bytes, source: str | None) -> None:
    """Each names a client or nobody, and ends where the client's own bytes begin."""
    expected = Preamble(size=len(wire), source=ip_address(source) if source else None)
    assert read_preamble(wire) == expected
    assert read_preamble(wire + b"GET / HTTP/1.1\r\n") == expected


@pytest.mark.parametrize(("wire", "_source"), WHOLE)
def test_a_preamble_in_pieces(wire: bytes, _source: str | None) -> None:
    """Every true beginning waits for the rest."""
    assert [size for size in range(len(wire)) if read_preamble(wire[:size]) is not None] == []


@pytest.mark.parametrize("wire", REFUSED)
def test_anything_else_is_refused(wire: bytes) -> None:
    """What is not exactly right is nobody's preamble."""
    with pytest.raises(PreambleRefused):
        read_preamble(wire)


@given(st.binary(max_size=64) | st.builds(bytes.__add__, st.sampled_from([SIGNATURE, b"PROXY TCP4 "]), st.binary()))
def test_no_bytes_do_harm(data: bytes) -> None:
    """Whatever comes is a preamble, the beginning of one, or refused."""
    try:
        preamble = read_preamble(data)
    except PreambleRefused:
        return
    assert preamble is None or 0 < preamble.size <= min(len(data), LONGEST)
