"""A login: the store decides about every password it has ever held; the legacy side about the others.

Owns the two tables of a login (what the store knows, what the source says) and nothing of HTTP, of the
throttle or of the hand-off. `look_up` is the store's part, `ask` the legacy side's. No decision but a
committed account is `Granted`.
"""

from dataclasses import dataclass

from gateway.accounts.adopt import Adopt
from gateway.accounts.ask import Question, Right
from gateway.accounts.decision import Decision, Denied, Granted, MustAsk, Reason, Shown, Way
from gateway.accounts.passwords import PasswordHasher, is_acceptable
from gateway.accounts.phases import PhaseBook
from gateway.errors import LegacyUnavailable
from gateway.hashing.scheme import Match
from gateway.identifiers import Comparison, normalise
from gateway.model import AccountState, Credentials, Outcome, Phase, Secret
from gateway.store.base import Accounts, Candidate, Changes, PendingChange
from gateway.store.base import Passwords as StoredPasswords

DENIALS = {Outcome.WRONG_PASSWORD: Reason.WRONG_PASSWORD, Outcome.NOT_FOUND: Reason.NOT_FOUND}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRules:
    """What a login must know of its source: how names compare, and whether changes there are followed."""

    name: str
    comparison: Comparison = Comparison.EXACT
    follows: bool = True


