"""Which app a request is for: by Host, then by the longest path prefix.

Owns the table of apps. Must not know what an app's requests mean.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.errors import RequestRefused
from gateway.http.rewriting import Rewrite
from gateway.http.target import canonical
from gateway.proxy.upstream import Upstream

ANY_HOST = "*"
NOTHING = "Nothing is served at this address."

# Nothing in such a path can be read as another: lower case, no escapes, no dot segments, no empty ones. Most are so,
# and found by it in 0.6 µs instead of 1.9.
_plain_path = re.compile(rb"(/(?:[0-9a-z_~-][0-9a-z._~-]*+/?)*+)(?:\?|\Z)").match


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Is one app as clients see it: its name, its hosts (lower case, no port; "*" for any), its path.

    `rewrite` says what of its answers is put into its clients' words.
    """

    name: str
    hosts: tuple[str, ...]
    path: str = "/"
    upstream: Upstream
    rewrite: Rewrite | None = None

    def __post_init__(self) -> None:
        if not self.path.startswith("/"):
            raise ValueError("a site's path starts with /")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Is a site under one of its hosts, with its prefix (ending in a slash) as it is and with case folded."""

    prefix: str
    folded: str
    site: Site


class Sites:
    """Finds the site of a request. A host that is named goes before "*", whatever their paths."""

    __slots__ = ("_any", "_by_host", "upstreams")

    def __init__(self, sites: Iterable[Site]) -> None:
        by_host: dict[bytes, list[_Place]] = {}
        upstreams: dict[int, Upstream] = {}
        for site in sorted(sites, key=lambda site: len(site.path.rstrip("/")), reverse=True):
            prefix = site.path.rstrip("/") + "/"
            place = _Place(prefix=prefix, folded=prefix.casefold(), site=site)
            upstreams[id(site.upstream)] = site.upstream
            for host in site.hosts:
                by_host.setdefault(host.encode("ascii"), []).append(place)
        self._any = tuple(by_host.pop(ANY_HOST.encode(), ()))
        self._by_host = {host: (*named, *self._any) for host, named in by_host.items()}
        self.upstreams = tuple(upstreams.values())

    def find(self, host: bytes, target: bytes) -> Site | None:
        """Return the site of an authority (with or without port) and an origin-form target, if any.

        None means that no site has this host.

        Raises RequestRefused: 404 when the host has no site at this path, and 400 when the app could take
        the target for one under another site's path. (`/open/../shop/login` must not reach the shop by
        way of an app that has no rules.)
        """
        named = self._by_host
        candidates = (named and (named.get(host) or named.get(_name(host)))) or self._any
        if not candidates:
            return None
        if candidates[0].prefix == "/":  # the longest prefix is the shortest there is
            return candidates[0].site
        plain = _plain_path(target)
        if plain is not None:
            place = _longest(candidates, plain[1].decode("ascii"), folded=True)
            if place is None:
                raise RequestRefused(404, NOTHING)
            if place.prefix == place.folded:
                return place.site
        path = "/" if target == b"*" else target.partition(b"?")[0].decode("latin-1")
        place = _longest(candidates, path, folded=False)
        for reading in canonical(target).readings:
            if _longest(candidates, reading.casefold(), folded=True) is not place:
                raise RequestRefused(400, "The address is not written plainly.")
        if place is None:
            raise RequestRefused(404, NOTHING)
        return place.site


def _name(authority: bytes) -> bytes:
    """Return an authority's host without port and without the dot of an absolute name."""
    host, colon, port = authority.rpartition(b":")
    name = host if colon and (port.isdigit() or not port) else authority
    return name.rstrip(b".").lower()


def _longest(candidates: Iterable[_Place], path: str, *, folded: bool) -> _Place | None:
    """Return the first candidate under whose prefix a path is; they are sorted by length."""
    slashed = path + "/"
    for place in candidates:
        if slashed.startswith(place.folded if folded else place.prefix):
            return place
    return None
