"""Who sent a request."""

from ipaddress import ip_address, ip_network

import pytest

from gateway.http.head import RequestHead
from gateway.http.parsing import HeadLimits, parse_request
from gateway.proxy.peers import Peers
from gateway.proxy.steps import ClientInfo

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")]


def head(*lines: bytes) -> RequestHead:
    parsed = parse_request(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n",
                           HeadLimits())
    assert parsed is not None
    return parsed


def walked(peer: str, *lines: bytes) -> tuple[str, bytes]:
    peers = Peers(trusted=TRUSTED, scheme=b"http")
    client = peers.walk(peers.info(peer), head(*lines))
    return client.address, client.scheme


@pytest.mark.parametrize(("host", "address", "is_trusted"), [
    ("192.0.2.1", "192.0.2.1", False),
    ("10.1.2.3", "10.1.2.3", True),
    ("::ffff:10.1.2.3", "10.1.2.3", True),
    ("2001:db8::1", "2001:db8::1", True),
    ("fe80::1%eth0", "fe80::1", False),
])
def test_a_peer_is_known_by_its_address(host: str, address: str, is_trusted: bool) -> None:
    """Mapped addresses are IPv4, zones are nothing, and only listed networks are trusted."""
    info = Peers(trusted=TRUSTED, scheme=b"http").info(host)
    assert info == ClientInfo(peer=address, address=address, scheme=b"http", is_trusted=is_trusted)


def test_nobody_is_trusted_by_default() -> None:
    """An empty list believes nobody, loopback included."""
    assert not Peers(trusted=[], scheme=b"http").info("127.0.0.1").is_trusted


def test_a_strangers_word_counts_for_nothing() -> None:
    """What an untrusted peer says about address and scheme is not heard."""
    assert walked("192.0.2.1", b"X-Forwarded-For: 203.0.113.9", b"X-Forwarded-Proto: https") == ("192.0.2.1", b"http")


@pytest.mark.parametrize(("proto", "scheme"), [
    ((b"X-Forwarded-Proto: https",), b"https"),
    ((b"X-Forwarded-Proto: HTTPS",), b"https"),
    ((b"X-Forwarded-Proto: gopher",), b"http"),
    ((b"X-Forwarded-Proto: https", b"X-Forwarded-Proto: http"), b"http"),
    ((), b"http"),
])
def test_a_trusted_proxys_scheme_is_taken_if_it_is_one(proto: tuple[bytes, ...], scheme: bytes) -> None:
    """Anything but one clear word leaves the listener's own scheme."""
    assert walked("10.0.0.1", *proto) == ("10.0.0.1", scheme)


def test_addresses_are_walked_from_the_right() -> None:
    """The first address that no trusted proxy has is the client's, whatever stands left of it."""
    assert walked("10.0.0.1", b"X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.0.0.2") == ("203.0.113.9", b"http")


@pytest.mark.parametrize(("peer", "lines", "payer"), [
    ("192.0.2.1", (), "192.0.2.1"),
    ("192.0.2.1", (b"X-Forwarded-For: 203.0.113.9",), None),
    ("192.0.2.1", (b"X-Forwarded-For:",), None),
    ("10.0.0.1", (b"X-Forwarded-For: 203.0.113.9",), "203.0.113.9"),
    ("10.0.0.1", (), "10.0.0.1"),
])
def test_a_proxy_that_nobody_declared_does_not_pay(peer: str, lines: tuple[bytes, ...], payer: str | None) -> None:
    """Its address would be everybody's."""
    peers, request = Peers(trusted=TRUSTED, scheme=b"http"), head(*lines)
    assert peers.walk(peers.info(peer), request).payer(request) == payer


def test_a_balancer_lends_nobody_its_trust() -> None:
    """Whom a preamble names is believed about others only if it is a trusted proxy itself; nobody never is."""
    peers = Peers(trusted=TRUSTED, scheme=b"https")
    client = peers.announced("10.0.0.1", ip_address("192.0.2.7"))
    assert client == ClientInfo(peer="192.0.2.7", address="192.0.2.7", scheme=b"https", is_trusted=False)
    assert peers.walk(client, head(b"X-Forwarded-For: 203.0.113.9")).address == "192.0.2.7"
    assert peers.announced("10.0.0.1", ip_address("10.9.9.9")).is_trusted
    assert peers.announced("10.0.0.1", None) == ClientInfo(peer="10.0.0.1", address="10.0.0.1", scheme=b"https",
                                                           is_trusted=False)