class Login:
    """Decides one login at a time; callers keep those of one identifier apart (`Turns`)."""

    def __init__(
        self,
        accounts: Accounts,
        passwords: StoredPasswords,
        changes: Changes,
        hasher: PasswordHasher,
        phases: PhaseBook,
        adopt: Adopt,
    ) -> None:
        self._accounts = accounts
        self._passwords = passwords
        self._changes = changes
        self._hasher = hasher
        self._phases = phases
        self._adopt = adopt

    async def look_up(self, source: SourceRules, typed: Credentials) -> Decision | MustAsk:
        """Decide by what the store knows, or say that the legacy side must be asked."""
        alias = normalise(typed.identifier, source.comparison)
        if alias is None:  # what the app would make of it, nobody knows: a blocked user's name, perhaps
            return await self._deny(Reason.NOT_FOUND, typed)
        found = await self._accounts.find(source.name, alias)
        if len(found) == 1:  # an alias that two users claim belongs to nobody
            return await self._weigh(source, found[0], typed)
        if self._phases.of(source.name) is Phase.COMPLETE:
            return await self._deny(Reason.NOT_FOUND, typed)
        if not is_acceptable(typed.password):
            return Shown(outcome=Outcome.NOT_FOUND)  # the app may know better; nothing is stored
        return MustAsk()

    async def ask(self, source: SourceRules, typed: Credentials, must: MustAsk, question: Question) -> Decision:
        """Let the legacy side decide; raises `LegacyUnavailable` when it cannot and nothing else can."""
        known = must.candidate.credential.legacy_seen if must.candidate and not must.otherwise else None
        try:
            answer = await question.ask(typed.identifier, typed.password, unless_seen=known)
        except LegacyUnavailable:
            if must.otherwise is None:
                raise
            return must.otherwise
        if isinstance(answer, Right):
            return await self._confirmed(source, typed, must.candidate, answer)
        if answer in DENIALS:
            return await self._refused(must, DENIALS[answer], typed)
        return Shown(outcome=answer)

    async def _weigh(self, source: SourceRules, candidate: Candidate, typed: Credentials) -> Decision | MustAsk:
        """The first table: an account was found."""
        if candidate.account.state is not AccountState.ACTIVE:
            return await self._deny(Reason.BLOCKED, typed)
        if not is_acceptable(typed.password):
            return await self._deny(Reason.WRONG_PASSWORD, typed)
        standing = await self._standing(candidate, typed)
        if isinstance(standing, Denied):
            return standing
        if candidate.pending:  # did the change happen? Only the legacy side knows
            return MustAsk(candidate=candidate, otherwise=standing)
        if standing is not None:
            return standing
        if self._may_follow(source):
            return MustAsk(candidate=candidate)
        return Denied(reason=Reason.WRONG_PASSWORD)

    async def _standing(self, candidate: Candidate, typed: Credentials) -> Granted | Denied | None:
        """Say what the store holds of this password: current, previous, or (None) never."""
        account, encoded = candidate.account, candidate.credential.encoded
        match = await self._hasher.verify(encoded, typed.password)
        if match is Match.STALE:
            renewed = await self._hasher.new(account.id, typed.password)
            await self._passwords.rehash(account.id, old=encoded, new=renewed)
            encoded = renewed.encoded
        if match in (Match.YES, Match.STALE):
            seen = candidate.credential.legacy_seen
            return Granted(account=account, way=Way.STORE, encoded=encoded, legacy_seen=seen)
        held = await self._hasher.held(account.id, typed.password)
        if await self._passwords.is_previous(account.id, held):
            return Denied(reason=Reason.PREVIOUS_PASSWORD)
        return None

    async def _confirmed(
        self, source: SourceRules, typed: Credentials, candidate: Candidate | None, right: Right
    ) -> Decision:
        """The second table, "right": a new account, or the account of that legacy id decides."""
        if candidate is None or candidate.account.legacy_id != right.user.legacy_id:
            if self._phases.of(source.name) is Phase.COMPLETE:
                return Denied(reason=Reason.NOT_FOUND)
            owner = await self._accounts.find_legacy(source.name, right.user.legacy_id)
            if owner is None and await self._adopt.run(source.name, source.comparison, right, typed.password):
                return await self._granted(source, right, Way.ADOPTED)
            return await self._by_owner(source, typed, right)
        return await self._follow(source, typed, candidate, right)

    async def _by_owner(self, source: SourceRules, typed: Credentials, right: Right) -> Decision:
        """Let the account decide that the legacy id already has: another alias, or the race was lost."""
        owner = await self._accounts.find_legacy(source.name, right.user.legacy_id)
        if owner is None:
            return Denied(reason=Reason.BLOCKED)
        decision = await self._weigh(source, owner, typed)
        if not isinstance(decision, MustAsk):
            return decision
        if right.legacy_seen is not None and right.legacy_seen == owner.credential.legacy_seen:
            return decision.otherwise or Denied(reason=Reason.WRONG_PASSWORD)
        return await self._follow(source, typed, owner, right)

    async def _follow(
        self, source: SourceRules, typed: Credentials, candidate: Candidate, right: Right
    ) -> Decision:
        """The legacy side opened with it, for this very account: settle pending changes, or follow."""
        account, old = candidate.account, candidate.credential.encoded
        if await self._opens(old, typed):
            await self._drop(candidate.pending)  # asked for, and did not happen
            return await self._granted(source, right, Way.STORE)
        for change in candidate.pending:
            if await self._opens(change.encoded, typed):
                return await self._promote(source, typed, change, right)
        if not self._may_follow(source):
            return Denied(reason=Reason.WRONG_PASSWORD)
        new = await self._hasher.new(account.id, typed.password)
        if await self._passwords.follow(account.id, old=old, new=new, legacy_seen=right.legacy_seen):
            return await self._granted(source, right, Way.FOLLOWED)
        return await self._after_lost_race(source, typed, right)

    async def _promote(
        self, source: SourceRules, typed: Credentials, change: PendingChange, right: Right
    ) -> Decision:
        """A change whose confirmation never came is confirmed by this login."""
        if await self._changes.promote(change.id, legacy_seen=right.legacy_seen, keep_session=None):
            return await self._granted(source, right, Way.FOLLOWED)
        return await self._after_lost_race(source, typed, right)

    async def _after_lost_race(self, source: SourceRules, typed: Credentials, right: Right) -> Decision:
        """Somebody else changed the password meanwhile: what they left decides."""
        owner = await self._accounts.find_legacy(source.name, right.user.legacy_id)
        standing = await self._standing(owner, typed) if owner else None
        return standing or Denied(reason=Reason.WRONG_PASSWORD)

    async def _refused(self, must: MustAsk, reason: Reason, typed: Credentials) -> Denied:
        """The legacy side said no. A pending change whose new password this was did not happen."""
        if must.candidate is None:
            return await self._deny(reason, typed)
        if must.otherwise is None:
            for change in must.candidate.pending:
                if await self._opens(change.encoded, typed):
                    await self._drop((change,))
        return Denied(reason=reason)

    async def _granted(self, source: SourceRules, right: Right, way: Way) -> Decision:
        """Grant on what is committed now, and on nothing else."""
        owner = await self._accounts.find_legacy(source.name, right.user.legacy_id)
        if owner is None or owner.account.state is not AccountState.ACTIVE:
            return Denied(reason=Reason.BLOCKED)
        credential = owner.credential
        return Granted(
            account=owner.account, way=way, encoded=credential.encoded, legacy_seen=credential.legacy_seen
        )

    def _may_follow(self, source: SourceRules) -> bool:
        return source.follows and self._phases.of(source.name) is Phase.MIGRATE

    async def _opens(self, encoded: Secret, typed: Credentials) -> bool:
        return await self._hasher.verify(encoded, typed.password) in (Match.YES, Match.STALE)

    async def _drop(self, pending: tuple[PendingChange, ...]) -> None:
        for change in pending:
            await self._changes.drop(change.id)

    async def _deny(self, reason: Reason, typed: Credentials) -> Denied:
        """Deny after the work that a wrong password of an account costs: verify, and held before?"""
        await self._hasher.dummy(typed.password)
        await self._hasher.dummy(typed.password)
        return Denied(reason=reason)
