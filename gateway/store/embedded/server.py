"""The life of one embedded server: prepare, start, watch, stop, attach."""

import asyncio
import errno
import fcntl
import logging
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from gateway.errors import ConfigurationError, StoreUnavailable
from gateway.model import Secret
from gateway.store.embedded.installation import Installation, find_installation, reachable_programs
from gateway.store.embedded.postmaster import Postmaster, end_process, wait_until
from gateway.store.embedded.runner import Runner, choose_runner

ROLE = "sluicegate"
DATABASE = "postgres"

# Seconds. A start after a crash replays the log first.
START_TIMEOUT = 60.0
WATCH_INTERVAL = 0.5
LONGEST_PAUSE = 3.0

# A socket's whole path must stay below 108 bytes on Linux and 104 on macOS; "/.s.PGSQL.5432.lock" is 19.
LONGEST_SOCKET_PARENT = 60

LOG_LIMIT = 1024 * 1024

# No network; and a log that never quotes a statement or a row, because either may hold an encoded password.
SETTINGS = MappingProxyType({
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
})

# Words of the lines that say why a server or initdb gave up.
TELLING = ("FATAL:", "PANIC:", "error:", "could not")
FULL = "No space left on device"  # however the server goes on, this is why

log = logging.getLogger(__name__)


class EmbeddedPostgres:
    """Runs PostgreSQL below a state folder, for one gateway at a time.

    `start` and `stop` wait for processes: an event loop calls them by `asyncio.to_thread`. `settings` are
    added to the server's own.
    """

    def __init__(self, state: Path, *, settings: Mapping[str, str] = MappingProxyType({}),
                 installation: Installation | None = None) -> None:
        self._state = state.absolute()
        self._folder = self._state / "postgres"
        self._data = self._folder / "data"
        self._settings = {**SETTINGS, **settings}
        self._installation = installation
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_folder: Path | None = None
        self._lock: int | None = None
        self._stopping = threading.Event()
        self._turn = threading.Lock()

    def start(self) -> Secret:
        """Start the server, initialised at the first time, and return its URL.

        A server left over by a killed gateway is stopped first. Raises ConfigurationError when it cannot
        run here as things are, StoreUnavailable when it does not come up.
        """
        self._stopping.clear()
        with self._turn, _named(self._folder):
            if not self._is_running():
                self._start()
            assert self._socket_folder is not None
            return self._url(self._socket_folder)

    def stop(self) -> None:
        """Stop the server within five seconds; nothing happens when it does not run."""
        self._stopping.set()
        with self._turn:
            process, self._process = self._process, None
            if process is not None:
                end_process(process.pid, self._data, lambda: process.poll() is None)
                process.wait()
            if self._socket_folder is not None:
                shutil.rmtree(self._socket_folder, ignore_errors=True)
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    def attach(self) -> Secret | None:
        """Return the URL of the server that runs in this state already, whoever started it."""
        with _named(self._folder):
            postmaster = Postmaster.read(self._data)
            if postmaster is None or not postmaster.is_running() or not postmaster.is_ready:
                return None
            return self._url(Path(postmaster.socket_folder))

    def is_made(self) -> bool:
        """Say whether there is a store in this state, running or not."""
        with _named(self._folder):
            return self._data.exists()

    async def keep_running(self) -> None:
        """Start the server again whenever it has died, with growing pauses, until cancelled.

        A full disk, for one, ends it; it comes back when there is space.
        """
        pause = WATCH_INTERVAL
        while True:
            await asyncio.sleep(pause)
            if self._is_running():
                pause = WATCH_INTERVAL
                continue
            try:
                await asyncio.to_thread(self._revive)
            except (StoreUnavailable, ConfigurationError) as error:
                pause = min(pause * 2, LONGEST_PAUSE)
                log.warning("the embedded PostgreSQL is down", exc_info=error)  # a log shows no arguments

    def _revive(self) -> None:
        with self._turn, _named(self._folder):
            if self._process is not None and not self._stopping.is_set() and not self._is_running():
                self._start()
                log.warning("the embedded PostgreSQL had died and was started again")

    def _is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _start(self) -> None:
        runner = choose_runner(self._data)
        self._prepare_folders(runner)
        self._take_lock()
        leftover = Postmaster.read(self._data)
        if leftover is not None and leftover.is_running():
            leftover.end()
        elif leftover is not None and _exists(leftover.pid):
            # that number is another program's by now, which PostgreSQL would take for a server of its own
            (self._data / "postmaster.pid").unlink()
        programs = reachable_programs(self._installation or find_installation(), runner, self._folder)
        if not self._data.exists():
            self._initialise(programs, runner)
        self._launch(programs, runner)

    def _prepare_folders(self, runner: Runner) -> None:
        """Make the folders and see that the server's user can enter them; parents are never changed."""
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        barrier = runner.barrier(self._state)
        if barrier == self._state and self._state not in (Path.home(), Path.cwd()):
            runner.let_in(self._state)
            barrier = runner.barrier(self._state)
        if barrier is not None:
            raise ConfigurationError(f"the state folder {self._state}: the user {runner.name}, as whom"
                                     f" PostgreSQL runs, cannot enter {barrier}; choose another place")
        self._folder.mkdir(mode=0o700, exist_ok=True)
        runner.let_in(self._folder)

    def _take_lock(self) -> None:
        """Lock the state for the life of this process; the system frees it even after a SIGKILL."""
        if self._lock is not None:
            return
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise ConfigurationError(f"the state folder {self._state} is in use by another gateway") from None
        self._lock = lock

    def _initialise(self, programs: Path, runner: Runner) -> None:
        """Make the data folder: beside its place first, so that an interruption leaves none."""
        half, given = self._folder / "data.half", self._folder / "password.given"
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(mode=0o700)
        runner.own(half)
        try:
            _write_private(given, self._password())
            runner.own(given)
            made = runner.run([programs / "initdb", "-D", half, "-U", ROLE, "--auth=scram-sha-256",
                               f"--pwfile={given}", "--encoding=UTF8", "--locale=C"])
        finally:
            given.unlink(missing_ok=True)
        if made.returncode:
            raise StoreUnavailable(f"the embedded PostgreSQL could not be initialised in {self._folder}:"
                                   f" {reason(made.stderr)}")
        half.rename(self._data)

    def _launch(self, programs: Path, runner: Runner) -> None:
        socket_folder = self._make_socket_folder(runner)
        settings = {**self._settings, "unix_socket_directories": str(socket_folder)}
        log_file = self._open_log()
        try:
            begin = os.lseek(log_file, 0, os.SEEK_END)
            options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
            self._process = process = runner.popen([programs / "postgres", "-D", self._data, *options],
                                                   output=log_file)
        finally:
            os.close(log_file)
        wait_until(lambda: self._is_ready(process) or process.poll() is not None or self._stopping.is_set(),
                   START_TIMEOUT)
        if not self._is_ready(process):
            end_process(process.pid, self._data, lambda: process.poll() is None)
            said = (self._folder / "log").read_bytes()[begin:].decode("utf-8", "replace")
            raise StoreUnavailable(f"the embedded PostgreSQL did not start: {reason(said)}")

    def _is_ready(self, process: "subprocess.Popen[bytes]") -> bool:
        postmaster = Postmaster.read(self._data)
        return postmaster is not None and postmaster.pid == process.pid and postmaster.is_ready

    def _make_socket_folder(self, runner: Runner) -> Path:
        """Make a short folder for the socket, where it was last time if that is free.

        So the URL stays the same over a restart, and those who hold it reconnect.
        """
        note = self._folder / "socket"
        last = Path(note.read_text("utf-8")) if note.exists() else None
        if last is not None:
            shutil.rmtree(last, ignore_errors=True)
            try:
                last.mkdir(mode=0o700)
            except OSError:
                last = None
        folder = last or Path(tempfile.mkdtemp(prefix="sluicegate-", dir=_short_temporary_folder(runner)))
        self._socket_folder = folder
        runner.own(folder)
        if last is None:
            _write_private(note, str(folder))
        return folder

    def _open_log(self) -> int:
        path = self._folder / "log"
        is_long = path.exists() and path.stat().st_size > LOG_LIMIT
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if is_long else 0)
        return os.open(path, flags, 0o600)

    def _password(self) -> str:
        path = self._folder / "password"
        if not path.exists():
            _write_private(path, secrets.token_urlsafe(32))
        return path.read_text("ascii")

    def _url(self, socket_folder: Path) -> Secret:
        host = quote(str(socket_folder), safe="")
        return Secret(f"postgresql://{ROLE}:{self._password()}@/{DATABASE}?host={host}")


