"""The commands of the README, run in its order by a shell, with its own configuration, before the real site."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gateway.demo.scene import free_ports
from tests.helpers.browser import Browser
from tests.helpers.project import ROOT
from tests.helpers.site import Person, Site

README = (ROOT / "README.md").read_text()
BIN = Path(sys.prefix) / "bin"
EXCEPTED = "make test"  # is what runs these tests
PATIENCE = 60.0


def blocks(kind: str) -> list[str]:
    """Return the README's blocks of code of one kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    """Return every line that a reader would type; `#` begins a comment, for the shell too."""
    return [line for block in blocks("sh") for line in block.splitlines() if line.strip()]


def starting(words: str) -> list[str]:
    return [command for command in commands() if command.startswith(words)]


@pytest.fixture
def desk() -> Iterator[Path]:
    """Is a folder where a reader works; as root, the database's user must be able to pass."""
    folder = Path(tempfile.mkdtemp(prefix="sg-", dir="/tmp")).resolve()
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def environ() -> Mapping[str, str]:
    """Is the environment of somebody who has installed it; nothing is fetched."""
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "PIP_NO_INDEX": "1", "PIP_ROOT_USER_ACTION": "ignore"}


def shell(command: str, desk: Path, environ: Mapping[str, str]) -> str:
    ended = subprocess.run(["sh", "-c", command], cwd=desk, env=environ, capture_output=True, text=True, check=False,
                           timeout=PATIENCE)
    assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
    return ended.stdout


def configuration(site: Site, public: int, private: int) -> str:
    """Return the README's configuration at addresses that are free."""
    [text] = [block for block in blocks("toml") if block.startswith("# sluicegate.toml\n")]
    for old, new in (("http://127.0.0.1:8080", f"http://127.0.0.1:{public}"), ("http://127.0.0.1:8000", site.url)):
        assert old in text
        text = text.replace(old, new)
    return f'{text}\n[listen]\npublic = "127.0.0.1:{public}"\n[private]\nlisten = "127.0.0.1:{private}"\n'


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None
        assert time.monotonic() < deadline
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return


def test_nothing_is_left_out() -> None:
    """Every command of the README is run by a test of this file, or is the one that runs them."""
    known = ("make demo", EXCEPTED, "pip install", "sluicegate check", "sluicegate serve", "sluicegate ")
    assert [command for command in commands() if not command.startswith(known)] == []
    assert all(starting(words) for words in known)


def test_make_demo(environ: Mapping[str, str], desk: Path) -> None:
    """`make demo` starts everything and says what to open; this virtual environment stands in for the one it makes."""
    [command] = starting("make demo")
    words = command.partition("#")[0]
    demo = subprocess.Popen(["sh", "-c", f"exec {words} VENV={sys.prefix} -o {sys.prefix}/.ready"], cwd=ROOT,
                            env={**environ, "TMPDIR": str(desk)}, stdout=subprocess.PIPE, text=True,
                            start_new_session=True)
    assert demo.stdout is not None
    screen = "".join(iter(demo.stdout.readline, "  Ctrl-C stops everything.\n"))
    os.killpg(demo.pid, signal.SIGINT)
    rest, _ = demo.communicate(timeout=PATIENCE)
    assert re.search(r"Open +http://127\.0\.0\.1:\d+/admin/ +and log in as", screen)
    assert "==> everything this demo started is stopped" in rest
    assert list(desk.iterdir()) == []


async def test_before_your_own_app(environ: Mapping[str, str], desk: Path, site: Site) -> None:
    """With its ten lines a user of the site crosses, and every command after them does its work."""
    alice = site.person("alice")
    public, private = free_ports(2)
    (desk / "sluicegate.toml").write_text(configuration(site, public, private))
    [install] = starting("pip install")  # tried without changing what the other tests run in
    shell(install.replace("'.[", f"--dry-run --no-deps --no-build-isolation '{ROOT}["), desk, environ)
    [check] = starting("sluicegate check")
    shell(check, desk, environ)
    [serve] = starting("sluicegate serve")
    with (desk / "serve.log").open("wb") as log:
        gateway = subprocess.Popen(["sh", "-c", f"exec {serve}"], cwd=desk, env=environ, stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{private}/readyz", gateway)
        said = await cross_and_manage(f"http://127.0.0.1:{public}", alice, desk, environ)
    finally:
        gateway.terminate()
        assert gateway.wait(PATIENCE) == 0
    assert alice.name in said["users list"]
    assert said["users block"].endswith(": blocked\n")
    assert said["migration phase"] == "shop-users: complete\n"
    assert re.search(r"^shop-users +migrate +1 +0 +0$", said["migration status"], re.MULTILINE)
    assert "active" in said["keys list"]


async def cross_and_manage(url: str, person: Person, desk: Path, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Let a user cross, and run the commands for a running gateway; return what each printed."""
    browser = Browser(url)
    assert (await browser.log_in(person.name, person.password)).status == 302
    assert "sluicegate-shop" in browser.cookies
    said = {}
    for command in starting("sluicegate "):
        name = " ".join(command.split()[1:3])
        if command.startswith(("sluicegate check", "sluicegate serve")):
            continue
        listed = shell("sluicegate users list --json --config sluicegate.toml", desk, environ)
        [identity] = re.findall(r'"id": "([0-9a-f-]+)"', listed)
        said[name] = shell(command.replace(" ID ", f" {identity} "), desk, environ)
    return said
