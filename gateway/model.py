"""The values that the parts hand to one another. Frozen, and free of I/O.

Owns the words of the crossing: who (Profile, LegacyUser, Account), with what (Secret, Credentials,
PasswordChange), and how it ended (Outcome, Verdict, Phase, AccountState).
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NoReturn
from uuid import UUID


class Secret:
    """Holds a password, key or token so that no repr, format, pickle or log can show it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself; call it at the last possible place."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode("utf-8", "surrogatepass"),
                                   other._value.encode("utf-8", "surrogatepass"))

    __hash__ = None  # type: ignore[assignment]  # a secret is nobody's dictionary key

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError("a Secret cannot be formatted; reveal() it where it is needed")

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")


class Outcome(StrEnum):
    """What a legacy source said about a login."""

    RIGHT = "right"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105  # an outcome, not a password
    NOT_FOUND = "not_found"
    DISABLED = "disabled"
    LOCKED = "locked"
    MUST_CHANGE = "must_change"
    AMBIGUOUS = "ambiguous"
    UNSUPPORTED_HASH = "unsupported_hash"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    PROTOCOL_ERROR = "protocol_error"


class Verdict(StrEnum):
    """What an app's answer to a forwarded request means; `unknown` is never taken for either other."""

    RIGHT = "right"
    WRONG = "wrong"
    UNKNOWN = "unknown"


class Phase(StrEnum):
    """How far the migration of one source is."""

    MIGRATE = "migrate"
    COMPLETE = "complete"


class AccountState(StrEnum):
    """Whether an account may log in; `deleted` is a tombstone, which never comes back by itself."""

    ACTIVE = "active"
    BLOCKED = "blocked"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What the legacy side tells about a person, besides the password."""

    username: str = ""
    email: str = ""
    name: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyUser:
    """One user as a legacy source knows them.

    `legacy_id` is the source's primary key and the user's identity. `identifiers` are the names that
    they may type at a login. `hindrance` is disabled, locked or must_change where the source says so.
    """

    legacy_id: str
    identifiers: tuple[str, ...]
    profile: Profile = field(default_factory=Profile)
    hindrance: Outcome | None = None

    def __post_init__(self) -> None:
        if not self.legacy_id:
            raise ValueError("a legacy user needs a legacy_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What was typed at a login: the identifier as typed, the password exactly."""

    identifier: str
    password: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChange:
    """What was typed at a password change; several new-password fields held the same value."""

    new_password: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One user in the new store."""

    id: UUID
    source: str
    legacy_id: str
    state: AccountState
    profile: Profile
    aliases: tuple[str, ...]
    created_at: datetime
    last_login_at: datetime | None
