"""What every change leaves behind in its own transaction: a row of the audit trail, a word to the workers."""

import json
from collections.abc import Mapping
from uuid import UUID

from gateway.store.postgres.connection import Connection

CHANNEL = "sluicegate"

ENTER = "INSERT INTO audit (event, actor, source, account_id, detail) VALUES ($1, $2, $3, $4, $5)"


async def record(connection: Connection, event: str, *, actor: str, source: str | None = None,
                 account_id: UUID | None = None, detail: Mapping[str, str] | None = None) -> None:
    """Add an entry to the audit trail; `detail` holds words of ours only."""
    await connection.execute(ENTER, event, actor, source, account_id, json.dumps(detail or {}))


async def announce(connection: Connection, topic: str, value: str) -> None:
    """Tell every worker that listens, once the transaction is committed."""
    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, f"{topic} {value}")
