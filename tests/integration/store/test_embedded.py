"""The embedded server, really started: as whoever runs the tests."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from gateway.errors import ConfigurationError, StoreUnavailable
from gateway.model import Secret
from gateway.settings import StoreSection
from gateway.store.embedded import EmbeddedPostgres
from gateway.store.embedded.postmaster import Postmaster, wait_until
from gateway.store.postgres import PostgresStore
from gateway.store.postgres.connection import CommitUnknown
from gateway.stores import opened_store
from tests.helpers.postgres import fetch
from tests.helpers.rows import adoption

# A killed process loses nothing of what it has written, so the disk need not be waited for.
UNSYNCED = {"fsync": "off"}

ROOT = Path(__file__).parents[3]

# Starts a server and is then killed by the test, like a gateway by SIGKILL.
STARTER = """
import sys, time
from pathlib import Path
from gateway.store.embedded import EmbeddedPostgres
EmbeddedPostgres(Path(sys.argv[1])).start()
print("started", flush=True)
time.sleep(120)
"""


@pytest.fixture(scope="module")
def prepared() -> Iterator[Path]:
    """Is a state whose data is initialised, to be copied: initdb takes half a second."""
    folder = Path(tempfile.mkdtemp(prefix="sluicegate-tests-"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder / "state", settings=UNSYNCED)
    server.start()
    server.stop()
    yield folder / "state"
    shutil.rmtree(folder)


@pytest.fixture
def state(prepared: Path) -> Iterator[Path]:
    """Is a state of its own for a test, with data, and without a server."""
    folder = Path(tempfile.mkdtemp(prefix="sluicegate-tests-"))
    folder.chmod(0o711)
    subprocess.run(["/bin/cp", "-a", prepared, folder / "state"], check=True)
    (folder / "state" / "postgres" / "socket").unlink()
    yield folder / "state"
    found = Postmaster.read(folder / "state" / "postgres" / "data")
    if found is not None and found.is_running():
        found.end()
        pytest.fail("the test left a server running")
    shutil.rmtree(folder)


@pytest.fixture
def server(state: Path) -> Iterator[EmbeddedPostgres]:
    """Is a server that is not running yet, and will not be afterwards."""
    server = EmbeddedPostgres(state, settings=UNSYNCED)
    yield server
    server.stop()


def postmaster(state: Path) -> Postmaster:
    found = Postmaster.read(state / "postgres" / "data")
    assert found is not None
    return found


def socket_folder(state: Path) -> Path:
    return Path((state / "postgres" / "socket").read_text("utf-8"))


async def test_a_new_state_becomes_a_store(tmp_path_factory: pytest.TempPathFactory) -> None:
    """From an empty folder to a store that keeps an account over a restart."""
    folder = Path(tempfile.mkdtemp(prefix="sluicegate-tests-"))
    server = EmbeddedPostgres(folder)
    try:
        async with PostgresStore.open(server.start()) as store:
            assert await store.accounts.adopt(adoption())
        server.stop()
        async with PostgresStore.open(server.start()) as store:
            assert await store.accounts.find_legacy("shop", "7") is not None
    finally:
        server.stop()
        shutil.rmtree(folder)


async def test_the_server_asks_for_its_password_and_listens_on_no_network(server: EmbeddedPostgres,
                                                                          state: Path) -> None:
    """Whoever gets at the socket still needs the password, which only its owner can read."""
    url = server.start().reveal()
    password = (state / "postgres" / "password").read_text("ascii")
    assert len(password) >= 32
    assert (state / "postgres" / "password").stat().st_mode & 0o077 == 0
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(url.replace(password, "guessed"))
    [row] = await fetch(Secret(url), "SELECT current_setting('listen_addresses') AS addresses")
    assert row["addresses"] == ""


async def test_its_log_quotes_no_statement_and_no_row(server: EmbeddedPostgres, state: Path) -> None:
    """A failing statement, and a row that breaks a rule, may hold what nobody shall read in a log."""
    url = server.start()
    await fetch(url, "CREATE TABLE kept (value text UNIQUE CHECK (value <> 'canary1'))")
    for statement in ("SELECT canary2", "INSERT INTO kept VALUES ('canary1')",
                      "INSERT INTO kept VALUES ('canary3'), ('canary3')"):
        with pytest.raises(asyncpg.PostgresError):
            await fetch(url, statement)
    log = (state / "postgres" / "log").read_text("utf-8")
    assert "violates unique constraint" in log
    assert "canary1" not in log
    assert "canary3" not in log


def test_starting_twice_is_starting_once(server: EmbeddedPostgres, state: Path) -> None:
    """The second call returns the same address."""
    url = server.start()
    pid = postmaster(state).pid
    assert server.start() == url
    assert postmaster(state).pid == pid


def test_a_stop_is_quick_and_takes_the_socket_along(server: EmbeddedPostgres, state: Path) -> None:
    """Nothing is left outside the state, no process and no folder; stopping twice is stopping once."""
    server.start()
    socket, pid = socket_folder(state), postmaster(state).pid
    assert (socket / ".s.PGSQL.5432").exists()
    begin = time.monotonic()
    server.stop()
    server.stop()
    assert time.monotonic() - begin < 5
    assert not socket.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_stop_without_a_start_does_nothing(tmp_path: Path) -> None:
    """Not even a folder is made."""
    EmbeddedPostgres(tmp_path / "state").stop()
    assert not (tmp_path / "state").exists()


def test_the_address_stays_the_same_over_a_restart(server: EmbeddedPostgres) -> None:
    """Those who hold the URL reconnect by themselves."""
    first = server.start()
    server.stop()
    assert server.start() == first


def test_another_socket_folder_is_taken_when_the_last_is_not_free(server: EmbeddedPostgres, state: Path) -> None:
    """Somebody's file in its place is left alone."""
    server.start()
    socket = socket_folder(state)
    server.stop()
    socket.write_text("somebody's", "utf-8")
    try:
        server.start()
        assert socket_folder(state) != socket
        assert socket.read_text("utf-8") == "somebody's"
    finally:
        socket.unlink()


