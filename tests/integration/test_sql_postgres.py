"""The adapter `sql` before a real PostgreSQL: what it does there, and what it says when it cannot."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from adapters.base import AdapterMisconfigured, AdapterUnavailable, LegacyRow
from adapters.sql import SqlOptions, SqlSource
from gateway.model import Outcome, Secret
from tests.helpers.legacy_users import ALICE, DAVE, LOGIN_QUERY, statements
from tests.helpers.postgres import PostgresServer, fetch

SHORT = 0.3


@pytest.fixture
async def url(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """Is a database of its own, for these tests write and lock."""
    async with postgres_server.database("template1") as url:
        connection = await asyncpg.connect(url.reveal())
        await connection.execute(";\n".join(statements()))
        await connection.close()
        yield url.reveal()


def opened(url: str, query: str = LOGIN_QUERY, *, timeout_seconds: float = 10.0, connections: int = 4) -> SqlSource:
    options = SqlOptions(url=Secret(url), login=query, identifiers=("username",), connections=connections)
    return SqlSource(options, timeout_seconds=timeout_seconds)


@asynccontextmanager
async def locked(url: str) -> AsyncIterator[None]:
    """Hold a lock that no reader gets past."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE auth_user IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


async def test_the_preset_of_django_reads_djangos_table(url: str) -> None:
    """The same query as for SQLite."""
    async with SqlSource(SqlOptions(url=Secret(url), preset="django"), timeout_seconds=10) as source:
        alice, dave = await source.fetch("alice"), await source.fetch(DAVE.username)
        assert isinstance(alice, LegacyRow)
        assert (alice.user.legacy_id, alice.user.identifiers) == ("1", ("alice",))
        assert alice.encoded_hash == Secret(ALICE.encoded or "")
        assert isinstance(dave, LegacyRow)
        assert dave.user.hindrance is Outcome.DISABLED
        assert await source.fetch("nobody") is Outcome.NOT_FOUND


async def test_a_locked_table_is_a_timeout_and_leaves_nothing_behind(url: str) -> None:
    """The server stops the query, too: no session of ours waits on in the legacy database."""
    async with opened(url, timeout_seconds=SHORT) as source:
        async with locked(url):
            with pytest.raises(AdapterUnavailable) as caught:
                await source.fetch("alice")
            assert caught.value.outcome is Outcome.TIMEOUT
            async with asyncio.timeout(5):
                while await fetch(Secret(url), "SELECT 1 FROM pg_locks WHERE NOT granted"):
                    pass
        assert isinstance(await source.fetch("alice"), LegacyRow)


@pytest.mark.parametrize(
    "query",
    [
        "WITH gone AS (DELETE FROM auth_user WHERE username = :login RETURNING id) SELECT id AS legacy_id FROM gone",
        "SELECT nextval('counter') AS legacy_id, :login AS password_hash",
        "INSERT INTO shop_profile (user_id, phone) VALUES (99, :login) RETURNING user_id AS legacy_id",
    ],
)
async def test_nothing_can_be_written(url: str, query: str) -> None:
    """A transaction is read-only, whatever the query says."""
    await fetch(Secret(url), "CREATE SEQUENCE counter")
    async with opened(url, query) as source:
        with pytest.raises(AdapterMisconfigured, match="SQLSTATE 25006"):
            await source.fetch("alice")
    assert [tuple(row) for row in await fetch(Secret(url), "SELECT is_called FROM counter")] == [(False,)]
    assert len(await fetch(Secret(url), "SELECT 1 FROM auth_user")) == len(statements()) - 2


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT * FROM no_such_table WHERE a = :login", "SQLSTATE 42P01"),
        ("SELECT nonsense FROM auth_user WHERE username = :login", "SQLSTATE 42703"),
        ("SELEKT :login", "SQLSTATE 42601"),
        ("SELECT 1 WHERE 'a' = :login; SELECT 2", "SQLSTATE 42601"),
        ("SELECT id AS legacy_id, password AS password_hash, username FROM auth_user WHERE id = :login", "CAST it"),
        ("SELECT CAST(:login AS text)::int AS legacy_id, '' AS password_hash, '' AS username", "SQLSTATE 22P02"),
        ("SELECT id AS legacy_id, username FROM auth_user WHERE username = :login", "no column password_hash"),
        ("SELECT id AS legacy_id, u.*, u.password AS password_hash, 1 AS username FROM auth_user u WHERE :login = ''",
         "more than one column username"),
    ],
)
async def test_a_query_that_cannot_be_is_the_operators(url: str, query: str, told: str) -> None:
    """A code to look up, and neither the query nor the typed name."""
    async with opened(url, query) as source:
        with pytest.raises(AdapterMisconfigured, match=told) as caught:
            await source.fetch("hunter2-Pa55")
        assert "hunter2" not in str(caught.value)
        assert "no_such_table" not in str(caught.value)


