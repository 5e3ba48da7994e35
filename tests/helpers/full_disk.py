"""Is a gateway's store on a disk that fills up: to be run by root within `unshare -m`, on a tmpfs of its own.

    unshare -m python full_disk.py FOLDER

Prints what it saw, one line each, and leaves the judgement to the test.
"""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import asyncpg

from gateway.errors import StoreUnavailable
from gateway.model import Secret
from gateway.store.embedded import EmbeddedPostgres
from gateway.store.postgres import PostgresStore
from tests.helpers.rows import adoption

# Long enough that rows soon need new pages, and the log new files.
BULK = "x" * 2000
MEGABYTE = "SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000))"

told: list[str] = []


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            pass


async def adopt_one(store: PostgresStore) -> None:
    legacy_id = str(len(told))
    assert await store.accounts.adopt(adoption(legacy_id, aliases=(legacy_id,), password_text=BULK))
    told.append(legacy_id)


async def adopt_until_it_fails(store: PostgresStore) -> StoreUnavailable:
    while True:
        try:
            await adopt_one(store)
        except StoreUnavailable as error:
            return error


async def write_log_until_it_fails(url: Secret) -> None:
    """Use up the space that the write-ahead log has left: then the server panics."""
    connection = await asyncpg.connect(url.reveal())
    try:
        while True:
            await connection.execute(MEGABYTE)
    except (asyncpg.PostgresError, OSError):
        connection.terminate()


async def seconds_until_it_answers(store: PostgresStore) -> float:
    begin = time.monotonic()
    while time.monotonic() - begin < 30:
        try:
            await store.accounts.adopt(adoption(f"after {len(told)} {time.monotonic()}"))
        except StoreUnavailable:
            await asyncio.sleep(0.1)
        else:
            return time.monotonic() - begin
    return 30


async def is_there(store: PostgresStore, legacy_id: str) -> bool:
    return await store.accounts.find_legacy("shop", legacy_id) is not None


async def main(disk: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=90m,mode=0755", "tmpfs", disk], check=True)
    server = EmbeddedPostgres(disk / "state")
    try:
        url = server.start()
        async with PostgresStore.open(url) as store, asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(server.keep_running())
            for _ in range(20):
                await adopt_one(store)
            fill(disk)
            print("full:", await adopt_until_it_fails(store))
            print("reads go on:", await is_there(store, told[0]))
            (disk / "filler").unlink()
            print("recovers:", await seconds_until_it_answers(store) < 5)
            fill(disk)
            await write_log_until_it_fails(url)
            print("panicked:", await adopt_until_it_fails(store))
            (disk / "filler").unlink()
            print("recovers:", await seconds_until_it_answers(store) < 15)
            print("kept:", all([await is_there(store, legacy_id) for legacy_id in told]))
            fill(disk)
            await write_log_until_it_fails(url)
            watch.cancel()
        begin = time.monotonic()
        server.stop()
        print("stops:", time.monotonic() - begin < 5)
    finally:
        server.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
