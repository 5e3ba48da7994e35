"""A password change on the app's own page, followed into the store.

Written ahead as pending, because the app may have changed the password although its answer never came.
Only the legacy side's yes to the new password, for the account of the gateway session, makes it the
current one. What nobody can confirm stays pending until that user's next login.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from gateway.accounts.ask import Question, Right
from gateway.accounts.passwords import PasswordHasher
from gateway.errors import LegacyUnavailable, Overloaded
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
        """Write the change ahead of the request that asks the app for it."""
        new = await self._hasher.new(account.id, new_password)
        return Begun(
            id=await self._changes.begin(account.id, new), account=account, new_password=new_password
        )

    async def drop(self, begun: Begun) -> ChangeEnd:
        """Forget a change that the app refused."""
        await self._changes.drop(begun.id)
        return ChangeEnd.DROPPED

    async def confirm(self, begun: Begun, question: Question, *, session_id: UUID) -> ChangeEnd:
        """Ask whether the new password opens the legacy side for this account, and settle by the answer."""
        try:
            answer = await question.ask(login_name(begun.account), begun.new_password)
        except (LegacyUnavailable, Overloaded):
            return ChangeEnd.PENDING
        if not isinstance(answer, Right) or answer.user.legacy_id != begun.account.legacy_id:
            return await self.drop(begun)
        await self._changes.promote(begun.id, legacy_seen=answer.legacy_seen, keep_session=session_id)
        return ChangeEnd.PROMOTED


def login_name(account: Account) -> str:
    """Return the name under which the legacy side is asked about an account."""
    return account.profile.username or next(iter(account.aliases), account.legacy_id)
