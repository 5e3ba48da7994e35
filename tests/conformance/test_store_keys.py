"""What every `gateway.store.base.Keys` does: the one on PostgreSQL and the one of the unit tests."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from gateway.model import Secret
from gateway.store.base import Keys, StoredKey
from gateway.store.postgres import PostgresStore
from tests.helpers.postgres import fetch
from tests.helpers.stores import Store

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


@pytest.fixture
def keys(store: Store) -> Keys:
    return store.keys


def key(kid: str, *, state: str = "next") -> StoredKey:
    return StoredKey(kid=kid, algorithm="EdDSA", state=state, public_jwk={"kty": "OKP", "x": kid},
                     sealed_private=b"sealed " + kid.encode(), created_at=LONG_AGO,
                     activated_at=LONG_AGO if state == "active" else None)


def pair_if_none(existing: Sequence[StoredKey]) -> Sequence[StoredKey]:
    return () if existing else (key("b", state="active"), key("a"))


def words(found: Sequence[StoredKey]) -> list[tuple[object, ...]]:
    return [(one.kid, one.algorithm, one.state, dict(one.public_jwk), one.sealed_private) for one in found]


async def test_made_keys_are_kept_in_the_order_of_their_making(keys: Keys) -> None:
    """Oldest first, whatever their ids; all of each key but its times is as it was made."""
    assert list(await keys.all()) == []
    made = await keys.ensure(pair_if_none)
    assert words(made) == words([key("b", state="active"), key("a")])
    assert list(await keys.all()) == list(made)
    assert [one.activated_at is None for one in made] == [False, True]


async def test_existing_keys_are_shown_to_the_maker_and_kept(keys: Keys) -> None:
    """A second call that makes nothing changes nothing; one that makes one adds one."""
    made = await keys.ensure(pair_if_none)
    assert list(await keys.ensure(pair_if_none)) == list(made)
    seen: list[Sequence[StoredKey]] = []

    def make(existing: Sequence[StoredKey]) -> Sequence[StoredKey]:
        seen.append(existing)
        return [key("c")]

    assert list(await keys.ensure(make))[:2] == list(made)
    assert [one.kid for one in await keys.all()] == ["b", "a", "c"]
    assert list(seen[0]) == list(made)


async def test_a_secret_is_made_once_for_each_purpose(keys: Keys) -> None:
    """The first value stands."""
    assert await keys.secret("previous", lambda: b"one") == b"one"
    assert await keys.secret("previous", lambda: b"two") == b"one"
    assert await keys.secret("throttle", lambda: b"three") == b"three"


async def test_what_the_maker_raises_leaves_nothing(store: Store) -> None:
    """A key-encryption key that does not fit is found out before anything is written."""
    def refuse(*_: object) -> bytes:
        raise ValueError("it does not fit")

    with pytest.raises(ValueError, match="it does not fit"):
        await store.keys.secret("previous", refuse)
    with pytest.raises(ValueError, match="it does not fit"):
        await store.keys.ensure(refuse)  # type: ignore[arg-type]  # it raises first
    assert list(await store.keys.all()) == []
    assert await store.keys.secret("previous", lambda: b"one") == b"one"


async def test_parallel_replicas_make_one_set_of_keys_and_one_secret(store: Store) -> None:
    """The lock that replicas share lets one make and the others find."""
    made = 0

    def secret() -> bytes:
        nonlocal made
        made += 1
        return b"number %d" % made

    sets = await asyncio.gather(*(store.keys.ensure(pair_if_none) for _ in range(10)))
    assert all([one.kid for one in found] == ["b", "a"] for found in sets)
    assert set(await asyncio.gather(*(store.keys.secret("p", secret) for _ in range(10)))) == {b"number 1"}
    assert made == 1


async def test_a_keys_times_are_the_stores(postgres: PostgresStore) -> None:
    """A replica whose clock is wrong does not make a key look old."""
    for found in await postgres.keys.ensure(pair_if_none):
        assert found.created_at > LONG_AGO
        assert found.activated_at in (None, found.created_at)


async def test_new_keys_are_audited_by_id_only(postgres: PostgresStore, database: Secret) -> None:
    """What was added, and never the sealed part."""
    await postgres.keys.ensure(pair_if_none)
    await postgres.keys.secret("previous", lambda: b"one")
    entries = await fetch(database, "SELECT event, detail FROM audit ORDER BY id")
    assert [(entry["event"], json.loads(entry["detail"])) for entry in entries] == [
        ("key added", {"kid": "b", "state": "active"}), ("key added", {"kid": "a", "state": "next"}),
        ("secret made", {"purpose": "previous"})]
