"""The gateway's own question to the legacy side: is this the password of that user?

Owns the one way in which a source is asked: through its breaker, within its time, each answer observed.
A source that shows hashes is verified here; a source that takes passwords decides itself. Knows nothing
of accounts, except the digest of a legacy hash that was seen before.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from adapters.base import AdapterError, AdapterUnavailable, HashSource, LegacyRow, PasswordSource
from gateway.accounts.breaker import Breaker
from gateway.accounts.passwords import PasswordHasher, is_acceptable
from gateway.errors import LegacyUnavailable
from gateway.hashing.scheme import Match
from gateway.model import LegacyUser, Outcome, Secret

ABSENCES = frozenset({Outcome.UNAVAILABLE, Outcome.TIMEOUT})
"""What makes a source rest. One user's row or page can be misread every time, and the others still be served."""

Observe = Callable[[str, Outcome, float], None]
"""Is told of each question: source, outcome, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """The legacy side's yes: who it is, and the digest of the hash that said so, if one was shown."""

    user: LegacyUser
    legacy_seen: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsure:
    """The legacy side knows who it is and lets nobody in: it says nothing of the password, or has a hindrance."""

    outcome: Outcome
    legacy_id: str


Heard = Right | Unsure | Outcome


class Question:
    """Asks one source. Raises `LegacyUnavailable` when there is no answer, `Overloaded` under load."""

    def __init__(
        self,
        source: str,
        adapter: PasswordSource | HashSource,
        hasher: PasswordHasher,
        *,
        timeout: float,
        clock: Callable[[], float],
        observe: Observe,
    ) -> None:
        self.source = source
        self.breaker = Breaker(clock)
        self._adapter = adapter
        self._hasher = hasher
        self._timeout = timeout
        self._clock = clock
        self._observe = observe

    async def ask(self, login: str, password: Secret, *, unless_seen: bytes | None = None) -> Heard:
        """Ask whether `password` is right for `login`.

        One that no account can have is not tried: of a source that shows hashes the answer is whose it would
        be, and one that takes passwords is not asked.

        A hash with the digest `unless_seen` counts as wrong without being tried: lenient old schemes
        open with variants of the one password that it was made from.
        """
        if not isinstance(self._adapter, HashSource) and not is_acceptable(password):
            return Outcome.WRONG_PASSWORD
        started = self._clock()
        told = await self._call(login, password)
        seconds = self._clock() - started
        answer = await self._verify(told, password, unless_seen) if isinstance(told, LegacyRow) else told
        self._observe(self.source, _heard_as(answer), seconds)
        return answer

    async def seen_hash(self, login: str, password: Secret, *, known: bytes | None) -> bytes | None:
        """Return the digest of the hash that now opens with a proven password, if it is another than `known`.

        Applications rehash rows by themselves at a login. None: unchanged, or not to be seen now. Nobody
        waits for this look, so it neither counts for the breaker nor takes a recovering source's one try.
        """
        row = await self._row(login)
        if row is None:
            return None
        answer = await self._verify(row, password, known)
        return answer.legacy_seen if isinstance(answer, Right) else None

    async def look(self, login: str) -> LegacyUser | None:
        """Return who has this name, with what speaks against them; None when it cannot be seen now."""
        row = await self._row(login)
        return row.user if row else None

    async def _row(self, login: str) -> LegacyRow | None:
        """Return a row without counting for the breaker."""
        if not isinstance(self._adapter, HashSource) or self.breaker.is_open:
            return None
        try:
            async with asyncio.timeout(self._timeout):
                row = await self._adapter.fetch(login)
        except (AdapterError, TimeoutError):
            return None
        return row if isinstance(row, LegacyRow) else None

    async def _verify(self, row: LegacyRow, password: Secret, unless_seen: bytes | None) -> Heard:
        if not is_acceptable(password):
            return Unsure(outcome=Outcome.WRONG_PASSWORD, legacy_id=row.user.legacy_id)
        seen = self._hasher.seen(row.encoded_hash)
        if seen == unless_seen:
            return Outcome.WRONG_PASSWORD
        match await self._hasher.verify_legacy(row.encoded_hash, password):
            case Match.FOREIGN:
                return Unsure(outcome=Outcome.UNSUPPORTED_HASH, legacy_id=row.user.legacy_id)
            case Match.NO:
                return Outcome.WRONG_PASSWORD
            case Match.YES | Match.STALE:
                return _let_in(row.user, seen)

    async def _call(self, login: str, password: Secret) -> Heard | LegacyRow:
        """Put one question through the breaker and the time limit."""
        if not self.breaker.lets_through():
            self._observe(self.source, Outcome.UNAVAILABLE, 0.0)
            raise LegacyUnavailable(f"source {self.source} is resting after repeated failures")
        started = self._clock()
        try:
            async with asyncio.timeout(self._timeout):
                answer = await _put(self._adapter, login, password)
        except (AdapterError, TimeoutError) as error:
            outcome = _outcome_of(error)
            if outcome in ABSENCES:
                self.breaker.failed()
            self._observe(self.source, outcome, self._clock() - started)
            raise LegacyUnavailable(f"source {self.source} could not be asked: {_reason_of(error)}") from error
        self.breaker.answered()
        return answer


async def _put(adapter: PasswordSource | HashSource, login: str, password: Secret) -> Heard | LegacyRow:
    if isinstance(adapter, HashSource):
        return await adapter.fetch(login)
    answer = await adapter.authenticate(login, password)
    return answer if isinstance(answer, Outcome) else _let_in(answer, None)


def _let_in(user: LegacyUser, seen: bytes | None) -> Right | Unsure:
    """The password is right, and there may be a hindrance all the same."""
    if user.hindrance is not None:
        return Unsure(outcome=user.hindrance, legacy_id=user.legacy_id)
    return Right(user=user, legacy_seen=seen)


def _heard_as(answer: Heard) -> Outcome:
    match answer:
        case Right():
            return Outcome.RIGHT
        case Unsure():
            return answer.outcome
        case _:
            return answer


def _outcome_of(error: AdapterError | TimeoutError) -> Outcome:
    if isinstance(error, AdapterUnavailable):
        return error.outcome
    return Outcome.TIMEOUT if isinstance(error, TimeoutError) else Outcome.PROTOCOL_ERROR


def _reason_of(error: AdapterError | TimeoutError) -> str:
    return str(error) if isinstance(error, AdapterError) else "it did not answer in time"
