"""What the use cases do with a password, with a real pool and small parameters."""

import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Callable
from itertools import count
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id as OpenSslArgon2id

from gateway.accounts.hashpool import HashPool
from gateway.accounts.passwords import HELD_LABEL, HELD_SALT_LABEL, SEEN_LABEL, PasswordHasher, is_acceptable
from gateway.accounts.throttle import COUNTER_LABEL, DEVICE_LABEL
from gateway.hashing.argon2 import Argon2id
from gateway.hashing.scheme import Match
from gateway.hashing.swapper import Swapper
from gateway.model import Secret

SMALL = Argon2id(memory_kib=32, passes=2)
SERVER_KEY = bytes(range(32))
ALICE, BOB = UUID(int=1), UUID(int=2)
PASSWORD = Secret("Zażółć-gęślą-15€")
LEGACY = Secret("pbkdf2_sha256$100$seasalt2seasalt2seasal$fCMvPN7+LsUOuZXWp1jwQdFkBeiJKX96mOKVC1lypZo=")

Make = Callable[..., PasswordHasher]


@pytest.fixture
def jobs() -> list[float]:
    """The CPU seconds of each job that the pool did."""
    return []


@pytest.fixture
async def make(jobs: list[float]) -> AsyncIterator[Make]:
    """Make hashers over one pool; their randomness counts up."""
    pool = HashPool(threads=1, queue=4, clock=time.process_time, on_job=lambda _, run: jobs.append(run))
    async with pool:
        numbers = count(1)

        def hasher(*, argon2: Argon2id = SMALL, server_key: bytes = SERVER_KEY) -> PasswordHasher:
            return PasswordHasher(pool=pool, argon2=argon2, swapper=Swapper(), server_key=server_key,
                                  random=lambda length: bytes([next(numbers)]) * length)

        yield hasher


async def test_a_new_password_is_verified(make: Make) -> None:
    """What is made of a password is opened by it and by no other."""
    hasher = make()
    new = await hasher.new(ALICE, PASSWORD)
    assert new.encoded.reveal().startswith("$argon2id$v=19$m=32,t=2,p=1$")
    assert await hasher.verify(new.encoded, PASSWORD) is Match.YES
    assert await hasher.verify(new.encoded, Secret("another")) is Match.NO


async def test_each_encoding_has_its_own_salt(make: Make) -> None:
    """The same password of the same account is never encoded alike; the salt is the given randomness."""
    hasher = make()
    first, second = await hasher.new(ALICE, PASSWORD), await hasher.new(ALICE, PASSWORD)
    assert first.encoded.reveal() == SMALL.hash(PASSWORD, salt=b"\x01" * 16)
    assert second.encoded.reveal() == SMALL.hash(PASSWORD, salt=b"\x02" * 16)


async def test_an_old_encoding_is_stale(make: Make) -> None:
    """What was made under weaker parameters asks to be renewed, and what was made under stronger does not."""
    weaker, stronger = make(), make(argon2=Argon2id(memory_kib=64, passes=2))
    assert await stronger.verify((await weaker.new(ALICE, PASSWORD)).encoded, PASSWORD) is Match.STALE
    assert await weaker.verify((await stronger.new(ALICE, PASSWORD)).encoded, PASSWORD) is Match.YES


async def test_a_legacy_hash_is_no_credential(make: Make) -> None:
    """The store's credentials are argon2 alone: a legacy hash in that place opens for nobody."""
    hasher = make()
    assert await hasher.verify(LEGACY, Secret("correct horse")) is Match.FOREIGN


async def test_a_legacy_hash_is_verified_by_its_scheme(make: Make) -> None:
    """A legacy hash is opened by its password; one that nobody knows is foreign."""
    hasher = make()
    assert await hasher.verify_legacy(LEGACY, Secret("correct horse")) is Match.YES
    assert await hasher.verify_legacy(LEGACY, Secret("wrong horse")) is Match.NO
    assert await hasher.verify_legacy(Secret("$P$BcNuU"), Secret("correct horse")) is Match.FOREIGN


async def test_a_password_held_before_is_recognised(make: Make) -> None:
    """The digest made with a password is the one by which it is recognised later."""
    hasher = make()
    held = (await hasher.new(ALICE, PASSWORD)).held
    assert len(held) == 32
    assert await hasher.held(ALICE, PASSWORD) == held


async def test_the_digest_belongs_to_password_account_and_server(make: Make) -> None:
    """Another password, account or server key gives another digest, so that none can be compared."""
    hasher = make()
    digests = {
        await hasher.held(ALICE, PASSWORD),
        await hasher.held(ALICE, Secret("Zażółć-gęślą-15€ ")),
        await hasher.held(BOB, PASSWORD),
        await make(server_key=bytes(32)).held(ALICE, PASSWORD),
    }
    assert len(digests) == 4


