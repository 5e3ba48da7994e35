"""A login: the store decides about every password it has ever held; the legacy side about the others.

Owns the way through the two tables of a login (what the store knows, what the source says) and nothing of
HTTP, of the throttle or of the hand-off. `look_up` is the store's part, `ask` the legacy side's. Nothing but
a committed account is `Granted`; the password of one that may not be entered is never left to the app.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.accounts.adopt import Adopt
from gateway.accounts.ask import Question, Right, Unsure
from gateway.accounts.decision import Decision, Denied, Granted, MustAsk, Reason, Shown, Way
from gateway.accounts.passwords import PasswordHasher, is_acceptable
from gateway.accounts.phases import PhaseBook
from gateway.accounts.weighing import Weighing
from gateway.errors import LegacyUnavailable
from gateway.identifiers import Comparison, normalise
from gateway.model import AccountState, Credentials, Outcome, Phase
from gateway.store.base import Accounts, Candidate, Changes, PendingChange
from gateway.store.base import Passwords as StoredPasswords

DENIALS = {Outcome.WRONG_PASSWORD: Reason.WRONG_PASSWORD, Outcome.NOT_FOUND: Reason.NOT_FOUND}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRules:
    """What a login must know of its source: how names compare, and whether changes there are followed.

    `names_are_ids`: the normalised name is the user's legacy id, because the source knows no other.
    """

    name: str
    comparison: Comparison = Comparison.EXACT
    follows: bool = True
    names_are_ids: bool = False


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
        self._weighing = Weighing(accounts, passwords, hasher)

    def follows(self, source: SourceRules) -> bool:
        """Say whether a password that an account never held may have been set on the legacy side."""
        return source.follows and self._phases.of(source.name) is Phase.MIGRATE

    async def spend(self, typed: Credentials) -> None:
        """Do the work that a wrong password of an account costs."""
        await self._weighing.spend(typed.password)

    async def look_up(self, source: SourceRules, typed: Credentials) -> Decision | MustAsk:
        """Decide by what the store knows, or say that the legacy side must be asked."""
        alias = normalise(typed.identifier, source.comparison)
        if alias is None:  # nobody's name, which a lenient app may yet take for somebody's
            return await self._deny(Reason.NOT_FOUND, typed)
        found = await self._claimants(source, alias)
        if len(found) == 1:  # an alias that two users claim belongs to nobody
            return await self._weigh(source, found[0], typed)
        if self._phases.of(source.name) is Phase.COMPLETE:
            return await self._deny(Reason.NOT_FOUND, typed)
        if is_acceptable(typed.password):
            return MustAsk(was_held=await self._weighing.bars(found, typed.password))
        if found:
            return await self._deny(Reason.WRONG_PASSWORD, typed)
        if source.names_are_ids:  # nobody with an account; the app may know better, and nothing is stored
            return await self._show(Outcome.NOT_FOUND, typed)
        return MustAsk()  # the name may be another one of somebody with an account

    async def ask(self, source: SourceRules, typed: Credentials, must: MustAsk, question: Question) -> Decision:
        """Let the legacy side decide; raises `LegacyUnavailable` when it cannot and nothing else can."""
        known = must.candidate.credential.legacy_seen if must.candidate and not must.otherwise else None
        try:
            answer = await self._answer(typed, question, known)
        except LegacyUnavailable:
            if must.otherwise is None:
                raise
            return must.otherwise
        if isinstance(answer, Right):
            return await self._confirmed(source, typed, must, answer)
        if isinstance(answer, Unsure):
            return await self._undecided(source, typed, must, answer)
        if answer in DENIALS:
            return await self._refused(must, DENIALS[answer], typed)
        return await self._leave(must, answer, typed)

    async def _claimants(self, source: SourceRules, alias: str) -> Sequence[Candidate]:
        """Find whose name it is; a tombstone has no names any more, but its legacy id may be one."""
        found = await self._accounts.find(source.name, alias)
        if found or not source.names_are_ids:
            return found
        owner = await self._accounts.find_legacy(source.name, alias)
        return (owner,) if owner else ()

    async def _answer(self, typed: Credentials, question: Question, known: bytes | None) -> Right | Unsure | Outcome:
        """Ask for the name as typed, and where that is nobody's, as applications read it."""
        answer = await question.ask(typed.identifier, typed.password, unless_seen=known)
        name = normalise(typed.identifier, Comparison.EXACT) or typed.identifier
        if answer is not Outcome.NOT_FOUND or name == typed.identifier:
            return answer
        return await question.ask(name, typed.password, unless_seen=known)

    async def _weigh(self, source: SourceRules, candidate: Candidate, typed: Credentials) -> Decision | MustAsk:
        return await self._weighing.weigh(candidate, typed.password, follows=self.follows(source))

    async def _confirmed(self, source: SourceRules, typed: Credentials, must: MustAsk, right: Right) -> Decision:
        """The second table, "right": a new account, or the account of that legacy id decides."""
        if must.candidate is not None and must.candidate.account.legacy_id == right.user.legacy_id:
            return await self._settle(source, typed, must, right)
        owner = await self._owner(source, right)
        if owner is None:
            if self._phases.of(source.name) is Phase.COMPLETE:
                return Denied(reason=Reason.NOT_FOUND)
            if await self._adopt.run(source.name, source.comparison, right, typed.password):
                return await self._granted(source, right, Way.ADOPTED)
            owner = await self._owner(source, right)  # a second request won the race
        decision = await self._weigh(source, owner, typed) if owner else Denied(reason=Reason.BLOCKED)
        return await self._settle(source, typed, decision, right) if isinstance(decision, MustAsk) else decision

    async def _undecided(self, source: SourceRules, typed: Credentials, must: MustAsk, unsure: Unsure) -> Decision:
        """The second table, no word on the password: the account of that legacy id decides, then the app."""
        owner = await self._accounts.find_legacy(source.name, unsure.legacy_id)
        if owner is None:
            return await self._leave(must, unsure.outcome, typed)
        if must.candidate is None or must.candidate.account.id != owner.account.id:
            decision = await self._weigh(source, owner, typed)
            return await self._leave(decision, unsure.outcome, typed) if isinstance(decision, MustAsk) else decision
        if owner.account.state is not AccountState.ACTIVE:  # ended meanwhile
            return Denied(reason=Reason.BLOCKED)
        return await self._leave(must, unsure.outcome, typed)

    async def _leave(self, must: MustAsk, outcome: Outcome, typed: Credentials) -> Decision:
        """Neither yes nor no: the store's word if it has one, else the app's, but not on a password of before."""
        if must.otherwise is not None:
            return must.otherwise
        if not must.was_held:
            return await self._show(outcome, typed)
        if must.candidate is None:
            return await self._deny(Reason.NOT_FOUND, typed)
        return Denied(reason=Reason.PREVIOUS_PASSWORD)

    async def _settle(self, source: SourceRules, typed: Credentials, must: MustAsk, right: Right) -> Decision:
        """The legacy side opened with it, for this very account: end pending changes, or follow."""
        candidate = must.candidate
        assert candidate is not None
        if must.otherwise is not None:  # the current password still opens: the changes did not happen
            for change in candidate.pending:
                await self._changes.drop(change.id)
            return must.otherwise
        if right.legacy_seen is not None and right.legacy_seen == candidate.credential.legacy_seen:
            return await self._refused(must, Reason.WRONG_PASSWORD, typed)
        if await self._replaced(candidate, must.change, typed, right):
            return await self._granted(source, right, Way.FOLLOWED)
        return await self._after_lost_race(source, typed, right)

    async def _replaced(
        self, candidate: Candidate, change: PendingChange | None, typed: Credentials, right: Right
    ) -> bool:
        """Make the typed password the current one; False when somebody else changed it meanwhile."""
        if change is not None:
            return await self._changes.promote(change.id, legacy_seen=right.legacy_seen, keep_session=None)
        account_id = candidate.account.id
        new = await self._hasher.new(account_id, typed.password)
        return await self._passwords.follow(
            account_id, old=candidate.credential.encoded, new=new, legacy_seen=right.legacy_seen
        )

    async def _after_lost_race(self, source: SourceRules, typed: Credentials, right: Right) -> Decision:
        """Decide by what the other one left; the legacy side's yes was used up."""
        owner = await self._owner(source, right)
        decision = await self._weigh(source, owner, typed) if owner else Denied(reason=Reason.BLOCKED)
        if isinstance(decision, MustAsk):
            return decision.otherwise or Denied(reason=Reason.WRONG_PASSWORD)
        return decision

    async def _granted(self, source: SourceRules, right: Right, way: Way) -> Decision:
        """Grant on what is committed now, and on nothing else."""
        owner = await self._owner(source, right)
        if owner is None or owner.account.state is not AccountState.ACTIVE:
            return Denied(reason=Reason.BLOCKED)
        credential = owner.credential
        return Granted(
            account=owner.account, way=way, encoded=credential.encoded, legacy_seen=credential.legacy_seen
        )

    async def _refused(self, must: MustAsk, reason: Reason, typed: Credentials) -> Denied:
        """The legacy side said no. A pending change to this very password did not happen."""
        if must.candidate is None:
            return await self._deny(reason, typed)
        if must.change is not None:
            await self._changes.drop(must.change.id)
        return Denied(reason=reason)

    async def _owner(self, source: SourceRules, right: Right) -> Candidate | None:
        return await self._accounts.find_legacy(source.name, right.user.legacy_id)

    async def _deny(self, reason: Reason, typed: Credentials) -> Denied:
        await self.spend(typed)
        return Denied(reason=reason)

    async def _show(self, outcome: Outcome, typed: Credentials) -> Shown:
        """Leave the word to the app, after some work: no answer of the gateway's comes without any."""
        await self._hasher.dummy(typed.password)
        return Shown(outcome=outcome)
