"""Whom the server runs as, and which folders that user can enter. PostgreSQL refuses to run as root."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import ConfigurationError

ROOT = 0

# Debian's and the official images' name first; `nobody` exists everywhere.
SERVER_USERS = ("postgres", "nobody")

# Nothing of the gateway's environment, which may hold secrets, reaches the server.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Is a user of the system. `is_other` says that the gateway, as root, runs programs as that user."""

    name: str
    uid: int
    gid: int
    is_other: bool

    def popen(self, command: Sequence[str | Path], *, output: int) -> subprocess.Popen[bytes]:
        """Start a program as this user in a session of its own: a terminal's Ctrl-C does not reach it."""
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/",  # noqa: S603
                                env=ENVIRONMENT, start_new_session=True, user=self._user, group=self._group,
                                extra_groups=self._extra_groups)

    def run(self, command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run a program as this user to its end; raises OSError when that user cannot start it."""
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,  # noqa: S603
                              cwd="/", env=ENVIRONMENT, check=False, start_new_session=True, user=self._user,
                              group=self._group, extra_groups=self._extra_groups)

    def can_run(self, program: Path) -> bool:
        """Say whether this user can start a program and its libraries."""
        try:
            return self.run([program, "--version"]).returncode == 0
        except OSError:
            return False

    def barrier(self, folder: Path) -> Path | None:
        """Return the topmost folder on the way to this one that the user cannot enter, if any.

        A program of that user is asked: modes alone do not tell where access lists are in use.
        """
        if not self.is_other:
            return None
        test = shutil.which("test") or "/usr/bin/test"
        way = [*reversed(folder.parents), folder]
        return next((step for step in way if self.run([test, "-x", step]).returncode), None)

    def own(self, path: Path) -> None:
        """Give a file or folder to this user."""
        if self.is_other:
            os.chown(path, self.uid, self.gid)

    def let_in(self, folder: Path) -> None:
        """Let this user through a folder of the gateway's; nobody else, and listing stays forbidden."""
        if self.is_other:
            os.chown(folder, -1, self.gid)
            folder.chmod(0o710)

    @property
    def _user(self) -> int | None:
        return self.uid if self.is_other else None

    @property
    def _group(self) -> int | None:
        return self.gid if self.is_other else None

    @property
    def _extra_groups(self) -> list[int] | None:
        return [] if self.is_other else None


def choose_runner(data: Path) -> Runner:
    """Return whom to run the server as: oneself, or as root the data's owner, `postgres` or `nobody`.

    Raises ConfigurationError when the user has no name: PostgreSQL insists on one.
    """
    own_uid = os.geteuid()
    if own_uid != ROOT:
        return _runner(own_uid, is_other=False)
    if data.exists():
        return _runner(data.stat().st_uid, is_other=True)
    for name in SERVER_USERS:
        try:
            return _runner(pwd.getpwnam(name).pw_uid, is_other=True)
        except KeyError:
            continue
    raise ConfigurationError("PostgreSQL does not run as root, and there is no user"
                             f" {' or '.join(SERVER_USERS)} to run it as")


def _runner(uid: int, *, is_other: bool) -> Runner:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise ConfigurationError(f"PostgreSQL does not run as user id {uid}, which has no entry in the"
                                 " system's user table (/etc/passwd)") from None
    return Runner(name=entry.pw_name, uid=uid, gid=entry.pw_gid, is_other=is_other)
