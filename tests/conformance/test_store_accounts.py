"""What every `gateway.store.base.Accounts` does."""

import asyncio
import json
from dataclasses import replace

import pytest

from gateway.model import AccountState, LegacyUser, Profile, Secret
from gateway.store.postgres import PostgresStore
from tests.helpers.postgres import fetch
from tests.helpers.rows import adoption, password
from tests.helpers.stores import Store


async def test_nobody_is_found_in_an_empty_store(store: Store) -> None:
    """An unknown name and an unknown legacy id are answers, not errors."""
    assert await store.accounts.find("shop", "alice") == []
    assert await store.accounts.find_legacy("shop", "7") is None


async def test_an_adopted_user_is_found_by_each_alias_and_by_legacy_id(store: Store) -> None:
    """Adoption writes account, aliases and credential, and all of it comes back."""
    profile = Profile(username="carol", email="carol@shop.test", name="Carol Ż", attributes={"staff": "yes"})
    wanted = adoption("c-1", aliases=("carol", "carol@shop.test"), profile=profile, legacy_seen=b"seen")
    assert await store.accounts.adopt(wanted) is True
    found = await store.accounts.find_legacy("shop", "c-1")
    assert found is not None
    assert found.account.id == wanted.account_id
    assert (found.account.source, found.account.legacy_id) == ("shop", "c-1")
    assert found.account.state is AccountState.ACTIVE
    assert found.account.profile == profile
    assert found.account.aliases == ("carol", "carol@shop.test")
    assert found.account.created_at.tzinfo is not None
    assert found.account.last_login_at is None
    assert found.credential.encoded == password("first").encoded
    assert found.credential.legacy_seen == b"seen"
    assert found.pending == ()
    for alias in found.account.aliases:
        assert await store.accounts.find("shop", alias) == [found]


async def test_a_source_does_not_see_the_accounts_of_another(store: Store) -> None:
    """The same legacy id and alias under two sources are two people."""
    shop, wiki = adoption(source="shop"), adoption(source="wiki")
    assert await store.accounts.adopt(shop)
    assert await store.accounts.adopt(wiki)
    [found] = await store.accounts.find("wiki", "alice")
    assert found.account.id == wiki.account_id


async def test_an_alias_that_two_users_claim_is_found_under_both(store: Store) -> None:
    """The store does not choose between two claimants."""
    first, second = adoption("1"), adoption("2")
    await store.accounts.adopt(first)
    await store.accounts.adopt(second)
    found = await store.accounts.find("shop", "alice")
    assert {candidate.account.id for candidate in found} == {first.account_id, second.account_id}


async def test_the_same_alias_given_twice_is_kept_once(store: Store) -> None:
    """A profile whose user name is its e-mail address has one alias."""
    await store.accounts.adopt(adoption(aliases=("a@shop.test", "a@shop.test")))
    [found] = await store.accounts.find("shop", "a@shop.test")
    assert found.account.aliases == ("a@shop.test",)


async def test_a_legacy_id_is_adopted_once(store: Store) -> None:
    """The second adoption says False and changes nothing, whatever password it brings."""
    first = adoption(password_text="first")
    assert await store.accounts.adopt(first) is True
    assert await store.accounts.adopt(adoption(aliases=("other",), password_text="second")) is False
    found = await store.accounts.find_legacy("shop", "7")
    assert found is not None
    assert found.account.id == first.account_id
    assert found.credential.encoded == password("first").encoded
    assert await store.accounts.find("shop", "other") == []


async def test_fifty_parallel_adoptions_make_one_account(postgres: PostgresStore, database: Secret) -> None:
    """The unique index is the guarantee: one caller hears True, the others False."""
    answers = await asyncio.gather(*(postgres.accounts.adopt(adoption()) for _ in range(50)))
    assert sorted(answers) == [False] * 49 + [True]
    counted = "SELECT (SELECT count(*) FROM accounts), (SELECT count(*) FROM credentials), count(*) FROM aliases"
    assert [tuple(row) for row in await fetch(database, counted)] == [(1, 1, 1)]


