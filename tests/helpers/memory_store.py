"""The store's protocols for keys, throttle and sessions, kept in memory: for tests that open no sockets."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from gateway.errors import StoreUnavailable
from gateway.store.base import Session, StoredKey, ThrottlePolicy


class Clock:
    """Is a clock that stands until a test moves it."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Reachable:
    """Raises `StoreUnavailable` from every call while `is_down`."""

    is_down = False

    def _reach(self) -> None:
        if self.is_down:
            raise StoreUnavailable("the store is down")


class MemoryKeys(Reachable):
    """Is `gateway.store.base.Keys` in memory."""

    def __init__(self) -> None:
        self.rows: list[StoredKey] = []
        self.secrets: dict[str, bytes] = {}

    async def all(self) -> Sequence[StoredKey]:
        self._reach()
        return tuple(self.rows)

    async def ensure(self, make: Callable[[Sequence[StoredKey]], Sequence[StoredKey]]) -> Sequence[StoredKey]:
        self._reach()
        self.rows += make(tuple(self.rows))
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


class MemorySessions(Reachable):
    """Is `gateway.store.base.Sessions` in memory; `inactive` holds the accounts that may not log in."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.rows: dict[bytes, Session] = {}
        self.reasons: dict[UUID, str] = {}
        self.inactive: set[UUID] = set()
        self.reads = 0

    async def open(self, *, account_id: UUID, app: str, handle: bytes, lifetime: timedelta) -> Session | None:
        self._reach()
        if account_id in self.inactive:
            return None
        expires = datetime.fromtimestamp(self._clock(), UTC) + lifetime
        session = Session(id=UUID(int=len(self.rows) + 1), account_id=account_id, app=app, expires_at=expires)
        self.rows[handle] = session
        return session

    async def live(self, app: str, handle: bytes) -> Session | None:
        self._reach()
        self.reads += 1
        session = self.rows.get(handle)
        if session is None or session.app != app or session.id in self.reasons:
            return None
        is_over = session.expires_at.timestamp() <= self._clock() or session.account_id in self.inactive
        return None if is_over else session

    async def end(self, session_id: UUID, *, reason: str) -> None:
        self._reach()
        self.reasons.setdefault(session_id, reason)


def damaged(row: StoredKey) -> StoredKey:
    """Return a key's row whose sealed part lost its last bit."""
    sealed = row.sealed_private
    return replace(row, sealed_private=sealed[:-1] + bytes([sealed[-1] ^ 1]))
