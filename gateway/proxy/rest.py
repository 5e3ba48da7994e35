"""Whether an address of an app is left alone for a while, since it accepted no connection.

Owns how long, and who tries again. Pure; the time is the caller's.
"""

import math

FIRST_REST_SECONDS = 1.0  # an app that restarts is back soon
LONGEST_REST_SECONDS = 30.0  # a machine that comes back serves within half a minute
GROWTH = 2.0


class Rest:
    """Is one address's rest: 1 s after a failed connect, and twice as long after each further one, up to 30 s.

    When it is over, one request tries the address; for the others it rests on until that has ended, so that
    a machine which does not even refuse delays one of them, not all.
    """

    __slots__ = ("_is_tried", "_seconds", "_until", "since")

    def __init__(self) -> None:
        self._seconds = 0.0
        self._until = -math.inf
        self._is_tried = False
        self.since = -math.inf

    def is_on(self, now: float) -> bool:
        """Say whether the address rests."""
        return now < self._until

    def try_again(self, now: float, seconds: float) -> None:
        """Learn that a connect begins, which takes so many seconds at most."""
        if self._seconds and not self.is_on(now):
            self.since, self._until = now, now + seconds
            self._is_tried = True

    def begin(self, now: float) -> bool:
        """Learn that a connect failed, and say whether a rest begins with it.

        Of many that fail at once, and of those that come during a rest because all addresses do, none makes
        it longer.
        """
        if self.is_on(now) and not self._is_tried:
            return False
        self._seconds = min(self._seconds * GROWTH or FIRST_REST_SECONDS, LONGEST_REST_SECONDS)
        self.since, self._until = now, now + self._seconds
        self._is_tried = False
        return True

    def end(self) -> None:
        """Learn that a connect succeeded."""
        self._seconds = 0.0
        self._until = self.since = -math.inf
        self._is_tried = False