async def test_a_drift_is_audited(postgres: PostgresStore, database: Secret) -> None:
    """That an app refused the right password stands in the trail, with the app and its verdict."""
    wanted = adoption()
    await postgres.accounts.adopt(wanted)
    await postgres.accounts.drifted(wanted.account_id, app="shop", verdict="wrong")
    [entry] = await fetch(database, "SELECT * FROM audit WHERE event = 'drifted'")
    assert (entry["actor"], entry["account_id"]) == ("login", wanted.account_id)
    assert json.loads(entry["detail"]) == {"app": "shop", "verdict": "wrong"}


async def test_an_adoption_is_audited_without_a_name_or_a_password(postgres: PostgresStore, database: Secret) -> None:
    """The audit entry names the account and the way, and nothing that the user typed."""
    wanted = adoption("c-1", legacy_seen=b"legacy")
    await postgres.accounts.adopt(wanted)
    [entry] = await fetch(database, "SELECT * FROM audit")
    assert (entry["event"], entry["actor"], entry["source"]) == ("adopted", "login", "shop")
    assert entry["account_id"] == wanted.account_id
    assert json.loads(entry["detail"]) == {"way": "login"}


async def test_a_tombstone_is_found_by_legacy_id_only(store: Store) -> None:
    """A deleted user's name is free again, their legacy id is not."""
    wanted = adoption()
    await store.accounts.adopt(wanted)
    await store.management.set_state(wanted.account_id, AccountState.DELETED, actor="cli")
    assert await store.accounts.find("shop", "alice") == []
    found = await store.accounts.find_legacy("shop", "7")
    assert found is not None
    assert found.account.state is AccountState.DELETED
    assert not found.credential.encoded
    assert await store.accounts.adopt(adoption()) is False
    assert await store.accounts.adopt(adoption("8")) is True


async def test_a_blocked_account_is_found(store: Store) -> None:
    """Whether a blocked account may log in is for the caller to say."""
    wanted = adoption()
    await store.accounts.adopt(wanted)
    await store.management.set_state(wanted.account_id, AccountState.BLOCKED, actor="cli")
    [found] = await store.accounts.find("shop", "alice")
    assert found.account.state is AccountState.BLOCKED


async def test_a_login_is_noted(store: Store) -> None:
    """The time of the last login is the store's own."""
    wanted = adoption()
    await store.accounts.adopt(wanted)
    await store.accounts.logged_in(wanted.account_id)
    found = await store.accounts.find_legacy("shop", "7")
    assert found is not None
    assert found.account.last_login_at is not None
    assert found.account.last_login_at >= found.account.created_at


async def test_pending_changes_come_with_the_candidate_in_their_order(store: Store) -> None:
    """A login sees every change that a crash has left unconfirmed."""
    wanted = adoption()
    await store.accounts.adopt(wanted)
    ids = [await store.changes.begin(wanted.account_id, password(text)) for text in ("second", "third")]
    [found] = await store.accounts.find("shop", "alice")
    assert [change.id for change in found.pending] == ids
    assert [change.held for change in found.pending] == [password("second").held, password("third").held]


@pytest.mark.parametrize("text", ["al\0ice", "al\ud800ice"])
async def test_what_cannot_be_stored_is_not_found(store: Store, text: str) -> None:
    """NUL and lone surrogates in a typed name are no breakdown of the store."""
    assert list(await store.accounts.find("shop", text)) == []
    assert await store.accounts.find_legacy("shop", text) is None


async def test_a_profile_that_cannot_be_stored_as_it_is_loses_only_those_characters(postgres: PostgresStore) -> None:
    """An odd character, which PostgreSQL cannot hold, in a legacy profile does not keep its owner from crossing."""
    odd = Profile(username="al\0ice", email="a\ud800@shop.test", name="A\0", attributes={"k\0": "v\udfff"})
    plain = adoption()
    wanted = replace(plain, user=LegacyUser(legacy_id="7", identifiers=("alice",), profile=odd))
    assert await postgres.accounts.adopt(wanted) is True
    [found] = await postgres.accounts.find("shop", "alice")
    assert found.account.profile == Profile(username="al�ice", email="a�@shop.test", name="A�",
                                            attributes={"k�": "v�"})


async def test_text_is_never_part_of_a_statement(store: Store) -> None:
    """Quotes and comments in names are kept like any other character."""
    name = "Robert'); DROP TABLE accounts;--"
    await store.accounts.adopt(adoption(name, aliases=(name,), profile=Profile(username=name)))
    [found] = await store.accounts.find("shop", name)
    assert (found.account.legacy_id, found.account.profile.username) == (name, name)
