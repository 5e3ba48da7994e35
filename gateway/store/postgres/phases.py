"""The phase of each source."""

# ruff: noqa: D102  # the contract, gateway.store.base, carries these texts

from collections.abc import Mapping

from gateway.model import Phase
from gateway.store.postgres.connection import Database
from gateway.store.postgres.journal import announce, record

FIRST = """
    WITH written AS (
        INSERT INTO phases (source, phase) VALUES ($1, $2) ON CONFLICT (source) DO NOTHING
        RETURNING source, phase)
    INSERT INTO audit (event, actor, source, detail)
    SELECT 'phase set', 'configuration', source, jsonb_build_object('to', phase) FROM written"""

LOCK = "SELECT phase FROM phases WHERE source = $1 FOR UPDATE"

SET = "UPDATE phases SET phase = $2, changed_at = now() WHERE source = $1"


class PostgresPhases:
    """Implements `gateway.store.base.Phases`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ensure(self, source: str, first: Phase) -> Phase:
        await self._database.run(FIRST, source, first)
        return (await self.all())[source]

    async def all(self) -> Mapping[str, Phase]:
        return {row["source"]: Phase(row["phase"])
                for row in await self._database.rows("SELECT source, phase FROM phases ORDER BY source")}

    async def change(self, source: str, phase: Phase, *, actor: str) -> bool:
        async with self._database.transaction() as connection:
            before = await connection.fetchval(LOCK, source)
            if before is None:
                return False
            if before != phase:
                await connection.execute(SET, source, phase)
                await record(connection, "phase set", actor=actor, source=source,
                             detail={"from": before, "to": phase})
                await announce(connection, "phase", source)
        return True
