"""The store and its server: opening, schema, and lines that break at the worst moment."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from gateway.errors import ConfigurationError, StoreUnavailable
from gateway.model import Secret
from gateway.store.postgres import PostgresStore
from gateway.store.postgres.connection import CommitUnknown
from tests.helpers.cutting_proxy import Cut, CuttingProxy, cutting_proxy
from tests.helpers.postgres import PostgresServer, fetch
from tests.helpers.rows import adoption, password


async def opens(url: Secret) -> None:
    async with PostgresStore.open(url) as store:
        await store.ping()


@pytest.fixture
async def empty(postgres_server: PostgresServer) -> AsyncIterator[Secret]:
    """Is the URL of a database without a schema."""
    async with postgres_server.database(template="template1") as url:
        yield url


class TestOpening:
    """What an operator sees when it does not work."""

    async def test_a_server_that_is_down_is_named_without_the_password(self) -> None:
        """One sentence, at once."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            with pytest.raises(StoreUnavailable) as raised:
                await opens(Secret(f"postgresql://user:pa55word@127.0.0.1:{port}/gateway"))
        assert str(raised.value) == f"the store at 127.0.0.1:{port} cannot be reached"

    async def test_a_socket_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        """By its folder, as it stands in the URL."""
        with pytest.raises(StoreUnavailable, match=f"^the store at {tmp_path} cannot be reached$"):
            await opens(Secret(f"postgresql://user:pa55word@/gateway?host={tmp_path}"))

    async def test_a_wrong_password_is_said_without_showing_it(self, database: Secret) -> None:
        """The server's refusal is an outage to the caller, with its reason."""
        url = database.reveal()
        given = url.partition("sluicegate:")[2].partition("@")[0]
        with pytest.raises(StoreUnavailable, match="refused the user name or the password") as raised:
            await opens(Secret(url.replace(given, "pa55word")))
        assert "pa55word" not in str(raised.value)

    async def test_a_database_that_is_not_there_is_said(self, postgres_server: PostgresServer) -> None:
        """The name of the host, not of the user."""
        with pytest.raises(StoreUnavailable, match="has no such database"):
            await opens(postgres_server.url_of("nowhere"))

    @pytest.mark.parametrize("option", ["sslmode=pa55word", "pa55word=1"])
    async def test_an_option_that_is_not_known_is_the_operators(self, database: Secret, option: str) -> None:
        """And it is not quoted: it may be a piece of a password."""
        with pytest.raises(ConfigurationError, match="an option of the URL") as raised:
            await opens(Secret(f"{database.reveal()}&{option}"))
        assert "pa55word" not in str(raised.value)
        assert raised.value.__suppress_context__

    async def test_of_several_hosts_the_one_that_answers_is_taken(self, database: Secret) -> None:
        """The first may be down."""
        url = database.reveal()
        folder = url.partition("host=")[2]
        await opens(Secret(url.replace(f"host={folder}", f"host=/nowhere,{folder}")))

    async def test_a_server_that_takes_no_writes_is_no_store(self, database: Secret) -> None:
        """A standby, before its promotion."""
        name = database.reveal().partition("@/")[2].partition("?")[0]
        await fetch(database, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        with pytest.raises(StoreUnavailable, match="takes no writes"):
            await opens(database)

    async def test_a_server_that_becomes_read_only_is_left_and_found_again(self, database: Secret) -> None:
        """A demotion under open connections: unavailable, and back without a restart when it takes writes again."""
        async with PostgresStore.open(database, pool_size=1) as store:
            async with store._database.connection() as connection:
                await connection.execute("SET default_transaction_read_only = on")
            with pytest.raises(StoreUnavailable, match="takes no writes"):
                await store.accounts.adopt(adoption())
            assert await store.accounts.adopt(adoption()) is True

    async def test_a_used_up_pool_is_unavailable_in_time(self, database: Secret,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever waits for a connection does not wait for ever."""
        monkeypatch.setattr("gateway.store.postgres.connection.CONNECT_TIMEOUT", 0.2)
        async with PostgresStore.open(database, pool_size=1) as store, store._database.connection():
            begin = time.monotonic()
            with pytest.raises(StoreUnavailable, match="did not answer in time"):
                await store.ping()
            assert time.monotonic() - begin < 2


class TestSchema:
    """Who applies it, and to what."""

    async def test_an_empty_database_gets_the_schema_once(self, empty: Secret) -> None:
        """Ten replicas that start together make one schema, and a later start changes nothing."""
        await asyncio.gather(*(opens(empty) for _ in range(10)))
        steps = await fetch(empty, "SELECT * FROM schema_steps ORDER BY number")
        assert [row["number"] for row in steps] == list(range(1, len(steps) + 1))
        assert steps[0]["name"] == "0001_accounts.sql"
        await opens(empty)
        assert await fetch(empty, "SELECT * FROM schema_steps ORDER BY number") == steps

    async def test_a_newer_schema_is_refused(self, database: Secret) -> None:
        """An old program does not write what it does not understand."""
        await fetch(database, "INSERT INTO schema_steps (number, name) VALUES (9999, 'later')")
        with pytest.raises(ConfigurationError, match="schema is at step 9999, newer than this program"):
            await opens(database)

    async def test_another_programs_database_is_refused_and_left_alone(self, empty: Secret) -> None:
        """The legacy database itself, given by mistake, gets no table of ours."""
        await fetch(empty, "CREATE TABLE sessions (id int)")
        with pytest.raises(ConfigurationError, match="holds another program's tables; give the gateway one of its"):
            await opens(empty)
        tables = await fetch(empty, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert [row["tablename"] for row in tables] == ["sessions"]

    async def test_a_user_who_may_not_create_is_told_so(self, empty: Secret) -> None:
        """And one who may not, on a finished schema, needs not."""
        name = f"reader_{uuid4().hex}"
        reader = Secret(empty.reveal().replace("sluicegate:", f"{name}:").replace(
            empty.reveal().partition("sluicegate:")[2].partition("@")[0], "secret"))
        await fetch(empty, f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
        try:
            with pytest.raises(ConfigurationError, match="the user may not create tables"):
                await opens(reader)
            await opens(empty)
            await fetch(empty, f"GRANT SELECT ON schema_steps TO {name}")
            await opens(reader)
        finally:
            await fetch(empty, f"DROP OWNED BY {name}")
            await fetch(empty, f"DROP ROLE {name}")


@pytest.fixture
async def proxied(database: Secret) -> AsyncIterator[tuple[CuttingProxy, PostgresStore]]:
    """Is a store whose line to the server can be cut at a commit."""
    async with cutting_proxy(database) as (proxy, url), PostgresStore.open(url) as store:
        yield proxy, store


class TestLostCommits:
    """A commit whose fate the connection took with it."""

    async def test_an_adoption_that_was_committed_is_found_again(
            self, proxied: tuple[CuttingProxy, PostgresStore], store: PostgresStore) -> None:
        """The answer was lost, the account is there: the user is let in."""
        proxy, cut_store = proxied
        proxy.arm(Cut.AFTER)
        assert await cut_store.accounts.adopt(adoption()) is True
        assert proxy.has_cut
        assert await store.accounts.find_legacy("shop", "7") is not None

    async def test_an_adoption_that_was_not_committed_is_unavailable(
            self, proxied: tuple[CuttingProxy, PostgresStore], store: PostgresStore) -> None:
        """Nothing is there, nobody is let in, and the next attempt works."""
        proxy, cut_store = proxied
        proxy.arm(Cut.BEFORE)
        with pytest.raises(CommitUnknown, match="the store at "):
            await cut_store.accounts.adopt(adoption())
        assert proxy.has_cut
        assert await store.accounts.find_legacy("shop", "7") is None
        assert await cut_store.accounts.adopt(adoption()) is True

    async def test_an_adoption_that_another_gateway_won_meanwhile_says_so(
            self, proxied: tuple[CuttingProxy, PostgresStore], store: PostgresStore) -> None:
        """The account found by legacy id is not ours: its own password decides."""
        proxy, cut_store = proxied
        other = adoption(password_text="other")
        proxy.arm(Cut.BEFORE, lambda: store.accounts.adopt(other))
        assert await cut_store.accounts.adopt(adoption()) is False
        found = await store.accounts.find_legacy("shop", "7")
        assert found is not None
        assert found.account.id == other.account_id

    @pytest.mark.parametrize("cut", list(Cut))
    async def test_a_promotion_is_whole_or_not_at_all(
            self, proxied: tuple[CuttingProxy, PostgresStore], store: PostgresStore, cut: Cut) -> None:
        """The caller hears that it is unknown; the row says which, and so does the next attempt."""
        proxy, cut_store = proxied
        wanted = adoption()
        await store.accounts.adopt(wanted)
        change = await store.changes.begin(wanted.account_id, password("second"))
        proxy.arm(cut)
        with pytest.raises(StoreUnavailable):
            await cut_store.changes.promote(change, legacy_seen=None, keep_session=None)
        assert await cut_store.changes.promote(change, legacy_seen=None, keep_session=None) is (cut is Cut.BEFORE)
        found = await store.accounts.find_legacy("shop", "7")
        assert found is not None
        assert found.credential.encoded == password("second").encoded


class TestSilence:
    """A listener whose peer says nothing."""

    async def test_a_server_that_vanished_without_a_word_is_noticed(self, store: PostgresStore, database: Secret,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
        """Its process is stopped here, as a pulled cable would: the listener asks, gives up and connects anew."""
        monkeypatch.setattr("gateway.store.postgres.notices.SILENCE", 0.1)
        monkeypatch.setattr("gateway.store.postgres.connection.COMMAND_TIMEOUT", 0.2)
        heard: asyncio.Queue[str] = asyncio.Queue()

        async def listen(topic: str, _: str) -> None:
            heard.put_nowait(topic)

        async with asyncio.TaskGroup() as tasks, asyncio.timeout(20):
            listening = tasks.create_task(store.notices.listen(listen))
            assert await heard.get() == "resync"
            [row] = await fetch(database, "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
                                          " AND datname = current_database()")
            os.kill(row["pid"], signal.SIGSTOP)
            try:
                assert await heard.get() == "resync"
            finally:
                os.kill(row["pid"], signal.SIGCONT)
            listening.cancel()


class TestBorder:
    """What passes and what does not."""

    async def test_a_mistake_of_ours_is_not_called_an_outage(self, store: PostgresStore) -> None:
        """And it does not quote the row that it was about."""
        wanted = adoption(password_text="canary")
        await store.accounts.adopt(wanted)
        with pytest.raises(asyncpg.ForeignKeyViolationError) as raised:
            await store._database.run(
                "INSERT INTO credentials (account_id, encoded, held) VALUES ($1, 'canary', $2)", uuid4(), b"c" * 32)
        assert "canary" not in str(raised.value)
        assert await store.accounts.find_legacy("shop", "7") is not None

    async def test_a_caller_that_gives_up_leaves_no_lock(self, store: PostgresStore) -> None:
        """A cancelled change is rolled back before the connection is used again."""
        wanted = adoption()
        await store.accounts.adopt(wanted)

        async def hang() -> None:
            async with store._database.transaction() as connection:
                await connection.execute("SELECT FROM accounts FOR UPDATE")
                await connection.execute("SELECT pg_sleep(60)")

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(hang(), 0.1)
        assert await store.passwords.follow(wanted.account_id, old=password("first").encoded, new=password("second"),
                                            legacy_seen=None) is True

    async def test_a_statement_that_hangs_is_given_up(self, store: PostgresStore,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
        """A lock that somebody else holds costs a 503, not a worker."""
        monkeypatch.setattr("gateway.store.postgres.connection.COMMAND_TIMEOUT", 0.2)
        wanted = adoption()
        await store.accounts.adopt(wanted)
        async with PostgresStore.open(store._database.address.url) as other, store._database.transaction() as mine:
            await mine.execute("SELECT FROM accounts FOR UPDATE")
            with pytest.raises(StoreUnavailable, match="did not answer in time"):
                await other.accounts.logged_in(wanted.account_id)

    async def test_a_closed_store_is_unavailable(self, database: Secret) -> None:
        """A request that outlived the stop hears of an outage."""
        async with PostgresStore.open(database) as store:
            await store.ping()
        with pytest.raises(StoreUnavailable):
            await store.ping()
