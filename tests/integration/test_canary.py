"""Marked secrets go through everything that can happen to them, and are then found nowhere.

One run of a gateway process at its most talkative: logins of every ending, changes, outages, a crash, nonsense.
Then its logs, metrics, pages and answers are searched, the commands' output, every row of the store, and the
files of the store's server, for the marks in many disguises. That the search finds a leak is tested as well.
"""

import asyncio
import base64
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from traceback import format_exception
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from adapters.sql import SqlOptions
from gateway.errors import RequestRefused
from gateway.hashing.swapper import Swapper
from gateway.http.forms import parse_form
from gateway.http.parsing import HeadLimits, parse_request
from gateway.model import Credentials, PasswordChange, Secret
from gateway.plan import read_settings
from gateway.settings import Section
from gateway.store.postgres import PostgresStore
from gateway.store.postgres.connection import Address
from gateway.telemetry.accesslog import AccessLog
from gateway.telemetry.logs import configure as configure_log
from gateway.telemetry.redaction import Redactor
from gateway.telemetry.sink import LineSink
from gateway.tokens.envelope import KeyEncryptionKey
from tests.helpers.browser import Browser, Page
from tests.helpers.canary import Marks
from tests.helpers.gateways import Configuration, GatewayProcess, configure
from tests.helpers.postgres import PostgresServer, fetch
from tests.helpers.site import Person, Site
from tests.helpers.stations import Line, store_line

LOGIN, CHANGE, LOGOUT = "/admin/login/", "/admin/password_change/", "/admin/logout/"
COOKIE = "sluicegate-shop"
JSON = "application/json"
REST = """
[log]
level = "debug"

[[app]]
name = "old"
hosts = ["old.test"]
upstream = "http://127.0.0.1:{port}"
source = "old"
preset = "django"

[source.old]
adapter = "sql"
preset = "django"
url = "env:TEST_LEGACY"
"""
EVERY_TABLE = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
CRASH = "ALTER TABLE credentials ADD CONSTRAINT crash CHECK (encoded = 'none') NOT VALID"
NO_CRASH = "ALTER TABLE credentials DROP CONSTRAINT crash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Is one run: its gateway, what surrounds it, and what it has left behind so far."""

    marks: Marks
    site: Site
    gateway: GatewayProcess
    database: Secret
    line: Line
    way: Path
    token: str
    left: dict[str, bytes] = field(default_factory=dict)

    def browser(self, **headers: str) -> Browser:
        return Browser(self.gateway.url, headers={"Accept": "text/html", **headers})

    def person(self, mark: str, **how: str) -> Person:
        """Add a user of the site with a marked password, whose hash there is looked for, too."""
        person = self.site.person(mark.partition(" ")[0], self.marks.password(mark), **how)  # type: ignore[arg-type]
        self.marks.know(f"the site's hash of {mark}", self.site.hash_of(person).rpartition("$")[2])
        return person

    def keep(self, page: Page, status: int) -> None:
        """Keep an answer of the gateway's own, which must have this status."""
        assert page.status == status, page
        self.left[f"page {len(self.left)} ({status})"] = f"{page.headers}{page.text}".encode()

    async def ask(self, path: str, token: str = "") -> Page:
        """Ask the private listener."""
        return await Browser(self.gateway.private_url).get(path, ("Authorization", f"Bearer {token or self.token}"))


# ---- What happens ------------------------------------------------------------------------------------------


