"""How a login ends, as values: the words between the login use case and the hand-off."""

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.model import Account, Outcome, Secret
from gateway.store.base import Candidate, PendingChange


class Way(StrEnum):
    """How an account came to be entitled to a login."""

    STORE = "store"
    ADOPTED = "adopted"
    FOLLOWED = "followed"


class Reason(StrEnum):
    """Why a login is denied; for the operator, never for the client."""

    WRONG_PASSWORD = "wrong_password"  # noqa: S105  # a reason, not a password
    PREVIOUS_PASSWORD = "previous_password"  # noqa: S105
    NOT_FOUND = "not_found"
    BLOCKED = "blocked"
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The password is right, and its account is committed.

    `encoded` is the credential that was proven; `legacy_seen` the legacy hash known with it.
    """

    account: Account
    way: Way
    encoded: Secret
    legacy_seen: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """The password is wrong for the store, or wrong for the legacy side where that was asked."""

    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The gateway decides nothing: the request goes on as typed and the app's own answer is shown."""

    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class MustAsk:
    """Only the legacy side can tell.

    `candidate` is the account that was found, if one was. `change` is its pending change to the typed
    password, which then may be the current one. `otherwise` is the decision when the source cannot tell:
    the typed password is the current one, but a change of it is pending. `was_held`: the password was held
    before, and only a pending change back to it lets the legacy side be asked; or several accounts claim the
    name, and one of them is blocked or held it. The app must not be given it as typed before the question.
    """

    candidate: Candidate | None = None
    change: PendingChange | None = None
    otherwise: Granted | None = None
    was_held: bool = False


Decision = Granted | Denied | Shown
