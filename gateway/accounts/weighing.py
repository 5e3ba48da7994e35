"""What the store alone says of a password and an account: the first table of a login.

Owns the order of its rows: state, current, pending, previous, never held. Asks no legacy side and knows no
source: whether changes there are followed comes in.
"""

from collections.abc import Sequence

from gateway.accounts.decision import Denied, Granted, MustAsk, Reason, Way
from gateway.accounts.passwords import PasswordHasher, is_acceptable
from gateway.hashing.scheme import Match
from gateway.model import AccountState, Secret
from gateway.store.base import Accounts, Candidate, Passwords


class Weighing:
    """Weighs typed passwords; each one costs as much as any other, but for those that a single look decides."""

    def __init__(self, accounts: Accounts, passwords: Passwords, hasher: PasswordHasher) -> None:
        self._accounts = accounts
        self._passwords = passwords
        self._hasher = hasher

    async def weigh(self, candidate: Candidate, typed: Secret, *, follows: bool) -> Granted | Denied | MustAsk:
        """Decide about one account, or say that only the legacy side can tell."""
        if candidate.account.state is not AccountState.ACTIVE:
            return await self._deny(Reason.BLOCKED, typed)
        if not is_acceptable(typed):
            return await self._deny(Reason.WRONG_PASSWORD, typed)
        current = await self._by_current(candidate, typed)
        if current is not None:  # did a pending change happen? Only the legacy side knows
            return MustAsk(candidate=candidate, otherwise=current) if candidate.pending else current
        held = await self._hasher.held(candidate.account.id, typed)
        was_held = await self._passwords.is_previous(candidate.account.id, held)
        change = next((change for change in candidate.pending if change.held == held), None)
        if change is not None:  # even back to a previous password: the app's own page allows that
            return MustAsk(candidate=candidate, change=change, was_held=was_held)
        if was_held:
            return Denied(reason=Reason.PREVIOUS_PASSWORD)
        return MustAsk(candidate=candidate) if follows else Denied(reason=Reason.WRONG_PASSWORD)

    async def bars(self, claimants: Sequence[Candidate], typed: Secret) -> bool:
        """Say whether one of the claimants of a name may not be entered with this acceptable password."""
        for claimant in claimants:
            if claimant.account.state is not AccountState.ACTIVE:
                return True
            held = await self._hasher.held(claimant.account.id, typed)
            if await self._passwords.is_previous(claimant.account.id, held):
                return True
        return False

    async def spend(self, typed: Secret) -> None:
        """Do the work that a wrong password of an account costs: verify, and held before?"""
        await self._hasher.dummy(typed)
        await self._hasher.dummy(typed)

    async def _deny(self, reason: Reason, typed: Secret) -> Denied:
        await self.spend(typed)
        return Denied(reason=reason)

    async def _by_current(self, candidate: Candidate, typed: Secret) -> Granted | None:
        """Grant on the current password, renewing its encoding if the parameters are old; None for any other."""
        account, encoded = candidate.account, candidate.credential.encoded
        match = await self._hasher.verify(encoded, typed)
        if match not in (Match.YES, Match.STALE):
            return None
        if match is Match.STALE:
            renewed = await self._hasher.new(account.id, typed)
            if not await self._passwords.rehash(account.id, old=encoded, new=renewed):  # a replica was first
                fresh = await self._accounts.find_legacy(account.source, account.legacy_id)
                return await self._by_current(fresh, typed) if fresh else None
            encoded = renewed.encoded
        seen = candidate.credential.legacy_seen
        return Granted(account=account, way=Way.STORE, encoded=encoded, legacy_seen=seen)
