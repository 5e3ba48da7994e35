"""A small legacy application of the tests' own: every request to it is kept, and it can be as odd as a test wants.

It has a login page with a hidden field, sessions, a page for users, a password change and a logout; who is
logged in already is sent on from the login page, whatever they post, as many applications do. `odd` answers a
request in another way: bytes for an answer, b"" to hang up without one. After an answer with the field X-Cut
it hangs up as well.

    async with Shop(folder) as shop:
        shop.set_password("alice", "…")
        shop.odd = lambda request: b"HTTP/1.1 500 …" if request.is_login else None
"""

import asyncio
import itertools
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs

from tests.helpers.site import encoded

RULES = """
[[app.rule]]
name = "login"
kind = "login"
path = "/login"
identifier = "user"
password = "pass"
right = { status = [302], set_cookie = "session" }
wrong = { status = [200], body_has = "Wrong!" }
probe = { path = "/preferences", status = [200], body_has = "Your preferences" }

[[app.rule]]
name = "change"
kind = "password_change"
path = "/change"
old_password = "old"
new_passwords = ["new"]
right = { status = [302], location = "/changed" }
wrong = { status = [200], body_has = "Wrong!" }
login = "login"

[[app.rule]]
name = "logout"
kind = "logout"
path = "/logout"
methods = ["GET", "POST"]
right = { status = [302] }
"""
TABLE = """
    CREATE TABLE auth_user (id INTEGER PRIMARY KEY, username TEXT UNIQUE, password TEXT, email TEXT DEFAULT '',
                            first_name TEXT DEFAULT '', last_name TEXT DEFAULT '', is_active BOOL DEFAULT TRUE)"""
KEEP = """
    INSERT INTO auth_user (username, password) VALUES (?, ?)
    ON CONFLICT (username) DO UPDATE SET password = excluded.password"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """One request as it arrived; `wire` is all of it."""

    method: str
    target: str
    fields: Sequence[tuple[str, str]]
    body: bytes
    wire: bytes

    def values(self, name: str) -> list[str]:
        """Return the values of all fields of a name."""
        return [value for found, value in self.fields if found.lower() == name]

    @property
    def is_login(self) -> bool:
        """Whether this is a login that was posted."""
        return self.method == "POST" and self.target.partition("?")[0] == "/login"

    @property
    def form(self) -> dict[str, str]:
        """The fields of its body, the last of each name."""
        return {name: values[-1] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}

    @property
    def session(self) -> str:
        """The value of its session cookie, or nothing."""
        pairs = (pair.strip().partition("=") for value in self.values("cookie") for pair in value.split(";"))
        return next((value for name, _, value in pairs if name == "session"), "")


class Shop:
    """Is the application; `port` is where it listens, `database` its user table, as Django has it."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "shop.sqlite3"
        self.port = 0
        self.got: list[Got] = []
        self.odd: Callable[[Got], bytes | None] = lambda _: None
        self._passwords: dict[str, str] = {}
        self._sessions: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._server: asyncio.Server | None = None
        self._users = sqlite3.connect(self.database, isolation_level=None)
        self._users.execute("PRAGMA journal_mode = WAL")  # whoever reads it stops no test that writes

    async def __aenter__(self) -> Self:
        self._users.execute(TABLE)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        self._users.close()

    @property
    def logins(self) -> list[Got]:
        """Every login that arrived, whoever sent it."""
        return [request for request in self.got if request.is_login]

    def set_password(self, name: str, password: str, *, as_kept: str = "") -> None:
        """Add a user, or change the password of one; `as_kept` is what stands in the table, if it is no usual hash."""
        self._passwords[name] = password
        self._users.execute(KEEP, (name, as_kept or encoded(password)))

    def forget(self, name: str) -> None:
        """Delete a user; who gets the name afterwards is another one."""
        del self._passwords[name]
        self._users.execute("DELETE FROM auth_user WHERE username = ?", (name,))

    def answer(self, request: Got) -> bytes:
        """Answer as the application does when it is not odd."""
        user = self._sessions.get(request.session, "")
        match request.method, request.target.partition("?")[0]:
            case "GET", "/login":
                return page('<form method="post"><input type="hidden" name="ticket" value="t&amp;1"><input name="user">'
                            '<input type="password" name="pass"></form>', "Set-Cookie: seen=1; Path=/")
            case "POST", "/login":
                return self._log_in(request, user)
            case "GET", "/preferences" if user:
                return page(f"Your preferences, {escape(user)}")
            case "POST", "/change" if user and request.form["old"] == self._passwords[user]:
                self.set_password(user, request.form["new"])
                return redirect("/changed")
            case ("POST", "/change") | ("GET", "/preferences"):
                return page("Wrong!") if user else redirect("/login")
            case _, "/logout":
                self._sessions.pop(request.session, None)
                return redirect("/login", "Set-Cookie: session=; Max-Age=0")
            case _:
                return page("A page for everybody")

    def _log_in(self, request: Got, user: str) -> bytes:
        if user:  # logged in already: sent on without a look at what was typed
            return redirect("/", f"Set-Cookie: session={request.session}; HttpOnly")
        name = request.form.get("user", "").strip()
        if "ticket" not in request.form or name not in self._passwords or \
                self._passwords[name] != request.form.get("pass"):
            return page("Wrong!")
        session = f"s{next(self._numbers)}"
        self._sessions[session] = name
        return redirect("/", f"Set-Cookie: session={session}; HttpOnly", "Set-Cookie: theme=dark; Path=/")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await _read(reader):
                self.got.append(request)
                odd = self.odd(request)
                answer = self.answer(request) if odd is None else odd
                if not answer:
                    break
                writer.write(answer)
                await writer.drain()
                if b"\r\nX-Cut:" in answer:
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()


def page(text: str, *fields: str, status: str = "200 OK") -> bytes:
    """Return an answer with a page."""
    body = f"<!doctype html><title>Shop</title>{text}".encode()
    lines = "".join(f"{line}\r\n" for line in (f"Content-Length: {len(body)}", "Content-Type: text/html", *fields))
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


def redirect(location: str, *fields: str) -> bytes:
    """Return an answer that leads on."""
    lines = "".join(f"{line}\r\n" for line in (f"Location: {location}", "Content-Length: 0", *fields))
    return f"HTTP/1.1 302 Found\r\n{lines}\r\n".encode()


async def _read(reader: asyncio.StreamReader) -> Got | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    fields = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    length = next((int(value) for name, value in fields if name.lower() == "content-length"), 0)
    body = await reader.readexactly(length)
    method, target, _ = first.split(" ")
    return Got(method=method, target=target, fields=fields, body=body, wire=head + body)
