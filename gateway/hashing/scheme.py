"""The contract of a hash scheme: what a string of it says, what verifying costs, what it may cost.

Owns the order of work: read the string, weigh its cost against the bound, and only then hash. So nobody
who can write a hash into a legacy table can make one login take all memory or an hour. A scheme is a
function that reads a string and a row in `gateway.hashing.swapper.SCHEMES`; it never sees a user, a store
or a clock, and it verifies only: the one scheme that is ever written is `gateway.hashing.argon2.Argon2id`.
"""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.model import Secret

MAX_ENCODED = 1024
"""Characters of an encoded string: the longest real ones have some 250."""


class Match(StrEnum):
    """What a password is to an encoded string."""

    NO = "no"
    YES = "yes"
    STALE = "stale"
    """Right, but the string is weaker than what is written today."""
    FOREIGN = "foreign"
    """Nothing was computed: the string is of no known scheme, malformed, or beyond the bounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one verification takes.

    `rounds` counts what the scheme counts: iterations of PBKDF2, passes of Argon2, key set-ups of bcrypt
    (2 to the power of its cost). `memory_kib` is held for as long as it runs.
    """

    rounds: int = 1
    memory_kib: int = 0
    lanes: int = 1

    def is_within(self, bound: "Cost") -> bool:
        """Say whether none of the three exceeds the bound's."""
        return (self.rounds <= bound.rounds and self.memory_kib <= bound.memory_kib
                and self.lanes <= bound.lanes)


# The dearest verification that is ever begun. Each is above what any application writes by default, and
# takes a few seconds at most. Lanes of scrypt multiply its time, lanes of Argon2 are threads.
PLAIN_BOUND = Cost()
PBKDF2_BOUND = Cost(rounds=10_000_000)
BCRYPT_BOUND = Cost(rounds=2**16)
SCRYPT_BOUND = Cost(memory_kib=256 * 1024, lanes=16)
ARGON2_BOUND = Cost(rounds=10, memory_kib=256 * 1024, lanes=16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one well-formed encoded string says.

    `derive` turns a password (UTF-8) into what `expected` is for the right one. Within the bounds it
    returns for every password; it raises `gateway.errors.Overloaded` alone, when memory is short.
    """

    cost: Cost = PLAIN_BOUND
    derive: Callable[[bytes], bytes] = field(repr=False)
    expected: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """One way in which a legacy application encodes passwords.

    `shape` matches the beginning of its strings and of no other scheme's. `parse` returns what a string
    of that shape says, or None when it is malformed; it computes nothing.
    """

    name: str
    shape: re.Pattern[str]
    parse: Callable[[str], Reading | None]
    bound: Cost = PLAIN_BOUND

    def identify(self, encoded: str) -> bool:
        """Say whether the string claims to be of this scheme."""
        return self.shape.match(encoded) is not None

    def read(self, encoded: str) -> Reading | None:
        """Return what the string says, or None when it is malformed or beyond the bounds."""
        if len(encoded) > MAX_ENCODED or not self.identify(encoded):
            return None
        reading = self.parse(encoded)
        return reading if reading and reading.cost.is_within(self.bound) else None

    def verify(self, encoded: str, password: Secret) -> Match:
        """Say what the password is to the string; takes the time that its cost says."""
        reading = self.read(encoded)
        if reading is None:
            return Match.FOREIGN
        return compare(reading, password)


def compare(reading: Reading, password: Secret) -> Match:
    """Derive and compare in constant time; what UTF-8 cannot encode was never anybody's password."""
    typed = utf8(password)
    if typed is None:
        return Match.NO
    return Match.YES if hmac.compare_digest(reading.derive(typed), reading.expected) else Match.NO


def utf8(password: Secret) -> bytes | None:
    """Return the exact bytes of a password, or None where it holds lone surrogates.

    The codec's own exception would carry the password in its attributes and text.
    """
    try:
        return password.reveal().encode()
    except UnicodeEncodeError:
        return None
