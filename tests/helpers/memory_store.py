"""The store in memory, for tests that open no sockets: it passes the conformance suites of the real one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from gateway.model import Phase
from gateway.store.base import StoredKey, ThrottlePolicy
from tests.helpers.memory_accounts import (
    MemoryAccounts,
    MemoryChanges,
    MemoryManagement,
    MemoryNotices,
    MemoryPasswords,
    MemorySessions,
    Reachable,
    Rows,
)


class Clock:
    """Is a clock that stands until a test moves it."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class MemoryKeys(Reachable):
    """Is `gateway.store.base.Keys` in memory."""

    def __init__(self, notices: MemoryNotices | None = None) -> None:
        self._notices = notices or MemoryNotices()
        self.rows: list[StoredKey] = []
        self.secrets: dict[str, bytes] = {}

    async def all(self) -> Sequence[StoredKey]:
        self._reach()
        return tuple(self.rows)

    async def ensure(self, make: Callable[[Sequence[StoredKey]], Sequence[StoredKey]]) -> Sequence[StoredKey]:
        self._reach()
        made = make(tuple(self.rows))
        self.rows += made
        if made:
            self._notices.tell("keys", "")
        return tuple(self.rows)

    async def secret(self, purpose: str, make: Callable[[], bytes]) -> bytes:
        self._reach()
        if purpose not in self.secrets:
            self.secrets[purpose] = make()
        return self.secrets[purpose]


class MemoryThrottle(Reachable):
    """Is `gateway.store.base.Throttle` in memory: by key, how many failures, blocked until, forgotten at."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.failures: dict[bytes, tuple[int, float, float]] = {}

    async def reserve(self, key: bytes, policy: ThrottlePolicy) -> float:
        self._reach()
        now = self._clock()
        count, blocked_until, forget_at = self.failures.get(key, (0, now, now))
        if now < blocked_until:
            return blocked_until - now
        count = 1 if forget_at <= now else count + 1
        ends = now + pause(count, policy)
        self.failures[key] = (count, ends, max(ends, now + policy.forget.total_seconds()))
        return 0

    async def refund(self, key: bytes, policy: ThrottlePolicy) -> None:
        self._reach()
        count, blocked_until, forget_at = self.failures.get(key, (0, 0.0, 0.0))
        if count:
            ends = min(blocked_until, self._clock() + pause(count - 1, policy))
            self.failures[key] = (count - 1, ends, forget_at)

    async def clear(self, key: bytes) -> None:
        self._reach()
        self.failures.pop(key, None)


def pause(failures: int, policy: ThrottlePolicy) -> float:
    """Return the seconds that this many consecutive failures cost."""
    if failures <= policy.free:
        return 0
    return min(2.0 ** (failures - policy.free - 1), policy.longest.total_seconds())


class MemoryPhases(Reachable):
    """Is `gateway.store.base.Phases` in memory."""

    def __init__(self, notices: MemoryNotices | None = None) -> None:
        self._notices = notices or MemoryNotices()
        self.rows: dict[str, Phase] = {}

    async def ensure(self, source: str, first: Phase) -> Phase:
        self._reach()
        return self.rows.setdefault(source, first)

    async def all(self) -> Mapping[str, Phase]:
        self._reach()
        return dict(sorted(self.rows.items()))

    async def change(self, source: str, phase: Phase, *, actor: str) -> bool:
        self._reach()
        before = self.rows.get(source)
        if before is None:
            return False
        self.rows[source] = phase
        if before is not phase:
            self._notices.tell("phase", source)
        return True


class MemoryStore:
    """Is the whole store; each attribute implements one protocol of `gateway.store.base`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        rows: Rows = {}
        self.rows = rows
        self.notices = MemoryNotices()
        self.keys = MemoryKeys(self.notices)
        self.throttle = MemoryThrottle(clock)
        self.phases = MemoryPhases(self.notices)
        self.sessions = MemorySessions(clock, self.notices, lambda id_, proven: id_ in rows and rows[id_].opens(proven),
                                       lambda id_: rows[id_].names)
        self.accounts = MemoryAccounts(rows, clock)
        self.passwords = MemoryPasswords(rows, self.sessions)
        self.changes = MemoryChanges(rows, self.sessions)
        self.management = MemoryManagement(rows, self.sessions)

    def go_down(self) -> None:
        """Make every call raise `StoreUnavailable`."""
        for part in (self.keys, self.throttle, self.phases, self.sessions, self.accounts, self.passwords,
                     self.changes, self.management):
            part.is_down = True


def damaged(row: StoredKey) -> StoredKey:
    """Return a key's row whose sealed part lost its last bit."""
    sealed = row.sealed_private
    return replace(row, sealed_private=sealed[:-1] + bytes([sealed[-1] ^ 1]))
