"""A password change on the app's own page, followed into the store.

Written ahead as pending, because the app may have changed the password although its answer never came.
Only the legacy side's yes to the new password, for the account of the gateway session, makes it the
current one. What nobody can confirm stays pending until that user's next login.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from gateway.accounts.ask import Question, Right
from gateway.accounts.passwords import LONGEST, PasswordHasher, is_acceptable
from gateway.errors import LegacyUnavailable, Overloaded, RequestRefused, StoreUnavailable
from gateway.identifiers import Comparison, normalise
from gateway.model import Account, Secret
from gateway.store.base import Changes


class ChangeEnd(StrEnum):
    """How a password change ended."""

    PROMOTED = "promoted"
    DROPPED = "dropped"
    PENDING = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A change that was written ahead: whose, and with which new password."""

    id: UUID
    account: Account
    new_password: Secret


class Change:
    """Writes a change ahead, and settles it when the app has spoken."""

    def __init__(self, changes: Changes, hasher: PasswordHasher) -> None:
        self._changes = changes
        self._hasher = hasher

    async def begin(self, account: Account, new_password: Secret) -> Begun:
        """Write the change ahead of the request that asks the app for it.

        Raises `RequestRefused` for a password that the store could not keep: with the app alone changed,
        its owner could not log in again.
        """
        if not is_acceptable(new_password):
            raise RequestRefused(400, f"A password has at most {LONGEST} characters.")
        new = await self._hasher.new(account.id, new_password)
        change_id = await self._changes.begin(account.id, new)
        return Begun(id=change_id, account=account, new_password=new_password)

    async def drop(self, begun: Begun) -> ChangeEnd:
        """Forget a change that did not happen; without the store it stays pending."""
        try:
            await self._changes.drop(begun.id)
        except StoreUnavailable:
            return ChangeEnd.PENDING
        return ChangeEnd.DROPPED

    async def confirm(self, begun: Begun, question: Question, *, session_id: UUID) -> ChangeEnd:
        """Ask whether the new password opens the legacy side for this account, and settle by the answer.

        Without an answer, or without the store, it stays pending.
        """
        try:
            answer = await question.ask(login_name(begun.account), begun.new_password)
            if isinstance(answer, Right) and answer.user.legacy_id == begun.account.legacy_id:
                return await self._promote(begun, answer, session_id)
        except (LegacyUnavailable, Overloaded, StoreUnavailable):
            return ChangeEnd.PENDING
        return await self.drop(begun)

    async def _promote(self, begun: Begun, right: Right, session_id: UUID) -> ChangeEnd:
        is_done = await self._changes.promote(begun.id, legacy_seen=right.legacy_seen, keep_session=session_id)
        return ChangeEnd.PROMOTED if is_done else ChangeEnd.DROPPED


def login_name(account: Account) -> str:
    """Return the name under which the legacy side is asked about an account.

    That is a name of its profile, spelled as the legacy side spells it, which its owner may type.
    """
    spelled = (account.profile.username, account.profile.email)
    return next((name for name in spelled if _may_be_typed(name, account)),
                next(iter(account.aliases), account.legacy_id))


def _may_be_typed(name: str, account: Account) -> bool:
    return any(normalise(name, comparison) in account.aliases for comparison in Comparison)
