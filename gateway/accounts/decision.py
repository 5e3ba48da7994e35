"""How a login ends, as values: the words between the login use case and the hand-off."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.model import Account, Outcome, Secret
from gateway.store.base import Candidate


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
    legacy_seen: bytes | None


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

    `candidate` is the account that never held this password, if there is one. `otherwise` is the
    decision when the source cannot be asked, where there is one to fall back to.
    """

    candidate: Candidate | None = None
    otherwise: Granted | None = None


Decision = Granted | Denied | Shown
