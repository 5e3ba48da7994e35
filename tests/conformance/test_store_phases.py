"""What every `gateway.store.base.Phases` does."""

import asyncio
import json

from gateway.model import Phase, Secret
from gateway.store.postgres import PostgresStore
from tests.helpers.postgres import fetch
from tests.helpers.stores import Store


async def test_the_first_value_stands_until_it_is_changed(store: Store) -> None:
    """What the configuration says counts once; afterwards the store decides."""
    assert await store.phases.ensure("shop", Phase.MIGRATE) is Phase.MIGRATE
    assert await store.phases.ensure("shop", Phase.COMPLETE) is Phase.MIGRATE
    assert await store.phases.change("shop", Phase.COMPLETE, actor="cli") is True
    assert await store.phases.ensure("shop", Phase.MIGRATE) is Phase.COMPLETE


async def test_all_sources_are_listed(store: Store) -> None:
    """Each source has its own phase."""
    assert await store.phases.all() == {}
    await store.phases.ensure("wiki", Phase.COMPLETE)
    await store.phases.ensure("shop", Phase.MIGRATE)
    assert await store.phases.all() == {"shop": Phase.MIGRATE, "wiki": Phase.COMPLETE}


async def test_an_unknown_source_is_not_changed(store: Store) -> None:
    """A mistyped name makes no source."""
    assert await store.phases.change("shpo", Phase.COMPLETE, actor="cli") is False
    assert await store.phases.all() == {}


async def test_parallel_first_values_are_one(postgres: PostgresStore, database: Secret) -> None:
    """Twenty replicas that start at once agree."""
    values = [Phase.MIGRATE, Phase.COMPLETE] * 10
    answers = await asyncio.gather(*(postgres.phases.ensure("shop", value) for value in values))
    assert len(set(answers)) == 1
    assert len(await fetch(database, "SELECT FROM audit")) == 1


async def test_only_real_changes_are_audited(postgres: PostgresStore, database: Secret) -> None:
    """From what to what, and by whom; asking for the phase that is there is no change."""
    await postgres.phases.ensure("shop", Phase.MIGRATE)
    for phase in (Phase.MIGRATE, Phase.COMPLETE, Phase.COMPLETE):
        assert await postgres.phases.change("shop", phase, actor="api") is True
    entries = await fetch(database, "SELECT event, actor, source, detail FROM audit ORDER BY id")
    assert [(entry["actor"], entry["source"], json.loads(entry["detail"])) for entry in entries] == [
        ("configuration", "shop", {"to": "migrate"}), ("api", "shop", {"from": "migrate", "to": "complete"})]