@contextmanager
def _named(folder: Path) -> Iterator[None]:
    """Turn what the system says about our files into one sentence that names them."""
    try:
        yield
    except OSError as error:
        sentence = f"the embedded PostgreSQL cannot use {error.filename or folder}: {error.strerror}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreUnavailable(sentence) from error
        raise ConfigurationError(f"{sentence}; make it usable, or name another folder by store.state") from error


def _write_private(path: Path, text: str) -> None:
    """Write a file for its owner alone, whole or not at all."""
    half = path.with_name(path.name + ".half")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    half.rename(path)


def _short_temporary_folder(runner: Runner) -> Path:
    configured = Path(tempfile.gettempdir()).resolve()
    if len(os.fsencode(configured)) < LONGEST_SOCKET_PARENT and runner.barrier(configured) is None:
        return configured
    return Path("/tmp").resolve()  # noqa: S108  # mkdtemp makes a private folder of an unguessable name in it


def reason(text: str) -> str:
    """Return the last line that tells an error, without PostgreSQL's time and process number.

    A full disk has consequences, which are told after it and do not name it.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in TELLING)]
    full = [line for line in lines if FULL in line]
    last = (full or telling or lines or ["it said nothing"])[-1]
    said = last.partition("] ")[2] or last
    return f"the disk is full ({said})" if full else said


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
