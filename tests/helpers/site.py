"""The demo's Django site as a real server, and its people.

    site = Site(folder)
    site.start()
    alice = site.person("alice")        # a row of auth_user under a name that nobody else has
    ...                                 # http://127.0.0.1:{site.port}/admin/login/
    site.stop()

The site is shared by a session's tests, so each test makes people of its own. They are written as Django
would write them, straight into its database; `manage` runs Django's real command line (it costs a second).
"""

import base64
import hashlib
import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import argon2

from gateway.demo.scene import free_port

MARK = "Hare"  # stands in every password of these tests, and nowhere else
ROOT = Path(__file__).parents[2]
MANAGE = ROOT / "gateway" / "demo" / "site" / "manage.py"
READY_SECONDS = 60.0
STOP_SECONDS = 10.0
INSERT = """
    INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
                           date_joined)
    VALUES (:encoded, :staff, :name, 'Given', 'Family', :email, :staff, :active, '2024-01-01 00:00:00')"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One user of the site, and the password with which they began."""

    id: int
    name: str
    password: str
    email: str


class Site:
    """Is a Django site under gunicorn, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "site.sqlite3"
        self.port = free_port()
        self._folder = folder
        self._numbers = itertools.count(1)
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The site's own address, past every gateway."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Make the tables, serve, and wait until the login page is there."""
        self.manage("migrate", "-v0")
        command = [sys.executable, "-m", "gunicorn", "gateway.demo.site.wsgi", "--bind", f"127.0.0.1:{self.port}",
                   "--threads", "8", "--log-level", "warning", "--no-control-socket",
                   "--worker-tmp-dir", str(self._folder)]
        with (self._folder / "site.log").open("ab") as log:
            self._server = subprocess.Popen(command, cwd=ROOT, env=self._environ, stdout=log, stderr=log,
                                            start_new_session=True)
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self._folder / "site.log").read_text(errors="replace"))
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop serving; the people stay."""
        if self._server is not None:
            os.killpg(self._server.pid, signal.SIGTERM)
            self._server.wait(STOP_SECONDS)
        self._server = None

    def person(self, name: str, password: str = "", *, staff: bool = True, active: bool = True,
               hasher: str = "pbkdf2", as_kept: str = "") -> Person:
        """Add a user; `name` gets a number, and so does the password unless one is given.

        `as_kept` is the password's hash, if it must be a certain one.
        """
        number = next(self._numbers)
        name, password = f"{name}-{number}", password or f"Teapot+{number}&{MARK}=%"
        email = f"{name}@shop.test"
        with self._writing() as connection:
            row = {"encoded": as_kept or encoded(password, hasher), "name": name, "email": email, "staff": staff,
                   "active": active}
            identity = connection.execute(INSERT, row).lastrowid
        assert identity is not None
        return Person(id=identity, name=name, password=password, email=email)

    def set_password(self, person: Person, password: str) -> None:
        """Change a password behind everybody's back, as an administrator's script would."""
        with self._writing() as connection:
            connection.execute("UPDATE auth_user SET password = ? WHERE id = ?", (encoded(password), person.id))

    def hash_of(self, person: Person) -> str:
        """Return the hash that the site keeps."""
        with closing(sqlite3.connect(self.database, timeout=20)) as connection:
            [[found]] = connection.execute("SELECT password FROM auth_user WHERE id = ?", (person.id,))
        return str(found)

    def sessions(self) -> int:
        """Return how many sessions the site has opened so far, for anybody."""
        with closing(sqlite3.connect(self.database, timeout=20)) as connection:
            [[found]] = connection.execute("SELECT count(*) FROM django_session")
        return int(found)

    def manage(self, *arguments: str) -> None:
        """Run the site's manage.py."""
        subprocess.run([sys.executable, str(MANAGE), *arguments], cwd=ROOT, env=self._environ, check=True,
                       stdout=subprocess.DEVNULL)

    @property
    def _environ(self) -> dict[str, str]:
        return {**os.environ, "SITE_STATE": str(self._folder), "PYTHONPATH": str(ROOT),
                "DJANGO_SETTINGS_MODULE": "tests.helpers.site_settings"}

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.database, timeout=20)) as connection, connection:
            yield connection

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/admin/login/", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def encoded(password: str, hasher: str = "pbkdf2") -> str:
    """Return a password as Django keeps it, made without Django's code or the gateway's."""
    if hasher == "argon2":
        return "argon2" + argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(password)
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), b"saltOfTheSiteXXXXXXXXXX", 1000)
    return f"pbkdf2_sha256$1000$saltOfTheSiteXXXXXXXXXX${base64.b64encode(digest).decode()}"
