"""Argon2 (RFC 9106): reads PHC strings of all three variants, and writes the one scheme of the new store.

Owns the parameters that new hashes get and the judgement that an older one is weaker. Randomness comes in
as the salt.
"""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret, hash_secret_raw

from gateway.errors import Overloaded
from gateway.hashing.scheme import ARGON2_BOUND, MAX_ENCODED, Cost, Match, Reading, compare, utf8
from gateway.model import Secret

# Without v= a string is of version 16, as libargon2 wrote before it had a name for versions.
PHC = re.compile(
    r"\$argon2(?P<variant>id|i|d)(?:\$v=(?P<version>16|19))?"
    r"\$m=(?P<memory>[1-9][0-9]*),t=(?P<passes>[1-9][0-9]*),p=(?P<lanes>[1-9][0-9]*)"
    r"\$(?P<salt>[A-Za-z0-9+/]+)\$(?P<tag>[A-Za-z0-9+/]+)")
VARIANTS = {"d": Type.D, "i": Type.I, "id": Type.ID}
FIRST_VERSION = 16
VERSION = 19

MIN_SALT = 8
"""Bytes; RFC 9106 3.1 allows less, libargon2 does not."""
MIN_TAG = 12
"""Bytes; RFC 9106 3.1 allows 4, which every four-billionth password opens; the PHC format demands 12."""
KIB_PER_LANE = 8
"""RFC 9106 3.1: at least this much memory per lane."""

SALT = 16
"""Bytes of a new salt (RFC 9106 section 4)."""
TAG = 32
"""Bytes of a new tag (RFC 9106 section 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phc:
    """One well-formed PHC string."""

    variant: Type
    version: int
    cost: Cost
    salt: bytes = field(repr=False)
    tag: bytes = field(repr=False)

    @property
    def reading(self) -> Reading:
        """What the string says in the words of the contract."""
        return Reading(cost=self.cost, derive=self._derived, expected=self.tag)

    def _derived(self, password: bytes) -> bytes:
        return _computed(lambda: hash_secret_raw(
            password, self.salt, time_cost=self.cost.rounds, memory_cost=self.cost.memory_kib,
            parallelism=self.cost.lanes, hash_len=len(self.tag), type=self.variant, version=self.version))


def parse_phc(encoded: str) -> Phc | None:
    """Return what a PHC string says, or None when libargon2 would refuse it or its tag is too short."""
    match = PHC.fullmatch(encoded)
    if match is None:
        return None
    salt, tag = _unpadded(match["salt"]), _unpadded(match["tag"])
    cost = Cost(rounds=int(match["passes"]), memory_kib=int(match["memory"]), lanes=int(match["lanes"]))
    if len(salt) < MIN_SALT or len(tag) < MIN_TAG or cost.memory_kib < KIB_PER_LANE * cost.lanes:
        return None
    return Phc(variant=VARIANTS[match["variant"]], version=int(match["version"] or FIRST_VERSION),
               cost=cost, salt=salt, tag=tag)


def parse_argon2(encoded: str) -> Reading | None:
    """Read a PHC string as a legacy scheme's."""
    phc = parse_phc(encoded)
    return phc.reading if phc else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Argon2id:
    """The scheme of the new store with the parameters that new hashes get.

    The defaults are OWASP's first choice, 25 ms on one core; the most that may be set is the second
    choice of RFC 9106 section 4.
    """

    memory_kib: int = 19_456
    passes: int = 2
    lanes: int = 1

    def __post_init__(self) -> None:
        if not (1 <= self.passes <= 3 and 1 <= self.lanes <= 4
                and KIB_PER_LANE * self.lanes <= self.memory_kib <= 65_536):
            raise ValueError("argon2id takes 8 KiB per lane to 65536 KiB, 1 to 3 passes, 1 to 4 lanes")

    @property
    def cost(self) -> Cost:
        """What one hash takes."""
        return Cost(rounds=self.passes, memory_kib=self.memory_kib, lanes=self.lanes)

    def hash(self, password: Secret, *, salt: bytes) -> str:
        """Return the PHC string of a password under a fresh salt of `SALT` bytes."""
        typed = _exact(password)
        return _computed(lambda: hash_secret(
            typed, salt, time_cost=self.passes, memory_cost=self.memory_kib, parallelism=self.lanes,
            hash_len=TAG, type=Type.ID)).decode()

    def raw(self, password: Secret, *, salt: bytes) -> bytes:
        """Return the bare tag, `TAG` bytes, of a password under a given salt."""
        typed = _exact(password)
        return _computed(lambda: hash_secret_raw(
            typed, salt, time_cost=self.passes, memory_cost=self.memory_kib, parallelism=self.lanes,
            hash_len=TAG, type=Type.ID))

    def verify(self, encoded: str, password: Secret) -> Match:
        """Say what the password is to a PHC string; STALE when that is weaker than these parameters."""
        phc = parse_phc(encoded) if len(encoded) <= MAX_ENCODED else None
        if phc is None or not phc.cost.is_within(ARGON2_BOUND):
            return Match.FOREIGN
        match = compare(phc.reading, password)
        return Match.STALE if match is Match.YES and self._is_weaker(phc) else match

    def _is_weaker(self, phc: Phc) -> bool:
        return (phc.variant is not Type.ID or phc.version < VERSION or not self.cost.is_within(phc.cost)
                or len(phc.salt) < SALT or len(phc.tag) < TAG)


def _exact(password: Secret) -> bytes:
    typed = utf8(password)
    if typed is None:
        raise ValueError("the password cannot be encoded as UTF-8")
    return typed


def _computed(work: Callable[[], bytes]) -> bytes:
    """Run libargon2; parameters were checked before, so what is left to fail is memory or a thread."""
    try:
        return work()
    except HashingError as error:
        raise Overloaded("there is no memory or thread for argon2") from error


def _unpadded(text: str) -> bytes:
    """Decode base64 without padding; empty when no encoder writes that text."""
    if len(text) % 4 == 1:
        return b""
    value = base64.b64decode(text + "=" * (-len(text) % 4))
    return value if base64.b64encode(value).rstrip(b"=") == text.encode() else b""
