"""A circuit breaker: after a few failures in a row a source is left alone for a while. Pure.

States and transitions after M. Nygard, "Release It!", chapter 5: closed, open, half-open.
"""

from collections.abc import Callable

FAILURES = 5  # in a row; more than a hiccup, fewer than a user's patience
REST_SECONDS = 5.0  # a source that came back is asked again within this time


class Breaker:
    """Says whether a source may be asked; one question at a time goes through while it is recovering."""

    __slots__ = ("_clock", "_failures", "_rests_until")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._rests_until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the last questions failed and no answer has come since."""
        return self._failures >= FAILURES

    def lets_through(self) -> bool:
        """Say whether a question may be asked now; in half-open state this admits exactly one per rest."""
        if not self.is_open:
            return True
        now = self._clock()
        if now < self._rests_until:
            return False
        self._rests_until = now + REST_SECONDS
        return True

    def answered(self) -> None:
        """Close: the source gave an answer, whatever it was."""
        self._failures = 0

    def failed(self) -> None:
        """Count a question that got no answer."""
        self._failures += 1
        if self.is_open:
            self._rests_until = self._clock() + REST_SECONDS
