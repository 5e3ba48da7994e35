"""A browser's session with the gateway: opened, recognised without I/O, renewed from its row, ended.

Owns what the gateway's own cookies are worth. Must not know how rows are stored, nor what the app's own
session is.

The access token says who somebody is for minutes; the opaque handle finds the session's row, which is the
truth. Whatever a token cannot prove is asked of the row, so a mistake in memory costs one read and never a
wrong answer.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from uuid import UUID

from gateway.accounts.budgets import Budgets
from gateway.accounts.keyring import Keyring
from gateway.accounts.memory import Known
from gateway.accounts.own_cookies import AppCookies
from gateway.accounts.recognition import Recognition, Unexamined
from gateway.errors import StoreUnavailable
from gateway.http.cookies import OWN
from gateway.model import Account, Secret
from gateway.store.base import Session, Sessions
from gateway.tokens.claims import AccessClaims, assertion, build
from gateway.tokens.encoding import base64url
from gateway.tokens.jwt import ASSERTION, sign
from gateway.tokens.sessions import Lifetimes, handle_digest, new_handle

TOKEN_ID_BYTES = 16
MOST_COOKIES = 8  # of one name that are looked at when sessions end; a browser sends one
DEVICE_LIFE = 180 * 24 * 3600  # seconds; a browser not used for half a year is a stranger again

Fields = tuple[tuple[bytes, bytes], ...]
"""Set-Cookie fields to add to an answer, which then is `Cache-Control: private, no-store`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A browser whose token is missing, old or in doubt: only the row can tell.

    `handle` is the digest under which the store knows it, if one was sent; `known` whom the token names, if it
    is right by signature and time; one of the two is there. `address` pays for a handle that is nobody's.
    """

    handle: bytes | None = field(repr=False)
    known: Known | None = None
    address: str | None = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A session that was just opened or renewed, with what the browser must be told."""

    session: Session
    known: Known
    fields: Fields = field(repr=False)

    @property
    def claims(self) -> AccessClaims:
        """What the new access token says."""
        return self.known.claims


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A session that is over, with what makes the browser forget it."""

    fields: Fields = field(repr=False)


Recognised = Known | Due | Unexamined | None


class SessionKeeper:
    """Keeps the sessions of all apps of one worker.

    `clock` gives seconds since the epoch, `random` that many bytes from a cryptographic source. The tokens of
    the apps in `told` hold their users' names. The calls that are `async` ask the store and raise
    `StoreUnavailable`; `recognise` never waits.

    What is wrong is paid for by the address it comes from, with budgets of their own for signatures and for
    handles: so a flood of the one refuses nobody who has the other. None is an address that a proxy hides.
    """

    __slots__ = (
        "_clock", "_cookies", "_endings", "_handles", "_is_secure", "_issuer", "_keyring",
        "_lifetimes", "_random", "_recognition", "_store", "_told",
    )

    def __init__(
        self,
        store: Sessions,
        keyring: Keyring,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
        issuer: str,
        lifetimes: Lifetimes,
        *,
        told: Collection[str] = (),
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._random = random
        self._issuer = issuer
        self._is_secure = issuer.startswith("https:")
        self._lifetimes = lifetimes
        self._told = frozenset(told)
        self._recognition = Recognition(keyring, clock, issuer)
        self._endings = self._recognition.endings
        self._handles = Budgets()
        self._cookies: dict[str, AppCookies] = {}

    @property
    def counts(self) -> tuple[tuple[str, int], ...]:
        """How many tokens were dealt with, by outcome."""
        counts = self._recognition.counts
        return (("cached", counts.cached), ("verified", counts.verified), ("refused", counts.refused),
                ("over_budget", counts.over_budget))

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
        cookies = self._of(app)
        return self._grant(session, asked_at, (cookies.write(cookies.handle, token.reveal(), max_age),))

    def recognise(self, app: str, cookie: bytes | None, address: str | None = "") -> Recognised:
        """Say who a browser is by its Cookie field, without I/O; None when it is nobody we know.

        `address` is the client's, which pays for what is wrong.
        """
        if cookie is None or OWN not in cookie:
            return None
        token, handle = (self._cookies.get(app) or self._of(app)).read(cookie)
        now = self._clock()
        if token is not None:
            known = self._recognition.at_hand(app, token, now)
            if known is not None:
                return known
        return self._look_closer(app, token, handle, now, address)

    def recognise_bearer(self, app: str, token: bytes, address: str | None = "") -> Recognised:
        """Say who a client is by an access token of ours in its Authorization field; None for any other token."""
        return self._look_closer(app, token, None, self._clock(), address)

    async def renew(self, app: str, due: Due) -> Issued | Known | Ended | Unexamined:
        """Return a fresh access token for a live session, or what clears the cookies of an ended one.

        The handle stays, so requests sent side by side may each renew. A right token stays as it is without a
        handle, while its address may not have one looked up, and as long as it is young: a worker that has just
        begun is in doubt about every one, and its row can take the doubt away.
        """
        asked_at = self._clock()
        seconds = self._handles.wait(due.address, asked_at)
        known = due.known
        if known is not None and (due.handle is None or seconds or asked_at < known.due_at):
            stands = self.holds(known) or await self.prove(known)
            return known if stands else Ended(fields=() if due.handle is None else self.cleared(app))
        if seconds:
            return Unexamined(seconds=seconds)
        assert due.handle is not None
        session = await self._looked_up(app, due.handle, due.address, asked_at)
        return (self._grant(session, asked_at) if session else None) or Ended(fields=self.cleared(app))

    async def current(self, app: str, cookie: bytes | None) -> Session | None:
        """Return the live session of a browser as its row has it now, for what must be exact."""
        _, handle = self._of(app).read(cookie or b"")
        digest = handle_digest(handle.decode("latin-1")) if handle else None
        return await self._store.live(app, digest) if digest else None

    async def end(self, app: str, cookie: bytes | None, reason: str) -> Fields:
        """End every session that a browser's cookies name and return what clears them; nothing if it sent none.

        Also a doubled cookie's: somebody else may have added one so that this browser's session lives on.
        """
        tokens, handles = (found[:MOST_COOKIES] for found in self._of(app).every(cookie))
        if not handles and not tokens:
            return ()
        now = self._clock()
        rows = [await self._store.live(app, digest) for digest in map(handle_digest, handles) if digest]
        read = [self._recognition.read(app, token.encode("latin-1"), now, "") for token in tokens]
        proven = {UUID(known.claims.sid) for known in read if isinstance(known, Known)}
        for ended in {row.id for row in rows if row} | proven:
            await self._end(ended, reason)
        return self.cleared(app)

    async def bar(self, session: Session, reason: str) -> Fields:
        """End one session whose user may not enter any more, and return what clears its cookies."""
        await self._end(session.id, reason)
        return self.cleared(session.app)

    def cleared(self, app: str) -> Fields:
        """Return what makes a browser forget its session."""
        cookies = self._of(app)
        return cookies.write(cookies.access, "", 0), cookies.write(cookies.handle, "", 0)

    def holds(self, known: Known) -> bool | None:
        """Say without waiting whether a session still stands; None when only its row can tell."""
        if self._endings.has(known):
            return False
        is_told = not self._endings.covers(known) and self._clock() < known.holds_until
        return True if is_told else None

    async def prove(self, known: Known) -> bool:
        """Ask the row whether a session stands; if so, it need not be asked again for the life of a token."""
        asked_at = self._clock()
        session = await self._store.find(UUID(known.claims.sid))
        if session is None:
            self._endings.end(known.claims.sid, asked_at)
            return False
        known.proven_at = max(known.proven_at, asked_at)
        ends = min(session.expires_at.timestamp(), asked_at + self._lifetimes.access.total_seconds())
        known.holds_until = max(known.holds_until, ends)
        return True

    def assertion(self, known: Known) -> str:
        """Sign what an app is told of a user."""
        claims = assertion(known.claims, token_id=self._token_id(), now=self._clock())
        return sign(claims, self._keyring.keyset.active, typ=ASSERTION)

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
        cookies = self._of(app)
        return cookies.write(cookies.device, token.reveal(), DEVICE_LIFE)

    def device(self, app: str, cookie: bytes | None) -> Secret | None:
        """Return the device token that a browser sent, not yet believed; None when it sent none, or two."""
        tokens = self._of(app).devices(cookie)
        return Secret(tokens[0]) if len(tokens) == 1 else None

    async def _looked_up(self, app: str, handle: bytes, address: str | None, now: float) -> Session | None:
        """Return the live session of a handle, for which `address` pays if there is none."""
        self._handles.spend(address, now)  # before the look, so that no parallel guess outruns the count
        try:
            session = await self._store.live(app, handle)
        except StoreUnavailable:
            self._handles.refund(address, now)
            raise
        if session is not None:
            self._handles.refund(address, now)
        return session

    def _look_closer(self, app: str, token: bytes | None, handle: bytes | None, now: float,
                     address: str | None) -> Recognised:
        """Say who somebody is whose token is not at hand, or old, or in doubt."""
        known = self._recognition.read(app, token, now, address) if token else None
        digest = handle_digest(handle.decode("latin-1")) if handle else None
        if isinstance(known, Unexamined):
            if digest is None:
                return known
            known = None  # the row can tell without a signature
        if known is not None and not self._endings.covers(known) and (digest is None or now < known.due_at):
            return known
        if digest is None and known is None:
            return None
        return Due(handle=digest, known=known, address=address)

    def _grant(self, session: Session, asked_at: float, also: Fields = ()) -> Issued | None:
        """Sign an access token that ends with its session at the latest; None when that is over."""
        now = self._clock()
        rest = int(session.expires_at.timestamp() - now)
        lifetime = min(int(self._lifetimes.access.total_seconds()), rest)
        if lifetime <= 0:
            return None
        is_told = session.app in self._told
        claims = build(
            issuer=self._issuer, account_id=session.account_id, app=session.app, session_id=session.id,
            token_id=self._token_id(), now=now, lifetime=lifetime,
            username=session.username if is_told else "", email=session.email if is_told else "",
        )
        token = sign(claims.as_mapping(), self._keyring.keyset.active)
        known = self._recognition.remember(token, claims, proven_at=asked_at, now=now)
        cookies = self._of(session.app)
        access = cookies.write(cookies.access, token, lifetime)
        return Issued(session=session, known=known, fields=(access, *also))

    async def _end(self, session_id: UUID, reason: str) -> None:
        await self._store.end(session_id, reason=reason)
        self._endings.end(str(session_id), self._clock())  # this worker need not wait for the notice

    def _of(self, app: str) -> AppCookies:
        cookies = self._cookies.get(app)
        if cookies is None:
            cookies = self._cookies[app] = AppCookies(app, is_secure=self._is_secure)
        return cookies

    def _token_id(self) -> str:
        return base64url(self._random(TOKEN_ID_BYTES))


class SessionStanding:
    """Is a session as a long-lived connection sees it."""

    __slots__ = ("_keeper", "_known")

    def __init__(self, keeper: SessionKeeper, known: Known) -> None:
        self._keeper = keeper
        self._known = known

    def holds(self) -> bool | None:
        """Say without waiting whether it still stands; None when only its row can tell."""
        return self._keeper.holds(self._known)

    async def ask(self) -> bool:
        """Ask the row; while the store is out, what stood goes on standing."""
        try:
            return await self._keeper.prove(self._known)
        except StoreUnavailable:
            return True
