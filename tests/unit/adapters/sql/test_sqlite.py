"""SQLite files in every state in which one can be found."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.base import AdapterMisconfigured, AdapterUnavailable, LegacyRow
from adapters.sql import SqlOptions, SqlSource
from adapters.sql.sqlite import SqliteDatabase
from gateway.model import Outcome, Secret
from tests.helpers.legacy_users import ALICE, DAVE, GRACE, statements

OWN = "SELECT id AS legacy_id, password AS password_hash, username FROM auth_user WHERE username = :login"
ENDLESS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
SELECT max(i) AS legacy_id, :login AS password_hash, '' AS username FROM n
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Is a file with everybody in it."""
    path = tmp_path / "users.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    connection.executescript(";\n".join(statements()))
    connection.close()
    return path


@pytest.fixture
async def source(file: Path) -> AsyncIterator[SqlSource]:
    async with opened(file) as source:
        yield source


def opened(file: Path, query: str = OWN, timeout_seconds: float = 10.0) -> SqlSource:
    options = SqlOptions(url=Secret(f"sqlite://{file}"), login=query, identifiers=("username",))
    return SqlSource(options, timeout_seconds=timeout_seconds)


async def outcome_of(source: SqlSource, login: str = "alice") -> Outcome:
    """Return the outcome of a breakdown."""
    with pytest.raises(AdapterUnavailable) as caught:
        await source.fetch(login)
    return caught.value.outcome


async def test_the_preset_of_django_reads_djangos_table(file: Path) -> None:
    """Whole rows: names, flags, and users without a password."""
    options = SqlOptions(url=Secret(f"sqlite://{file}"), preset="django")
    async with SqlSource(options, timeout_seconds=10) as source:
        alice = await source.fetch("alice")
        assert isinstance(alice, LegacyRow)
        assert (alice.user.legacy_id, alice.user.profile.name) == ("1", "Alice Liddell")
        assert alice.encoded_hash == Secret(ALICE.encoded or "")
        dave, grace = await source.fetch(DAVE.username), await source.fetch(GRACE.username)
        assert isinstance(dave, LegacyRow)
        assert dave.user.hindrance is Outcome.DISABLED
        assert isinstance(grace, LegacyRow)
        assert not grace.encoded_hash


async def test_a_missing_file_is_unavailable_and_is_not_made(file: Path, source: SqlSource) -> None:
    """An ordinary connection would make an empty one, in which nobody is."""
    file.unlink()
    assert await outcome_of(source) is Outcome.UNAVAILABLE
    assert not file.exists()


async def test_a_file_that_was_replaced_is_read_anew(file: Path, source: SqlSource) -> None:
    """A connection that stayed open would read the old one for ever."""
    assert isinstance(await source.fetch("alice"), LegacyRow)
    file.unlink()
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE auth_user (id, password, username)")
    connection.execute("INSERT INTO auth_user VALUES (1, 'x', 'zoe')")
    connection.commit()
    connection.close()
    assert await source.fetch("alice") is Outcome.NOT_FOUND
    assert isinstance(await source.fetch("zoe"), LegacyRow)


async def test_a_new_password_is_seen_at_once(file: Path, source: SqlSource) -> None:
    """Applications re-hash rows by themselves at a login."""
    connection = sqlite3.connect(file)
    connection.execute("UPDATE auth_user SET password = 'new' WHERE id = 1")
    connection.commit()
    connection.close()
    row = await source.fetch("alice")
    assert isinstance(row, LegacyRow)
    assert row.encoded_hash == Secret("new")


async def test_a_wal_database_is_read_while_its_writer_has_it_open(file: Path, source: SqlSource) -> None:
    """As an application keeps it."""
    writer = sqlite3.connect(file)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("UPDATE auth_user SET password = 'in the log' WHERE id = 1")
    writer.commit()
    row = await source.fetch("alice")
    writer.close()
    assert isinstance(row, LegacyRow)
    assert row.encoded_hash == Secret("in the log")


async def test_a_wal_database_whose_writer_has_closed_it_is_read_or_unavailable(
    file: Path, source: SqlSource
) -> None:
    """Reading it needs a file beside it, which a reader may be unable to make; nobody is unknown for that."""
    writer = sqlite3.connect(file)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.close()
    file.parent.chmod(0o500)
    try:
        row = await source.fetch("alice")
    except AdapterUnavailable as error:
        row = error.outcome
    finally:
        file.parent.chmod(0o700)
    assert row is Outcome.UNAVAILABLE or isinstance(row, LegacyRow)


@pytest.mark.parametrize(
    ("content", "outcome"),
    [(b"not a database, but a text of some length" * 100, Outcome.PROTOCOL_ERROR),
     (b"SQLite format 3\0" + b"\xff" * 4096, Outcome.PROTOCOL_ERROR)],
)
async def test_a_broken_file_knows_nothing_of_anybody(
    file: Path, source: SqlSource, content: bytes, outcome: Outcome
) -> None:
    """That is not the same as an unknown user."""
    file.write_bytes(content)
    assert await outcome_of(source) is outcome


