"""Who somebody is by an access token, without I/O: from memory, else by its signature.

Owns what one worker remembers of tokens, and the bound on what wrong ones may cost it. Must not know cookies
or rows.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.accounts.budgets import Budgets
from gateway.accounts.keyring import Keyring
from gateway.accounts.memory import Endings, Known, RefusedTokens, VerifiedTokens
from gateway.tokens.claims import AccessClaims
from gateway.tokens.jwt import LONGEST_TOKEN, SKEW, InvalidToken, heads, verify
from gateway.tokens.keys import KeySet


@dataclass(frozen=True, slots=True, kw_only=True)
class Unexamined:
    """A token or handle that nobody looked at, since too many wrong ones came from its address.

    One may come again in `seconds`.
    """

    seconds: int


@dataclass(slots=True)
class Verifications:
    """Counts how tokens were dealt with."""

    cached: int = 0
    verified: int = 0
    refused: int = 0
    over_budget: int = 0


class Recognition:
    """Reads the access tokens of all apps of one worker; `clock` gives seconds since the epoch."""

    __slots__ = ("_budgets", "_heads", "_issuer", "_keyring", "_keyset", "_refused", "_verified", "counts", "endings")

    def __init__(self, keyring: Keyring, clock: Callable[[], float], issuer: str) -> None:
        self._budgets = Budgets()
        self.counts = Verifications()
        self.endings = Endings(since=clock())
        self._keyring = keyring
        self._issuer = issuer
        self._verified = VerifiedTokens()
        self._refused = RefusedTokens()
        self._keyset: KeySet | None = None
        self._heads: frozenset[bytes] = frozenset()

    def at_hand(self, app: str, token: bytes, now: float) -> Known | None:
        """Return whom a token is known to name beyond doubt and for long enough; for every request."""
        known = self._verified.recall(token, self._keyring.keyset)
        if known is None or now >= known.due_at or known.app != app or self.endings.covers(known):
            return None
        self.counts.cached += 1
        return known

    def read(self, app: str, token: bytes, now: float, address: str | None) -> Known | Unexamined | None:
        """Return whom a token names, if it is right, for this app, in its time, and not known to have ended.

        It may still be in doubt (`Endings.covers`). `address` pays for a wrong one.
        """
        if len(token) > LONGEST_TOKEN:
            return None  # not even worth a digest
        keyset = self._keyring.keyset
        known = self._verified.recall(token, keyset)
        if known is None:
            return self._verify(app, token, keyset, now, address)
        self.counts.cached += 1
        return known if known.app == app and now < known.dead_at and not self.endings.has(known) else None

    def remember(self, token: str, claims: AccessClaims, *, proven_at: float, now: float) -> Known:
        """Keep a token that was just signed here; `proven_at` is when the row was asked for it."""
        known = Known(claims=claims, proven_at=proven_at)
        self._verified.remember(token.encode("ascii"), known, self._keyring.keyset, now)
        return known

    def _verify(self, app: str, token: bytes, keyset: KeySet, now: float,
                address: str | None) -> Known | Unexamined | None:
        if token.partition(b".")[0] not in self._heads_of(keyset):
            return None  # an app's own, perhaps
        if self._refused.has(app, token, keyset):
            self.counts.refused += 1
            return None
        seconds = self._budgets.wait(address, now)
        if seconds:
            self.counts.over_budget += 1
            return Unexamined(seconds=seconds)
        try:
            claims = verify(token.decode("latin-1"), keyset, issuer=self._issuer, audience=app, now=now)
        except InvalidToken:
            self.counts.refused += 1
            self._refused.add(app, token, keyset)
            self._budgets.spend(address, now)
            return None
        self.counts.verified += 1
        known = Known(claims=claims, proven_at=claims.iat - SKEW)  # by a replica whose clock may be ahead
        self._verified.remember(token, known, keyset, now)
        return None if self.endings.has(known) else known

    def _heads_of(self, keyset: KeySet) -> frozenset[bytes]:
        if keyset is not self._keyset:
            self._keyset = keyset
            self._heads = frozenset(head.encode("ascii") for head in heads(keyset))
        return self._heads
