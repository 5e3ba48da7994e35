"""What the legacy side says against a user who has crossed is read from their own row, or not at all."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from adapters.base import AdapterUnavailable, LegacyRow
from gateway.accounts.ask import Question
from gateway.accounts.flags import LegacyFlags
from gateway.accounts.phases import PhaseBook
from gateway.model import LegacyUser, Outcome, Phase, Secret
from tests.helpers.memory_store import Clock, MemoryPhases, MemoryStore
from tests.unit.accounts.test_sessions import account

ALICE = replace(account(), aliases=("alice", "alice@shop.test"))


class Rows:
    """Is a source that shows rows."""

    def __init__(self, rows: Mapping[str, tuple[str, Outcome | None]]) -> None:
        self.rows = rows
        self.is_down = False
        self.asked: list[str] = []

    async def fetch(self, login: str) -> LegacyRow | Outcome:
        self.asked.append(login)
        if self.is_down:
            raise AdapterUnavailable("down")
        if login not in self.rows:
            return Outcome.NOT_FOUND
        legacy_id, hindrance = self.rows[login]
        user = LegacyUser(legacy_id=legacy_id, identifiers=(login,), hindrance=hindrance)
        return LegacyRow(user=user, encoded_hash=Secret("a hash"))


class Silent:
    """Is a source that takes passwords and shows nothing."""

    async def authenticate(self, login: str, password: Secret) -> LegacyUser | Outcome:
        raise AssertionError("nobody typed a password")


def question(adapter: object) -> Question:
    return Question("shop-users", adapter, None, timeout=1, clock=Clock(),  # type: ignore[arg-type]
                    observe=lambda *_: None)


async def flags(phase: Phase = Phase.MIGRATE) -> LegacyFlags:
    phases = PhaseBook(MemoryPhases(), {"shop-users": phase})
    await phases.load()
    return LegacyFlags(MemoryStore(Clock()).management, phases)


@pytest.mark.parametrize("hindrance", [None, Outcome.DISABLED, Outcome.LOCKED, Outcome.MUST_CHANGE])
async def test_the_row_says_what_speaks_against_a_user(hindrance: Outcome | None) -> None:
    """Whatever it is."""
    rows = question(Rows({"alice": ("7", hindrance)}))
    assert await (await flags()).of("shop-users", rows, ALICE) is hindrance


async def test_another_users_row_says_nothing() -> None:
    """A name may be somebody else's by now; the next name of the same user is tried."""
    rows = question(Rows({"alice": ("8", Outcome.DISABLED), "alice@shop.test": ("7", Outcome.LOCKED)}))
    assert await (await flags()).of("shop-users", rows, ALICE) is Outcome.LOCKED
    rows = question(Rows({"alice": ("8", Outcome.DISABLED)}))
    assert await (await flags()).of("shop-users", rows, ALICE) is None


async def test_who_cannot_be_asked_about_is_not_barred() -> None:
    """A source that is down, or that shows no rows; and neither makes it rest."""
    source = Rows({"alice": ("7", Outcome.DISABLED)})
    source.is_down = True
    asked = question(source)
    for _ in range(20):
        assert await (await flags()).of("shop-users", asked, ALICE) is None
    assert not asked.breaker.is_open
    assert await (await flags()).of("shop-users", question(Silent()), ALICE) is None


async def test_a_source_that_is_complete_is_not_asked() -> None:
    """The legacy side has no word any more."""
    source = Rows({"alice": ("7", Outcome.DISABLED)})
    assert await (await flags(Phase.COMPLETE)).of("shop-users", question(source), ALICE) is None
    assert source.asked == []


async def test_an_account_that_is_gone_is_asked_about_nowhere() -> None:
    """Its session ends by itself."""
    source = Rows({})
    assert await (await flags()).of_account("shop-users", question(source), ALICE.id) is None
    assert source.asked == []
