"""Is a process that does one thing with a store and kills itself, as by SIGKILL, after its n-th statement.

    python crashing_store.py WHAT N        with the store's URL on standard input

It ends with 0 when the work needed fewer statements, and otherwise by the signal. BEGIN and COMMIT count:
they are what a crash comes between.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

import asyncpg

from gateway.model import Secret
from gateway.store.postgres import PostgresStore
from tests.helpers.rows import adoption, password

P = ParamSpec("P")
T = TypeVar("T")


async def adopt(store: PostgresStore) -> None:
    await store.accounts.adopt(adoption(password_text="first"))


async def promote(store: PostgresStore) -> None:
    found = await store.accounts.find_legacy("shop", "7")
    assert found is not None
    [change] = found.pending
    await store.changes.promote(change.id, legacy_seen=b"seen", keep_session=None)


async def follow(store: PostgresStore) -> None:
    found = await store.accounts.find_legacy("shop", "7")
    assert found is not None
    await store.passwords.follow(found.account.id, old=found.credential.encoded, new=password("second"),
                                 legacy_seen=b"seen")


WORK = {"adopt": adopt, "promote": promote, "follow": follow}


def die_after(statements: int) -> None:
    """Make asyncpg's connection kill this process once that many statements have been answered."""
    left = statements

    def counted(method: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        async def call(*arguments: P.args, **named: P.kwargs) -> T:
            nonlocal left
            answer = await method(*arguments, **named)
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer
        return call

    for name in ("execute", "fetch", "fetchrow", "fetchval"):
        setattr(asyncpg.Connection, name, counted(getattr(asyncpg.Connection, name)))


async def main(what: str, statements: int) -> None:
    async with PostgresStore.open(Secret(sys.stdin.read().strip())) as store:
        die_after(statements)
        await WORK[what](store)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
