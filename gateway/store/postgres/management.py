"""Accounts as operators see and change them."""

# ruff: noqa: D102  # the contract, gateway.store.base, carries these texts

from collections.abc import Sequence
from uuid import UUID

from gateway.model import Account, AccountState
from gateway.store.base import SourceCount
from gateway.store.postgres.connection import Connection, Database
from gateway.store.postgres.journal import record
from gateway.store.postgres.passwords import end_sessions
from gateway.store.postgres.rows import ACCOUNT, account, is_storable, sought

BY_ID = f"SELECT {ACCOUNT} FROM accounts a WHERE a.id = $1"  # noqa: S608  # constants

# The nil UUID stands before every other: with it the first page uses the index like any later one.
SEARCH = f"""
    SELECT {ACCOUNT} FROM accounts a
    WHERE a.id > coalesce($1, '00000000-0000-0000-0000-000000000000'::uuid)
    AND ($2::text IS NULL OR a.state = $2) AND strpos(a.sought, $3) > 0
    ORDER BY a.id LIMIT $4"""  # noqa: S608  # constants

COUNT = """
    SELECT source, state, count(*) AS accounts FROM accounts GROUP BY source, state ORDER BY source, state"""

SET_STATE = "UPDATE accounts SET state = $2 WHERE id = $1"

# What a tombstone loses: all that says who it was, and every password.
ERASE = (
    "DELETE FROM credentials WHERE account_id = $1",
    "DELETE FROM previous_passwords WHERE account_id = $1",
    "DELETE FROM pending_changes WHERE account_id = $1",
    "DELETE FROM aliases WHERE account_id = $1",
    "UPDATE accounts SET username = '', email = '', name = '', attributes = '{}', sought = '' WHERE id = $1",
)

EVENTS = {AccountState.ACTIVE: "unblocked", AccountState.BLOCKED: "blocked", AccountState.DELETED: "deleted"}


class PostgresManagement:
    """Implements `gateway.store.base.Management`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, account_id: UUID) -> Account | None:
        row = await self._database.row(BY_ID, account_id)
        return None if row is None else account(row)

    async def search(self, *, text: str, state: AccountState | None, after: UUID | None,
                     limit: int) -> Sequence[Account]:
        if not is_storable(text):
            return ()
        rows = await self._database.rows(SEARCH, after, state, sought((text,)), limit)
        return [account(row) for row in rows]

    async def set_state(self, account_id: UUID, state: AccountState, *, actor: str) -> Account | None:
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(f"{BY_ID} FOR UPDATE OF a", account_id)
            if row is None:
                return None
            found = account(row)
            if found.state in (state, AccountState.DELETED):
                return found
            await _change(connection, found, state, actor=actor)
            changed = await connection.fetchrow(BY_ID, account_id)
            assert changed is not None
            return account(changed)

    async def counts(self) -> Sequence[SourceCount]:
        return [SourceCount(source=row["source"], state=AccountState(row["state"]), accounts=row["accounts"])
                for row in await self._database.rows(COUNT)]


async def _change(connection: Connection, found: Account, state: AccountState, *, actor: str) -> None:
    await connection.execute(SET_STATE, found.id, state)
    if state is AccountState.DELETED:
        for statement in ERASE:
            await connection.execute(statement, found.id)
    if state is not AccountState.ACTIVE:
        await end_sessions(connection, found.id, reason=EVENTS[state])
    await record(connection, EVENTS[state], actor=actor, source=found.source, account_id=found.id,
                 detail={"from": found.state})
