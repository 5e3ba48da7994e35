"""Cookies: reading a Cookie field, the gateway's own cookies, and a jar for one host (RFC 6265).

Owns names and attributes of cookies. It must not know what their values mean.
"""

import re
from calendar import timegm
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.utils import parsedate
from functools import lru_cache

PREFIX = "sluicegate-"
OWN = PREFIX.encode()
SECURE_PREFIX = "__Host-"  # no Domain, Path=/, Secure: browsers enforce it (RFC 6265bis 4.1.3)
REMEMBERED_FIELDS = 2048  # Cookie fields whose reading is remembered, as long as each is no longer than
REMEMBERED_BYTES = 4096  # this; so a flood of them takes 8 MiB, and what it drives out is read again
LONG_AGO = 24 * 3600.0  # the first of January 1970 is over; Tomcat writes ten seconds of it, PHP one

# Where a cookie begins, for whoever looks into a Cookie field with a `;` put before it: a search for a fixed octet
# runs at three times the speed of one for "the beginning or a semicolon" (0.7 µs against 2.5 for a kilobyte).
BEGINNING = rb";[ \t]*+"

_remove_own = re.compile(BEGINNING + rb"(?:__host-)?+sluicegate-[^;]*+", re.IGNORECASE).sub
# Python's http.cookies parts cookies at blanks too, old Tomcats at commas. Only the beginning of a run of those is a
# place to start from: else many of them would cost their square.
_remove_joined = re.compile(
    rb"(?<![, \t])[, \t]++(?:__host-)?+sluicegate-[^;, \t=]*+[ \t]*+=[ \t]*+[^;, \t]*+", re.IGNORECASE
).sub


@lru_cache(maxsize=256)  # names come from the settings, never from a client
def _finder(name: str) -> Callable[[bytes], list[bytes]]:
    """Return the search for the values of one cookie, blanks included."""
    return re.compile(BEGINNING + re.escape(name.encode("latin-1")) + rb"[ \t]*+=([^;]*+)").findall


def values(cookie: bytes | None, name: str) -> list[str]:
    """Return every value that a Cookie field holds under a name, in order."""
    if cookie is None:
        return []
    return [value.strip(b" \t").decode("latin-1") for value in _finder(name)(b";" + cookie)]


def without_own(cookie: bytes) -> bytes:
    """Return a Cookie field's value without the gateway's own cookies, every other byte as it was.

    Names count in any case, and after a comma or a blank as well, because some frameworks read them so. Empty when
    nothing is left.
    """
    if OWN not in cookie.lower():  # 0.1 µs for what is true of most requests, against 0.4
        return cookie
    return _recalled_without_own(cookie) if len(cookie) <= REMEMBERED_BYTES else _taken_out(cookie)


def _taken_out(cookie: bytes) -> bytes:
    left = _remove_own(b"", b";" + cookie)
    if OWN in left.lower():
        left = _remove_joined(b"", left)
    return cookie if len(left) > len(cookie) else left[1:].lstrip(b" \t")


_recalled_without_own = lru_cache(REMEMBERED_FIELDS)(_taken_out)  # 0.4 µs against 2


def cookie_name(base: str, *, secure: bool) -> str:
    """Return the name of one of the gateway's cookies."""
    return f"{SECURE_PREFIX if secure else ''}{PREFIX}{base}"


def set_cookie(name: str, value: str, *, max_age: int, secure: bool) -> bytes:
    """Return the value of a Set-Cookie field; `max_age` in seconds, 0 deletes the cookie."""
    attributes = f"Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax"
    return f"{name}={value}; {attributes}{'; Secure' if secure else ''}".encode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cookie:
    """Is one cookie in the jar."""

    name: bytes
    value: bytes = field(repr=False)
    path: str


class CookieJar:
    """Keeps the cookies of one host for the length of one conversation.

    Domain and Secure are not looked at: there is one host, and its public scheme may not be the one that
    the gateway speaks to it. `now` (seconds since the epoch) tells which Expires means deletion; where it
    is not given, only the dates do that frameworks write when they mean "long ago".
    """

    def __init__(self, *, now: float = LONG_AGO) -> None:
        self._now = now
        self._cookies: dict[tuple[bytes, str], _Cookie] = {}

    def store(self, set_cookie_values: Iterable[bytes], path: str) -> None:
        """Take over the Set-Cookie fields of the answer to a request for `path`, but for malformed ones."""
        for line in set_cookie_values:
            pair, *attributes = line.split(b";")
            name, equals, value = (part.strip(b" \t") for part in pair.partition(b"="))
            if equals and name:
                self._put(name, value, _attributes(attributes), path)

    def header(self, path: str) -> bytes | None:
        """Return the Cookie field's value for a request, longer paths first (RFC 6265 5.4), or None."""
        fitting = [cookie for cookie in self._cookies.values() if _covers(cookie.path, path)]
        fitting.sort(key=lambda cookie: -len(cookie.path))
        return b"; ".join(cookie.name + b"=" + cookie.value for cookie in fitting) or None

    def _put(self, name: bytes, value: bytes, attributes: dict[str, str], path: str) -> None:
        """Keep, replace or delete one cookie; a replaced one keeps its place."""
        scope = attributes.get("path", "")
        cookie = _Cookie(name=name, value=value, path=scope if scope.startswith("/") else _default_path(path))
        if _is_expired(attributes, self._now):
            self._cookies.pop((name, cookie.path), None)
        else:
            self._cookies[name, cookie.path] = cookie


def _attributes(pieces: Iterable[bytes]) -> dict[str, str]:
    """Return a cookie's attributes by lower-case name; of a repeated one the last counts (RFC 6265 5.3)."""
    pairs = (piece.decode("latin-1").partition("=") for piece in pieces)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _is_expired(attributes: dict[str, str], now: float) -> bool:
    """Say whether a cookie is being deleted; Max-Age goes before Expires, unreadable dates mean nothing."""
    age = attributes.get("max-age", "")
    if re.fullmatch(r"-?[0-9]+", age):
        return int(age[:20]) <= 0
    expires = parsedate(attributes.get("expires", ""))
    try:
        return expires is not None and timegm(expires) <= now  # in GMT, whatever zone is written (5.1.1)
    except ValueError:
        return False


def _default_path(path: str) -> str:
    """Return the scope of a cookie without Path (RFC 6265 5.1.4)."""
    folder = path.partition("?")[0].rpartition("/")[0]
    return folder if folder.startswith("/") else "/"


def _covers(scope: str, path: str) -> bool:
    """Say whether a cookie's path covers a request's (RFC 6265 5.1.4)."""
    path = path.partition("?")[0]
    return path == scope or (path.startswith(scope) and (scope.endswith("/") or path[len(scope)] == "/"))
