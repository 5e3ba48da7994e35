"""What the use cases ask of a store, cut by consumer, and the rows that they are handed.

Any of these calls raises `gateway.errors.StoreUnavailable` when the store cannot be reached or the fate
of a write is unknown. Each write is one transaction that re-checks its reason inside; what changes an
account, a phase or a key, or ends a session, leaves its audit entry there. Times are the store's. `actor`
names who caused a change: "login", "cli", "api", …
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from gateway.model import Account, AccountState, LegacyUser, Phase, Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPassword:
    """A password that is about to become an account's: never itself.

    `encoded` is the argon2id PHC string. `held` (32 bytes) is the keyed digest by which the same
    password is recognised once it is a previous one.
    """

    encoded: Secret
    held: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """An account's current password; `legacy_seen` is the keyed digest of the legacy hash last seen."""

    encoded: Secret
    legacy_seen: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingChange:
    """A password change that the app was asked for and nobody has confirmed yet.

    `held` is the digest by which its new password is recognised.
    """

    id: UUID
    held: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An account as a login finds it. A tombstone has an empty `encoded` and nothing pending."""

    account: Account
    credential: Credential
    pending: tuple[PendingChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """A legacy user who is about to become an account; `aliases` are already normalised."""

    account_id: UUID
    source: str
    user: LegacyUser
    aliases: tuple[str, ...]
    password: NewPassword
    legacy_seen: bytes | None = field(repr=False)
    way: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A live gateway session of one account with one app.

    `username` and `email` are the account's now: the profile's name or else the legacy id, and "" for no e-mail.
    """

    id: UUID
    account_id: UUID
    app: str
    expires_at: datetime
    username: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A signing key as it lies in the store: the private part only sealed. Its times are set by the store."""

    kid: str
    algorithm: str
    state: str
    public_jwk: Mapping[str, str]
    sealed_private: bytes = field(repr=False)
    created_at: datetime
    activated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCount:
    """How many accounts of one source are in one state."""

    source: str
    state: AccountState
    accounts: int


class Accounts(Protocol):
    """Who has crossed. An alias that two accounts claim is found under both."""

    async def find(self, source: str, alias: str) -> Sequence[Candidate]:
        """Return the accounts that claim this normalised alias, tombstones excluded."""

    async def find_legacy(self, source: str, legacy_id: str) -> Candidate | None:
        """Return the account of a legacy id, a tombstone included."""

    async def adopt(self, adoption: Adoption) -> bool:
        """Create account, aliases, credential and audit entry; False when the legacy id has one already.

        After an unknown commit it re-reads by legacy id before it raises.
        """

    async def logged_in(self, account_id: UUID) -> None:
        """Note the time of a granted login."""

    async def drifted(self, account_id: UUID, *, app: str, verdict: str) -> None:
        """Enter into the audit trail that an app did not say right to the right password."""


class Passwords(Protocol):
    """The current, previous and pending passwords of accounts."""

    async def is_previous(self, account_id: UUID, held: bytes) -> bool:
        """Say whether the account held this password before its current one."""

    async def rehash(self, account_id: UUID, *, old: Secret, new: NewPassword) -> bool:
        """Replace the encoding of the same password; False when it is no longer `old`."""

    async def follow(self, account_id: UUID, *, old: Secret, new: NewPassword,
                     legacy_seen: bytes | None) -> bool:
        """Make a password that the legacy side confirmed the current one, unless it is no longer `old`.

        The old one joins the previous ones, pending changes go, all sessions end. False: lost a race, to
        another change, a block, or one that made `new` a previous password.
        """

    async def note_seen(self, account_id: UUID, *, encoded: Secret, legacy_seen: bytes) -> None:
        """Note the legacy hash last seen for the current password, unless that is no longer `encoded`."""


class Changes(Protocol):
    """Password changes between the app's page and their confirmation."""

    async def begin(self, account_id: UUID, new: NewPassword) -> UUID:
        """Write a pending change ahead of the request that asks the app for it."""

    async def promote(self, change_id: UUID, *, legacy_seen: bytes | None, keep_session: UUID | None) -> bool:
        """Make a confirmed change the current password; False when it is gone, or the account not active.

        In one transaction: the old password joins the previous ones, the new one leaves them, changes
        begun before this one go, and the account's sessions but `keep_session` end.
        """

    async def drop(self, change_id: UUID) -> None:
        """Forget a change that did not happen."""


