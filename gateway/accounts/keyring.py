"""The gateway's keys in memory, opened: the signing keys of the moment and the server key.

Owns the way between a signing key and its sealed row, and the server key. Must not know SQL, nor what the
keys are used for.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from gateway.errors import ConfigurationError
from gateway.store.base import Keys, StoredKey
from gateway.tokens.envelope import KEY_BYTES, NONCE_BYTES, KeyEncryptionKey, Tampered, WrongKey, derive
from gateway.tokens.keys import ALGORITHM, KeySet, KeyState, SigningKey, from_private_bytes, generate, stage

SERVER_KEY = "server-key"  # the purpose under which the store keeps it
SIGNING_KEY = "signing-key"

WRONG_KEY = (
    "keys.encryption_key is not the key under which this store's keys were sealed: give the former one back"
)
DAMAGED = "a sealed key in the store does not open, it was damaged or moved: restore it from a backup"
UNKNOWN_KIND = "the store holds a signing key that this version does not know: run the version that made it"
NO_SIGNER = "the store does not hold exactly one active signing key: restore its keys from a backup"


class Keyring:
    """Holds the opened keys. `load` once before use; a `keys` notice asks for `reload`.

    `clock` gives seconds since the epoch, `random` that many bytes from a cryptographic source. Keys that
    cannot be opened or understood raise `ConfigurationError`; what was held before stays.
    """

    __slots__ = ("_clock", "_kek", "_keyset", "_random", "_server_key", "_store", "_stored")

    def __init__(
        self,
        store: Keys,
        kek: KeyEncryptionKey,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._kek = kek
        self._clock = clock
        self._random = random
        self._keyset: KeySet | None = None
        self._server_key = b""
        self._stored: tuple[StoredKey, ...] = ()

    async def load(self) -> None:
        """Read all keys, making those that are missing, and the server key."""
        self._take(await self._store.ensure(self._missing))
        sealed = await self._store.secret(SERVER_KEY, self._new_server_key)
        self._server_key = self._open(sealed, SERVER_KEY)

    async def reload(self) -> None:
        """Read the signing keys again."""
        self._take(await self._store.all())

    @property
    def keyset(self) -> KeySet:
        """The signing keys; another object after each change."""
        if self._keyset is None:
            raise RuntimeError("the keyring was not loaded")
        return self._keyset

    @property
    def stored(self) -> tuple[StoredKey, ...]:
        """The rows behind `keyset`, for those who show states and ages."""
        return self._stored

    @property
    def server_key(self) -> bytes:
        """The 32 bytes that key every digest in the store; the same on every replica, for ever."""
        if not self._server_key:
            raise RuntimeError("the keyring was not loaded")
        return self._server_key

    def derive(self, label: bytes) -> bytes:
        """Return the server key's 32-byte sub-key for one purpose."""
        return derive(self.server_key, label)

    def _take(self, stored: Sequence[StoredKey]) -> None:
        if tuple(stored) == self._stored:
            return  # the same keys stay the same object, so that verified tokens stay remembered
        keys = tuple(self._opened(row) for row in stored)
        try:
            self._keyset = KeySet(keys)
        except ValueError:
            raise ConfigurationError(NO_SIGNER) from None
        self._stored = tuple(stored)

    def _missing(self, existing: Sequence[StoredKey]) -> Sequence[StoredKey]:
        """Return the keys to add. Opening the existing ones first keeps a wrong key from adding its own."""
        keys = [self._opened(row) for row in existing]
        return [self._sealed(key) for key in stage(keys, lambda state: generate(state, self._random))]

    def _sealed(self, key: SigningKey) -> StoredKey:
        now = datetime.fromtimestamp(self._clock(), UTC)
        return StoredKey(
            kid=key.kid,
            algorithm=key.algorithm,
            state=key.state,
            public_jwk=key.public_jwk,
            sealed_private=self._seal(key.private_bytes(), f"{SIGNING_KEY}:{key.kid}"),
            created_at=now,
            activated_at=now if key.state is KeyState.ACTIVE else None,
        )

    def _opened(self, row: StoredKey) -> SigningKey:
        try:
            state = KeyState(row.state)
        except ValueError:
            raise ConfigurationError(UNKNOWN_KIND) from None
        if row.algorithm != ALGORITHM:
            raise ConfigurationError(UNKNOWN_KIND)
        return from_private_bytes(self._open(row.sealed_private, f"{SIGNING_KEY}:{row.kid}"), state)

    def _new_server_key(self) -> bytes:
        return self._seal(self._random(KEY_BYTES), SERVER_KEY)

    def _seal(self, plain: bytes, context: str) -> bytes:
        return self._kek.seal(plain, context=context.encode(), nonce=self._random(NONCE_BYTES))

    def _open(self, sealed: bytes, context: str) -> bytes:
        with _explained():
            return self._kek.open(sealed, context=context.encode())


@contextmanager
def _explained() -> Iterator[None]:
    """Translate what an envelope says into what the operator must do."""
    try:
        yield
    except WrongKey:
        raise ConfigurationError(WRONG_KEY) from None
    except Tampered:
        raise ConfigurationError(DAMAGED) from None
