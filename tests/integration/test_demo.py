"""`sluicegate demo`, as people run it: in a terminal, killed, in the wrong place, as an ordinary user."""

import contextlib
import fcntl
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from gateway.demo.browser import Browser
from gateway.demo.folder import LOCK
from gateway.demo.scene import free_port, free_ports
from gateway.demo.users import USERS
from tests.helpers.terminal import Terminal

DEMO = (sys.executable, "-m", "gateway", "demo")
ROOT = Path(__file__).parents[2]
STOP_SECONDS = 5.0
PASSWORDS = {user.name: user.password for user in USERS}


@pytest.fixture
def place() -> Iterator[Path]:
    """Is a folder that every user can enter and write to, as /tmp is; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="sg-", dir="/tmp")).resolve()
    folder.chmod(0o1777)
    try:
        yield folder
    finally:
        for left in processes_of(folder):
            left.kill()
        shutil.rmtree(folder)


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return the processes that name this folder, or stand in it: the site, the gateway, the database."""
    return [process for process in psutil.process_iter() if process.pid != os.getpid() and _is_of(process, folder)]


def _is_of(process: psutil.Process, folder: Path) -> bool:
    try:
        words = [*process.cmdline(), process.cwd(), process.environ().get("TMPDIR", "")]
    except psutil.Error:
        return False
    return process.status() != psutil.STATUS_ZOMBIE and any(str(folder) in word for word in words)


def environ(place: Path) -> dict[str, str]:
    return {"TMPDIR": str(place), "PYTHONPATH": str(ROOT)}


