"""The container image, as far as it can be held to account without a container engine."""

import json
import re
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from tests.helpers.project import ROOT, copy_project, project_files

DOCKERFILE = (ROOT / "Dockerfile").read_text()
HADOLINT = Path(sysconfig.get_path("scripts")) / "hadolint"
UNPRIVILEGED = 1024  # ports and user ids below are the system's


def instructions() -> Sequence[tuple[str, str]]:
    """Return each instruction and its arguments, lines joined, comments left out."""
    lines = [line for line in DOCKERFILE.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined)]


def last_stage() -> Sequence[tuple[str, str]]:
    found = instructions()
    begin = max(number for number, (word, _) in enumerate(found) if word == "FROM")
    return found[begin:]


def only(name: str) -> str:
    [value] = [rest for word, rest in last_stage() if word == name]
    return value


def copied() -> list[str]:
    """Return what the build takes from the project."""
    sources = []
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from="):
            *names, _ = rest.split()
            sources += names
    return sources


def is_let_in(place: str) -> bool:
    """Say whether .dockerignore lets a file into the build: the last pattern that fits decides."""
    is_in = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if not line or line.startswith("#"):
            continue
        parts = [str(parent) for parent in [Path(place), *Path(place).parents][:-1]]
        names = parts if not pattern.startswith("**/") else [Path(part).name for part in parts]
        if any(fnmatch(name, pattern.removeprefix("**/")) for name in names):
            is_in = line.startswith("!")
    return is_in


def test_hadolint_finds_nothing() -> None:
    """hadolint, with every rule on, has nothing to say."""
    ended = subprocess.run([HADOLINT, "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")
    assert "hadolint ignore" not in DOCKERFILE


def test_bases_are_slim_official_images() -> None:
    """Both stages begin with the same slim official Python, so the virtual environment fits."""
    bases = [rest.partition(" ")[0] for word, rest in instructions() if word == "FROM"]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+-slim", bases[0])


def test_runs_as_nobody_in_particular() -> None:
    """The user is a number, so that an orchestrator can see that it is not root, and owns nothing."""
    user, group = only("USER").split(":")
    assert int(user) >= UNPRIVILEGED
    assert int(group) >= UNPRIVILEGED
    assert "--chown" not in DOCKERFILE


def test_no_shell_in_between() -> None:
    """Entry point, command and health check are lists of words: signals reach the gateway itself."""
    assert json.loads(only("ENTRYPOINT")) == ["sluicegate"]
    assert json.loads(only("CMD")) == ["serve"]
    options, _, command = only("HEALTHCHECK").partition(" CMD ")
    assert json.loads(command) == ["sluicegate", "health"]
    assert "--timeout=5s" in options
    assert only("STOPSIGNAL") == "SIGTERM"


def test_nothing_is_written() -> None:
    """The root may be read-only: modules are compiled while building, never at run time."""
    environment = only("ENV")
    assert "PYTHONDONTWRITEBYTECODE=1" in environment
    assert "--no-compile" not in DOCKERFILE
    assert [word for word, _ in last_stage() if word in ("RUN", "VOLUME", "ADD")] == []


def test_only_what_the_lock_names_is_fetched() -> None:
    """One step uses the network, and holds everything against the lock's hashes; what installs, installs from that."""
    commands = [command for word, rest in instructions() if word == "RUN" for command in rest.split(" && ")]
    fetching = [command for command in commands if "--no-index" not in command and "pip" in command.split()]
    [fetched] = fetching
    assert fetched.startswith("pip download ")
    assert {"--no-deps", "--only-binary=:all:", "--require-hashes"} <= set(fetched.split())
    assert not re.search(r"apt-get|curl|wget", DOCKERFILE)


def test_ignore_file_lets_in_what_is_copied_and_nothing_else() -> None:
    """Every file that is copied reaches the build; nothing that is not needed, and no secret, does."""
    places = [str(file.relative_to(ROOT)) for file in project_files()]
    needed = {place for place in places if any(Path(place).is_relative_to(source) for source in copied())}
    assert {place for place in places if is_let_in(place)} == needed
    assert all((ROOT / source).exists() for source in copied())
    for stray in (".git/config", ".env", "sluicegate-state/encryption-key", "tests/conftest.py", ".venv/bin/python",
                  "gateway/__pycache__/app.cpython-313.pyc", "id_rsa"):
        assert not is_let_in(stray)


def test_copied_files_are_enough(tmp_path: Path) -> None:
    """The wheel can be made from what is copied, and holds the configuration."""
    copy_project(tmp_path / "src", only=tuple(copied()))
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "dist"],
                   cwd=tmp_path / "src", check=True, capture_output=True)
    [wheel] = (tmp_path / "dist").glob("*.whl")
    listed = subprocess.run([sys.executable, "-m", "zipfile", "-l", wheel], check=True, capture_output=True, text=True)
    assert "gateway/config/presets/django.toml" in listed.stdout