class Sessions(Protocol):
    """Gateway sessions. `handle` is the SHA-256 of the opaque token that the browser holds."""

    async def open(self, *, account_id: UUID, app: str, handle: bytes, lifetime: timedelta,
                   proven: Secret) -> Session | None:
        """Open a session for a login that proved the password encoded as `proven`.

        None when the account is not active any more, or that is not its current password any more: a change
        that ends all sessions must not be outlived by one that was just about to begin.
        """

    async def live(self, app: str, handle: bytes) -> Session | None:
        """Return the session behind a handle while neither it nor its account has ended."""

    async def find(self, session_id: UUID) -> Session | None:
        """Return a session by its id while neither it nor its account has ended."""

    async def end(self, session_id: UUID, *, reason: str) -> None:
        """End one session and tell every worker."""


class Management(Protocol):
    """Accounts as operators see and change them."""

    async def get(self, account_id: UUID) -> Account | None:
        """Return one account, tombstones included."""

    async def search(self, *, text: str, state: AccountState | None, after: UUID | None,
                     limit: int) -> Sequence[Account]:
        """Return accounts in the order of their ids, whose name, e-mail or alias holds `text`."""

    async def set_state(self, account_id: UUID, state: AccountState, *, actor: str) -> Account | None:
        """Block, unblock or delete an account; blocking and deleting end its sessions.

        Deletion leaves a tombstone of source and legacy id: password, profile and aliases are gone,
        and it is final: a tombstone is returned unchanged.
        """

    async def counts(self) -> Sequence[SourceCount]:
        """Count accounts by source and state."""


class Phases(Protocol):
    """The phase of each source; the configuration gives only the first value."""

    async def ensure(self, source: str, first: Phase) -> Phase:
        """Return a source's phase, written as `first` if it had none."""

    async def all(self) -> Mapping[str, Phase]:
        """Return the phase of every source the store knows."""

    async def change(self, source: str, phase: Phase, *, actor: str) -> bool:
        """Change a source's phase and tell every worker; False when the store does not know the source."""


class Keys(Protocol):
    """Signing keys and the gateway's own secrets, all sealed under the key-encryption key."""

    async def all(self) -> Sequence[StoredKey]:
        """Return every signing key, oldest first."""

    async def ensure(self, make: Callable[[Sequence[StoredKey]], Sequence[StoredKey]]) -> Sequence[StoredKey]:
        """Add the keys that `make` returns for those that exist, under a lock that replicas share."""

    async def secret(self, purpose: str, make: Callable[[], bytes]) -> bytes:
        """Return the sealed secret of a purpose, made at the first call under the same lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottlePolicy:
    """When failures begin to cost time: after `free` of them, doubling from 1 s up to `longest`.

    Failures are forgotten after `forget` without a further one.
    """

    free: int
    longest: timedelta
    forget: timedelta


class Throttle(Protocol):
    """Consecutive failures by key (16 bytes, a keyed digest; no identifier or address is stored)."""

    async def reserve(self, key: bytes, policy: ThrottlePolicy) -> float:
        """Count an attempt as failed before it is made and return 0, or the seconds to wait instead."""

    async def refund(self, key: bytes, policy: ThrottlePolicy) -> None:
        """Take back one reservation of an attempt that was not a failure."""

    async def clear(self, key: bytes) -> None:
        """Forget a key's failures, because an attempt succeeded."""


class Notices(Protocol):
    """What other workers and operators changed."""

    async def listen(self, on_notice: Callable[[str, str], Awaitable[None]]) -> None:
        """Call `on_notice(topic, value)` for every change until cancelled.

        Topics: `session` (its id ended), `account` (its id: all its sessions ended), `phase` (a source),
        `keys`. Calls `on_notice("resync", "")` after each (re)connection: something may have been missed.
        An `on_notice` that raises StoreUnavailable is owed a resync: the connection is made anew.
        """
