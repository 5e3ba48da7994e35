"""Who has crossed: look-up and adoption."""

# ruff: noqa: D102  # the contract, gateway.store.base, carries these texts

import json
from collections.abc import Sequence
from uuid import UUID

from gateway.model import Profile
from gateway.store.base import Adoption, Candidate
from gateway.store.postgres.connection import CommitUnknown, Connection, Database
from gateway.store.postgres.journal import record
from gateway.store.postgres.rows import CANDIDATE, candidate, is_storable, sought, storable

BY_ALIAS = f"""
    SELECT {CANDIDATE} FROM aliases f JOIN accounts a ON a.id = f.account_id
    LEFT JOIN credentials c ON c.account_id = a.id
    WHERE f.source = $1 AND f.alias = $2 AND a.state <> 'deleted' ORDER BY a.id"""  # noqa: S608  # constants

BY_LEGACY_ID = f"""
    SELECT {CANDIDATE} FROM accounts a LEFT JOIN credentials c ON c.account_id = a.id
    WHERE a.source = $1 AND a.legacy_id = $2"""  # noqa: S608  # constants

# The unique index decides: whoever comes second waits for the first and then inserts nothing.
CREATE = """
    INSERT INTO accounts (id, source, legacy_id, username, email, name, attributes, sought)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (source, legacy_id) DO NOTHING RETURNING id"""

NAME = """
    INSERT INTO aliases (source, alias, account_id) SELECT $1, alias, $3 FROM unnest($2::text[]) AS alias
    ON CONFLICT DO NOTHING"""

GIVE_PASSWORD = "INSERT INTO credentials (account_id, encoded, held, legacy_seen) VALUES ($1, $2, $3, $4)"  # noqa: S105

NOTE_LOGIN = "UPDATE accounts SET last_login_at = now() WHERE id = $1 AND state <> 'deleted'"


class PostgresAccounts:
    """Implements `gateway.store.base.Accounts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, source: str, alias: str) -> Sequence[Candidate]:
        if not is_storable(alias):
            return ()
        return [candidate(row) for row in await self._database.rows(BY_ALIAS, source, alias)]

    async def find_legacy(self, source: str, legacy_id: str) -> Candidate | None:
        if not is_storable(legacy_id):
            return None
        row = await self._database.row(BY_LEGACY_ID, source, legacy_id)
        return None if row is None else candidate(row)

    async def adopt(self, adoption: Adoption) -> bool:
        try:
            async with self._database.transaction() as connection:
                return await _create(connection, adoption)
        except CommitUnknown:
            committed = await self.find_legacy(adoption.source, adoption.user.legacy_id)
            if committed is None:
                # the lost connection's commit may still be on its way: only a later attempt can tell
                raise
            return committed.account.id == adoption.account_id

    async def logged_in(self, account_id: UUID) -> None:
        await self._database.run(NOTE_LOGIN, account_id)

    async def drifted(self, account_id: UUID, *, app: str, verdict: str) -> None:
        async with self._database.transaction() as connection:
            await record(connection, "drifted", actor="login", account_id=account_id,
                         detail={"app": app, "verdict": verdict})


async def _create(connection: Connection, adoption: Adoption) -> bool:
    legacy_id, profile = adoption.user.legacy_id, adoption.user.profile
    created = await connection.fetchval(
        CREATE, adoption.account_id, adoption.source, legacy_id, storable(profile.username),
        storable(profile.email), storable(profile.name), _attributes(profile),
        sought((profile.username, profile.email, profile.name, *adoption.aliases)))
    if created is None:
        return False
    await connection.execute(NAME, adoption.source, list(adoption.aliases), adoption.account_id)
    await connection.execute(GIVE_PASSWORD, adoption.account_id, adoption.password.encoded.reveal(),
                             adoption.password.held, adoption.legacy_seen)
    await record(connection, "adopted", actor="login", source=adoption.source, account_id=adoption.account_id,
                 detail={"way": adoption.way})
    return True


def _attributes(profile: Profile) -> str:
    return json.dumps({storable(name): storable(value) for name, value in profile.attributes.items()})
