"""Request ids: what ties a log line, an app's log and a page that a person sees to one request.

Owns nothing but a buffer of randomness.
"""

from collections.abc import Callable

ID_BYTES = 16  # 128 bit: no two requests share one, and nobody guesses another's
BUFFERED_IDS = 256  # one call of os.urandom (a system call) serves so many requests


class RequestIds:
    """Hands out request ids of 32 hexadecimal digits; `entropy` is os.urandom or a test's stand-in."""

    __slots__ = ("_digits", "_entropy", "_position")

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self._digits = b""
        self._position = 0

    def take(self) -> bytes:
        """Return an id that was never returned before."""
        if self._position >= len(self._digits):
            self._digits = self._entropy(ID_BYTES * BUFFERED_IDS).hex().encode("ascii")
            self._position = 0
        start = self._position
        self._position = start + 2 * ID_BYTES
        return self._digits[start:self._position]