def run_demo(place: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run a demo to its end."""
    return subprocess.run([*DEMO, *arguments], env={**os.environ, **environ(place), **more}, capture_output=True,
                          text=True, timeout=170, check=False)


def shown_url(screen: str) -> str:
    [url] = re.findall(r"Open +(http://127\.0\.0\.1:\d+)/admin/", screen)
    return url


def one_sentence(errors: str) -> str:
    """Return the one line that stands there."""
    [line] = errors.splitlines()
    return line


def test_walk_sees_the_whole_crossing(place: Path) -> None:
    """The walk exits 0 after its eight steps, each with a proof, and leaves neither process nor file."""
    ended = run_demo(place, "--walk")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    steps = re.findall(r"^  (\d)\. .+\n     seen: .+ \(\d+\.\d s\)$", ended.stdout, re.MULTILINE)
    assert steps == list("12345678")
    assert ended.stdout.endswith("==> the crossing is complete\n==> everything this demo started is stopped\n")
    assert ended.stderr == ""
    assert without_chance(ended.stdout) in without_chance((ROOT / "README.md").read_text())
    assert processes_of(place) == []
    assert list(place.iterdir()) == []


def test_life_of_a_named_state(place: Path) -> None:
    """Killed, a demo is cleared away by the next in the same folder, which finds the data
    and the ports; Ctrl-C ends that one."""
    state = place / "a state of #1, it's ünïcode"
    public, private = map(str, free_ports(2))
    command = [*DEMO, "--state", str(state), "--port", public, "--private-port", private]
    with Terminal(command, environ=environ(place)) as terminal:
        url = shown_url(terminal.read_until("Ctrl-C stops everything"))
        assert Browser(url).log_in("alice", PASSWORDS["alice"]).status == 302
        first = stored_accounts(place, state)
        terminal.kill()
    assert len(processes_of(state)) > 2

    with Terminal(command, environ=environ(place)) as terminal:
        screen = terminal.read_until("Ctrl-C stops everything")
        assert shown_url(screen) == url == f"http://127.0.0.1:{public}"
        assert "==> stopped what an earlier demo had left running: site" in screen
        assert "==> stopped what an earlier demo had left running: gateway" in screen
        [token] = re.findall(r'Metrics +curl -H "Authorization: Bearer (.+)" http', screen)
        told = subprocess.run(["sh", "-c", f'printf %s "{token}"'], capture_output=True, text=True, check=True)
        assert told.stdout == (state / "store" / "private-token").read_text().strip()
        assert '"alice"' in first
        assert stored_accounts(place, state) == first
        for name, password in PASSWORDS.items():
            assert f"{name:<6} {password}" in screen
        terminal.press_ctrl_c()
        assert terminal.ended(STOP_SECONDS) == 0
        assert terminal.text.endswith("==> stopping\n==> everything this demo started is stopped\n")
    assert processes_of(place) == []
    assert [path.name for path in place.iterdir()] == [state.name]

    again = run_demo(place, "--state", str(state), "--walk")
    assert again.returncode == 2
    assert one_sentence(again.stderr) == (f"the walk needs a state in which nobody has crossed yet; in {state} somebody"
                                          " has: name another --state, or none")


def stored_accounts(place: Path, state: Path) -> str:
    """Return what the command line says of the accounts, beside the running gateway."""
    listed = subprocess.run([sys.executable, "-m", "gateway", "users", "list", "--json", "--config",
                             str(state / "sluicegate.toml")], env={**os.environ, **environ(place)},
                            capture_output=True, text=True, check=True)
    return listed.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_in_the_middle(place: Path, number: signal.Signals) -> None:
    """A walk that is stopped while it sets things up leaves nothing behind, and does not claim success."""
    demo = subprocess.Popen([*DEMO, "--walk"], env={**os.environ, **environ(place)}, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    assert demo.stdout.readline().startswith("==> the site")
    while not list(place.glob("sluicegate-demo-*/site/site.sqlite3")):  # manage.py is at work
        assert demo.poll() is None
        time.sleep(0.01)
    begin = time.monotonic()
    demo.send_signal(number)
    output, errors = demo.communicate(timeout=30)

    assert time.monotonic() - begin < STOP_SECONDS
    assert demo.returncode == 1
    assert output.endswith("==> stopping\n==> everything this demo started is stopped\n")
    assert errors == ""
    assert processes_of(place) == []
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("option", ["--port", "--private-port"])
def test_port_taken(place: Path, option: str) -> None:
    """A port that somebody else listens on is named in one sentence, before anything is started."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ended = run_demo(place, option, str(port))
    assert ended.returncode == 2
    assert one_sentence(ended.stderr) == f"{option} {port}: cannot listen there (Address already in use)"
    assert ended.stdout == ""
    assert list(place.iterdir()) == []


def test_same_port_twice(place: Path) -> None:
    """One port for both listeners is refused."""
    port = str(free_port())
    ended = run_demo(place, "--port", port, "--private-port", port)
    assert (ended.returncode, one_sentence(ended.stderr)) == (2, "--port and --private-port must differ")


def test_state_is_a_file(place: Path) -> None:
    """A file in the state folder's place is one clear sentence."""
    file = place / "file"
    file.write_text("mine")
    for state, reason in ((file, "File exists"), (file / "below", "Not a directory")):
        ended = run_demo(place, "--state", str(state))
        assert ended.returncode == 2
        assert one_sentence(ended.stderr) == f"--state {state}: this folder cannot be used ({reason})"
    assert file.read_text() == "mine"


def test_state_of_the_users_own(place: Path) -> None:
    """A folder with anything of the user's own is refused in one sentence, and nothing is written."""
    (place / "sluicegate.toml").write_text("mine")
    ended = run_demo(place, "--state", str(place))
    assert ended.returncode == 2
    assert one_sentence(ended.stderr) == (f"--state {place}: this folder holds files that no demo made;"
                                          " name a new or an empty one")
    assert ended.stdout == ""
    assert [(path.name, path.read_text()) for path in place.iterdir()] == [("sluicegate.toml", "mine")]


@pytest.mark.parametrize("name", ["legacy.sqlite3", "run", "sluicegate.toml"])
def test_something_in_the_way(place: Path, name: str) -> None:
    """Where a file of a demo's folder cannot be made, one sentence names it."""
    (place / LOCK).touch()
    if name == "sluicegate.toml":
        (place / name).mkdir()
    else:
        (place / name).write_text("mine")
    ended = run_demo(place, "--state", str(place))
    assert ended.returncode == 2
    reason = "Is a directory" if name == "sluicegate.toml" else "File exists"
    assert one_sentence(ended.stderr) == f"the demo cannot use {place / name} ({reason})"
    assert processes_of(place) == []


def test_state_of_a_running_demo(place: Path) -> None:
    """A second demo in one folder leaves the first alone."""
    with (place / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = run_demo(place, "--state", str(place))
    assert ended.returncode == 2
    assert one_sentence(ended.stderr) == f"--state {place}: another demo is running in this folder"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that the database's user cannot enter")
def test_state_that_the_database_cannot_reach(place: Path) -> None:
    """As root, a folder that the database's own user cannot enter is named; its mode is not changed."""
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    ended = run_demo(place, "--state", str(closed))
    assert ended.returncode == 1
    begin = f"the gateway has ended by itself with exit code 2; {closed / 'gateway.log'} ends with: "
    assert one_sentence(ended.stderr).startswith(begin)
    assert f"cannot enter {closed}; choose another place" in ended.stderr
    assert closed.stat().st_mode & 0o777 == 0o700
    assert processes_of(place) == []


def test_killed_site(place: Path) -> None:
    """A site that somebody kills ends the demo, which says so, and blames no line of a log."""
    with Terminal([*DEMO, "--state", str(place / "state")], environ=environ(place)) as terminal:
        terminal.read_until("Ctrl-C stops everything")
        os.kill(int((place / "state" / "run" / "site.pid").read_text()), signal.SIGKILL)
        assert terminal.ended(STOP_SECONDS) == 1
        assert terminal.text.endswith("==> everything this demo started is stopped\n"
                                      "the site was ended by signal 9 (Killed), not by the demo\n")
    assert processes_of(place) == []


def without_chance(text: str) -> str:
    """Return a walk's output without what differs each time: accounts, keys, times."""
    return re.sub(r"[0-9a-f-]{36}|kid [\w-]{43}|\(\d+\.\d s\)", "…", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Someone:
    """An ordinary user: what starts a program as them, and a Python that they can run with our packages."""

    python: str
    identity: Mapping[str, int]
    environ: Mapping[str, str]


@pytest.fixture
def someone() -> Someone:
    """Is an ordinary user with a name and without a home, found by root; others are ordinary users themselves."""
    if os.geteuid() != 0:
        pytest.skip("the other tests run as an ordinary user already")
    nobody = pwd.getpwnam("nobody")
    identity = {"user": nobody.pw_uid, "group": nobody.pw_gid}
    packages = {"PATH": os.defpath, "HOME": "/nonexistent",
                "PYTHONPATH": os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])}
    for python in (sys.executable, "/usr/bin/python3"):
        with contextlib.suppress(OSError):
            tried = subprocess.run([python, "-c", "import gateway.demo.run"], env=packages, cwd="/", extra_groups=[],
                                   capture_output=True, check=False, **identity)
            if tried.returncode == 0:
                return Someone(python=python, identity=identity, environ=packages)
    pytest.skip("this Python, or this checkout, lies where only root can read it")


def test_ordinary_user(place: Path, someone: Someone) -> None:
    """Without root, and without a home, the demo runs and a user crosses."""
    demo = subprocess.Popen([someone.python, "-m", "gateway", "demo"], stdout=subprocess.PIPE, text=True, cwd="/",
                            env={**someone.environ, "TMPDIR": str(place)}, extra_groups=[], **someone.identity)
    assert demo.stdout is not None
    screen = "".join(iter(demo.stdout.readline, "  Ctrl-C stops everything.\n"))
    owners = {process.uids().real for process in processes_of(place)}
    page = Browser(shown_url(screen)).log_in("carol", PASSWORDS["carol"])
    demo.send_signal(signal.SIGTERM)
    rest, _ = demo.communicate(timeout=30)

    assert owners == {someone.identity["user"]}
    assert page.status == 302
    assert rest.endswith("==> everything this demo started is stopped\n")
    assert demo.returncode == 0
    assert list(place.iterdir()) == []
