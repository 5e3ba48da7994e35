"""A password change on the app's own page, followed into the store.

Written ahead as pending, because the app may have changed the password although its answer never came.
Only the legacy side's yes to the new password, for the account of the gateway session, makes it the
current one. What nobody can confirm stays pending until that user's next login.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from gateway.accounts.ask import Question, Unsure
from gateway.accounts.passwords import LONGEST, PasswordHasher, is_acceptable
from gateway.errors import LegacyUnavailable, Overloaded, RequestRefused, StoreUnavailable
from gateway.identifiers import Comparison, normalise
from gateway.model import Account, AccountState, Outcome, Secret
from gateway.store.base import Accounts, Changes

TRIES = 3  # as often as a login may drop the change between the question and its answer

REFUSALS = frozenset({Outcome.WRONG_PASSWORD, Outcome.NOT_FOUND})
"""What says that a change did not happen; any other word that is not a yes says nothing of it."""


class ChangeEnd(StrEnum):
    """How a password change ended."""

    PROMOTED = "promoted"
    DROPPED = "dropped"
    PENDING = "pending"


ENDS_OF_LOST: Mapping[AccountState, ChangeEnd | None] = {
    AccountState.ACTIVE: None,
    AccountState.BLOCKED: ChangeEnd.PENDING,
    AccountState.DELETED: ChangeEnd.DROPPED,
}
"""How a change ends that was confirmed but could not be promoted, by its account's state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A change that was written ahead: whose, and with which new password.

    `legacy_seen` is the legacy hash last seen before the app was asked; it confirms nothing.
    """

    id: UUID
    account: Account
    new_password: Secret
    legacy_seen: bytes | None = field(repr=False)


class Change:
    """Writes a change ahead, and settles it when the app has spoken."""

    def __init__(self, accounts: Accounts, changes: Changes, hasher: PasswordHasher) -> None:
        self._accounts = accounts
        self._changes = changes
        self._hasher = hasher

    async def begin(self, account: Account, new_password: Secret) -> Begun:
        """Write the change ahead of the request that asks the app for it.

        Raises `RequestRefused` for a password that the store could not keep: with the app alone changed,
        its owner could not log in again.
        """
        if not is_acceptable(new_password):
            raise RequestRefused(400, f"A password has at most {LONGEST} characters.")
        before = await self._accounts.find_legacy(account.source, account.legacy_id)
        seen = before.credential.legacy_seen if before else None
        change_id = await self._write(account, new_password)
        return Begun(id=change_id, account=account, new_password=new_password, legacy_seen=seen)

    async def drop(self, begun: Begun) -> ChangeEnd:
        """Forget a change that did not happen; without the store it stays pending."""
        try:
            await self._changes.drop(begun.id)
        except StoreUnavailable:
            return ChangeEnd.PENDING
        return ChangeEnd.DROPPED

    async def confirm(self, begun: Begun, question: Question, *, session_id: UUID) -> ChangeEnd:
        """Ask whether the new password opens the legacy side for this account, and settle by the answer.

        A login beside it may have found, a moment too early, that nothing had changed, and dropped it: then it
        is written anew and asked about again, as another change may have come since. Without an answer, or
        without the store, it stays pending. The same password under the same hash has not been changed.
        """
        try:
            for _ in range(TRIES):
                end = await self._settle(begun, question, session_id)
                if end is not None:
                    return end
                begun = replace(begun, id=await self._write(begun.account, begun.new_password))
        except (LegacyUnavailable, Overloaded, StoreUnavailable):
            return ChangeEnd.PENDING
        return ChangeEnd.PENDING

    async def _settle(self, begun: Begun, question: Question, session_id: UUID) -> ChangeEnd | None:
        """Ask once; None when the legacy side confirms a change of an active account that is not pending any more."""
        account = begun.account
        answer = await question.ask(login_name(account), begun.new_password, unless_seen=begun.legacy_seen)
        if isinstance(answer, Outcome):
            return await self.drop(begun) if answer in REFUSALS else ChangeEnd.PENDING
        if isinstance(answer, Unsure):
            return await self.drop(begun) if answer.legacy_id != account.legacy_id else ChangeEnd.PENDING
        if answer.user.legacy_id != account.legacy_id:
            return await self.drop(begun)
        if await self._changes.promote(begun.id, legacy_seen=answer.legacy_seen, keep_session=session_id):
            return ChangeEnd.PROMOTED
        owner = await self._accounts.find_legacy(account.source, account.legacy_id)
        state = owner.account.state if owner else AccountState.DELETED
        return ENDS_OF_LOST[state]

    async def _write(self, account: Account, new_password: Secret) -> UUID:
        return await self._changes.begin(account.id, await self._hasher.new(account.id, new_password))

def login_name(account: Account) -> str:
    """Return the name under which the legacy side is asked about an account.

    That is a name of its profile, spelled as the legacy side spells it, which its owner may type.
    """
    spelled = (account.profile.username, account.profile.email)
    return next((name for name in spelled if _may_be_typed(name, account)),
                next(iter(account.aliases), account.legacy_id))


def _may_be_typed(name: str, account: Account) -> bool:
    return any(normalise(name, comparison) in account.aliases for comparison in Comparison)
