"""What the composition root does itself: it looks up what a scrape shows."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

from prometheus_client.registry import CollectorRegistry

from gateway.accounts.keyring import Keyring
from gateway.app import _pull
from gateway.store.base import SourceCount
from gateway.store.postgres import PostgresStore
from gateway.telemetry.metrics import Metrics, Pulled
from gateway.telemetry.tally import Tally

MIGRATIONS = ("sluicegate_migrations_total", (("source", "users"), ("way", "login")))


async def test_counts_are_taken_after_the_store_was_asked() -> None:
    """What was counted while it answered is in the tally: an older one would take the place of a newer report."""
    metrics = Metrics(CollectorRegistry(), apps=["shop"], sources=["users"], version="0")
    told: list[float] = []

    async def counts() -> Sequence[SourceCount]:
        metrics.migrated("users", "login")
        return []

    async def share(own: Tally) -> Tally:
        told.append(own[MIGRATIONS])
        return own

    metrics.migrated("users", "login")
    store = cast("PostgresStore", SimpleNamespace(management=SimpleNamespace(counts=counts)))
    await _pull(metrics, store, cast("Keyring", SimpleNamespace(stored=())), Pulled, share)
    assert told == [2]
