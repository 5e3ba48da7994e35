"""Tests of gateway.store.embedded.postmaster: what a data folder says, and whether to believe it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store.embedded.postmaster import Postmaster, end_process, wait_until

# As PostgreSQL 18 writes it: pid, data folder, start time, port, socket folder, address, shared memory, status.
LINES = "{pid}\n{data}\n1790000000\n5432\n/tmp/sluicegate-x\n\n  123 456\n{status}\n"

SLEEPER = "import time; print('asleep', flush=True); time.sleep(60)"
DEAF = ("import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN);"
        "signal.signal(signal.SIGQUIT, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)")


def write(data: Path, *, pid: int, status: str = "ready   ") -> None:
    (data / "postmaster.pid").write_text(LINES.format(pid=pid, data=data, status=status), "utf-8")


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Is a process named postgres whose arguments hold the data folder, as a server's do."""
    program = tmp_path / "postgres"
    program.symlink_to(sys.executable)
    process = subprocess.Popen([program, "-c", SLEEPER, "-D", tmp_path], stdout=subprocess.PIPE, cwd="/")
    assert process.stdout is not None
    assert process.stdout.readline() == b"asleep\n"
    yield process
    process.stdout.close()
    process.kill()
    process.wait()


def test_a_running_server_is_read(tmp_path: Path) -> None:
    """Pid, socket folder and readiness are taken from their lines."""
    write(tmp_path, pid=42)
    assert Postmaster.read(tmp_path) == Postmaster(pid=42, data=tmp_path, socket_folder="/tmp/sluicegate-x",
                                                   is_ready=True)


@pytest.mark.parametrize("status", ["starting", "stopping", "standby ", ""])
def test_only_ready_is_ready(tmp_path: Path, status: str) -> None:
    """A server that starts or stops takes no work."""
    write(tmp_path, pid=42, status=status)
    found = Postmaster.read(tmp_path)
    assert found is not None
    assert not found.is_ready


@pytest.mark.parametrize("text", ["", "42\n", "42\n/data\n1790000000\n", "forty-two\n/data\n1\n5432\n/tmp\n"])
def test_a_half_written_file_says_nothing(tmp_path: Path, text: str) -> None:
    """The server writes line by line while it starts."""
    (tmp_path / "postmaster.pid").write_text(text, "utf-8")
    assert Postmaster.read(tmp_path) is None


def test_no_file_is_no_server(tmp_path: Path) -> None:
    """A server that was stopped in peace takes its file along."""
    assert Postmaster.read(tmp_path) is None


def test_a_postgres_on_this_data_folder_is_ours(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    """Name and argument together tell a server of this state."""
    write(tmp_path, pid=sleeper.pid)
    found = Postmaster.read(tmp_path)
    assert found is not None
    assert found.is_running()


def test_a_postgres_on_another_data_folder_is_not_ours(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    """Another server that got the number after a reboot is left alone."""
    other = tmp_path / "other"
    other.mkdir()
    write(other, pid=sleeper.pid)
    found = Postmaster.read(other)
    assert found is not None
    assert not found.is_running()


def test_another_program_of_that_number_is_not_ours(tmp_path: Path) -> None:
    """This very process is no server, and neither is a process that is gone."""
    write(tmp_path, pid=os.getpid())
    found = Postmaster.read(tmp_path)
    assert found is not None
    assert not found.is_running()
    assert not Postmaster(pid=2**30, data=tmp_path, socket_folder="", is_ready=True).is_running()


def test_a_server_is_ended_by_the_first_signal_it_obeys(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    """A healthy one shuts down at the gentlest."""
    end_process(sleeper.pid, tmp_path, lambda: sleeper.poll() is None)
    assert sleeper.returncode == -signal.SIGINT


def test_a_server_that_obeys_nothing_is_killed_within_five_seconds(tmp_path: Path,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk; the waits are cut short here, their real sum is checked."""
    from gateway.store.embedded import postmaster

    assert sum(seconds for _, seconds in postmaster.ENDINGS) < 5
    monkeypatch.setattr(postmaster, "ENDINGS", tuple((number, 0.05) for number, _ in postmaster.ENDINGS[:2])
                        + postmaster.ENDINGS[2:])
    with subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE) as deaf:
        assert deaf.stdout is not None
        assert deaf.stdout.readline() == b"deaf\n"
        end_process(deaf.pid, tmp_path, lambda: deaf.poll() is None)
        assert deaf.returncode == -signal.SIGKILL


def test_what_has_ended_already_is_left_alone(tmp_path: Path) -> None:
    """No signal goes to a number that may be somebody else's by now."""
    end_process(os.getpid(), tmp_path, lambda: False)


def test_waiting_ends_with_the_condition_or_the_time() -> None:
    """The answer says which."""
    answers = iter([False, False, True])
    assert wait_until(lambda: next(answers), 60) is True
    assert wait_until(lambda: False, 0) is False
