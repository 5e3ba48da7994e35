"""The demo's state folder: named by the user or temporary, and one demo's at a time.

Owns the folder's being there, its lock and its removal. What lies in it is the scene's.
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

    Raises `ConfigurationError` when it cannot be used, or another demo does.
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
    with _made(folder), _locked(folder):
        yield folder.resolve()


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """See that the folder is there and writable; one that was there before keeps its mode."""
    try:
        is_new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        if is_new:
            folder.chmod(PASSABLE)
    except OSError as error:
        raise _unusable(folder, error) from None
    yield


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
