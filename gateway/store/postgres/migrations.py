"""Brings a database to the schema of this program. Owns the numbered files and who applies them when."""

from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

import asyncpg
from asyncpg.exceptions import ClientConfigurationError

from gateway.errors import ConfigurationError
from gateway.store.postgres.connection import Connection, Database

# The first of the two numbers of an advisory lock: "slui" in ASCII, so that other programs' locks differ.
LOCKS = 0x736C7569
SCHEMA_LOCK = 1

# Seconds for one file, and for another replica that applies it: longer than any other statement may take.
STEP_TIMEOUT = 600.0

CREATE_STEPS = """
    CREATE TABLE schema_steps (
        number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"""

# What the operator has to put right, and how that is said.
MISTAKES: tuple[tuple[type[Exception], str], ...] = (
    (asyncpg.InsufficientPrivilegeError, "the user may not create tables"),
    (asyncpg.DuplicateTableError, "the database holds another program's tables; give the gateway one of its own"),
    (asyncpg.UndefinedObjectError, "an option of the URL is not known to the server"),
    (ClientConfigurationError, "an option of the URL cannot be used"),
)
MISTAKEN = tuple(kind for kind, _ in MISTAKES)

NOTE_STEP = "INSERT INTO schema_steps (number, name) VALUES ($1, $2)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One numbered file of SQL."""

    number: int
    name: str
    sql: str


def read_steps(folder: Traversable) -> list[Step]:
    """Return the steps of a folder in order; their numbers run from 1 without a gap."""
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    steps = [Step(number=int(name[:4]), name=name, sql=(folder / name).read_text("utf-8")) for name in names]
    assert [step.number for step in steps] == list(range(1, len(steps) + 1)), "schema files are misnumbered"
    return steps


async def migrate(database: Database) -> None:
    """Apply the steps that the database lacks, in one transaction, one replica at a time.

    Raises ConfigurationError when the database cannot be this program's.
    """
    steps, name = read_steps(files("gateway.store") / "schema"), database.address.name
    try:
        async with database.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", LOCKS, SCHEMA_LOCK,
                                     timeout=STEP_TIMEOUT)
            await _apply(connection, steps)
    except MISTAKEN as error:
        said = next(words for kind, words in MISTAKES if isinstance(error, kind))
        # without the cause: it quotes the URL's options
        raise ConfigurationError(f"the store at {name}: {said}") from None


async def _apply(connection: Connection, steps: list[Step]) -> None:
    # looked up first: CREATE … IF NOT EXISTS asks for the right to create even where nothing is to be done
    if await connection.fetchval("SELECT to_regclass('schema_steps') IS NULL"):
        await connection.execute(CREATE_STEPS)
    done = await connection.fetchval("SELECT coalesce(max(number), 0) FROM schema_steps")
    if done > len(steps):
        raise ConfigurationError(f"the store's schema is at step {done}, newer than this program's, which"
                                 f" ends at step {len(steps)}")
    for step in steps[done:]:
        await connection.execute(step.sql, timeout=STEP_TIMEOUT)
        await connection.execute(NOTE_STEP, step.number, step.name)
