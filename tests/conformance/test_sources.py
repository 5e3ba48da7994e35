"""What every source promises, whether it shows hashes or takes passwords.

A row of STORES is one implementation with a real store behind it. `ask` puts the gateway's question to
either kind of source: one that shows hashes is verified here. TABLES are those that look into a user table;
the app's own form shows no more of a user than whether it lets them in.
"""

import asyncio
import sqlite3
import time
import tomllib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg
import pytest

from adapters.base import AdapterError, AdapterUnavailable, HashSource, LegacyRow, PasswordSource
from adapters.form import FormSource
from adapters.sql import SqlOptions, SqlSource
from gateway.hashing.scheme import Match
from gateway.hashing.swapper import Swapper
from gateway.identifiers import Comparison
from gateway.intercept.rules import compile_rules
from gateway.intercept.tables import RuleTable
from gateway.model import LegacyUser, Outcome, Profile, Secret
from gateway.proxy.addresses import Address
from gateway.proxy.limits import Limits
from gateway.proxy.tasks import Tasks
from gateway.proxy.upstream import Upstream
from tests.helpers.legacy_sources import LegacyUsers, ShowsHashes, TakesPasswords
from tests.helpers.legacy_users import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    ERIN,
    EVERYBODY,
    FRANK,
    GRACE,
    HEIDI,
    LOGIN_QUERY,
    TWINS,
    Person,
    statements,
)
from tests.helpers.postgres import PostgresServer
from tests.helpers.relay import Relay
from tests.helpers.shop import RULES, Shop

SHORT = 0.5  # seconds that a source is given in a test of slowness
PATIENT = 10.0
Source = PasswordSource | HashSource


class LegacyStore(Protocol):
    """A real store with EVERYBODY in it, and the line to it.

    `unknown` is what it may say of a user that it does not have.
    """

    unknown: frozenset[Outcome]

    def id_of(self, person: Person) -> str:
        """Return the legacy id by which this store knows somebody."""

    def source(self, timeout_seconds: float) -> AbstractAsyncContextManager[Source]:
        """Return a source over this store, closed."""

    async def take_away(self) -> None:
        """Make the store unreachable."""

    async def bring_back(self) -> None:
        """Make it reachable again."""

    def slow(self) -> AbstractAsyncContextManager[None]:
        """Keep the store from answering for a while."""


class Table:
    """What all stores share that look into a user table."""

    unknown = frozenset({Outcome.NOT_FOUND})

    def id_of(self, person: Person) -> str:
        return str(person.id)