async def people_come_and_go(run: Run) -> None:
    """Logins of every ending, changes of every ending, a logout."""
    ada = run.person("ada's first login")
    browser = run.browser()
    assert (await browser.log_in(ada.name, ada.password)).status == 302
    for name in (COOKIE, f"{COOKIE}.session", f"{COOKIE}.device", "sessionid", "csrftoken"):
        run.marks.know(f"ada's cookie {name}", browser.cookies[name].rpartition(".")[2])
    assert (await run.browser().log_in(ada.name, ada.password)).status == 302
    assert (await run.browser().log_in(ada.name, run.marks.password("a wrong password"))).status == 200
    await _change(run, browser, ada.password, run.marks.password("a repetition"), run.marks.password("its twin"), 200)
    await _change(run, browser, run.marks.password("a wrong old password"), *[run.marks.password("not taken")] * 2, 200)
    new = run.marks.password("a changed password")
    await _change(run, browser, ada.password, new, new, 302)
    assert (await run.browser().log_in(ada.name, ada.password)).status == 200, "a previous password"
    run.site.set_password(ada, elsewhere := run.marks.password("a password changed elsewhere"))
    assert (await run.browser().log_in(ada.name, elsewhere)).status == 302
    fresh = run.browser()
    await fresh.log_in(ada.name, elsewhere)
    assert (await fresh.post(LOGOUT, urlencode(await fresh.fill("/admin/")))).status in (200, 302)
    bea = run.person("bea is nobody's fool")
    for number in range(6):
        assert (await run.browser().log_in(bea.name, run.marks.password(f"guess {number}"))).status == 200
    run.keep(await run.browser().log_in(bea.name, run.marks.password("one guess too many")), 429)
    cid = run.site.person("cid", as_kept=f"md4${run.marks.new('a foreign hash')}$x")
    assert (await run.browser().log_in(cid.name, run.marks.password("for a foreign hash"))).status == 200


async def _change(run: Run, browser: Browser, old: str, new: str, again: str, status: int) -> None:
    page = await browser.submit(CHANGE, old_password=old, new_password1=new, new_password2=again)
    assert page.status == status, page


