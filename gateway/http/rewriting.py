"""What an app says about its own address, in the words of its clients.

Owns the rewriting of Location, Content-Location, Refresh and of a cookie's Domain. It must not know which
request is answered, nor look into bodies. Every byte that names no internal origin or domain stays as it is.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_AUTHORITY = rb"(?:[0-9a-z._-]++|\[[0-9a-f:.]++\])(?::[0-9]{0,5})?+"
_line = re.compile(
    rb"\r\n((?:content-)?location|refresh|set-cookie):([ \t]*+)([^\r\n]*+)", re.IGNORECASE,
)
# What follows the authority must end it. `http://app.internal:8000.evil.test` and `http://app.internal@evil.test`
# only start like an origin, and of `http://app.internal\@evil.test` every parser makes another host.
_address = re.compile(
    rb"(?:(https?):)?+//(" + _AUTHORITY + rb")(?=[/?#]|[ \t]*+\Z)", re.IGNORECASE,
).match
_refresh = re.compile(
    rb"([0-9]++[ \t]*+[;,][ \t]*+url[ \t]*+=[ \t]*+([\"']?+))([^\"']*+)(\2[ \t]*+)", re.IGNORECASE,
).fullmatch
# A piece after the first `;`, where no name or value of the cookie itself can stand (RFC 6265 5.2).
_domain = re.compile(
    rb"(;[ \t]*+domain[ \t]*+=[ \t]*+)\.?([^; \t]*+)([ \t]*+)(?=;|\Z)", re.IGNORECASE,
)
_is_origin = re.compile(rb"(https?)://(" + _AUTHORITY + rb")", re.IGNORECASE).fullmatch
_DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """Says which origins and cookie domains are an app's internal ones.

    `locations` are origins (`http://app.internal:8000`), all of which stand for the one under which the
    client came. `cookie_domains` maps a domain, with or without a dot before it, to the one that clients
    know, or to "" when the cookie is to belong to the client's host alone. Raises ValueError for what is
    no origin.
    """

    locations: tuple[str, ...] = ()
    cookie_domains: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    _origins: frozenset[bytes] = field(init=False, repr=False, compare=False)
    _authorities: frozenset[bytes] = field(init=False, repr=False, compare=False)
    _domains: Mapping[bytes, bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        matches = [_is_origin(location.encode("ascii")) for location in self.locations]
        parts = [(match[1], match[2]) for match in matches if match is not None]
        if len(parts) < len(matches):
            raise ValueError("a location to rewrite is an origin: http or https, a host, perhaps a port")
        domains = {name.removeprefix(".").lower().encode("ascii"): domain.encode("ascii")
                   for name, domain in self.cookie_domains.items()}
        object.__setattr__(self, "_origins", frozenset(_origin(*part) for part in parts))
        object.__setattr__(self, "_authorities", frozenset(authority.lower() for _, authority in parts))
        object.__setattr__(self, "_domains", MappingProxyType(domains))

    def translate(self, raw: bytes, origin: bytes) -> bytes:
        """Return an answer's field lines, each with a CRLF before it, for a client that came under `origin`."""
        return _line.sub(lambda line: self._translated(line, origin), raw)

    def _translated(self, line: re.Match[bytes], origin: bytes) -> bytes:
        name, blanks, value = line.groups()
        match name.lower():
            case b"set-cookie":
                value = _domain.sub(self._public_domain, value)
            case b"refresh":
                value = _refresh_to(value, lambda address: self._public_address(address, origin))
            case _:
                value = self._public_address(value, origin)
        return b"\r\n%b:%b%b" % (name, blanks, value)

    def _public_address(self, address: bytes, origin: bytes) -> bytes:
        """Return an address with another origin if its own is internal; one without a scheme is too."""
        match = _address(address)
        if match is None:
            return address
        scheme, authority = match.groups()
        is_internal = authority.lower() in self._authorities if scheme is None \
            else _origin(scheme, authority) in self._origins
        return origin + address[match.end():] if is_internal else address

    def _public_domain(self, domain: re.Match[bytes]) -> bytes:
        """Return a cookie's Domain attribute as it shall reach the client; empty for none."""
        public = self._domains.get(domain[2].lower())
        if public is None:
            return domain[0]
        return domain[1] + public + domain[3] if public else b""


def _origin(scheme: bytes, authority: bytes) -> bytes:
    """Return an origin in its one spelling: lower case, without the port that goes without saying."""
    scheme = scheme.lower()
    host = authority.lower().removesuffix(_DEFAULT_PORTS[scheme]).removesuffix(b":")
    return scheme + b"://" + host


def _refresh_to(value: bytes, public: Callable[[bytes], bytes]) -> bytes:
    """Return a Refresh whose address was made public; of a form that is rare it stays as it is."""
    match = _refresh(value)
    return value if match is None else match[1] + public(match[3]) + match[4]