class SqliteFile(Table):
    """A file that the source reaches by a symbolic link."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "legacy users.sqlite3"
        self._link = folder / "link"
        connection = sqlite3.connect(self._file)
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(";\n".join(statements()))
        connection.close()
        self._link.symlink_to(self._file)

    def source(self, timeout_seconds: float) -> SqlSource:
        options = SqlOptions(url=Secret(f"sqlite://{self._link}"), login=LOGIN_QUERY,
                             identifiers=("username", "email"))
        return SqlSource(options, timeout_seconds=timeout_seconds)

    async def take_away(self) -> None:
        self._link.unlink()

    async def bring_back(self) -> None:
        self._link.symlink_to(self._file)

    @asynccontextmanager
    async def slow(self) -> AsyncIterator[None]:
        writer = sqlite3.connect(self._file, isolation_level=None)
        writer.execute("BEGIN EXCLUSIVE")
        yield
        writer.execute("ROLLBACK")
        writer.close()


class PostgresTable(Table):
    """A database of the embedded server, reached through a relay."""

    def __init__(self, url: str, relay: Relay) -> None:
        self._url = url
        self._relay = relay

    def source(self, timeout_seconds: float) -> SqlSource:
        options = SqlOptions(url=Secret(self._url), login=LOGIN_QUERY, identifiers=("username", "email"))
        return SqlSource(options, timeout_seconds=timeout_seconds)

    async def take_away(self) -> None:
        await self._relay.cut()

    async def bring_back(self) -> None:
        await self._relay.restore()

    @asynccontextmanager
    async def slow(self) -> AsyncIterator[None]:
        self._relay.hold()
        yield
        self._relay.let_go()


class InMemory(Table):
    """The store of the unit tests, under either kind of source."""

    def __init__(self, kind: type[ShowsHashes | TakesPasswords]) -> None:
        self._kind = kind
        self._users = LegacyUsers()
        for person in EVERYBODY:
            profile = Profile(username=person.username, email=person.email,
                              name=f"{person.first_name} {person.last_name}".strip(),
                              attributes={"phone": person.phone} if person.phone else {})
            identifiers = (person.username, person.email) if person.email else (person.username,)
            self._users.add(str(person.id), *identifiers, password="", profile=profile, hindrance=person.hindrance)
            self._users.set_hash(str(person.id), person.encoded or "")

    def source(self, timeout_seconds: float) -> AbstractAsyncContextManager[Source]:
        return self._kind(self._users, timeout_seconds=timeout_seconds)

    async def take_away(self) -> None:
        self._users.is_away = True

    async def bring_back(self) -> None:
        self._users.is_away = False

    @asynccontextmanager
    async def slow(self) -> AsyncIterator[None]:
        self._users.awake.clear()
        yield
        self._users.awake.set()


class OwnForm:
    """An application as its own source, reached through a relay. Who is hindered is told nothing but no."""

    unknown = frozenset({Outcome.NOT_FOUND, Outcome.WRONG_PASSWORD})

    def __init__(self, upstream: Upstream, relay: Relay) -> None:
        [app] = tomllib.loads(f"[[app]]\n{RULES}")["app"]
        self._login, *_ = compile_rules([RuleTable.model_validate(rule) for rule in app["rule"]]).rules
        self._upstream = upstream
        self._relay = relay

    def id_of(self, person: Person) -> str:
        return person.username

    def source(self, timeout_seconds: float) -> FormSource:
        return FormSource(self._login, self._upstream.fetch, origin="http://shop.test", prefix="/",
                          comparison=Comparison.EXACT)

    async def take_away(self) -> None:
        await self._relay.cut()

    async def bring_back(self) -> None:
        await self._relay.restore()

    @asynccontextmanager
    async def slow(self) -> AsyncIterator[None]:
        self._relay.hold()
        yield
        self._relay.let_go()


@pytest.fixture(scope="session")
async def legacy_tables(postgres_server: PostgresServer) -> AsyncIterator[Secret]:
    """Is a database of the embedded server with EVERYBODY in it; no test writes to it."""
    async with postgres_server.database("template1") as url:
        connection = await asyncpg.connect(url.reveal())
        await connection.execute(";\n".join(statements()))
        await connection.close()
        yield url


@asynccontextmanager
async def sqlite_file(folder: Path, tables: Secret) -> AsyncIterator[LegacyStore]:
    yield SqliteFile(folder)


@asynccontextmanager
async def postgres_table(folder: Path, tables: Secret) -> AsyncIterator[LegacyStore]:
    parts = urlsplit(tables.reveal())
    [sockets] = parse_qs(parts.query)["host"]
    user = f"{quote(parts.username or '')}:{quote(parts.password or '')}"
    async with Relay(partial(asyncio.open_unix_connection, f"{sockets}/.s.PGSQL.5432")) as relay:
        yield PostgresTable(f"postgresql://{user}@127.0.0.1:{relay.port}{parts.path}?sslmode=disable", relay)


@asynccontextmanager
async def hashes_in_memory(folder: Path, tables: Secret) -> AsyncIterator[LegacyStore]:
    yield InMemory(ShowsHashes)


@asynccontextmanager
async def passwords_in_memory(folder: Path, tables: Secret) -> AsyncIterator[LegacyStore]:
    yield InMemory(TakesPasswords)


@asynccontextmanager
async def own_form(folder: Path, tables: Secret) -> AsyncIterator[LegacyStore]:
    tasks = Tasks(lambda error: None)
    async with Shop(folder) as shop, Relay(lambda: asyncio.open_connection("127.0.0.1", shop.port)) as relay:
        for person in EVERYBODY:
            if person.password is not None and person.hindrance is None:
                shop.set_password(person.username, person.password)
        upstream = Upstream(Address(host="127.0.0.1", port=relay.port), limits=Limits(), tasks=tasks,
                            clock=time.monotonic, on_error=lambda kind: None)
        try:
            yield OwnForm(upstream, relay)
        finally:
            await upstream.close()
            await tasks.close(0)


Stores = Mapping[str, Callable[[Path, Secret], AbstractAsyncContextManager[LegacyStore]]]
TABLES: Stores = {
    "sqlite": sqlite_file,
    "postgresql": postgres_table,
    "hashes in memory": hashes_in_memory,
    "passwords in memory": passwords_in_memory,
}
STORES: Stores = {**TABLES, "form": own_form}


@pytest.fixture(params=STORES)
async def legacy(
    request: pytest.FixtureRequest, tmp_path: Path, legacy_tables: Secret
) -> AsyncIterator[LegacyStore]:
    async with STORES[request.param](tmp_path, legacy_tables) as legacy:
        yield legacy


@pytest.fixture(params=TABLES)
async def table(
    request: pytest.FixtureRequest, tmp_path: Path, legacy_tables: Secret
) -> AsyncIterator[LegacyStore]:
    async with TABLES[request.param](tmp_path, legacy_tables) as table:
        yield table


@pytest.fixture
async def source(legacy: LegacyStore) -> AsyncIterator[Source]:
    async with legacy.source(PATIENT) as source:
        yield source


@pytest.fixture
async def table_source(table: LegacyStore) -> AsyncIterator[Source]:
    async with table.source(PATIENT) as source:
        yield source


async def ask(source: Source, login: str, password: str) -> LegacyUser | Outcome:
    """Ask whether a password is right; a hindrance counts only with the right one."""
    if isinstance(source, PasswordSource):
        return await source.authenticate(login, Secret(password))
    row = await source.fetch(login)
    if not isinstance(row, LegacyRow):
        return row
    match Swapper().verify(row.encoded_hash, Secret(password)):
        case Match.YES | Match.STALE:
            return row.user
        case Match.NO:
            return Outcome.WRONG_PASSWORD
        case Match.FOREIGN:
            return Outcome.UNSUPPORTED_HASH


async def known(source: Source, login: str, password: str) -> LegacyUser:
    user = await ask(source, login, password)
    assert isinstance(user, LegacyUser)
    return user


@pytest.mark.parametrize("person", [ALICE, BOB, CAROL, HEIDI], ids=lambda person: str(person.id))
async def test_the_right_password_of_a_user_is_right(legacy: LegacyStore, source: Source, person: Person) -> None:
    """The exact characters of identifier and password count, whatever they are."""
    user = await known(source, person.username, person.password or "")
    assert user.legacy_id == legacy.id_of(person)
    assert person.username in user.identifiers
    assert user.hindrance is None


async def test_a_user_comes_with_identifiers_and_profile(table_source: Source) -> None:
    """What the store knows of a person arrives as text."""
    user = await known(table_source, ALICE.username, "wonderland-7")
    assert user.identifiers == ("alice", "alice@shop.test")
    assert (user.profile.username, user.profile.email) == ("alice", "alice@shop.test")
    assert user.profile.name == "Alice Liddell"
    assert user.profile.attributes == {"phone": "+44 20 7946 0000"}


async def test_every_identifier_of_a_user_finds_the_same_legacy_id(table_source: Source) -> None:
    """Name and address lead to one identity."""
    by_name, by_address = [await known(table_source, login, BOB.password or "") for login in ("bob", "bob@shop.test")]
    assert by_name == by_address


async def test_a_wrong_password_is_an_answer(source: Source) -> None:
    """It is a value, and not the same as an unknown user."""
    assert await ask(source, "alice", "wonderland-8") is Outcome.WRONG_PASSWORD


@pytest.mark.parametrize("login", ["mallory", "", " ", "ALICE", "alice ", "żółw", "%", "alic_", "*"])
async def test_an_unknown_identifier_is_not_found(legacy: LegacyStore, source: Source, login: str) -> None:
    """Nothing is guessed, folded or matched as a pattern."""
    assert await ask(source, login, "x") in legacy.unknown


@pytest.mark.parametrize(
    "login",
    [
        "' OR '1'='1", "alice' --", "alice'; DROP TABLE auth_user; --", "alice' UNION SELECT 1,2,3 --", "\\'; --",
        "$1", ":login", "%s", "?", "alice\n--", "/*", "*/ OR 1=1 --", "alice\\", "$$", "`alice`", '"alice"',
        "*)(uid=*", "{'$gt': ''}", "alice\0", "\0", "\ud800", "alice\udfff", "\ufeffalice", "alice\u200b",
    ],
)
async def test_an_identifier_is_a_value_and_nothing_else(legacy: LegacyStore, source: Source, login: str) -> None:
    """What would be syntax anywhere finds nobody, and everybody is still there afterwards."""
    assert await ask(source, login, "x") in legacy.unknown
    assert (await known(source, "alice", "wonderland-7")).legacy_id == legacy.id_of(ALICE)


@pytest.mark.parametrize("login", ["a" * 10_000, "ż" * 10_000, "'" * 10_000, "alice" * 2_000])
async def test_ten_thousand_characters_are_only_a_long_name(
    legacy: LegacyStore, source: Source, login: str
) -> None:
    """Length breaks nothing."""
    assert await ask(source, login, "x" * 10_000) in legacy.unknown


async def test_a_long_password_is_wrong_as_any_other(source: Source) -> None:
    """Nothing is cut off before it is compared."""
    assert await ask(source, "alice", "wonderland-7" + "x" * 10_000) is Outcome.WRONG_PASSWORD


@pytest.mark.parametrize("person", [DAVE, ERIN, FRANK], ids=lambda person: str(person.hindrance))
async def test_a_hindrance_is_told_with_the_right_password_only(table_source: Source, person: Person) -> None:
    """Who does not know the password learns nothing of the account."""
    user = await ask(table_source, person.username, person.password or "")
    assert user is person.hindrance or (isinstance(user, LegacyUser) and user.hindrance is person.hindrance)
    assert await ask(table_source, person.username, "wrong") is Outcome.WRONG_PASSWORD


async def test_an_identifier_of_two_users_is_ambiguous(table_source: Source) -> None:
    """Neither is preferred; each is found by a name of their own."""
    assert await ask(table_source, "twins@shop.test", TWINS[0].password or "") is Outcome.AMBIGUOUS
    assert (await known(table_source, "pollux", TWINS[1].password or "")).legacy_id == "8"


async def test_a_user_without_a_password_has_an_unsupported_one(table_source: Source) -> None:
    """No password at all, not even the empty one, opens such an account."""
    assert await ask(table_source, GRACE.username, "x") is Outcome.UNSUPPORTED_HASH


async def test_a_store_that_answers_gives_a_sign_of_life(source: Source) -> None:
    """Ping says nothing when all is well."""
    assert await source.ping() is None  # type: ignore[union-attr]


async def test_a_store_that_goes_away_is_unavailable_until_it_is_back(legacy: LegacyStore, source: Source) -> None:
    """An outage in mid-life is never an unknown user or a wrong password, and it ends by itself."""
    await known(source, "alice", "wonderland-7")
    await legacy.take_away()
    for _ in range(2):
        with pytest.raises(AdapterUnavailable) as caught:
            await ask(source, "alice", "wonderland-7")
        assert caught.value.outcome is Outcome.UNAVAILABLE
    with pytest.raises(AdapterUnavailable):
        await source.ping()  # type: ignore[union-attr]
    await legacy.bring_back()
    assert (await known(source, "alice", "wonderland-7")).legacy_id == legacy.id_of(ALICE)


async def test_a_source_opens_while_its_store_is_away(legacy: LegacyStore) -> None:
    """The gateway starts without it and asks it as soon as it is there."""
    await legacy.take_away()
    async with legacy.source(PATIENT) as source:
        with pytest.raises(AdapterUnavailable):
            await ask(source, "alice", "wonderland-7")
        await legacy.bring_back()
        assert (await known(source, "alice", "wonderland-7")).legacy_id == legacy.id_of(ALICE)


async def test_a_store_that_does_not_answer_is_a_timeout(table: LegacyStore) -> None:
    """It costs the time that was given, not more, and is over when the store answers again."""
    async with table.source(SHORT) as source:
        await known(source, "alice", "wonderland-7")
        async with table.slow(), asyncio.timeout(SHORT * 6):
            with pytest.raises(AdapterUnavailable) as caught:
                await ask(source, "alice", "wonderland-7")
        assert caught.value.outcome is Outcome.TIMEOUT
        assert (await known(source, "alice", "wonderland-7")).legacy_id == table.id_of(ALICE)


async def test_a_question_that_nobody_waits_for_leaves_the_source_whole(legacy: LegacyStore) -> None:
    """A client that hangs up in mid-question costs no connection for ever."""
    async with legacy.source(PATIENT) as source:
        async with legacy.slow():
            for _ in range(8):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await ask(source, "alice", "wonderland-7")
        assert (await known(source, "alice", "wonderland-7")).legacy_id == legacy.id_of(ALICE)


async def test_a_source_closes_while_its_store_hangs(legacy: LegacyStore) -> None:
    """The gateway's end does not wait for a legacy system."""
    source = await legacy.source(PATIENT).__aenter__()
    await known(source, "alice", "wonderland-7")
    async with legacy.slow(), asyncio.timeout(PATIENT / 2):
        await source.__aexit__(None, None, None)  # type: ignore[union-attr]


