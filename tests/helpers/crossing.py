"""A crossing without sockets: the use cases of `gateway.accounts` over a store and a legacy side in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from uuid import UUID

from gateway.accounts.adopt import Adopt
from gateway.accounts.ask import Question
from gateway.accounts.change import Begun, Change
from gateway.accounts.decision import Decision, Denied, Granted, MustAsk, Reason, Shown
from gateway.accounts.hashpool import HashPool
from gateway.accounts.login import Login, SourceRules
from gateway.accounts.passwords import PasswordHasher
from gateway.accounts.phases import PhaseBook
from gateway.hashing.argon2 import Argon2id
from gateway.hashing.swapper import Swapper
from gateway.model import Credentials, Outcome, Phase, Secret
from gateway.store.base import Candidate
from tests.helpers.legacy_sources import LegacyUsers, MemorySource, ShowsHashes, TakesPasswords
from tests.helpers.memory_store import Clock, MemoryStore
from tests.helpers.rows import handle

SOURCE = "shop"
CHEAP = Argon2id(memory_kib=16, passes=1)
KINDS = {"hashes": ShowsHashes, "passwords": TakesPasswords}


@dataclass(slots=True, kw_only=True)
class Crossing:
    """Is everything that a login touches, and the words in which a test tells of it."""

    store: MemoryStore
    legacy: LegacyUsers
    clock: Clock
    pool: HashPool
    phases: PhaseBook
    question: Question
    rules: SourceRules
    hasher: PasswordHasher
    random: Random
    jobs: list[float]
    observed: list[tuple[str, Outcome, float]]

    @property
    def login(self) -> Login:
        adopt = Adopt(self.store.accounts, self.hasher, lambda: UUID(int=self.random.getrandbits(128)))
        return Login(self.store.accounts, self.store.passwords, self.store.changes, self.hasher, self.phases, adopt)

    @property
    def change(self) -> Change:
        return Change(self.store.accounts, self.store.changes, self.hasher)

    def hash_with(self, argon2: Argon2id) -> None:
        """Give new hashes other parameters, as a new configuration does."""
        self.hasher = PasswordHasher(pool=self.pool, argon2=argon2, swapper=Swapper(), server_key=bytes(range(32)),
                                     random=self.random.randbytes)

    def follow_nothing(self) -> None:
        """Set `legacy_changes = "ignore"`."""
        self.rules = replace(self.rules, follows=False)

    async def complete(self) -> None:
        """Move the source on to its last phase."""
        await self.store.phases.change(SOURCE, Phase.COMPLETE, actor="cli")
        await self.phases.on_notice("phase", SOURCE)

    async def log_in(self, identifier: str, password: str) -> Decision:
        """Decide a login as the proxy does: by the store, and where that cannot tell, by the legacy side."""
        typed = Credentials(identifier=identifier, password=Secret(password))
        found = await self.login.look_up(self.rules, typed)
        if isinstance(found, MustAsk):
            return await self.login.ask(self.rules, typed, found, self.question)
        return found

    async def granted(self, identifier: str, password: str) -> Granted:
        decision = await self.log_in(identifier, password)
        assert isinstance(decision, Granted), decision
        return decision

    async def denied(self, identifier: str, password: str) -> Reason:
        decision = await self.log_in(identifier, password)
        assert isinstance(decision, Denied), decision
        return decision.reason

    async def shown(self, identifier: str, password: str) -> Outcome:
        decision = await self.log_in(identifier, password)
        assert isinstance(decision, Shown), decision
        return decision.outcome

    async def account(self, legacy_id: str) -> Candidate:
        """Return what the store holds of a user who has crossed."""
        found = await self.store.accounts.find_legacy(SOURCE, legacy_id)
        assert found is not None
        return found

    async def accounts(self) -> int:
        """Count all accounts, tombstones included."""
        return sum(row.accounts for row in await self.store.management.counts())

    async def begin_change(self, legacy_id: str, new_password: str) -> Begun:
        """Write a change ahead, whose end the gateway never hears of."""
        return await self.change.begin((await self.account(legacy_id)).account, Secret(new_password))

    async def session(self, legacy_id: str, text: str = "browser") -> UUID:
        """Open a gateway session, as another browser of the user has it."""
        owner = await self.account(legacy_id)
        opened = await self.store.sessions.open(account_id=owner.account.id, app="shop", handle=handle(text),
                                                lifetime=timedelta(hours=1), proven=owner.credential.encoded)
        assert opened is not None
        return opened.id

    async def is_live(self, text: str = "browser") -> bool:
        """Say whether that browser's session goes on."""
        return await self.store.sessions.live("shop", handle(text)) is not None


@asynccontextmanager
async def open_crossing(kind: type[MemorySource]) -> AsyncIterator[Crossing]:
    """Set a crossing up around one kind of source; nobody is in either store yet."""
    clock, legacy, jobs = Clock(), LegacyUsers(), list[float]()
    observed: list[tuple[str, Outcome, float]] = []
    store, random = MemoryStore(clock), Random(1)
    phases = PhaseBook(store.phases, {SOURCE: Phase.MIGRATE})
    await phases.load()
    pool = HashPool(threads=2, queue=256, clock=clock, on_job=lambda _, run: jobs.append(run))
    hasher = PasswordHasher(pool=pool, argon2=CHEAP, swapper=Swapper(), server_key=bytes(range(32)),
                            random=random.randbytes)
    async with pool, kind(legacy) as adapter:
        question = Question(SOURCE, adapter, hasher, timeout=5.0, clock=clock,
                            observe=lambda *heard: observed.append(heard))
        yield Crossing(store=store, legacy=legacy, clock=clock, pool=pool, phases=phases, question=question,
                       rules=SourceRules(name=SOURCE), hasher=hasher, random=random, jobs=jobs, observed=observed)
