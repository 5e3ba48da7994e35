"""Who is at the other end of a connection, and whose word about others is believed.

Owns the trusted proxies. Nobody is believed unless named there.
"""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from gateway.http.fields import client_address
from gateway.http.head import RequestHead
from gateway.proxy.steps import ClientInfo

SCHEMES = (b"http", b"https")


class Peers:
    """Knows the trusted proxies; `scheme` is what this listener speaks, b"http" or b"https"."""

    __slots__ = ("_scheme", "_trusted")

    def __init__(self, *, trusted: Sequence[IPv4Network | IPv6Network], scheme: bytes) -> None:
        self._trusted = tuple(trusted)
        self._scheme = scheme

    def info(self, host: str) -> ClientInfo:
        """Return what is known of a peer by its address alone; an IPv4 one may come mapped into IPv6."""
        address = _unmapped(host)
        is_trusted = any(address in network for network in self._trusted)
        return ClientInfo(peer=str(address), address=str(address), scheme=self._scheme, is_trusted=is_trusted)

    def announced(self, balancer: str, source: IPv4Address | IPv6Address | None) -> ClientInfo:
        """Return what is known of a client that a PROXY preamble names; None where it names nobody.

        A balancer that speaks it does not look into requests, so their fields are the client's own: they are
        believed only if the named client is itself a trusted proxy, never because the balancer is.
        """
        return replace(self.info(balancer), is_trusted=False) if source is None else self.info(str(source))

    def walk(self, peer: ClientInfo, head: RequestHead) -> ClientInfo:
        """Return who sent this request: the peer itself, or whom a trusted proxy names."""
        if not peer.is_trusted:
            return peer
        named = head.values(b"x-forwarded-proto")
        scheme = named[0].lower() if len(named) == 1 and named[0].lower() in SCHEMES else peer.scheme
        address = client_address(peer.peer, head.forwarded_for, self._trusted)
        return ClientInfo(peer=peer.peer, address=address, scheme=scheme, is_trusted=True)


def _unmapped(host: str) -> IPv4Address | IPv6Address:
    """Read a socket's address, without zone."""
    address = ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
