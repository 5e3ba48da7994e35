"""What the use cases do with a password: make, verify, recognise. Each costs one place in the hash pool.

Owns the keys of the digests that are kept beside passwords, all derived from one server key. Knows no
user, no source and no store; a password leaves here only as an argon2id string or a keyed digest.
"""

import hashlib
import hmac
from collections.abc import Callable
from uuid import UUID

from gateway.accounts.hashpool import HashPool
from gateway.hashing.argon2 import SALT, Argon2id
from gateway.hashing.scheme import Match, utf8
from gateway.hashing.swapper import Swapper
from gateway.model import Secret
from gateway.store.base import NewPassword
from gateway.tokens.envelope import KEY_BYTES, derive

LONGEST = 256
"""Code points of the longest password that is hashed; what a person types is shorter."""

HELD = Argon2id(memory_kib=19_456, passes=2, lanes=1)
"""Never to be changed: under other parameters every previous password would count as never held."""

HELD_LABEL = b"sluicegate previous password"
HELD_SALT_LABEL = b"sluicegate salt of previous passwords"
SEEN_LABEL = b"sluicegate legacy hash last seen"

DUMMY_SALT = bytes(SALT)


class PasswordHasher:
    """Turns passwords into what the store keeps, and compares them with it.

    `random(n)` returns n random bytes. `server_key` is 32 bytes that outlive every account: without it
    no previous password is recognised.
    """

    def __init__(self, *, pool: HashPool, argon2: Argon2id, swapper: Swapper, server_key: bytes,
                 random: Callable[[int], bytes]) -> None:
        if len(server_key) != KEY_BYTES:
            raise ValueError(f"the server key has {KEY_BYTES} bytes")
        self._pool = pool
        self._argon2 = argon2
        self._swapper = swapper
        self._random = random
        self._previous_key = derive(server_key, HELD_LABEL)
        self._salt_key = derive(server_key, HELD_SALT_LABEL)
        self._seen_key = derive(server_key, SEEN_LABEL)

    async def new(self, account_id: UUID, password: Secret) -> NewPassword:
        """Return an acceptable password as the account's store row will keep it."""
        salt = self._random(SALT)

        def job() -> NewPassword:
            return NewPassword(encoded=Secret(self._argon2.hash(password, salt=salt)),
                               held=self._held(account_id, password))

        return await self._pool.run(job)

    async def verify(self, encoded: Secret, password: Secret) -> Match:
        """Say what a password is to a store credential; STALE asks for a rehash."""
        return await self._pool.run(lambda: self._argon2.verify(encoded.reveal(), password))

    async def verify_legacy(self, encoded: Secret, password: Secret) -> Match:
        """Say what a password is to a legacy hash; FOREIGN is `unsupported_hash`."""
        return await self._pool.run(lambda: self._swapper.verify(encoded, password))

    async def held(self, account_id: UUID, password: Secret) -> bytes:
        """Return the digest (32 bytes) by which an account's previous passwords recognise this one."""
        return await self._pool.run(lambda: self._held(account_id, password))

    async def dummy(self, password: Secret) -> None:
        """Take as long as a verification, so that a denial without one cannot be told by its time.

        An unacceptable password costs the same as any other.
        """
        typed = password if is_acceptable(password) else Secret("")
        await self._pool.run(lambda: self._argon2.raw(typed, salt=DUMMY_SALT))

    def seen(self, encoded: Secret) -> bytes:
        """Return the digest (32 bytes) by which a legacy hash is recognised as the one last seen."""
        return _keyed(self._seen_key, encoded.reveal().encode("utf-8", "surrogatepass"))

    def _held(self, account_id: UUID, password: Secret) -> bytes:
        salt = _keyed(self._salt_key, account_id.bytes)[:SALT]
        return _keyed(self._previous_key, HELD.raw(password, salt=salt))


def is_acceptable(password: Secret) -> bool:
    """Say whether a password may be hashed at all: 1 to 256 code points that UTF-8 can encode."""
    return 1 <= len(password) <= LONGEST and utf8(password) is not None


def _keyed(key: bytes, value: bytes) -> bytes:
    return hmac.new(key, value, hashlib.sha256).digest()
