"""Consecutive failures, counted before the attempt is made: parallel guesses cannot outrun the count."""

# ruff: noqa: D102  # the contract, gateway.store.base, carries these texts

from gateway.store.base import ThrottlePolicy
from gateway.store.postgres.connection import Database

# One statement: the row's lock makes parallel attempts take turns, and each one's WHERE is judged on what the
# one before has left. No row comes back while the key is blocked. The clock is read after the turn has come:
# now() stood still while it was waited for, and would make the one before look like the future.
RESERVE = """
    INSERT INTO throttle AS t (key, failures, blocked_until, forget_at)
    SELECT $1, 1, clock + throttle_pause(1, $2, $3), clock + greatest(throttle_pause(1, $2, $3), $4)
    FROM clock_timestamp() AS clock
    ON CONFLICT (key) DO UPDATE SET (failures, blocked_until, forget_at) = (
        SELECT n, clock + throttle_pause(n, $2, $3), clock + greatest(throttle_pause(n, $2, $3), $4)
        FROM clock_timestamp() AS clock,
            LATERAL (SELECT CASE WHEN t.forget_at <= clock THEN 1 ELSE t.failures + 1 END AS n) AS counted)
    WHERE t.blocked_until <= clock_timestamp()
    RETURNING failures"""

WAIT = "SELECT extract(epoch FROM blocked_until - clock_timestamp())::float8 FROM throttle WHERE key = $1"

# The pause shrinks to that of one failure fewer, counted from now: never longer than it was, and never
# shorter than what the others' failures have earned.
REFUND = """
    UPDATE throttle SET failures = failures - 1,
        blocked_until = least(blocked_until, clock_timestamp() + throttle_pause(failures - 1, $2, $3))
    WHERE key = $1 AND failures > 0"""

# Whoever guesses identifiers adds a row with each: each new one takes two forgotten ones away.
PRUNE = """
    DELETE FROM throttle WHERE key IN (
        SELECT key FROM throttle WHERE forget_at < now() ORDER BY forget_at LIMIT 2 FOR UPDATE SKIP LOCKED)"""

# Seconds to wait when the block ended between the two statements.
AT_ONCE = 0.001


class PostgresThrottle:
    """Implements `gateway.store.base.Throttle`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(self, key: bytes, policy: ThrottlePolicy) -> float:
        async with self._database.connection() as connection:
            failures = await connection.fetchval(RESERVE, key, policy.free, policy.longest, policy.forget)
            if failures is None:
                return max(await connection.fetchval(WAIT, key) or 0.0, AT_ONCE)
            if failures == 1:
                await connection.execute(PRUNE)
            return 0.0

    async def refund(self, key: bytes, policy: ThrottlePolicy) -> None:
        await self._database.run(REFUND, key, policy.free, policy.longest)

    async def clear(self, key: bytes) -> None:
        await self._database.run("DELETE FROM throttle WHERE key = $1", key)
