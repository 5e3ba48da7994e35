"""The rules of a gateway session in a browser: how long, under which names, renewed when. Pure.

Owns lifetimes, cookie names and the opaque handle. Must not know cookies' syntax, stores or keys.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from gateway.model import Secret
from gateway.tokens.claims import LONGEST_LIFE, AccessClaims
from gateway.tokens.encoding import base64url

HANDLE_BYTES = 32  # 256 bits: nobody guesses one, so its SHA-256 needs no salt in the store
HANDLE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """Says how long an access token and a session live; a session's end is fixed when it opens."""

    access: timedelta = timedelta(seconds=LONGEST_LIFE)
    session: timedelta = timedelta(hours=24)  # a working day and its night; logging in again is one form

    def __post_init__(self) -> None:
        if not timedelta(minutes=1) <= self.access <= timedelta(seconds=LONGEST_LIFE):
            raise ValueError("an access token lives one to fifteen minutes")
        if self.session < self.access:
            raise ValueError("a session lives at least as long as its access token")


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieNames:
    """Is what tells the cookies of one app from each other and from those of other apps."""

    access: str
    handle: str
    device: str


def cookie_names(app: str) -> CookieNames:
    """Return the names, still without prefix, of an app's cookies: access token, session handle, device.

    The dot is in no app's name, so an app called "shop-session" shares no cookie with one called "shop".
    """
    return CookieNames(access=app, handle=f"{app}.session", device=f"{app}.device")


def new_handle(random: Callable[[int], bytes]) -> tuple[Secret, bytes]:
    """Return a fresh handle and the digest under which the store knows it."""
    token = base64url(random(HANDLE_BYTES))
    return Secret(token), hashlib.sha256(token.encode()).digest()


def handle_digest(token: str) -> bytes | None:
    """Return the digest of a handle that a browser sent, or None when it cannot be one of ours."""
    return hashlib.sha256(token.encode()).digest() if HANDLE.fullmatch(token) else None


def due_at(claims: AccessClaims) -> float:
    """Return when the last third of a token's life begins, in which it is renewed.

    Renewing that early lets a busy browser ride out a store outage of five minutes.
    """
    return claims.exp - (claims.exp - claims.iat) / 3
