"""Gateway sessions: opened for active accounts only, ended for every worker at once."""

# ruff: noqa: D102  # the contract, gateway.store.base, carries these texts

from datetime import timedelta
from uuid import UUID

from gateway.model import Secret
from gateway.store.base import Session
from gateway.store.postgres.connection import Database, Record
from gateway.store.postgres.journal import CHANNEL

# To be selected from sessions s and accounts a.
SESSION = """
    s.id, s.account_id, s.app, s.expires_at, coalesce(nullif(a.username, ''), a.legacy_id) AS username, a.email"""

# FOR SHARE: a block or a password change that is under way is waited for, and its result is what counts.
# Rows that nobody can use any more go when their owner comes back, so the table does not grow for ever.
OPEN = f"""
    WITH expired AS (DELETE FROM sessions WHERE account_id = $1 AND expires_at < now()), s AS (
        INSERT INTO sessions (account_id, app, handle, expires_at)
        SELECT a.id, $2, $3, now() + $4::interval FROM accounts a JOIN credentials c ON c.account_id = a.id
        WHERE a.id = $1 AND a.state = 'active' AND c.encoded = $5 FOR SHARE OF a, c
        RETURNING id, account_id, app, expires_at
    )
    SELECT {SESSION} FROM s JOIN accounts a ON a.id = s.account_id"""  # noqa: S608  # constants

STANDING = f"""
    SELECT {SESSION} FROM sessions s JOIN accounts a ON a.id = s.account_id
    WHERE s.ended_at IS NULL AND s.expires_at > now() AND a.state = 'active'"""  # noqa: S608  # constants
LIVE = f"{STANDING} AND s.handle = $2 AND s.app = $1"
FIND = f"{STANDING} AND s.id = $1"

END = """
    WITH ended AS (
        UPDATE sessions SET ended_at = now(), end_reason = $2 WHERE id = $1 AND ended_at IS NULL
        RETURNING id, account_id
    ), entered AS (
        INSERT INTO audit (event, actor, account_id, detail)
        SELECT 'session ended', 'user', account_id, jsonb_build_object('reason', $2::text) FROM ended
    )
    SELECT pg_notify($3, 'session ' || id) FROM ended"""


class PostgresSessions:
    """Implements `gateway.store.base.Sessions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, *, account_id: UUID, app: str, handle: bytes, lifetime: timedelta,
                   proven: Secret) -> Session | None:
        return _session(await self._database.row(OPEN, account_id, app, handle, lifetime, proven.reveal()))

    async def live(self, app: str, handle: bytes) -> Session | None:
        return _session(await self._database.row(LIVE, app, handle))

    async def find(self, session_id: UUID) -> Session | None:
        return _session(await self._database.row(FIND, session_id))

    async def end(self, session_id: UUID, *, reason: str) -> None:
        await self._database.run(END, session_id, reason, CHANNEL)


def _session(row: Record | None) -> Session | None:
    if row is None:
        return None
    return Session(id=row["id"], account_id=row["account_id"], app=row["app"], expires_at=row["expires_at"],
                   username=row["username"], email=row["email"])
