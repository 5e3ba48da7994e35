"""A crossing with two users of the legacy side, neither of whom has crossed yet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.model import Profile
from tests.helpers.crossing import KINDS, Crossing, open_crossing


@asynccontextmanager
async def peopled(kind: str) -> AsyncIterator[Crossing]:
    async with open_crossing(KINDS[kind]) as crossing:
        profile = Profile(username="alice", email="alice@shop.test", name="Alice Liddell")
        crossing.legacy.add("1", "alice", "alice@shop.test", password="first-pw-1", profile=profile)
        crossing.legacy.add("2", "bob", password="p&b=100%+ bob")
        yield crossing


@pytest.fixture(params=KINDS)
async def crossing(request: pytest.FixtureRequest) -> AsyncIterator[Crossing]:
    """Is a crossing from each kind of source."""
    async with peopled(request.param) as crossing:
        yield crossing


@pytest.fixture
async def by_hash() -> AsyncIterator[Crossing]:
    """Is one from a source that shows hashes."""
    async with peopled("hashes") as crossing:
        yield crossing


@pytest.fixture
async def by_password() -> AsyncIterator[Crossing]:
    """Is one from a source that takes passwords."""
    async with peopled("passwords") as crossing:
        yield crossing