async def test_questions_run_side_by_side(legacy: LegacyStore, source: Source) -> None:
    """Thirty at once get thirty right answers, each its own."""
    people = [ALICE, BOB, CAROL] * 10
    users = await asyncio.gather(*(known(source, person.username, person.password or "") for person in people))
    assert [user.legacy_id for user in users] == [legacy.id_of(person) for person in people]


async def test_nothing_is_told_after_closing(table: LegacyStore) -> None:
    """A closed source is unavailable; closing twice and closing what never opened do no harm."""
    source = table.source(PATIENT)
    await source.__aexit__(None, None, None)
    async with source as opened:
        await known(opened, "alice", "wonderland-7")
    await source.__aexit__(None, None, None)
    with pytest.raises(AdapterUnavailable):
        await ask(opened, "alice", "wonderland-7")


async def test_a_breakdown_names_no_person_and_no_place(legacy: LegacyStore, source: Source) -> None:
    """What reaches a log is free of identifiers, passwords, hashes, paths and addresses."""
    await legacy.take_away()
    with pytest.raises(AdapterError) as caught:
        await ask(source, "alice", "wonderland-7")
    told = repr(caught.value) + repr(caught.value.__cause__)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    for secret in ("alice", "wonderland", "pbkdf2", "/tmp", "127.0.0.1", "postgresql://", "link"):
        assert secret not in told
    await legacy.bring_back()


async def test_the_hash_of_every_user_is_masked(table_source: Source) -> None:
    """A row that lands in a log or an exception shows no hash."""
    if isinstance(table_source, HashSource):
        for person in EVERYBODY:
            assert "pbkdf2" not in repr(await table_source.fetch(person.username))
