"""Adoption: a legacy user whose password was proven becomes an account, exactly once."""

from collections.abc import Callable
from uuid import UUID

from gateway.accounts.ask import Right
from gateway.accounts.passwords import PasswordHasher
from gateway.identifiers import Comparison, aliases
from gateway.model import Secret
from gateway.store.base import Accounts, Adoption

LOGIN = "login"  # the way of those who crossed by logging in


class Adopt:
    """Writes account, aliases, credential and audit entry in one transaction."""

    def __init__(self, accounts: Accounts, hasher: PasswordHasher, new_id: Callable[[], UUID]) -> None:
        self._accounts = accounts
        self._hasher = hasher
        self._new_id = new_id

    async def run(self, source: str, comparison: Comparison, right: Right, password: Secret) -> bool:
        """Adopt the user; False when the legacy id had an account already, which then decides."""
        account_id = self._new_id()
        return await self._accounts.adopt(
            Adoption(
                account_id=account_id,
                source=source,
                user=right.user,
                aliases=aliases(right.user.identifiers, comparison),
                password=await self._hasher.new(account_id, password),
                legacy_seen=right.legacy_seen,
                way=LOGIN,
            )
        )
