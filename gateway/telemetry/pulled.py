"""The one number of a scrape that must be fetched: how many accounts there are."""

import asyncio
from collections.abc import Sequence

from gateway.errors import StoreUnavailable
from gateway.store.base import Management, SourceCount

COUNT_SECONDS = 3.0  # well within Prometheus's own limit for a scrape (10 s), so the other numbers still come


async def count_accounts(store: Management) -> Sequence[SourceCount] | None:
    """Return the accounts by source and state, or None when the store does not answer in time."""
    try:
        async with asyncio.timeout(COUNT_SECONDS):
            return await store.counts()
    except (StoreUnavailable, TimeoutError):
        return None