def test_a_command_attaches_to_a_running_server(server: EmbeddedPostgres, state: Path) -> None:
    """Beside a gateway: the same address, no second server; nothing when none runs."""
    command = EmbeddedPostgres(state)
    assert command.attach() is None
    url = server.start()
    assert command.attach() == url
    command.stop()
    assert postmaster(state).is_running()
    server.stop()
    assert command.attach() is None


async def test_a_command_beside_a_stopped_gateway_has_the_server_to_itself(state: Path) -> None:
    """What the gateway made is there, for as long as the command takes."""
    async with opened_store(StoreSection(state=state)) as store:
        assert postmaster(state).is_running()
        assert list(await store.keys.all()) == []
    assert Postmaster.read(state / "postgres" / "data") is None


async def test_a_command_makes_no_store(tmp_path: Path) -> None:
    """Where no gateway has run, it is refused in one sentence, and nothing is written."""
    with pytest.raises(StoreUnavailable) as caught:
        async with opened_store(StoreSection(state=tmp_path / "state")):
            pass
    assert str(caught.value) == f"there is no store in {tmp_path}/state yet: the gateway makes it at its first start"
    assert list(tmp_path.iterdir()) == []


def test_a_state_serves_one_gateway(server: EmbeddedPostgres, state: Path) -> None:
    """The second is refused by name, and the first one's server is not touched."""
    server.start()
    pid = postmaster(state).pid
    second = EmbeddedPostgres(state)
    with pytest.raises(ConfigurationError, match=f"{state} is in use by another gateway"):
        second.start()
    second.stop()
    assert postmaster(state).pid == pid
    assert postmaster(state).is_running()


def killed_starter(state: Path) -> Postmaster:
    """Start a server in a process of its own, kill that process, and return the orphan."""
    with subprocess.Popen([sys.executable, "-c", STARTER, state], stdout=subprocess.PIPE, cwd=ROOT) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"started\n"
        starter.kill()
    return postmaster(state)


def test_a_server_left_over_by_a_killed_gateway_is_stopped(server: EmbeddedPostgres, state: Path) -> None:
    """Its data is found, its lock is free, and the address is the one that it had."""
    orphan = killed_starter(state)
    left = EmbeddedPostgres(state).attach()
    assert left is not None
    assert server.start() == left
    assert postmaster(state).pid != orphan.pid
    assert not orphan.is_running()


def test_a_killed_servers_children_do_not_keep_the_next_from_starting(server: EmbeddedPostgres, state: Path) -> None:
    """A kill of both, the gateway and its server, is recovered from at the next start."""
    orphan = killed_starter(state)
    os.kill(orphan.pid, signal.SIGKILL)
    assert wait_until(lambda: not orphan.is_running(), 5)
    server.start()
    assert postmaster(state).pid != orphan.pid


def test_a_stale_number_that_is_another_programs_by_now_is_no_hindrance(server: EmbeddedPostgres, state: Path) -> None:
    """After a reboot, or in a container, it may be anybody's; that program is not touched."""
    data = state / "postgres" / "data"
    with subprocess.Popen(["/bin/sleep", "60"]) as bystander:
        (data / "postmaster.pid").write_text(f"{bystander.pid}\n{data}\n1790000000\n5432\n/tmp\n\n 1 2\nready\n")
        server.start()
        assert bystander.poll() is None
        bystander.kill()