async def people_type_nonsense(run: Run) -> None:
    """Secrets where none belong, and in forms that nobody takes."""
    mark, browser = run.marks.password, run.browser()
    form = await browser.fill(LOGIN, username="eli", password=mark("beside nonsense"))
    assert (await browser.log_in(mark("typed as the name"), "x")).status == 200
    assert (await browser.log_in(f"\u200b{mark('typed as the name, unseen')}", "x")).status == 200
    assert (await browser.log_in("eli", "x" * 300 + mark("too long to hash"))).status == 200
    run.keep(await browser.log_in("eli", "x" * 70_000 + mark("too long to read")), 413)
    body = json.dumps({"username": "eli", "password": mark("in JSON")})
    run.keep(await browser.post(LOGIN, body, kind=JSON), 415)
    run.keep(await browser.post(LOGIN, body[:-5] + mark("in broken JSON"), kind=JSON), 415)
    run.keep(await browser.post(LOGIN, mark("in no form at all"), kind="text/plain"), 415)
    run.keep(await browser.post(LOGIN, urlencode(form), ("Content-Encoding", "gzip")), 415)
    run.keep(await browser.post(f"{LOGIN}?password={quote(mark('in the query'))}", urlencode(form)), 400)
    run.keep(await browser.post(LOGIN, urlencode([*form.items(), ("password", mark("doubled"))])), 400)
    run.keep(await browser.post(LOGIN, urlencode({**form, mark("as a field's name"): ""}).replace("%", "%%")), 400)
    run.keep(await browser.post(LOGIN, urlencode(form), ("Origin", "http://evil.test")), 403)
    run.keep(await browser.get("/", ("X-Long", mark("in a long field") * 2000)), 431)
    run.keep(await browser.raw(f"GET /{mark('in a broken head')} HTTP/9\r\n\r\n".encode()), 400)
    basic = base64.b64encode(f"eli:{mark('in Basic')}".encode()).decode()
    assert (await browser.get("/admin/login/", ("Authorization", f"Basic {basic}"))).status == 200
    assert (await browser.get(f"/admin/login/?token={run.marks.new('in the address')}")).status == 200
    odd = f'/"odd;session={run.marks.new("in a path parameter")}?token={run.marks.new("in an odd address")}'
    assert (await browser.get(odd)).status == 404
    whole = f"http://eli:{run.marks.new('in an absolute address')}@x/"
    run.keep(await browser.raw(f"GET {whole} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), method="GET"), 400)
    forged = {COOKIE: f"{run.marks.new('a forged token')}.e30.x", f"{COOKIE}.session": run.marks.new("a forged handle"),
              f"{COOKIE}.device": run.marks.new("a forged device")}
    assert (await Browser(run.gateway.url, forged).get(LOGIN)).status == 200
    await Browser(run.gateway.url, forged).log_in("eli", mark("beside forged cookies"))


async def things_break(run: Run) -> None:
    """A crash within an adoption, and every outage; each with a right password in the middle of it."""
    eve, fay, gus = run.person("eve before a crash"), run.person("fay before no source"), run.person("gus, no store")
    await fetch(run.database, CRASH)
    run.keep(await run.browser().log_in(eve.name, eve.password), 500)
    await fetch(run.database, NO_CRASH)
    target = run.way.readlink()
    run.way.unlink()
    run.keep(await run.browser().log_in(fay.name, fay.password), 503)
    run.way.symlink_to(target)
    old = await run.browser().fill(LOGIN, username="hal", password=run.marks.password("to an unreachable source"))
    run.keep(await run.browser().post(LOGIN, urlencode(old), ("Host", "old.test"), ("Origin", "http://old.test")), 503)
    run.line.close()
    run.keep(await run.browser().log_in(gus.name, gus.password), 503)
    run.keep(await run.ask("/readyz"), 503)
    run.keep(await run.ask("/metrics"), 200)
    run.keep(await run.ask("/api/users"), 503)
    await run.line.open()
    assert (await run.browser().log_in(gus.name, gus.password)).status == 302


async def operators_look(run: Run) -> None:
    """Everything that the private listener and the commands show, to operators and to others."""
    run.keep(await run.ask("/metrics"), 200)
    run.keep(await run.ask("/api/migration"), 200)
    users = await run.ask("/api/users")
    run.keep(users, 200)
    [first, *_] = json.loads(users.text)["users"]
    run.keep(await run.ask(f"/api/users/{first['id']}"), 200)
    run.keep(await run.ask(f"/api/users?q={run.marks.new('sought by an operator')}"), 200)
    run.keep(await run.ask(f"/api/users/{run.marks.new('an id that is none')}"), 400)
    run.keep(await run.ask("/api/users", run.marks.new("a wrong operator's token")), 401)
    run.keep(await run.browser().get("/.well-known/jwks.json"), 200)
    commands = (("users", "list", "--json"), ("users", "show", first["id"]), ("keys", "list"), ("check",))
    for words, said in zip(commands, await asyncio.gather(*(_said(run, *words) for words in commands)), strict=True):
        run.left[f"sluicegate {' '.join(words)}"] = said


async def _said(run: Run, *words: str) -> bytes:
    configuration = run.gateway.configuration
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", *words, "--config", configuration.file, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env={**os.environ, **configuration.environ})
    said, _ = await process.communicate()
    assert process.returncode == 0, said
    return said


async def every_row(database: Secret) -> bytes:
    """Return all rows of all tables as text (bytes in hexadecimal), and what the server remembers of statements."""
    tables = [row["tablename"] for row in await fetch(database, EVERY_TABLE)]
    queries = [*(f'SELECT t::text FROM "{table}" t' for table in tables), "SELECT query FROM pg_stat_activity"]
    rows = [row[0] for query in queries for row in await fetch(database, query)]
    return "\n".join(str(row) for row in rows).encode()


# ---- The run -----------------------------------------------------------------------------------------------


@asynccontextmanager
async def marked_role(server: PostgresServer, marks: Marks) -> AsyncIterator[tuple[str, str]]:
    """Make a role of the server with a marked password."""
    administrator, name = server.url_of("postgres"), "canary"
    password = f"{marks.new('the password of the store')}@/%"
    await fetch(administrator, f"CREATE ROLE {name} SUPERUSER LOGIN PASSWORD '{password}'")
    try:
        yield name, password
    finally:
        await fetch(administrator, f"DROP ROLE {name}")


def configured(folder: Path, site: Site, store: Secret, marks: Marks, token: str) -> Configuration:
    """Write a configuration whose every secret is marked."""
    (folder / "way").symlink_to(site.database)
    made = configure(folder, store=store, upstream=site.port, legacy=folder / "way", rest=REST.format(port=site.port))
    key = base64.b64encode(marks.new("the encryption key").encode()).decode()
    marks.know("the encryption key as given", key)
    legacy = f"postgresql://legacy:{marks.new('the password of a source')}@127.0.0.1:1/shop?sslmode=disable"
    return replace(made, environ={**made.environ, "TEST_TOKEN": token, "TEST_KEY": key, "TEST_LEGACY": legacy})


@pytest.fixture(scope="module")
async def run(postgres_server: PostgresServer, site: Site) -> AsyncIterator[Run]:
    """Is the whole run, after which the gateway was stopped; what is left is in `left`."""
    marks = Marks()
    async with postgres_server.database() as database, marked_role(postgres_server, marks) as (name, password):
        with tempfile.TemporaryDirectory(prefix="sluicegate-canary-") as folder:
            parts = urlsplit(database.reveal())
            own = Secret(database.reveal().replace(f"{parts.username}:{parts.password}@",
                                                   f"{name}:{quote(password, safe='')}@"))
            async with store_line(own) as (line, url):
                token = marks.new("the operator's token")
                configuration = configured(Path(folder), site, url, marks, token)
                async with GatewayProcess(configuration) as gateway:
                    run = Run(marks=marks, site=site, gateway=gateway, database=database, line=line,
                              way=Path(folder) / "way", token=token)
                    await people_come_and_go(run)
                    await people_type_nonsense(run)
                    await things_break(run)
                    await operators_look(run)
                    assert await gateway.stop() == 0
                    run.left["the logs"] = gateway.log.encode()
                    run.left["the store"] = await every_row(database)
                    yield run


async def test_no_secret_is_left_anywhere(run: Run) -> None:
    """Logs, metrics, pages, answers, commands and rows hold no secret in any disguise."""
    assert run.marks.sightings(run.left) == []


async def test_the_run_was_one(run: Run) -> None:
    """What the search stands on: the places are full, the crash was logged, the passwords are there as argon2id."""
    assert b'"a request crashed"' in run.left["the logs"]
    assert run.left["the logs"].count(b'"event": "login"') > 10
    assert run.left["the store"].count(b"$argon2id$") >= 2
    assert b"ada" in run.left["the store"]
    assert len(run.left) > 25
    metrics = [place for place in run.left.values() if b"sluicegate_logins_total" in place]
    assert len(metrics) == 2


async def test_no_secret_is_in_the_files_of_the_stores_server(run: Run, postgres_server: PostgresServer) -> None:
    """Nor what was deleted meanwhile, nor the write-ahead log, nor what the server says of failing statements."""
    await fetch(run.database, "CHECKPOINT")
    folder = postgres_server.state / "postgres"
    assert run.marks.files_with_any(folder) == ""
    leak = run.marks.new("a row for the search to find")
    await fetch(run.database, f"CREATE TABLE leak AS SELECT '{leak}' AS text")
    await fetch(run.database, "CHECKPOINT")
    assert str(folder / "data") in run.marks.files_with_any(folder)


# ---- The search finds what is there ------------------------------------------------------------------------


def logged(folder: Path, leak: str) -> bytes:
    """Log a secret as a careless line would, by the gateway's own logger, which does not know it."""
    with (folder / "log").open("wb") as file:
        log = configure_log("debug", redactor=Redactor(), sink=LineSink(file.fileno()))
        log.debug("login", note=f"{leak} was typed")
    return (folder / "log").read_bytes()


def access_logged(folder: Path, leak: str) -> bytes:
    """Log a secret as a part of a path."""
    with (folder / "access").open("wb") as file:
        access = AccessLog(LineSink(file.fileno()), lambda: 0.0)
        access.record("shop", b"GET", f"/{leak}".encode(), 200, 0.1, "::1", b"id", 1)
        access.close()
    return (folder / "access").read_bytes()


LEAKS: dict[str, Callable[[Path, str], bytes]] = {
    "a log line": logged,
    "an access log line": access_logged,
    "a repr": lambda _, leak: repr({"password": leak}).encode(),
    "capitals": lambda _, leak: leak.upper().encode(),
    "a URL": lambda _, leak: quote(f"/{leak}?").encode(),
    "a row's bytes": lambda _, leak: f"\\x{leak.encode().hex()}".encode(),
    "Basic": lambda _, leak: base64.b64encode(f"ada:{leak}!".encode()),
    "base64 at another offset": lambda _, leak: base64.urlsafe_b64encode(f"adam:{leak}".encode()),
    "base64 at a third offset": lambda _, leak: base64.b64encode(f"al:{leak}??".encode()),
    "UTF-16": lambda _, leak: f"«{leak}»".encode("utf-16-le"),
}


@pytest.mark.parametrize("how", LEAKS)
def test_a_leak_is_found(tmp_path: Path, how: str) -> None:
    """The search would see it, so that its silence means something."""
    marks = Marks()
    place = LEAKS[how](tmp_path, marks.new("a leak"))
    [seen, *_] = marks.sightings({how: place})
    assert seen.startswith("a leak, ")
    assert seen.endswith(f", in {how}")


@pytest.mark.parametrize("kind", ["md5", "sha1", "sha256"])
def test_a_digest_without_a_key_is_a_leak(kind: str) -> None:
    """A password's plain digest can be looked up; only keyed ones and argon2id may be kept."""
    import hashlib

    marks = Marks()
    digest = hashlib.new(kind, marks.password("a password").encode())
    assert marks.sightings({"here": f"\\x{digest.hexdigest()}".encode()}) == [f"a password, as its {kind}, in here"]
    assert marks.sightings({"here": base64.b64encode(digest.digest())}) == [
        f"a password, in base64 of its {kind}, in here"]


async def test_a_leaky_row_is_found(database: Secret) -> None:
    """Whatever column of whatever table it lies in."""
    marks = Marks()
    await fetch(database, "INSERT INTO throttle VALUES ($1, 1, now(), now())", marks.new("a key")[:16].encode())
    await fetch(database, "INSERT INTO audit (event, actor, detail) VALUES ('login', 'me', $1)",
                json.dumps({"deep": [{"down": base64.b64encode(marks.new("a note").encode()).decode()}]}))
    marks.know("the throttle's key", marks.new("a key")[:16])
    seen = marks.sightings({"the store": await every_row(database)})
    assert "the throttle's key, in hexadecimal, in the store" in seen
    assert "a note, in base64 (0), in the store" in seen


# ---- Errors' texts -----------------------------------------------------------------------------------------

FORM = b"application/x-www-form-urlencoded"
LEAK = Marks().new("a secret in the wrong place")
FILE = """
[private]
token = "{leak}"
[store]
url = "postgresql://me:{leak}@there/"
[keys]
encryption_key = "env:KEY"
[tokens]
issuer = "http://{leak}@there"
access_minutes = "{leak}"
[[app]]
name = "{leak} {leak}"
hosts = ["{leak} {leak}"]
upstream = "ftp://{leak}"
"""


def read(text: str, folder: Path) -> object:
    (folder / "file.toml").write_text(text)
    return read_settings(folder / "file.toml", {"KEY": LEAK, "LEGACY": f"mysql://me:{LEAK}@there/x"})


def head(text: str) -> object:
    return parse_request(text.replace("\n", "\r\n").encode() + b"\r\n\r\n", HeadLimits())


def section(kind: type[Section], **values: object) -> object:
    return kind.model_validate(values)


async def unreachable_store(password: str) -> None:
    async with PostgresStore.open(Secret(f"postgresql://me:{password}@127.0.0.1:1/x")) as store:
        await store.ping()


FAILURES: dict[str, Callable[[Path], object]] = {
    "a secret is formatted": lambda _: f"{Secret(LEAK)}",
    "a secret is pickled": lambda _: __import__("pickle").dumps(Secret(LEAK)),
    "a secret is a key": lambda _: {Secret(LEAK): 1},
    "credentials are misused": lambda _: Credentials(identifier="x", password=Secret(LEAK)) < None,  # type: ignore[operator]
    "a change is misused": lambda _: PasswordChange(new_password=Secret(LEAK)).old,  # type: ignore[attr-defined]
    "a key is no key": lambda _: KeyEncryptionKey.parse(Secret(LEAK)),
    "a store's URL is none": lambda _: Address.parse(Secret(f"postgresql://me:{LEAK}@@there/x")),
    "a store is not there": lambda _: asyncio.run(unreachable_store(LEAK)),
    "settings are wrong": lambda folder: read(FILE.format(leak=LEAK), folder),
    "settings are no TOML": lambda folder: read(f'[private]\ntoken = "{LEAK}', folder),
    "a secret's variable is misspelt": lambda folder: read(FILE.format(leak=f"env:{LEAK}-"), folder),
    "a source's URL is none": lambda _: section(SqlOptions, url=f"mysql://me:{LEAK}@there/x", preset="django"),
    "a field is no UTF-8": lambda _: parse_form(FORM, f"a=%ff{LEAK}".encode()).values("a"),
    "a part is broken": lambda _: parse_form(b"multipart/form-data; boundary=b", f"--b\r\n{LEAK}".encode()),
    "a form is none": lambda _: parse_form(f"text/{LEAK}".encode(), LEAK.encode()),
    "a head is broken": lambda _: head(f"GET / HTTP/1.1\nHost: x\nCookie : {LEAK}"),
    "a target is broken": lambda _: head(f"GET {LEAK} HTTP/1.1\nHost: x"),
    "a length is broken": lambda _: head(f"POST / HTTP/1.1\nHost: x\nContent-Length: {LEAK}"),
}


@pytest.mark.parametrize("how", FAILURES)
def test_an_error_shows_no_secret(tmp_path: Path, how: str) -> None:
    """Neither its text, its repr and the traceback as Python prints it, nor what the log makes of it."""
    with pytest.raises(Exception) as caught:  # whichever it is
        FAILURES[how](tmp_path)
    assert list(shown(caught.value)), "something is shown"
    assert not [text for text in shown(caught.value) if LEAK in text]


def shown(error: BaseException) -> Iterator[str]:
    """Return an error as it may be shown, with those behind it."""
    yield "".join(format_exception(error))
    yield json.dumps(Redactor().error(error))
    link: BaseException | None = error
    while link is not None:
        yield f"{link} {link!r} {link.args!r} {getattr(link, '__notes__', '')}"
        link = link.__cause__


@pytest.mark.parametrize("encoded", ["md5$", "pbkdf2_sha256$1$", "$2b$04$", "$argon2id$v=19$", "bcrypt$$2b$x", ""])
async def test_a_hash_that_is_none_is_foreign_and_said_nowhere(encoded: str) -> None:
    """An odd row of a user table is an outcome, no error that could quote it."""
    swapper = Swapper()
    swapper.verify(Secret(f"{encoded}{LEAK}"), Secret(LEAK))
    assert LEAK not in repr(swapper)


def test_a_refusal_repeats_nothing_of_the_request() -> None:
    """What a client is told is a sentence of ours."""
    with pytest.raises(RequestRefused) as caught:
        parse_form(b"application/json", LEAK.encode())
    assert LEAK not in caught.value.reason


def test_marks_are_not_in_a_stores_address() -> None:
    """A message names hosts or a folder of sockets, never user or password."""
    address = Address.parse(Secret(f"postgresql://me:{LEAK}@there/x?host=%2Ftmp"))
    assert LEAK not in repr(address)
    assert parse_qs(address.name) == {}
