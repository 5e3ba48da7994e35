"""The current, previous and pending passwords of accounts.

Whoever replaces a password locks the account's row first, then re-checks the reason: so a follow, a
promotion, a block and the opening of a session take turns, and none acts on what another has changed.
"""

# ruff: noqa: D102  # the contract, gateway.store.base, carries these texts

from dataclasses import dataclass, field
from uuid import UUID

from gateway.model import Secret
from gateway.store.base import NewPassword
from gateway.store.postgres.connection import Connection, Database
from gateway.store.postgres.journal import announce, record

IS_PREVIOUS = """
    SELECT EXISTS (SELECT FROM previous_passwords WHERE account_id = $1 AND held = $2) AS is_previous"""

REHASH = "UPDATE credentials SET encoded = $3, held = $4 WHERE account_id = $1 AND encoded = $2 RETURNING account_id"

NOTE_SEEN = "UPDATE credentials SET legacy_seen = $3 WHERE account_id = $1 AND encoded = $2"

LOCK = """
    SELECT a.source, a.state, c.encoded FROM accounts a JOIN credentials c ON c.account_id = a.id
    WHERE a.id = $1 FOR UPDATE"""

RETIRE = """
    INSERT INTO previous_passwords (account_id, held)
    SELECT account_id, held FROM credentials WHERE account_id = $1
    ON CONFLICT DO NOTHING"""

# A user may return to an old password on the app's own page; it is then the current one, not a previous one.
RECALL = "DELETE FROM previous_passwords WHERE account_id = $1 AND held = $2"

REPLACE = """
    UPDATE credentials SET encoded = $2, held = $3, legacy_seen = $4, changed_at = now()
    WHERE account_id = $1"""

END_SESSIONS = """
    UPDATE sessions SET ended_at = now(), end_reason = $3
    WHERE account_id = $1 AND ended_at IS NULL AND id IS DISTINCT FROM $2 RETURNING id"""

# The identity is made here so that a change of a vanished account reads like one that is gone already.
BEGIN = """
    WITH change AS MATERIALIZED (SELECT gen_random_uuid() AS id), written AS (
        INSERT INTO pending_changes (id, account_id, encoded, held)
        SELECT change.id, a.id, $2, $3 FROM change, accounts a WHERE a.id = $1 AND a.state <> 'deleted'
        FOR SHARE OF a)
    SELECT id FROM change"""

PENDING = "SELECT account_id, number, encoded, held FROM pending_changes WHERE id = $1"

DROP = "DELETE FROM pending_changes WHERE id = $1"

# Older ones were overtaken on the app's side; one that was begun later may still be confirmed.
SETTLE_UP_TO = "DELETE FROM pending_changes WHERE account_id = $1 AND number <= $2"

SETTLE_ALL = "DELETE FROM pending_changes WHERE account_id = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """What takes the place of a current password, and why."""

    account_id: UUID
    source: str
    encoded: Secret
    held: bytes = field(repr=False)
    legacy_seen: bytes | None = field(repr=False)
    event: str
    actor: str


class PostgresPasswords:
    """Implements `gateway.store.base.Passwords`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def is_previous(self, account_id: UUID, held: bytes) -> bool:
        row = await self._database.row(IS_PREVIOUS, account_id, held)
        return row is not None and bool(row["is_previous"])

    async def rehash(self, account_id: UUID, *, old: Secret, new: NewPassword) -> bool:
        arguments = (account_id, old.reveal(), new.encoded.reveal(), new.held)
        return await self._database.row(REHASH, *arguments) is not None

    async def follow(self, account_id: UUID, *, old: Secret, new: NewPassword,
                     legacy_seen: bytes | None) -> bool:
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(LOCK, account_id)
            if row is None or row["state"] != "active" or row["encoded"] != old.reveal():
                return False
            if await connection.fetchval(IS_PREVIOUS, account_id, new.held):
                return False
            await _replace(connection, Replacement(
                account_id=account_id, source=row["source"], encoded=new.encoded, held=new.held,
                legacy_seen=legacy_seen, event="password followed", actor="login"))
            await connection.execute(SETTLE_ALL, account_id)
            await end_sessions(connection, account_id, reason="password followed")
        return True

    async def note_seen(self, account_id: UUID, *, encoded: Secret, legacy_seen: bytes) -> None:
        await self._database.run(NOTE_SEEN, account_id, encoded.reveal(), legacy_seen)


class PostgresChanges:
    """Implements `gateway.store.base.Changes`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, account_id: UUID, new: NewPassword) -> UUID:
        row = await self._database.row(BEGIN, account_id, new.encoded.reveal(), new.held)
        assert row is not None
        change: UUID = row["id"]
        return change

    async def promote(self, change_id: UUID, *, legacy_seen: bytes | None, keep_session: UUID | None) -> bool:
        async with self._database.transaction() as connection:
            seen = await connection.fetchrow(PENDING, change_id)
            if seen is None:
                return False
            owner = seen["account_id"]
            account = await connection.fetchrow(LOCK, owner)
            # read again: it may have been settled while we waited for the account
            change = await connection.fetchrow(PENDING, change_id)
            if account is None or account["state"] != "active" or change is None:
                return False
            await _replace(connection, Replacement(
                account_id=owner, source=account["source"], encoded=Secret(change["encoded"]), held=change["held"],
                legacy_seen=legacy_seen, event="password changed", actor="user"))
            await connection.execute(SETTLE_UP_TO, owner, change["number"])
            await end_sessions(connection, owner, reason="password changed", keep=keep_session)
        return True

    async def drop(self, change_id: UUID) -> None:
        await self._database.run(DROP, change_id)


async def end_sessions(connection: Connection, account_id: UUID, *, reason: str,
                       keep: UUID | None = None) -> None:
    """End an account's sessions but one, and tell every worker of each, or once of all."""
    ended = await connection.fetch(END_SESSIONS, account_id, keep, reason)
    if keep is None:
        await announce(connection, "account", str(account_id))
        return
    for row in ended:
        await announce(connection, "session", str(row["id"]))


async def _replace(connection: Connection, new: Replacement) -> None:
    await connection.execute(RETIRE, new.account_id)
    await connection.execute(RECALL, new.account_id, new.held)
    await connection.execute(REPLACE, new.account_id, new.encoded.reveal(), new.held, new.legacy_seen)
    await record(connection, new.event, actor=new.actor, source=new.source, account_id=new.account_id)
