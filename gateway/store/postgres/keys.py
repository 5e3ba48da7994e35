"""Signing keys and the gateway's own secrets. They come and go sealed; nothing here could open them."""

# ruff: noqa: D102  # the contract, gateway.store.base, carries these texts

import json
from collections.abc import Callable, Sequence

from gateway.store.base import StoredKey
from gateway.store.postgres.connection import Connection, Database, Record
from gateway.store.postgres.journal import announce, record
from gateway.store.postgres.migrations import LOCKS

KEYS_LOCK = 2

LOCK = "SELECT pg_advisory_xact_lock($1, $2)"

ALL = """
    SELECT kid, algorithm, state, public_jwk, sealed_private, created_at, activated_at FROM signing_keys
    ORDER BY number"""

# The maker's clock may differ from other replicas': whether a key is active is taken from it, not since when.
ADD = """
    INSERT INTO signing_keys (kid, algorithm, state, public_jwk, sealed_private, activated_at)
    VALUES ($1, $2, $3, $4, $5, CASE WHEN $6 THEN now() END)"""

READ_SECRET = "SELECT sealed FROM server_secrets WHERE purpose = $1"  # noqa: S105

KEEP_SECRET = "INSERT INTO server_secrets (purpose, sealed) VALUES ($1, $2)"  # noqa: S105


class PostgresKeys:
    """Implements `gateway.store.base.Keys`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Sequence[StoredKey]:
        return [_key(row) for row in await self._database.rows(ALL)]

    async def ensure(self, make: Callable[[Sequence[StoredKey]], Sequence[StoredKey]]) -> Sequence[StoredKey]:
        async with self._database.transaction() as connection:
            await connection.execute(LOCK, LOCKS, KEYS_LOCK)
            existing = [_key(row) for row in await connection.fetch(ALL)]
            made = make(existing)
            for key in made:
                await _add(connection, key)
            if made:
                await announce(connection, "keys", "")
            return [_key(row) for row in await connection.fetch(ALL)]

    async def secret(self, purpose: str, make: Callable[[], bytes]) -> bytes:
        async with self._database.transaction() as connection:
            await connection.execute(LOCK, LOCKS, KEYS_LOCK)
            sealed: bytes | None = await connection.fetchval(READ_SECRET, purpose)
            if sealed is None:
                sealed = make()
                await connection.execute(KEEP_SECRET, purpose, sealed)
                await record(connection, "secret made", actor="gateway", detail={"purpose": purpose})
        return sealed


async def _add(connection: Connection, key: StoredKey) -> None:
    await connection.execute(ADD, key.kid, key.algorithm, key.state, json.dumps(dict(key.public_jwk)),
                             key.sealed_private, key.activated_at is not None)
    await record(connection, "key added", actor="gateway", detail={"kid": key.kid, "state": key.state})


def _key(row: Record) -> StoredKey:
    return StoredKey(kid=row["kid"], algorithm=row["algorithm"], state=row["state"],
                     public_jwk=json.loads(row["public_jwk"]), sealed_private=row["sealed_private"],
                     created_at=row["created_at"], activated_at=row["activated_at"])
