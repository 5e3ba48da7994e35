"""The demo's state folder: named by the user or temporary, and one demo's at a time.

Owns the folder's being there, its lock and its removal. What lies in it is the scene's. The lock's file stays
and marks the folder as a demo's: nothing is written into a folder that holds anything else.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import ConfigurationError

# As root the database runs as another user, who must get through, but need not look around.
PASSABLE = 0o711
LOCK = "demo.lock"


@contextmanager
def state_folder(named: Path | None) -> Iterator[Path]:
    """Yield the named folder, made where it is missing, or a temporary one that is removed at the end.

    Raises `ConfigurationError` when it cannot be used, is somebody's own, or another demo uses it.
    """
    if named is None:
        folder = Path(tempfile.mkdtemp(prefix="sluicegate-demo-")).resolve()
        folder.chmod(PASSABLE)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    folder = named.absolute()
    _make(folder)
    with _locked(folder):
        yield folder.resolve()


@contextmanager
def usable(folder: Path) -> Iterator[None]:
    """Turn what the system says about the folder's files into one sentence: `ConfigurationError`."""
    try:
        yield
    except OSError as error:
        file = error.filename2 or error.filename or folder  # of a link, the second is the link itself
        raise ConfigurationError(f"the demo cannot use {file} ({error.strerror})") from None


def _make(folder: Path) -> None:
    """See that the folder is there and ours to use; one that was there before keeps its mode."""
    try:
        is_new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        if is_new:
            folder.chmod(PASSABLE)
        is_ours = (folder / LOCK).exists() or not any(folder.iterdir())
    except OSError as error:
        raise _unusable(folder, error) from None
    if not is_ours:
        raise ConfigurationError(f"--state {folder}: this folder holds files that no demo made;"
                                 " name a new or an empty one")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder for this process; the system lets go of it even after a SIGKILL."""
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(folder, error) from None
    with contextlib.closing(os.fdopen(lock)):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(f"--state {folder}: another demo is running in this folder") from None
        yield


def _unusable(folder: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(f"--state {folder}: this folder cannot be used ({error.strerror})")
