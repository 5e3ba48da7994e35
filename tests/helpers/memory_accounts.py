"""The part of the store in memory that is about people: accounts, their passwords, sessions, and what is told.

Nothing in a call waits, so each call is a transaction. The audit trail is left out.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from gateway.errors import StoreUnavailable
from gateway.model import Account, AccountState, Profile, Secret
from gateway.store.base import Adoption, Candidate, Credential, NewPassword, PendingChange, Session, SourceCount
from gateway.store.postgres.rows import sought


class Reachable:
    """Raises `StoreUnavailable` from every call while `is_down`."""

    is_down = False

    def _reach(self) -> None:
        if self.is_down:
            raise StoreUnavailable("the store is down")


class MemoryNotices:
    """Is `gateway.store.base.Notices` in memory; a connection to it is never lost."""

    def __init__(self) -> None:
        self._listeners: list[asyncio.Queue[tuple[str, str]]] = []

    def tell(self, topic: str, value: str) -> None:
        for heard in self._listeners:
            heard.put_nowait((topic, value))

    async def listen(self, on_notice: Callable[[str, str], Awaitable[None]]) -> None:
        heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._listeners.append(heard)
        heard.put_nowait(("resync", ""))
        while True:
            try:
                await on_notice(*await heard.get())
            except StoreUnavailable:
                heard.put_nowait(("resync", ""))


class MemorySessions(Reachable):
    """Is `gateway.store.base.Sessions` in memory; `inactive` holds the accounts that may not log in.

    Standing alone it takes every password for the current one.
    """

    def __init__(self, clock: Callable[[], float], notices: MemoryNotices | None = None,
                 is_current: Callable[[UUID, Secret], bool] = lambda *_: True,
                 names: Callable[[UUID], tuple[str, str]] = lambda _: ("alice", "alice@shop.test")) -> None:
        self._clock = clock
        self._names = names
        self._is_current = is_current
        self._notices = notices or MemoryNotices()
        self.rows: dict[bytes, Session] = {}
        self.reasons: dict[UUID, str] = {}
        self.inactive: set[UUID] = set()
        self.reads = 0

    async def open(self, *, account_id: UUID, app: str, handle: bytes, lifetime: timedelta,
                   proven: Secret) -> Session | None:
        self._reach()
        if account_id in self.inactive or not self._is_current(account_id, proven):
            return None
        expires = datetime.fromtimestamp(self._clock(), UTC) + lifetime
        username, email = self._names(account_id)
        session = Session(id=UUID(int=len(self.rows) + 1), account_id=account_id, app=app, expires_at=expires,
                          username=username, email=email)
        self.rows[handle] = session
        return session

    async def live(self, app: str, handle: bytes) -> Session | None:
        self._reach()
        self.reads += 1
        session = self.rows.get(handle)
        return session if session is not None and session.app == app and self._stands(session) else None

    async def find(self, session_id: UUID) -> Session | None:
        self._reach()
        self.reads += 1
        return next((row for row in self.rows.values() if row.id == session_id and self._stands(row)), None)

    def _stands(self, session: Session) -> bool:
        is_over = session.expires_at.timestamp() <= self._clock() or session.account_id in self.inactive
        return not is_over and session.id not in self.reasons

    async def end(self, session_id: UUID, *, reason: str) -> None:
        self._reach()
        if session_id not in self.reasons:
            self.reasons[session_id] = reason
            self._notices.tell("session", str(session_id))

    def end_all(self, account_id: UUID, *, reason: str, keep: UUID | None = None) -> None:
        """End an account's sessions but one, as part of another change."""
        own = [session.id for session in self.rows.values() if session.account_id == account_id]
        ended = [each for each in own if each != keep and each not in self.reasons]
        self.reasons.update(dict.fromkeys(ended, reason))
        for topic, value in [("account", account_id)] if keep is None else [("session", each) for each in ended]:
            self._notices.tell(topic, str(value))


@dataclass(slots=True, kw_only=True)
class Row:
    """Is one account with all its passwords; `password` is None for a tombstone."""

    account: Account
    password: NewPassword | None
    legacy_seen: bytes | None
    previous: set[bytes] = field(default_factory=set)
    pending: dict[UUID, NewPassword] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, str]:
        """The names that an app is told."""
        return self.account.profile.username or self.account.legacy_id, self.account.profile.email

    def opens(self, encoded: Secret) -> bool:
        """Say whether this is the current encoding."""
        return self.password is not None and self.password.encoded == encoded

    def replace(self, new: NewPassword, legacy_seen: bytes | None) -> None:
        """Give the account another password; the old one joins the previous ones, the new one leaves them."""
        assert self.password is not None
        self.previous = (self.previous | {self.password.held}) - {new.held}
        self.password, self.legacy_seen = new, legacy_seen

    def candidate(self) -> Candidate:
        """Return the account as a login finds it."""
        encoded = self.password.encoded if self.password else Secret("")
        pending = tuple(PendingChange(id=number, held=new.held) for number, new in self.pending.items())
        return Candidate(account=self.account, pending=pending,
                         credential=Credential(encoded=encoded, legacy_seen=self.legacy_seen))

    def erase(self) -> None:
        """Keep of a deleted account what a tombstone is."""
        self.account = replace(self.account, profile=Profile(), aliases=())
        self.password, self.legacy_seen = None, None
        self.previous.clear()
        self.pending.clear()


Rows = dict[UUID, Row]


