"""The gateway's own cookies of one app: their names, read from a Cookie field and written to Set-Cookie.

Owns the reading that every request of a known browser goes through, so names are spelled once per app and
the field is searched once. Must not know what the values are worth.
"""

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Final

from gateway.http.cookies import BEGINNING, REMEMBERED_BYTES, REMEMBERED_FIELDS, cookie_name, set_cookie, values
from gateway.tokens.sessions import cookie_names

Held = tuple[bytes | None, bytes | None]
"""The access token and the session handle that a browser sent."""

NOTHING: Final[Held] = (None, None)


class AppCookies:
    """Is the cookies of one app; `is_secure` decides whether browsers protect their names."""

    __slots__ = ("_find", "_is_secure", "_recall", "access", "device", "handle")

    def __init__(self, app: str, *, is_secure: bool) -> None:
        names = cookie_names(app)
        self._is_secure = is_secure
        self.access, self.handle, self.device = (
            cookie_name(base, secure=is_secure) for base in (names.access, names.handle, names.device)
        )
        name = re.escape(self.access.encode())
        suffix = re.escape(self.handle.removeprefix(self.access).encode())
        self._find = re.compile(BEGINNING + name + rb"(" + suffix + rb")?+[ \t]*+=[ \t]*+([^;]*+)").findall
        # A browser sends the same field with each request: to know it again costs 0.5 µs, to search it 2.
        self._recall: Callable[[bytes], Held] = lru_cache(REMEMBERED_FIELDS)(partial(_held, self._find))

    def read(self, cookie: bytes) -> Held:
        """Return what a Cookie field holds; nothing at all where one of the two names occurs twice.

        Somebody who can write for a neighbouring host added one, and which of them came first says nothing
        (RFC 6265 section 8.6).
        """
        return self._recall(cookie) if len(cookie) <= REMEMBERED_BYTES else _held(self._find, cookie)

    def every(self, cookie: bytes | None) -> tuple[list[str], list[str]]:
        """Return all access tokens and all handles that a Cookie field holds, doubled ones too."""
        return values(cookie, self.access), values(cookie, self.handle)

    def devices(self, cookie: bytes | None) -> list[str]:
        """Return all device tokens that a Cookie field holds."""
        return values(cookie, self.device)

    def write(self, name: str, value: str, max_age: int) -> tuple[bytes, bytes]:
        """Return a Set-Cookie field; `max_age` in seconds, 0 deletes the cookie."""
        return b"set-cookie", set_cookie(name, value, max_age=max_age, secure=self._is_secure)


def _held(find: Callable[[bytes], list[tuple[bytes, bytes]]], cookie: bytes) -> Held:
    """Return what `find` finds in a Cookie field, unless it finds one name twice."""
    token = handle = None
    for suffix, value in find(b";" + cookie):
        if suffix:
            if handle is not None:
                return NOTHING
            handle = value
        else:
            if token is not None:
                return NOTHING
            token = value
    return token, handle
