"""Keys are made once, opened under their key, and a wrong one is explained and changes nothing."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest

from gateway.accounts.keyring import Keyring
from gateway.errors import ConfigurationError, StoreUnavailable
from gateway.store.base import StoredKey
from gateway.tokens.envelope import KeyEncryptionKey, derive
from tests.helpers.memory_store import Clock, MemoryKeys, damaged

KEK = KeyEncryptionKey(bytes(range(32)))
OTHER_KEK = KeyEncryptionKey(bytes(32))


def keyring_over(store: MemoryKeys, *, kek: KeyEncryptionKey = KEK, seed: int = 1) -> Keyring:
    return Keyring(store, kek, Clock(), Random(seed).randbytes)


async def test_the_first_start_makes_two_keys_and_the_server_key() -> None:
    """An empty store gets an active key, a next one and 32 bytes to key digests with."""
    store = MemoryKeys()
    keyring = keyring_over(store)
    await keyring.load()
    assert [row.state for row in store.rows] == ["active", "next"]
    assert keyring.keyset.active.kid == store.rows[0].kid
    assert len(keyring.server_key) == 32
    assert keyring.stored == tuple(store.rows)


async def test_rows_tell_when_a_key_was_made_and_activated() -> None:
    """Only the active key has been activated."""
    store = MemoryKeys()
    await keyring_over(store).load()
    now = datetime.fromtimestamp(1_000_000, UTC)
    assert [(row.created_at, row.activated_at) for row in store.rows] == [(now, now), (now, None)]


async def test_another_replica_opens_the_same_keys() -> None:
    """A second start under the same key makes nothing and holds the same."""
    store = MemoryKeys()
    one, other = keyring_over(store), keyring_over(store, seed=2)
    await one.load()
    await other.load()
    assert other.keyset == one.keyset
    assert other.keyset.active.private_bytes() == one.keyset.active.private_bytes()
    assert other.server_key == one.server_key
    assert len(store.rows) == 2


async def test_the_store_holds_nothing_in_the_clear() -> None:
    """Neither a private part nor the server key lies in a row, raw, in hexadecimal or in base64."""
    store = MemoryKeys()
    keyring = keyring_over(store)
    await keyring.load()
    lying = repr(store.rows).encode() + b"".join(row.sealed_private for row in store.rows)
    lying += b"".join(store.secrets.values()) + repr(store.secrets).encode()
    for secret in (keyring.server_key, *(key.private_bytes() for key in keyring.keyset.keys)):
        for shown in (secret, secret.hex().encode(), base64.urlsafe_b64encode(secret)[:-1]):
            assert shown not in lying


async def test_a_wrong_key_is_explained_and_adds_nothing() -> None:
    """The operator reads which setting to put right; the store keeps its keys and gets no others."""
    store = MemoryKeys()
    await keyring_over(store).load()
    before = list(store.rows)
    with pytest.raises(ConfigurationError, match=r"keys\.encryption_key is not the key"):
        await keyring_over(store, kek=OTHER_KEK).load()
    assert store.rows == before


async def test_a_wrong_key_does_not_even_stage_a_missing_next_key() -> None:
    """Where a key is missing, the existing ones are opened first."""
    store = MemoryKeys()
    await keyring_over(store).load()
    del store.rows[1]
    with pytest.raises(ConfigurationError):
        await keyring_over(store, kek=OTHER_KEK).load()
    assert len(store.rows) == 1


async def test_a_server_key_under_another_key_is_explained() -> None:
    """The signing keys may open while the server key does not."""
    store, elsewhere = MemoryKeys(), MemoryKeys()
    await keyring_over(store).load()
    await keyring_over(elsewhere, kek=OTHER_KEK).load()
    store.secrets = elsewhere.secrets
    with pytest.raises(ConfigurationError, match=r"keys\.encryption_key"):
        await keyring_over(store).load()


def swapped(rows: list[StoredKey]) -> list[StoredKey]:
    one, other = rows
    return [replace(one, sealed_private=other.sealed_private), other]


MISTAKES: dict[str, tuple[Callable[[list[StoredKey]], list[StoredKey]], str]] = {
    "a damaged private part": (lambda rows: [damaged(rows[0]), rows[1]], "restore it from a backup"),
    "private parts in each other's rows": (swapped, "restore it from a backup"),
    "an unknown state": (lambda rows: [rows[0], replace(rows[1], state="other")], "run the version"),
    "an unknown algorithm": (lambda rows: [rows[0], replace(rows[1], algorithm="ES256")], "run the version"),
    "no active key": (lambda rows: [rows[1]], "exactly one active"),
    "two active keys": (lambda rows: [replace(row, state="active") for row in rows], "exactly one active"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_rows_that_make_no_sense_are_explained_and_the_held_keys_stay(mistake: str) -> None:
    """A reload that fails leaves the worker with what it had."""
    spoil, sentence = MISTAKES[mistake]
    store = MemoryKeys()
    keyring = keyring_over(store)
    await keyring.load()
    held = keyring.keyset
    store.rows = spoil(store.rows)
    with pytest.raises(ConfigurationError, match=sentence):
        await keyring.reload()
    assert keyring.keyset is held


async def test_a_reload_without_a_change_keeps_the_same_set() -> None:
    """Verified tokens stay remembered over a reconnection: the set is the same object."""
    keyring = keyring_over(MemoryKeys())
    await keyring.load()
    held = keyring.keyset
    await keyring.reload()
    assert keyring.keyset is held


async def test_a_reload_takes_what_another_replica_changed() -> None:
    """The set in memory is the store's."""
    store = MemoryKeys()
    keyring = keyring_over(store)
    await keyring.load()
    del store.rows[1]
    await keyring.reload()
    assert [key.kid for key in keyring.keyset.keys] == [store.rows[0].kid]


async def test_an_unreachable_store_is_said_as_such() -> None:
    """An outage is no wrong key, and what was held stays."""
    store = MemoryKeys()
    keyring = keyring_over(store)
    await keyring.load()
    held = keyring.keyset
    store.is_down = True
    with pytest.raises(StoreUnavailable):
        await keyring.reload()
    assert keyring.keyset is held


async def test_a_ring_that_was_not_loaded_holds_no_keys() -> None:
    """Use before load is a mistake in the wiring, and no digest is ever keyed with nothing."""
    keyring = keyring_over(MemoryKeys())
    with pytest.raises(RuntimeError):
        _ = keyring.keyset
    with pytest.raises(RuntimeError):
        keyring.derive(b"label")


async def test_sub_keys_are_derived_from_the_server_key() -> None:
    """One label, one key."""
    keyring = keyring_over(MemoryKeys())
    await keyring.load()
    assert keyring.derive(b"label") == derive(keyring.server_key, b"label")
