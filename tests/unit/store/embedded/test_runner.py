"""Tests of gateway.store.embedded.runner: whom the server runs as, and where that user can go."""

import os
import pwd
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.store.embedded.runner import Runner, choose_runner

ME = Runner(name="me", uid=os.geteuid(), gid=os.getegid(), is_other=False)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: needs root, to become another user")


@pytest.fixture
def ordinary(monkeypatch: pytest.MonkeyPatch) -> int:
    """Is the id of an ordinary user that the process seems to run as."""
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    return 65534


def test_an_ordinary_user_runs_the_server_as_themselves(ordinary: int, tmp_path: Path) -> None:
    """Nobody else is needed."""
    runner = choose_runner(tmp_path / "data")
    assert (runner.uid, runner.name, runner.is_other) == (ordinary, pwd.getpwuid(ordinary).pw_name, False)


def test_a_user_without_a_name_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """PostgreSQL would fail with less to say; containers run like that."""
    monkeypatch.setattr(os, "geteuid", lambda: 1234567)
    with pytest.raises(ConfigurationError, match="user id 1234567, which has no entry in the system's user table"):
        choose_runner(tmp_path / "data")


@as_root
def test_root_runs_a_new_server_as_postgres_or_nobody(tmp_path: Path) -> None:
    """The first of the two that exists."""
    names = {entry.pw_name for entry in pwd.getpwall()}
    runner = choose_runner(tmp_path / "data")
    assert runner.is_other
    assert runner.name == ("postgres" if "postgres" in names else "nobody")


@as_root
def test_root_runs_an_existing_server_as_the_owner_of_its_data(tmp_path: Path) -> None:
    """PostgreSQL refuses another owner's folder."""
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 1, 1)
    assert choose_runner(data).uid == 1


@as_root
def test_root_refuses_data_whose_owner_has_no_name(tmp_path: Path) -> None:
    """The server could not run as that user."""
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 1234567, 1234567)
    with pytest.raises(ConfigurationError, match="1234567"):
        choose_runner(data)


@as_root
def test_a_barrier_is_the_topmost_folder_that_cannot_be_entered() -> None:
    """The operator is told which folder, not which file."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        top = Path(name).resolve()
        runner = choose_runner(top / "data")
        inner = top / "inner"
        inner.mkdir(mode=0o700)
        assert runner.barrier(inner) == top
        top.chmod(0o755)
        assert runner.barrier(top) is None
        assert runner.barrier(inner) == inner


@as_root
def test_letting_in_gives_passage_to_that_user_alone(tmp_path: Path) -> None:
    """Group passage: no listing, and nothing for others."""
    runner = choose_runner(tmp_path / "data")
    runner.let_in(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o710
    assert tmp_path.stat().st_gid == runner.gid
    assert tmp_path.stat().st_uid == 0


@as_root
def test_programs_run_as_the_other_user_without_the_gateways_groups(tmp_path: Path) -> None:
    """Neither root's groups nor its environment reach them."""
    runner = choose_runner(tmp_path / "data")
    shown = runner.run(["/usr/bin/id"]).stdout
    assert f"uid={runner.uid}" in shown
    assert "root" not in shown


def test_oneself_has_no_barriers_and_changes_no_modes(tmp_path: Path) -> None:
    """For an ordinary user there is nobody to let in."""
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    ME.let_in(folder)
    ME.own(folder)
    assert ME.barrier(folder) is None
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_program_gets_none_of_the_gateways_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets come by the environment, and a server would show it to whoever may read it."""
    monkeypatch.setenv("SLUICEGATE_TOKEN", "canary")
    shown = ME.run(["/usr/bin/env"]).stdout
    assert "PATH=" in shown
    assert "canary" not in shown


def test_a_program_runs_in_a_session_of_its_own() -> None:
    """Ctrl-C in the gateway's terminal is not for it."""
    process = ME.popen(["/bin/sleep", "60"], output=subprocess.DEVNULL)
    try:
        assert os.getsid(process.pid) == process.pid
        assert os.getsid(process.pid) != os.getsid(0)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 1\n", "", None])
def test_what_fails_or_is_not_there_cannot_be_run(tmp_path: Path, text: str | None) -> None:
    """A missing library shows as a failure of the program's own."""
    program = tmp_path / "initdb"
    if text is not None:
        program.write_text(text, "utf-8")
        program.chmod(0o755)
    assert ME.can_run(program) is False
