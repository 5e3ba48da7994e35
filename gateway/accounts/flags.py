"""What the legacy side says against a user who has crossed: disabled, locked, must change the password.

Owns the question, and how often it is put. Under the hand-off `headers` no app looks at these flags any more, so
the gateway does, at the login and at each renewal. Only a source that shows rows can be asked; what cannot be
asked says nothing. Must not know what follows from an answer.
"""

from uuid import UUID

from gateway.accounts.ask import Question
from gateway.accounts.phases import PhaseBook
from gateway.model import Account, Outcome, Phase
from gateway.store.base import Management

BARRED = frozenset({Outcome.DISABLED, Outcome.LOCKED})
"""What ends a session; a password that must be changed is asked for at the next login."""

MOST_NAMES = 3  # of one user that are tried: each is a question


class LegacyFlags:
    """Reads the flags of users in the phase `migrate`; afterwards the legacy side is not asked any more."""

    def __init__(self, management: Management, phases: PhaseBook) -> None:
        self._management = management
        self._phases = phases

    async def of_account(self, source: str, question: Question, account_id: UUID) -> Outcome | None:
        """Return what speaks against a user; raises `StoreUnavailable`."""
        account = await self._management.get(account_id)
        return await self.of(source, question, account) if account else None

    async def of(self, source: str, question: Question, account: Account) -> Outcome | None:
        """Return what speaks against the user of an account, or None."""
        if self._phases.of(source) is not Phase.MIGRATE:
            return None
        for name in account.aliases[:MOST_NAMES]:
            row = await question.look(name)
            if row is not None and row.legacy_id == account.legacy_id:
                return row.hindrance
        return None
