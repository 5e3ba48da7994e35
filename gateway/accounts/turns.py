"""Turns: logins of one identifier go one after another, so a hundred first logins adopt once.

This saves work and keeps the throttle exact within a worker; across workers the store's unique index is
the guarantee.
"""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from gateway.errors import Overloaded

LONGEST_QUEUE = 128  # waiting logins of one identifier; more than any person has browsers


class Turns:
    """Lets one at a time through for each key, in the order of arrival."""

    __slots__ = ("_locks", "_waiting")

    def __init__(self) -> None:
        self._locks: dict[Hashable, asyncio.Lock] = {}
        self._waiting: dict[Hashable, int] = {}

    @asynccontextmanager
    async def of(self, key: Hashable) -> AsyncIterator[None]:
        """Wait for the key's turn; raises `Overloaded` when the queue is full."""
        waiting = self._waiting.get(key, 0)
        if waiting >= LONGEST_QUEUE:
            raise Overloaded("too many logins of one identifier at once")
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._waiting[key] = waiting + 1
        try:
            async with lock:
                yield
        finally:
            self._leave(key)

    def _leave(self, key: Hashable) -> None:
        self._waiting[key] -= 1
        if not self._waiting[key]:
            del self._waiting[key], self._locks[key]