async def test_after_a_mistake_the_next_question_has_a_sound_connection(url: str) -> None:
    """A query may be wrong for some names only."""
    query = LOGIN_QUERY.replace("WHERE", "WHERE 1 / (length(:login) - 3) > -1 AND (").replace("-- never", ") -- never")
    async with opened(url, query, connections=1) as source:
        for _ in range(3):
            with pytest.raises(AdapterMisconfigured, match="SQLSTATE 22012"):
                await source.fetch("bob")
            assert isinstance(await source.fetch("alice"), LegacyRow)


@pytest.mark.parametrize(
    ("find", "instead"),
    [("://sluicegate:", "://sluicegate:x"), ("://sluicegate:", "://nobody:"), ("/test_", "/no_test_")],
)
async def test_wrong_credentials_are_the_operators(url: str, find: str, instead: str) -> None:
    """Nothing of the URL is repeated."""
    async with opened(url.replace(find, instead)) as source:
        with pytest.raises(AdapterMisconfigured, match="refuses the url's user, password or database name"):
            await source.fetch("alice")


@pytest.mark.parametrize("change", ["&sslmode=nonsense", "&port=nonsense"])
async def test_a_url_that_the_driver_refuses_is_the_operators(url: str, change: str) -> None:
    """At the first question at the latest."""
    with pytest.raises(AdapterMisconfigured, match="url is not understood"):
        async with opened(url + change) as source:
            await source.fetch("alice")


async def test_a_server_without_tls_is_not_spoken_to_where_tls_is_demanded(
    url: str, unused_tcp_port: int
) -> None:
    """Neither is one that is not there."""
    async with opened(f"postgresql://u:p@127.0.0.1:{unused_tcp_port}/x?sslmode=require") as source:
        with pytest.raises(AdapterUnavailable, match="cannot be reached, or offers no TLS"):
            await source.fetch("alice")


async def test_no_more_connections_than_said_are_open(url: str) -> None:
    """They are let go again when the source closes."""
    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    async with opened(url, connections=2) as source:
        assert (await fetch(Secret(url), count))[0][0] == 0
        await asyncio.gather(*(source.fetch("alice") for _ in range(20)))
        assert (await fetch(Secret(url), count))[0][0] == 2
    async with asyncio.timeout(5):
        while (await fetch(Secret(url), count))[0][0]:
            pass


async def test_no_question_leaves_a_transaction_open(url: str) -> None:
    """An idle transaction would keep the legacy database from tidying up."""
    states = "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    async with opened(url, connections=1) as source:
        await source.fetch("alice")
        await source.fetch("nobody")
        assert [row["state"] for row in await fetch(Secret(url), states)] == ["idle"]


async def test_a_changed_table_is_read_as_it_now_is(url: str) -> None:
    """No plan or type of yesterday is kept."""
    async with opened(url, connections=1) as source:
        assert isinstance(await source.fetch("alice"), LegacyRow)
        await fetch(Secret(url), "ALTER TABLE auth_user ALTER COLUMN username TYPE text, ALTER COLUMN id TYPE bigint")
        row = await source.fetch("alice")
        assert isinstance(row, LegacyRow)
        assert row.user.legacy_id == "1"


async def test_columns_of_any_type_arrive_as_text(url: str) -> None:
    """Also those of types that the database has learnt."""
    await fetch(Secret(url), "CREATE TYPE colour AS ENUM ('red')")
    query = """
        SELECT gen_random_uuid() AS legacy_id, 'x'::bytea AS password_hash, 'red'::colour AS favourite,
               ARRAY[1, 2] AS numbers, '10.0.0.1'::inet AS address, '{"a": 1}'::jsonb AS more, NULL AS nothing,
               :login::text AS username, 1.50 AS price
    """
    async with opened(url, query) as source:
        row = await source.fetch("alice")
    assert isinstance(row, LegacyRow)
    assert len(row.user.legacy_id) == 36
    assert row.encoded_hash == Secret("x")
    assert row.user.profile.attributes == {
        "favourite": "red", "numbers": "[1, 2]", "address": "10.0.0.1", "more": '{"a": 1}', "price": "1.50",
    }
