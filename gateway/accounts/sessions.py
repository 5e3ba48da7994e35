"""A browser's session with the gateway: opened, recognised without I/O, renewed from its row, ended.

Owns the gateway's own cookies and what they are worth. Must not know how rows are stored, nor what the
app's own session is.

The access token says who somebody is for minutes; the opaque handle finds the session's row, which is the
truth. Whatever a token cannot prove is asked of the row, so a mistake in memory costs one read and never a
wrong answer.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from gateway.accounts.keyring import Keyring
from gateway.accounts.memory import Endings, Verified, VerifiedTokens
from gateway.http.cookies import PREFIX, cookie_name, set_cookie, values
from gateway.model import Account, Secret
from gateway.store.base import Session, Sessions
from gateway.tokens.claims import AccessClaims, build
from gateway.tokens.encoding import base64url
from gateway.tokens.jwt import LONGEST_TOKEN, SKEW, InvalidToken, sign, verify
from gateway.tokens.sessions import Lifetimes, cookie_names, handle_digest, is_due, new_handle

TOKEN_ID_BYTES = 16
MOST_COOKIES = 8  # of one name that are looked at when sessions end; a browser sends one
DEVICE_LIFE = 180 * 24 * 3600  # seconds; a browser not used for half a year is a stranger again

OWN = PREFIX.encode()

Fields = tuple[tuple[bytes, bytes], ...]
"""Set-Cookie fields to add to an answer, which then is `Cache-Control: private, no-store`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A browser whose token is right, and that nothing said to have ended."""

    claims: AccessClaims


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A browser with a handle whose token is missing, old or in doubt: only the row can tell.

    `handle` is the digest under which the store knows it.
    """

    handle: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A session that was just opened or renewed, with what the browser must be told."""

    session: Session
    claims: AccessClaims
    fields: Fields = field(repr=False)


class SessionKeeper:
    """Keeps the sessions of all apps of one worker.

    `clock` gives seconds since the epoch, `random` that many bytes from a cryptographic source. The calls
    that are `async` ask the store and raise `StoreUnavailable`; `recognise` never waits.
    """

    __slots__ = (
        "_clock", "_endings", "_is_secure", "_issuer", "_keyring",
        "_lifetimes", "_random", "_store", "_verified",
    )

    def __init__(
        self,
        store: Sessions,
        keyring: Keyring,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
        issuer: str,
        lifetimes: Lifetimes,
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._random = random
        self._issuer = issuer
        self._is_secure = issuer.startswith("https:")
        self._lifetimes = lifetimes
        self._verified = VerifiedTokens()
        self._endings = Endings(since=clock())

    async def issue(self, account: Account, app: str, *, proven: Secret) -> Issued | None:
        """Open a session after a login that proved the password encoded as `proven`.

        None when the account is not active any more, or its password is another by now.
        """
        asked_at = self._clock()
        token, digest = new_handle(self._random)
        session = await self._store.open(
            account_id=account.id, app=app, handle=digest, lifetime=self._lifetimes.session, proven=proven
        )
        if session is None:
            return None
        max_age = max(0, math.ceil(session.expires_at.timestamp() - asked_at))
        handle = self._set_cookie(cookie_names(app).handle, token.reveal(), max_age)
        return self._grant(session, asked_at, (handle,))

    def recognise(self, app: str, cookie: bytes | None) -> Known | Due | None:
        """Say who a browser is by its Cookie field, without I/O; None when it is nobody we know.

        Two cookies under one of our names are refused: somebody who can write for a neighbouring host
        added one, and which of them came first says nothing (RFC 6265 section 8.6).
        """
        if cookie is None or OWN not in cookie:
            return None
        names = cookie_names(app)
        tokens, handles = self._values(cookie, names.access), self._values(cookie, names.handle)
        if len(tokens) > 1 or len(handles) > 1:
            return None
        now = self._clock()
        claims = self._verify(app, tokens[0], now) if tokens else None
        if claims is not None and not is_due(claims, now):
            return Known(claims=claims)
        digest = handle_digest(handles[0]) if handles else None
        if digest is not None:
            return Due(handle=digest)
        return None if claims is None else Known(claims=claims)

    async def renew(self, app: str, cookie: bytes | None) -> Fields | None:
        """Return a fresh access token for a live session, or what clears the cookies of an ended one.

        None when the browser sent no handle that could be ours: there is nothing to renew or to clear.
        The handle stays, so requests sent side by side may each renew.
        """
        handle = self._handle(app, cookie)
        if handle is None:
            return None
        asked_at = self._clock()
        session = await self._store.live(app, handle)
        issued = self._grant(session, asked_at) if session else None
        return issued.fields if issued else self.cleared(app)

    async def current(self, app: str, cookie: bytes | None) -> Session | None:
        """Return the live session of a browser as its row has it now, for what must be exact."""
        handle = self._handle(app, cookie)
        return await self._store.live(app, handle) if handle else None

    async def end(self, app: str, cookie: bytes | None, reason: str) -> Fields:
        """End every session that a browser's cookies name and return what clears them; nothing if it sent none.

        Also a doubled cookie's: somebody else may have added one so that this browser's session lives on.
        """
        names = cookie_names(app)
        handles = self._values(cookie, names.handle)[:MOST_COOKIES]
        tokens = self._values(cookie, names.access)[:MOST_COOKIES]
        if not handles and not tokens:
            return ()
        now = self._clock()
        rows = [await self._store.live(app, digest) for digest in map(handle_digest, handles) if digest]
        proven = [self._verify(app, token, now) for token in tokens]
        for ended in {row.id for row in rows if row} | {UUID(claims.sid) for claims in proven if claims}:
            await self._store.end(ended, reason=reason)
            self._endings.end(str(ended), now)  # this worker need not wait for the notice
        return self.cleared(app)

    def cleared(self, app: str) -> Fields:
        """Return what makes a browser forget its session."""
        names = cookie_names(app)
        return tuple(self._set_cookie(base, "", 0) for base in (names.access, names.handle))

    async def on_notice(self, topic: str, value: str) -> None:
        """Take in what another worker or an operator changed."""
        if topic in ("session", "account"):
            self._endings.end(value, self._clock())
        if topic == "resync":
            self._endings.distrust(self._clock())
        if topic in ("keys", "resync"):
            await self._keyring.reload()

    def device_field(self, app: str, token: Secret) -> tuple[bytes, bytes]:
        """Return the Set-Cookie field by which a browser is known to have logged in before."""
        return self._set_cookie(cookie_names(app).device, token.reveal(), DEVICE_LIFE)

    def device(self, app: str, cookie: bytes | None) -> Secret | None:
        """Return the device token that a browser sent, not yet believed; None when it sent none, or two."""
        tokens = self._values(cookie, cookie_names(app).device)
        return Secret(tokens[0]) if len(tokens) == 1 else None

    def _grant(self, session: Session, asked_at: float, also: Fields = ()) -> Issued | None:
        """Sign an access token that ends with its session at the latest; None when that is over."""
        now = self._clock()
        rest = int(session.expires_at.timestamp() - now)
        lifetime = min(int(self._lifetimes.access.total_seconds()), rest)
        if lifetime <= 0:
            return None
        claims = build(
            issuer=self._issuer, account_id=session.account_id, app=session.app, session_id=session.id,
            token_id=self._token_id(), now=now, lifetime=lifetime,
        )
        keyset = self._keyring.keyset
        token = sign(claims.as_mapping(), keyset.active)
        self._verified.remember(token, Verified(claims=claims, proven_at=asked_at), keyset, now)
        access = self._set_cookie(cookie_names(session.app).access, token, lifetime)
        return Issued(session=session, claims=claims, fields=(access, *also))

    def _verify(self, app: str, token: str, now: float) -> AccessClaims | None:
        """Return the claims of a token that is right, for this app, and not ended."""
        if len(token) > LONGEST_TOKEN:
            return None  # not even worth a digest
        verified = self._verified.recall(token, self._keyring.keyset) or self._check(app, token, now)
        if verified is None or self._endings.covers(verified):
            return None
        claims = verified.claims
        return claims if claims.aud == app and now < claims.exp + SKEW else None

    def _check(self, app: str, token: str, now: float) -> Verified | None:
        """Verify a token and remember it. It may have been issued by a replica whose clock is ahead."""
        keyset = self._keyring.keyset
        try:
            claims = verify(token, keyset, issuer=self._issuer, audience=app, now=now)
        except InvalidToken:
            return None
        verified = Verified(claims=claims, proven_at=claims.iat - SKEW)
        self._verified.remember(token, verified, keyset, now)
        return verified

    def _handle(self, app: str, cookie: bytes | None) -> bytes | None:
        handles = self._values(cookie, cookie_names(app).handle)
        return handle_digest(handles[0]) if len(handles) == 1 else None

    def _values(self, cookie: bytes | None, base: str) -> list[str]:
        return values(cookie, cookie_name(base, secure=self._is_secure))

    def _set_cookie(self, base: str, value: str, max_age: int) -> tuple[bytes, bytes]:
        name = cookie_name(base, secure=self._is_secure)
        return b"set-cookie", set_cookie(name, value, max_age=max_age, secure=self._is_secure)

    def _token_id(self) -> str:
        return base64url(self._random(TOKEN_ID_BYTES))