def test_an_interrupted_initialisation_is_begun_anew(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Half a data folder is no data folder."""
    folder = Path(tempfile.mkdtemp(prefix="sluicegate-tests-"))
    server = EmbeddedPostgres(folder, settings=UNSYNCED)
    try:
        (folder / "postgres" / "data.half").mkdir(parents=True)
        (folder / "postgres" / "data.half" / "PG_VERSION").write_text("18\n", "ascii")
        server.start()
        assert not (folder / "postgres" / "data.half").exists()
        assert not (folder / "postgres" / "password.given").exists()
    finally:
        server.stop()
        shutil.rmtree(folder)


def test_a_server_that_cannot_start_says_why_in_one_line(server: EmbeddedPostgres, state: Path) -> None:
    """The server's own last word, without its log's clutter; a later start is possible."""
    version = state / "postgres" / "data" / "PG_VERSION"
    written = version.read_text("ascii")
    version.write_text("9\n", "ascii")
    with pytest.raises(StoreUnavailable, match=r"did not start: FATAL:  database files are incompatible with server$"):
        server.start()
    version.write_text(written, "ascii")
    server.start()


def test_a_state_that_is_a_file_is_refused_by_name(tmp_path: Path) -> None:
    """One sentence with the path."""
    (tmp_path / "state").touch()
    with pytest.raises(ConfigurationError, match=f"{tmp_path / 'state'}"):
        EmbeddedPostgres(tmp_path / "state").start()


async def test_a_server_that_died_is_started_again(server: EmbeddedPostgres, state: Path) -> None:
    """The store comes back by itself, under the same address and with its data."""
    async with PostgresStore.open(server.start()) as store, asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(server.keep_running())
        await store.accounts.adopt(adoption())
        killed = postmaster(state).pid
        os.kill(killed, signal.SIGKILL)
        while postmaster(state).pid == killed:
            await asyncio.sleep(0.02)
        assert await comes_back(store)
        assert await store.accounts.find_legacy("shop", "7") is not None
        watch.cancel()


async def test_a_stopped_server_stays_stopped_under_watch(server: EmbeddedPostgres, state: Path) -> None:
    """The watch does not undo a stop."""
    server.start()
    async with asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(server.keep_running())
        await asyncio.to_thread(server.stop)
        server._revive()
        watch.cancel()
    assert server.attach() is None


async def comes_back(store: PostgresStore, *, seconds: float = 20.0) -> bool:
    """Ask the store until it answers."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            await store.ping()
        except StoreUnavailable:
            await asyncio.sleep(0.05)
        else:
            return True
    return False


async def test_the_pool_recovers_from_a_restart_of_the_server(server: EmbeddedPostgres) -> None:
    """While it is down every call says StoreUnavailable at once; afterwards all goes on, without a restart of ours."""
    async with PostgresStore.open(server.start()) as store:
        assert await store.accounts.adopt(adoption("1"))
        await asyncio.gather(*(store.ping() for _ in range(10)))
        await asyncio.to_thread(server.stop)
        begin = time.monotonic()
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="the store at /"):
                await store.accounts.find("shop", "alice")
        assert time.monotonic() - begin < 3
        await asyncio.to_thread(server.start)
        begin = time.monotonic()
        assert await comes_back(store, seconds=5)
        assert await store.accounts.find_legacy("shop", "1") is not None
        assert await store.accounts.adopt(adoption("2"))


async def test_nothing_is_half_done_when_the_server_is_killed_under_load(server: EmbeddedPostgres,
                                                                         state: Path) -> None:
    """Each adoption that said True is there after recovery; none is there in part."""
    told: list[str] = []

    async def adopt(store: PostgresStore, worker: int) -> None:
        for number in range(10_000):
            legacy_id = f"{worker}-{number}"
            if await store.accounts.adopt(adoption(legacy_id)):
                told.append(legacy_id)

    async with PostgresStore.open(server.start()) as store:
        workers = asyncio.gather(*(adopt(store, worker) for worker in range(8)), return_exceptions=True)
        while len(told) < 100:
            await asyncio.sleep(0.005)
        os.kill(postmaster(state).pid, signal.SIGQUIT)
        assert {type(ending) for ending in await workers} <= {StoreUnavailable, CommitUnknown}
        await asyncio.to_thread(server.stop)
        url = await asyncio.to_thread(server.start)
        rows = await fetch(url, "SELECT a.legacy_id, c.account_id IS NOT NULL AS has_credential, EXISTS (SELECT FROM"
                                " aliases l WHERE l.account_id = a.id) AS has_alias, EXISTS (SELECT FROM audit e"
                                " WHERE e.account_id = a.id) AS has_entry"
                                " FROM accounts a LEFT JOIN credentials c ON c.account_id = a.id")
    assert {row["legacy_id"] for row in rows} >= set(told)
    assert all(row["has_credential"] and row["has_alias"] and row["has_entry"] for row in rows)
