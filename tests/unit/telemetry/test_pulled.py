"""The number of accounts, fetched for a scrape."""

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from gateway.errors import StoreUnavailable
from gateway.model import AccountState
from gateway.store.base import Management, SourceCount
from gateway.telemetry import pulled
from gateway.telemetry.pulled import count_accounts

ROWS = (SourceCount(source="shop-users", state=AccountState.ACTIVE, accounts=3),)


class Counting:
    """Answers, breaks down, or hangs, as a store can."""

    def __init__(self, *, is_down: bool = False, hangs: bool = False) -> None:
        self._is_down = is_down
        self._hangs = hangs

    async def counts(self) -> Sequence[SourceCount]:
        if self._hangs:
            await asyncio.Event().wait()
        if self._is_down:
            raise StoreUnavailable("the store is down")
        return ROWS


async def test_counts_are_passed_on() -> None:
    """A store that answers is believed."""
    assert await count_accounts(cast("Management", Counting())) == ROWS


async def test_a_store_that_is_down_gives_none() -> None:
    """A scrape goes on without a store."""
    assert await count_accounts(cast("Management", Counting(is_down=True))) is None


async def test_a_store_that_hangs_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scrape does not wait for a store longer than it has time itself."""
    monkeypatch.setattr(pulled, "COUNT_SECONDS", 0.0)
    assert await count_accounts(cast("Management", Counting(hangs=True))) is None