async def test_a_folder_in_the_files_place_is_unavailable(file: Path, source: SqlSource) -> None:
    """As is a path that leads through a file."""
    file.unlink()
    file.mkdir()
    assert await outcome_of(source) is Outcome.UNAVAILABLE
    async with opened(file / "x" / "y") as below:
        assert await outcome_of(below) is Outcome.UNAVAILABLE


async def test_an_empty_file_has_no_table(file: Path, source: SqlSource) -> None:
    """Which the operator must hear of."""
    file.write_bytes(b"")
    with pytest.raises(AdapterMisconfigured, match=r"SQLite refuses the login query \(SQLITE_ERROR\)"):
        await source.fetch("alice")


@pytest.mark.parametrize(
    "query",
    ["SELECT nonsense FROM auth_user WHERE :login", "SELEKT :login", "SELECT 1 WHERE :login; SELECT 2",
     "SELECT * FROM no_table WHERE a = :login", "SELECT abs(-9223372036854775807 - 1), :login"],
)
async def test_a_query_that_cannot_be_is_the_operators(file: Path, query: str) -> None:
    """Its text and the typed name are not repeated."""
    async with opened(file, query) as source:
        with pytest.raises(AdapterMisconfigured, match="SQLite refuses the login query") as caught:
            await source.fetch("hunter2-Pa55")
        assert "hunter2" not in str(caught.value)
        assert "no_table" not in str(caught.value)


async def test_a_query_of_the_wrong_columns_is_told_by_a_ping(file: Path) -> None:
    """Before any user comes."""
    async with opened(file, "SELECT id AS legacy_id, username FROM auth_user WHERE username = :login") as source:
        with pytest.raises(AdapterMisconfigured, match="no column password_hash"):
            await source.ping()


@pytest.mark.parametrize("query", ["DELETE FROM auth_user WHERE username = :login RETURNING id AS legacy_id",
                                   "UPDATE auth_user SET password = :login",
                                   "INSERT INTO shop_profile (user_id, phone) VALUES (99, :login)"])
async def test_nothing_can_be_written(file: Path, query: str) -> None:
    """Whatever the query is: the file is open for reading."""
    before = file.read_bytes()
    async with opened(file, query) as source:
        with pytest.raises((AdapterUnavailable, AdapterMisconfigured)):
            await source.fetch("alice")
    assert file.read_bytes() == before


async def test_an_endless_query_is_stopped(file: Path) -> None:
    """In time, and without a thread that works on for ever."""
    async with opened(file, ENDLESS, timeout_seconds=0.1) as source:
        async with asyncio.timeout(5):
            assert await outcome_of(source) is Outcome.TIMEOUT


async def test_a_locked_file_is_read_as_soon_as_it_is_free(file: Path, source: SqlSource) -> None:
    """A writer's moment is waited for."""
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    async with asyncio.TaskGroup() as tasks:
        question = tasks.create_task(source.fetch("alice"))
        await asyncio.wait([question], timeout=0.1)
        assert not question.done()
        writer.execute("ROLLBACK")
    writer.close()
    assert isinstance(question.result(), LegacyRow)


@pytest.mark.parametrize("name", ["a b.db", "50%.db", "a#b.db", "a?b.db", "żółw.db", "a&mode=rwc.db", "a%3f.db"])
async def test_any_name_of_a_file_is_a_name(file: Path, name: str) -> None:
    """Nothing in it becomes part of an address."""
    place = file.rename(file.parent / name)
    database = SqliteDatabase(place, opened(file)._options.query)
    assert len((await database.ask("alice")).rows) == 1


async def test_text_in_another_encoding_spoils_only_itself(file: Path, source: SqlSource) -> None:
    """The user is found, with a name that cannot be read."""
    connection = sqlite3.connect(file)
    connection.execute("UPDATE auth_user SET first_name = CAST(X'C5FF' AS TEXT) WHERE id = 1")
    connection.commit()
    connection.close()
    async with opened(file, OWN.replace("username FROM", "username, first_name AS name FROM")) as other:
        row = await other.fetch("alice")
    assert isinstance(row, LegacyRow)
    assert row.user.profile.name == "\ufffd\ufffd"


async def test_a_missing_driver_names_the_extra(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the source is opened, and not earlier."""
    monkeypatch.delitem(sys.modules, "adapters.sql.sqlite", raising=False)
    monkeypatch.setitem(sys.modules, "aiosqlite", None)
    source = opened(file)
    with pytest.raises(AdapterMisconfigured, match=r"pip install 'sluicegate\[sqlite\]'"):
        await source.__aenter__()
