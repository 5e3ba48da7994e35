"""The demo's child processes and their records."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from gateway.demo.processes import Processes

SLEEP = "import sys, time; print(sys.argv, flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"


def sleeper(state: Path, code: str = SLEEP) -> list[str]:
    return [sys.executable, "-c", code, str(state)]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def recorded(state: Path, name: str) -> int:
    return int((state / "run" / f"{name}.pid").read_text())


def test_stop_ends_everything(tmp_path: Path) -> None:
    """Every process is gone after a stop, and so are the records."""
    processes = Processes(tmp_path)
    for name in ("one", "two"):
        processes.start(name, sleeper(tmp_path), environ={})
    pids = [recorded(tmp_path, name) for name in ("one", "two")]
    assert processes.ended() is None
    processes.stop()
    assert [is_running(pid) for pid in pids] == [False, False]
    assert list((tmp_path / "run").iterdir()) == []


def test_process_that_ended_is_named(tmp_path: Path) -> None:
    """A process that ended by itself is known by its name; its words are in its log."""
    processes = Processes(tmp_path)
    processes.start("short", [sys.executable, "-c", "print('last words')"], environ={})
    while processes.ended() is None:
        pass
    assert processes.ended() == "short"
    assert processes.exit_code("short") == 0
    assert (tmp_path / "short.log").read_text() == "last words\n"
    processes.stop()


def test_signal_that_ended_a_process_is_known(tmp_path: Path) -> None:
    """A process that somebody killed has a negative exit code; one that runs has none."""
    processes = Processes(tmp_path)
    processes.start("killed", sleeper(tmp_path), environ={})
    assert processes.exit_code("killed") is None
    os.kill(recorded(tmp_path, "killed"), signal.SIGKILL)
    while processes.ended() is None:
        pass
    assert processes.exit_code("killed") == -signal.SIGKILL
    processes.stop()


def test_environment_is_added(tmp_path: Path) -> None:
    """A process sees the demo's environment and its own."""
    processes = Processes(tmp_path)
    code = "import os; print(os.environ['OWN'], 'PATH' in os.environ)"
    processes.start("short", [sys.executable, "-c", code], environ={"OWN": "mine"})
    while processes.ended() is None:
        pass
    processes.stop()
    assert (tmp_path / "short.log").read_text() == "mine True\n"


def test_left_over_process_is_stopped(tmp_path: Path) -> None:
    """What an earlier demo left running is stopped and named, once."""
    with subprocess.Popen(sleeper(tmp_path), start_new_session=True, stdout=subprocess.PIPE) as left:
        assert left.stdout is not None
        assert left.stdout.readline()  # it runs under its own command line
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "site.pid").write_text(f"{left.pid}\n")
        assert Processes(tmp_path).stop_left_over() == ["site"]
        assert left.wait(1) == -signal.SIGTERM
    assert Processes(tmp_path).stop_left_over() == []


def test_somebody_elses_process_is_left_alone(tmp_path: Path) -> None:
    """A number that was given to another program since is not signalled."""
    other = subprocess.Popen(sleeper(tmp_path / "elsewhere"), start_new_session=True, stdout=subprocess.DEVNULL)
    state = tmp_path / "state"
    (state / "run").mkdir(parents=True)
    (state / "run" / "site.pid").write_text(f"{other.pid}\n")
    assert Processes(state).stop_left_over() == []
    assert other.poll() is None
    other.kill()
    other.wait()


def test_half_written_record_is_dropped(tmp_path: Path) -> None:
    """A record that was cut off, or whose process is long gone, does no harm."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "site.pid").write_text("")
    (tmp_path / "run" / "gateway.pid").write_text(f"{ended.pid}\n")
    assert Processes(tmp_path).stop_left_over() == []
    assert list((tmp_path / "run").iterdir()) == []


def test_stubborn_process_is_killed(tmp_path: Path) -> None:
    """A process that ignores SIGTERM is killed before the five seconds are over."""
    processes = Processes(tmp_path)
    processes.start("stubborn", sleeper(tmp_path, STUBBORN), environ={})
    pid = recorded(tmp_path, "stubborn")
    while not (tmp_path / "stubborn.log").read_text():
        pass
    processes.stop()
    assert not is_running(pid)
