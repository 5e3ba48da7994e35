"""What a worker remembers of tokens: which were right, which were not, and what has ended since. Pure.

Owns three bounded memories. Must not know cookies, the store or how notices arrive: time comes in.
"""

import hashlib
import math

from gateway.tokens.claims import LONGEST_LIFE, AccessClaims
from gateway.tokens.jwt import SKEW
from gateway.tokens.keys import KeySet
from gateway.tokens.sessions import due_at

VERIFIED_TOKENS = 16_384  # about 2 KiB each; more browsers than one worker serves within 15 minutes
REFUSED_TOKENS = 16_384  # about 150 bytes each; a client that sends a wrong one sends it again and again
ENDINGS = 65_536  # about 200 bytes each; an attack or a mass logout makes more, and then rows are read

# The longest that a token can claim what has ended: its life, and the skew of both clocks.
REMEMBERED = LONGEST_LIFE + 2 * SKEW


class Known:
    """Is a browser or client whose token is right, as a worker remembers it from request to request.

    `proven_at` is since when (this worker's clock) the claims are known to have been true; asking the row
    moves it on, and so does it `holds_until`, before which a long-lived connection need not ask. From `due_at`
    on the token should be renewed, from `dead_at` on it is worth nothing. `kept` is what its user keeps with
    it until `kept_until`, so that it need not be made for every request.
    """

    __slots__ = ("app", "claims", "dead_at", "due_at", "holds_until", "kept", "kept_until", "proven_at")

    def __init__(self, *, claims: AccessClaims, proven_at: float) -> None:
        self.app = claims.aud
        self.claims = claims
        self.proven_at = proven_at
        self.due_at = due_at(claims)
        self.dead_at: float = claims.exp + SKEW
        self.holds_until: float = claims.exp
        self.kept: object = None
        self.kept_until = -math.inf


class VerifiedTokens:
    """Remembers which tokens were verified, as long as the keys stay the same.

    A signature costs 150 µs, this 0.2. Expired ones go, and the oldest when it is full: those are verified
    again.
    """

    __slots__ = ("_keyset", "_longest", "_tokens")

    def __init__(self, longest: int = VERIFIED_TOKENS) -> None:
        self._longest = longest
        self._keyset: KeySet | None = None
        self._tokens: dict[bytes, Known] = {}

    def __len__(self) -> int:
        return len(self._tokens)

    def recall(self, token: bytes, keyset: KeySet) -> Known | None:
        """Return what a token was verified to say under these keys."""
        return self._tokens.get(token) if keyset is self._keyset else None

    def remember(self, token: bytes, known: Known, keyset: KeySet, now: float) -> None:
        """Keep what a token says; other keys than before empty the memory."""
        if keyset is not self._keyset:
            self._tokens.clear()
            self._keyset = keyset
        self._forget(now)
        self._tokens[token] = known

    def _forget(self, now: float) -> None:
        while self._tokens:
            oldest, known = next(iter(self._tokens.items()))
            if len(self._tokens) < self._longest and now < known.dead_at:
                return
            del self._tokens[oldest]


class RefusedTokens:
    """Remembers which tokens were wrong for an app, as long as the keys stay the same; the oldest go first."""

    __slots__ = ("_keyset", "_longest", "_tokens")

    def __init__(self, longest: int = REFUSED_TOKENS) -> None:
        self._longest = longest
        self._keyset: KeySet | None = None
        self._tokens: dict[tuple[str, bytes], None] = {}

    def __len__(self) -> int:
        return len(self._tokens)

    def has(self, app: str, token: bytes, keyset: KeySet) -> bool:
        """Say whether a token was refused under these keys."""
        return keyset is self._keyset and (app, hashlib.sha256(token).digest()) in self._tokens

    def add(self, app: str, token: bytes, keyset: KeySet) -> None:
        """Remember a refusal; other keys than before empty the memory."""
        if keyset is not self._keyset:
            self._tokens.clear()
            self._keyset = keyset
        elif len(self._tokens) >= self._longest:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[app, hashlib.sha256(token).digest()] = None


class Endings:
    """Remembers what has ended for as long as a token could claim otherwise. Times are this worker's.

    What must be forgotten early, because there is too much of it, is covered by distrusting whatever was
    proven before it: then rows are read, and nothing ended comes back.
    """

    __slots__ = ("_distrusted", "_ended", "_longest")

    def __init__(self, *, since: float, longest: int = ENDINGS) -> None:
        self._longest = longest
        self._distrusted = since  # what ended before this worker began was never told to it
        self._ended: dict[str, float] = {}  # a session's or an account's id, oldest ending first

    def __len__(self) -> int:
        return len(self._ended)

    def end(self, ended: str, now: float) -> None:
        """Note that a session, or all sessions of an account so far, have ended."""
        self._ended.pop(ended, None)
        self._ended[ended] = now
        self._forget(now)

    def distrust(self, now: float) -> None:
        """Note that endings may have been missed until now."""
        self._distrusted = max(self._distrusted, now)

    def covers(self, known: Known) -> bool:
        """Say whether a token's claims may have ended since they were proven."""
        return known.proven_at <= self._distrusted or self.has(known)

    def has(self, known: Known) -> bool:
        """Say whether a session is known to have ended. One that did stays so; an account may have logged in again."""
        claims = known.claims
        return claims.sid in self._ended or known.proven_at <= self._ended.get(claims.sub, -math.inf)

    def _forget(self, now: float) -> None:
        while self._ended:
            oldest, ended_at = next(iter(self._ended.items()))
            if len(self._ended) > self._longest:
                self.distrust(ended_at)
            elif now - ended_at <= REMEMBERED:
                return
            del self._ended[oldest]
