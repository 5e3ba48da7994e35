"""The implementations of the store that each conformance suite runs over."""

from collections.abc import AsyncIterator

import pytest

from gateway.model import Secret
from gateway.store.postgres import PostgresStore
from tests.helpers.memory_store import Clock, MemoryStore
from tests.helpers.stores import Store


@pytest.fixture
async def postgres(database: Secret) -> AsyncIterator[PostgresStore]:
    """Is the real store, for what can only be seen in its tables, too."""
    async with PostgresStore.open(database) as opened:
        yield opened


@pytest.fixture
def memory() -> MemoryStore:
    """Is the store of the unit tests."""
    return MemoryStore(Clock())


@pytest.fixture(params=["postgres", "memory"])
def store(request: pytest.FixtureRequest) -> Store:
    """Is each implementation in turn."""
    found: Store = request.getfixturevalue(request.param)
    return found