class MemoryAccounts(Reachable):
    """Is `gateway.store.base.Accounts` in memory."""

    def __init__(self, rows: Rows, clock: Callable[[], float]) -> None:
        self._rows = rows
        self._clock = clock

    async def find(self, source: str, alias: str) -> Sequence[Candidate]:
        self._reach()
        return [row.candidate() for row in self._rows.values()
                if row.account.source == source and alias in row.account.aliases]

    async def find_legacy(self, source: str, legacy_id: str) -> Candidate | None:
        self._reach()
        found = (row.candidate() for row in self._rows.values()
                 if (row.account.source, row.account.legacy_id) == (source, legacy_id))
        return next(found, None)

    async def adopt(self, adoption: Adoption) -> bool:
        if await self.find_legacy(adoption.source, adoption.user.legacy_id) is not None:
            return False
        account = Account(
            id=adoption.account_id, source=adoption.source, legacy_id=adoption.user.legacy_id,
            state=AccountState.ACTIVE, profile=adoption.user.profile, aliases=tuple(sorted(set(adoption.aliases))),
            created_at=datetime.fromtimestamp(self._clock(), UTC), last_login_at=None)
        self._rows[account.id] = Row(account=account, password=adoption.password, legacy_seen=adoption.legacy_seen)
        return True

    async def logged_in(self, account_id: UUID) -> None:
        self._reach()
        row = self._rows[account_id]
        row.account = replace(row.account, last_login_at=datetime.fromtimestamp(self._clock(), UTC))

    async def drifted(self, account_id: UUID, *, app: str, verdict: str) -> None:
        self._reach()


class MemoryPasswords(Reachable):
    """Is `gateway.store.base.Passwords` in memory."""

    def __init__(self, rows: Rows, sessions: MemorySessions) -> None:
        self._rows = rows
        self._sessions = sessions

    async def is_previous(self, account_id: UUID, held: bytes) -> bool:
        self._reach()
        row = self._rows.get(account_id)
        return row is not None and held in row.previous

    async def rehash(self, account_id: UUID, *, old: Secret, new: NewPassword) -> bool:
        self._reach()
        row = self._rows.get(account_id)
        if row is None or not row.opens(old):
            return False
        row.password = new
        return True

    async def follow(self, account_id: UUID, *, old: Secret, new: NewPassword,
                     legacy_seen: bytes | None) -> bool:
        self._reach()
        row = self._rows.get(account_id)
        if row is None or row.account.state is not AccountState.ACTIVE:
            return False
        if not row.opens(old) or new.held in row.previous:
            return False
        row.replace(new, legacy_seen)
        row.pending.clear()
        self._sessions.end_all(account_id, reason="password followed")
        return True

    async def note_seen(self, account_id: UUID, *, encoded: Secret, legacy_seen: bytes) -> None:
        self._reach()
        row = self._rows.get(account_id)
        if row and row.opens(encoded):
            row.legacy_seen = legacy_seen


class MemoryChanges(Reachable):
    """Is `gateway.store.base.Changes` in memory."""

    def __init__(self, rows: Rows, sessions: MemorySessions) -> None:
        self._rows = rows
        self._sessions = sessions
        self._ids = (UUID(int=number) for number in count(1))

    async def begin(self, account_id: UUID, new: NewPassword) -> UUID:
        self._reach()
        change_id, row = next(self._ids), self._rows.get(account_id)
        if row and row.password:
            row.pending[change_id] = new
        return change_id

    async def promote(self, change_id: UUID, *, legacy_seen: bytes | None, keep_session: UUID | None) -> bool:
        self._reach()
        row = self._owner(change_id)
        if row is None or row.account.state is not AccountState.ACTIVE:
            return False
        row.replace(row.pending[change_id], legacy_seen)
        row.pending = {each: new for each, new in row.pending.items() if each > change_id}
        self._sessions.end_all(row.account.id, reason="password changed", keep=keep_session)
        return True

    async def drop(self, change_id: UUID) -> None:
        self._reach()
        row = self._owner(change_id)
        if row:
            del row.pending[change_id]

    def _owner(self, change_id: UUID) -> Row | None:
        return next((row for row in self._rows.values() if change_id in row.pending), None)


class MemoryManagement(Reachable):
    """Is `gateway.store.base.Management` in memory."""

    def __init__(self, rows: Rows, sessions: MemorySessions) -> None:
        self._rows = rows
        self._sessions = sessions

    async def get(self, account_id: UUID) -> Account | None:
        self._reach()
        row = self._rows.get(account_id)
        return row.account if row else None

    async def search(self, *, text: str, state: AccountState | None, after: UUID | None,
                     limit: int) -> Sequence[Account]:
        self._reach()
        found = [row.account for _, row in sorted(self._rows.items())
                 if state in (None, row.account.state) and (after is None or row.account.id > after)
                 and sought((text,)) in _names(row.account)]
        return found[:limit]

    async def set_state(self, account_id: UUID, state: AccountState, *, actor: str) -> Account | None:
        self._reach()
        row = self._rows.get(account_id)
        if row is None or row.account.state in (state, AccountState.DELETED):
            return row.account if row else None
        row.account = replace(row.account, state=state)
        if state is AccountState.DELETED:
            row.erase()
        if state is AccountState.ACTIVE:
            self._sessions.inactive.discard(account_id)
        else:
            self._sessions.inactive.add(account_id)
            self._sessions.end_all(account_id, reason=state)
        return row.account

    async def counts(self) -> Sequence[SourceCount]:
        self._reach()
        found = [(row.account.source, row.account.state) for row in self._rows.values()]
        return [SourceCount(source=source, state=state, accounts=found.count((source, state)))
                for source, state in sorted(set(found))]


def _names(account: Account) -> str:
    profile = account.profile
    return sought((profile.username, profile.email, profile.name, *account.aliases))
