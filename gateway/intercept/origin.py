"""Whether a browser sent a login from a page of the app's own (login CSRF, RFC 6265 8.8).

Owns the reading of Origin and Sec-Fetch-Site. The scheme is not compared with ours: behind a proxy that
ends TLS it cannot be known.
"""

import re

from gateway.errors import RequestRefused
from gateway.http.head import RequestHead

DEFAULT_PORTS = {"http": ":80", "https": ":443"}

_ORIGIN = re.compile(r"(https?)://([^/?#@\s,]+)")  # the serialised tuple origin of RFC 6454 6.2


def check_origin(head: RequestHead, *, allowed: frozenset[str]) -> None:
    """Refuse a request from a foreign page unless its origin is listed in `allowed`.

    A request without Origin is not from a page, or from the same one. Raises `RequestRefused`: 403, or
    400 for several Origin fields.
    """
    origins = head.values(b"origin")
    if len(origins) > 1:
        raise RequestRefused(400, "The field Origin occurs twice.")
    origin = normal_origin(origins[0].decode("latin-1")) if origins else None
    if origin is not None and origin in {normal_origin(each) for each in allowed}:
        return
    sites = {site.strip().lower() for site in head.values(b"sec-fetch-site")}
    if b"cross-site" in sites or (origins and not _is_own(origin, head.host.decode("latin-1"))):
        raise RequestRefused(403, "This request comes from a foreign page.")


def normal_origin(origin: str) -> str | None:
    """Return an origin in lower case without its scheme's default port; None for `null` and for nonsense."""
    found = _ORIGIN.fullmatch(origin.strip().lower())
    return f"{found[1]}://{found[2].removesuffix(DEFAULT_PORTS[found[1]])}" if found else None


def _is_own(origin: str | None, host: str) -> bool:
    if origin is None:
        return False
    scheme, _, authority = origin.partition("://")
    return authority == host.strip().lower().removesuffix(DEFAULT_PORTS[scheme])
