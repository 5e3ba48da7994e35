"""Adoption: what of a legacy user becomes an account, and that it does so once."""

from dataclasses import replace
from uuid import UUID

import pytest

from gateway.accounts.adopt import LOGIN, Adopt
from gateway.accounts.ask import Right
from gateway.errors import Overloaded, StoreUnavailable
from gateway.hashing.scheme import Match
from gateway.identifiers import Comparison
from gateway.model import LegacyUser, Profile, Secret
from gateway.store.base import Adoption
from tests.helpers.crossing import SOURCE, Crossing
from tests.helpers.memory_accounts import MemoryAccounts

PASSWORD = Secret("Zażółć-gęślą-15€ ")
ALICE = LegacyUser(legacy_id="1", identifiers=("Alice", "Alice@Shop.test"),
                   profile=Profile(username="Alice", email="Alice@Shop.test", name="Alice Ż"))
RIGHT = Right(user=ALICE, legacy_seen=b"seen")
FIRST_ID, SECOND_ID = UUID(int=1), UUID(int=2)


class Journal(MemoryAccounts):
    """Keeps what it was asked to adopt."""

    def __init__(self, crossing: Crossing) -> None:
        super().__init__(crossing.store.rows, crossing.clock)
        self.adoptions: list[Adoption] = []

    async def adopt(self, adoption: Adoption) -> bool:
        self.adoptions.append(adoption)
        return await super().adopt(adoption)


def adopt_as(crossing: Crossing, account_id: UUID, accounts: MemoryAccounts | None = None) -> Adopt:
    return Adopt(accounts or crossing.store.accounts, crossing.hasher, lambda: account_id)


async def test_all_of_a_user_is_written_at_once(by_hash: Crossing) -> None:
    """Identity, profile, aliases by the source's comparison, password, hash last seen, and the way, in one call."""
    journal = Journal(by_hash)
    assert await adopt_as(by_hash, FIRST_ID, journal).run(SOURCE, Comparison.CASEFOLD, RIGHT, PASSWORD) is True
    [adoption] = journal.adoptions
    assert (adoption.account_id, adoption.source, adoption.user) == (FIRST_ID, SOURCE, ALICE)
    assert adoption.aliases == ("alice", "alice@shop.test")
    assert (adoption.legacy_seen, adoption.way) == (b"seen", LOGIN)
    assert await by_hash.hasher.verify(adoption.password.encoded, PASSWORD) is Match.YES
    assert adoption.password.held == await by_hash.hasher.held(FIRST_ID, PASSWORD)


async def test_aliases_are_what_the_user_may_type(by_hash: Crossing) -> None:
    """Under `exact` case counts, and identifiers that can be nobody's are left out."""
    user = replace(ALICE, identifiers=("Alice", "", "al\0ice", "Alice"))
    await adopt_as(by_hash, FIRST_ID).run(SOURCE, Comparison.EXACT, Right(user=user), PASSWORD)
    assert (await by_hash.account("1")).account.aliases == ("Alice",)


async def test_the_exact_password_is_kept(by_hash: Crossing) -> None:
    """The blank at its end counts."""
    await adopt_as(by_hash, FIRST_ID).run(SOURCE, Comparison.EXACT, RIGHT, PASSWORD)
    encoded = (await by_hash.account("1")).credential.encoded
    assert await by_hash.hasher.verify(encoded, Secret(PASSWORD.reveal().strip())) is Match.NO


async def test_the_second_adoption_of_a_legacy_id_says_so(by_hash: Crossing) -> None:
    """The first account stands with its password; the caller lets it decide."""
    assert await adopt_as(by_hash, FIRST_ID).run(SOURCE, Comparison.EXACT, RIGHT, PASSWORD) is True
    assert await adopt_as(by_hash, SECOND_ID).run(SOURCE, Comparison.EXACT, RIGHT, Secret("other")) is False
    found = await by_hash.account("1")
    assert found.account.id == FIRST_ID
    assert await by_hash.hasher.verify(found.credential.encoded, PASSWORD) is Match.YES


async def test_a_breakdown_leaves_no_account(by_hash: Crossing) -> None:
    """Without the store, or without a place to hash, nothing is written, and nobody hears True."""
    by_hash.store.accounts.is_down = True
    with pytest.raises(StoreUnavailable):
        await adopt_as(by_hash, FIRST_ID).run(SOURCE, Comparison.EXACT, RIGHT, PASSWORD)
    by_hash.store.accounts.is_down = False
    await by_hash.pool.close()
    with pytest.raises(Overloaded):
        await adopt_as(by_hash, FIRST_ID).run(SOURCE, Comparison.EXACT, RIGHT, PASSWORD)
    assert await by_hash.accounts() == 0
