"""The contract between the gateway and a legacy user store. Stands alone: it imports words only.

An adapter is opened with `async with` and closed by leaving it; its constructor does nothing. It answers
with values: a user, or the `Outcome` that says why there is none. Only a breakdown is raised:
`AdapterUnavailable` when the store cannot be asked now, `AdapterMisconfigured` when it never could be.
"Does not know this user" and "could not ask" are never confused.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from gateway.model import LegacyUser, Outcome, Secret


class AdapterError(Exception):
    """Is the root of what an adapter raises; its text names no user, password, hash or URL."""


class AdapterUnavailable(AdapterError):
    """Says that the legacy store cannot be asked now.

    `outcome` is unavailable, timeout or protocol_error.
    """

    def __init__(self, reason: str, outcome: Outcome = Outcome.UNAVAILABLE) -> None:
        super().__init__(reason)
        self.outcome = outcome


class AdapterMisconfigured(AdapterError):
    """Says what the operator must change before this legacy store can be asked: one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyRow:
    """A user beside the password hash that the legacy store keeps, in the store's own encoding."""

    user: LegacyUser
    encoded_hash: Secret


class Adapter(AbstractAsyncContextManager["Adapter"], Protocol):
    """What every adapter can do."""

    async def ping(self) -> None:
        """Ask the store for a sign of life; raises `AdapterUnavailable`."""


@runtime_checkable
class PasswordSource(Protocol):
    """A source that is given a password and says whether it is right; it never shows a hash."""

    async def authenticate(self, login: str, password: Secret) -> LegacyUser | Outcome:
        """Return the user whose password this is, or why not.

        `login` is the identifier as typed, `password` is never empty. A user with a `hindrance` is
        returned only for the right password.
        """


@runtime_checkable
class HashSource(Protocol):
    """A source that shows a user's hash; the gateway verifies it. It never sees a password."""

    async def fetch(self, login: str) -> LegacyRow | Outcome:
        """Return the row whose identifier this is, or `not_found`, or `ambiguous` when several are."""