async def test_the_digest_outlives_the_parameters(make: Make) -> None:
    """New parameters for new hashes do not make the gateway forget which passwords were held."""
    before, after = make(), make(argon2=Argon2id(memory_kib=64))
    assert await before.held(ALICE, PASSWORD) == await after.held(ALICE, PASSWORD)


async def test_the_digest_is_as_specified(make: Make) -> None:
    """The digest is HMAC(key, argon2id(password, salt from account id)), here by other means."""
    salt_key = expanded(SERVER_KEY, b"sluicegate salt of previous passwords")
    salt = hmac.digest(salt_key, ALICE.bytes, "sha256")[:16]
    tag = OpenSslArgon2id(salt=salt, length=32, iterations=2, lanes=1, memory_cost=19_456).derive(
        PASSWORD.reveal().encode())
    previous_key = expanded(SERVER_KEY, b"sluicegate previous password")
    assert await make().held(ALICE, PASSWORD) == hmac.digest(previous_key, tag, "sha256")


def expanded(key: bytes, info: bytes) -> bytes:
    """Derive 32 bytes by RFC 5869: extract without salt, then one block of expand."""
    return hmac.digest(hmac.digest(bytes(32), key, "sha256"), info + b"\x01", "sha256")


async def test_a_new_password_takes_one_place(make: Make, jobs: list[float]) -> None:
    """Both computations of a new password are one job, so that no other login comes between."""
    await make().new(ALICE, PASSWORD)
    assert len(jobs) == 1


@pytest.mark.parametrize("password", ["typed", "", "x" * 100_000, "\ud800"])
async def test_a_dummy_takes_any_password(make: Make, jobs: list[float], password: str) -> None:
    """A dummy verification hashes once, whatever was typed, and says nothing."""
    assert await make().dummy(Secret(password)) is None
    assert len(jobs) == 1


async def test_a_dummy_costs_what_a_verification_costs(make: Make, jobs: list[float]) -> None:
    """A dummy has the parameters of new hashes: with a thousand times the memory it takes more CPU."""
    await make().dummy(PASSWORD)
    await make(argon2=Argon2id(memory_kib=32_768, passes=3)).dummy(PASSWORD)
    small, large = jobs
    assert large > small


async def test_a_legacy_hash_is_recognised(make: Make) -> None:
    """The digest of a legacy hash is stable, differs by hash and key, and needs no pool."""
    hasher, other = make(), make(server_key=bytes(32))
    assert hasher.seen(LEGACY) == hasher.seen(Secret(LEGACY.reveal()))
    assert len(hasher.seen(LEGACY)) == 32
    assert other.seen(LEGACY) != hasher.seen(LEGACY)
    assert len({hasher.seen(LEGACY), hasher.seen(Secret("!")), hasher.seen(Secret("\udc80"))}) == 3


async def test_a_legacy_hash_is_seen_through_a_key_of_its_own(make: Make) -> None:
    """Who reads the store cannot compute the digest of a hash from a leaked legacy table."""
    found = make().seen(LEGACY)
    assert found not in {hashlib.sha256(LEGACY.reveal().encode()).digest(),
                         hmac.digest(SERVER_KEY, LEGACY.reveal().encode(), "sha256")}


@pytest.mark.parametrize(("password", "acceptable"), [
    ("", False),
    ("x", True),
    (" ", True),
    ("x" * 256, True),
    ("x" * 257, False),
    ("€" * 256, True),
    ("\U0001f600" * 256, True),
    ("a\0b", True),
    ("a\ud800b", False),
])
def test_a_password_is_acceptable_by_its_code_points(password: str, acceptable: bool) -> None:
    """One to 256 code points that UTF-8 can encode, however many bytes they take."""
    assert is_acceptable(Secret(password)) is acceptable


@pytest.mark.parametrize("length", [0, 16, 31, 33])
async def test_a_server_key_has_32_bytes(make: Make, length: int) -> None:
    """A server key of another length is refused, and not shown."""
    with pytest.raises(ValueError, match=r"^the server key has 32 bytes$"):
        make(server_key=b"k" * length)


def test_no_two_purposes_share_a_key() -> None:
    """The labels under which sub-keys of the one server key are derived all differ."""
    assert len({HELD_LABEL, HELD_SALT_LABEL, SEEN_LABEL, COUNTER_LABEL, DEVICE_LABEL}) == 5
