"""What a worker remembers of tokens: which it has verified, and what has ended since. Pure.

Owns two bounded memories. Must not know cookies, the store or how notices arrive: time comes in.
"""

import hashlib
import math
from dataclasses import dataclass

from gateway.tokens.claims import LONGEST_LIFE, AccessClaims
from gateway.tokens.jwt import SKEW
from gateway.tokens.keys import KeySet

VERIFIED_TOKENS = 16_384  # about 1 KiB each; more browsers than one worker serves within 15 minutes
ENDINGS = 65_536  # about 200 bytes each; an attack or a mass logout makes more, and then rows are read

# The longest that a token can claim what has ended: its life, and the skew of both clocks.
REMEMBERED = LONGEST_LIFE + 2 * SKEW


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A token's claims, and since when (this worker's clock) they are known to have been true."""

    claims: AccessClaims
    proven_at: float


class VerifiedTokens:
    """Remembers which tokens were verified, by their SHA-256, as long as the keys stay the same.

    A signature costs 150 µs, this 1 µs. Expired ones go, and the oldest when it is full: those are verified
    again.
    """

    __slots__ = ("_keyset", "_longest", "_tokens")

    def __init__(self, longest: int = VERIFIED_TOKENS) -> None:
        self._longest = longest
        self._keyset: KeySet | None = None
        self._tokens: dict[bytes, Verified] = {}

    def __len__(self) -> int:
        return len(self._tokens)

    def recall(self, token: str, keyset: KeySet) -> Verified | None:
        """Return what a token was verified to say under these keys."""
        return self._tokens.get(_digest(token)) if keyset is self._keyset else None

    def remember(self, token: str, verified: Verified, keyset: KeySet, now: float) -> None:
        """Keep what a token says; other keys than before empty the memory."""
        if keyset is not self._keyset:
            self._tokens.clear()
            self._keyset = keyset
        self._forget(now)
        self._tokens[_digest(token)] = verified

    def _forget(self, now: float) -> None:
        while self._tokens:
            oldest, verified = next(iter(self._tokens.items()))
            if len(self._tokens) < self._longest and now < verified.claims.exp + SKEW:
                return
            del self._tokens[oldest]


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

    def covers(self, verified: Verified) -> bool:
        """Say whether a token's claims may have ended since they were proven.

        A session that ended stays so; an account may have logged in again since.
        """
        claims, proven_at = verified.claims, verified.proven_at
        if proven_at <= self._distrusted or claims.sid in self._ended:
            return True
        return proven_at <= self._ended.get(claims.sub, -math.inf)

    def _forget(self, now: float) -> None:
        while self._ended:
            oldest, ended_at = next(iter(self._ended.items()))
            if len(self._ended) > self._longest:
                self.distrust(ended_at)
            elif now - ended_at <= REMEMBERED:
                return
            del self._ended[oldest]


def _digest(token: str) -> bytes:
    """Return the key of a token; a Cookie field's value is Latin-1, whatever was sent."""
    return hashlib.sha256(token.encode("latin-1")).digest()
