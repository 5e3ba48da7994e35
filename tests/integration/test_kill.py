"""kill -9 of a gateway between any two steps of an adoption and of a password change, and what is true afterwards.

The gateway is a process of its own and is not told of the test: its lines to the store and to the site are
stopped at one message, then it is killed, and another one starts. What every ending has in common: one account,
whole or not at all; nobody who cannot log in; the right password is right and the other is wrong.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from gateway.model import Secret
from tests.helpers.browser import Browser, Page
from tests.helpers.gateways import GatewayProcess, configure
from tests.helpers.postgres import PostgresServer, fetch
from tests.helpers.site import Person, Site
from tests.helpers.stations import Line, Stop, app_line, store_line

LOGIN, CHANGE = "/admin/login/", "/admin/password_change/"
COOKIE = "sluicegate-shop"
NEW = "Umbrella+2&Hare=%"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Is one moment of an exchange: a message to the store or to the app, before it is sent or once it is answered.

    `is_done` says whether the deed (the account's commit, or the change in the app) has happened by then.
    """

    at: str
    line: str
    text: str
    is_after: bool = False
    nth: int = 1
    is_done: bool = False


FIND, OPEN = "FROM aliases f JOIN accounts", "INSERT INTO sessions"
BEGIN, COMMIT = "BEGIN", "COMMIT;"  # with its sign, for BEGIN says READ COMMITTED

ADOPTION = (
    Place(at="the source is about to be asked", line="store", text=FIND, is_after=True),
    Place(at="the source has said right", line="store", text=BEGIN),
    Place(at="the account is written, not its password", line="store", text="INSERT INTO credentials"),
    Place(at="all is written, not committed", line="store", text=COMMIT),
    Place(at="committed, and nobody was told", line="store", text=COMMIT, is_after=True, is_done=True),
    Place(at="the app is about to be told", line="app", text=f"POST {LOGIN}", is_done=True),
    Place(at="the app has its session", line="app", text=f"POST {LOGIN}", is_after=True, is_done=True),
    Place(at="all is done, and the browser was not told", line="store", text=OPEN, is_after=True, is_done=True),
)
CLEAN_ROOM = (
    Place(at="the app has answered the browser", line="app", text=f"POST {LOGIN}", is_after=True),
    Place(at="the app has said right to the gateway", line="app", text=f"POST {LOGIN}", nth=2, is_after=True),
    Place(at="the probe has confirmed it", line="app", text=f"GET {CHANGE}", is_after=True),
    Place(at="committed, and nobody was told", line="store", text=COMMIT, is_after=True, is_done=True),
)
ADOPTIONS = [*(("sql", place) for place in ADOPTION), *(("form", place) for place in CLEAN_ROOM)]

AHEAD = Place(at="it is written ahead, the app is not told", line="app", text=f"POST {CHANGE}")
CHANGED = Place(at="the app has changed it", line="app", text=f"POST {CHANGE}", is_after=True, is_done=True)
CHANGES = [
    ("sql", Place(at="it is about to be written ahead", line="store", text="INSERT INTO pending_changes")),
    ("sql", AHEAD),
    ("sql", CHANGED),
    ("sql", Place(at="confirmed, not promoted", line="store", text=BEGIN, is_done=True)),
    ("sql", Place(at="promoted, not committed", line="store", text=COMMIT, is_done=True)),
    ("sql", Place(at="committed, and nobody was told", line="store", text=COMMIT, is_after=True, is_done=True)),
    ("form", AHEAD),
    ("form", CHANGED),
    ("form", Place(at="the gateway asks for itself", line="app", text=f"POST {LOGIN}", is_done=True)),
]


def names(cases: list[tuple[str, Place]]) -> list[str]:
    return [f"{kind}: {place.at}" for kind, place in cases]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Is a gateway that is killed and started again, and its two lines."""

    kind: str
    site: Site
    gateway: GatewayProcess
    database: Secret
    lines: dict[str, Line]

    def stop_at(self, place: Place) -> Stop:
        line = self.lines[place.line]
        return (line.stop_after if place.is_after else line.stop_before)(place.text, nth=place.nth)

    async def killed(self, place: Place, browser: Browser, path: str, form: dict[str, str]) -> None:
        """Send a form, kill the gateway at that place, and start another one."""
        stop = self.stop_at(place)
        async with asyncio.TaskGroup() as tasks:
            answer = tasks.create_task(sent(browser, path, form))
            await stop.reached()
            self.gateway.kill()
            for line in self.lines.values():
                line.drop()
        assert answer.result() is None, "a killed gateway gives no answer"
        await self.gateway.start()

    async def is_granted(self, person: Person, password: str) -> bool:
        """Log in once in a new browser, and say whether both the site and the gateway let the user in."""
        browser = Browser(self.gateway.url)
        page = await browser.log_in(person.name, password)
        assert page.status in (200, 302), page
        is_in = page.status == 302
        assert (COOKIE in browser.cookies, "sessionid" in browser.cookies) == (is_in, is_in)
        return is_in

    async def rows(self, person: Person, table: str) -> int:
        """Return how many rows a table has for a user of the site."""
        key = "id" if table == "accounts" else "account_id"
        [[count]] = await fetch(self.database, f"SELECT count(*) FROM {table} WHERE {key} IN"
                                " (SELECT id FROM accounts WHERE source = 'people' AND legacy_id = $1)",
                                str(person.id) if self.kind == "sql" else person.name)
        return int(count)

    async def stored(self, person: Person, *tables: str) -> tuple[int, ...]:
        return tuple([await self.rows(person, table) for table in tables])


async def sent(browser: Browser, path: str, form: dict[str, str]) -> Page | None:
    """Send a form; None when the connection ends without an answer."""
    try:
        return await browser.post(path, urlencode(form))
    except ConnectionError:
        return None


@asynccontextmanager
async def scene_of(kind: str, site: Site, server: PostgresServer) -> AsyncIterator[Scene]:
    with tempfile.TemporaryDirectory(prefix="sluicegate-kill-") as folder:
        async with server.database() as database, store_line(database) as (to_store, url), \
                app_line(site.port) as to_app:
            configuration = configure(Path(folder), store=url, upstream=to_app.port,
                                      legacy=site.database if kind == "sql" else None)
            async with GatewayProcess(configuration) as gateway:
                yield Scene(kind=kind, site=site, gateway=gateway, database=database,
                            lines={"store": to_store, "app": to_app})


@pytest.fixture(scope="module")
async def scenes(site: Site, postgres_server: PostgresServer) -> AsyncIterator[dict[str, Scene]]:
    """Is a gateway before the site for each kind of source; a killed one's successor serves the next test."""
    async with scene_of("sql", site, postgres_server) as sql, scene_of("form", site, postgres_server) as form:
        yield {"sql": sql, "form": form}


@pytest.mark.parametrize(("kind", "place"), ADOPTIONS, ids=names(ADOPTIONS))
async def test_a_kill_within_an_adoption_loses_and_doubles_nobody(scenes: dict[str, Scene], kind: str,
                                                                  place: Place) -> None:
    """The account is there whole or not at all; the next login works, and makes the one account that there is."""
    scene = scenes[kind]
    person = scene.site.person("kim")
    browser = Browser(scene.gateway.url)
    form = await browser.fill(LOGIN, username=person.name, password=person.password)
    await scene.killed(place, browser, LOGIN, form)
    whole = ("accounts", "aliases", "credentials")
    assert await scene.stored(person, *whole, "audit") == ((1, 1, 1, 1) if place.is_done else (0, 0, 0, 0))
    assert not await scene.is_granted(person, "a wrong Hare")
    assert await scene.is_granted(person, person.password)
    assert await scene.stored(person, *whole, "audit", "previous_passwords") == (1, 1, 1, 1, 0)


@pytest.mark.parametrize(("kind", "place"), CHANGES, ids=names(CHANGES))
async def test_a_kill_within_a_password_change_leaves_the_one_password_that_the_app_has(scenes: dict[str, Scene],
                                                                                        kind: str,
                                                                                        place: Place) -> None:
    """What the app did counts, found out at the next login: the other password is wrong, even tried first."""
    scene = scenes[kind]
    person = scene.site.person("lea")
    browser = Browser(scene.gateway.url)
    assert (await browser.log_in(person.name, person.password)).status == 302
    hash_before = scene.site.hash_of(person)
    form = await browser.fill(CHANGE, old_password=person.password, new_password1=NEW, new_password2=NEW)
    await scene.killed(place, browser, CHANGE, form)
    assert (scene.site.hash_of(person) != hash_before) == place.is_done
    right, wrong = (NEW, person.password) if place.is_done else (person.password, NEW)
    assert not await scene.is_granted(person, wrong)
    assert await scene.is_granted(person, right)
    assert not await scene.is_granted(person, wrong)
    assert await scene.stored(person, "accounts", "credentials", "pending_changes") == (1, 1, 0)
    assert await scene.rows(person, "previous_passwords") == (1 if place.is_done else 0)


async def test_a_stopped_line_stops_one_message_and_no_other(scenes: dict[str, Scene]) -> None:
    """What these tests stand on: a login that is stopped and let go ends as if nothing had been."""
    scene = scenes["sql"]
    person = scene.site.person("mia")
    browser = Browser(scene.gateway.url)
    form = await browser.fill(LOGIN, username=person.name, password=person.password)
    stop = scene.lines["store"].stop_before(COMMIT)
    async with asyncio.TaskGroup() as tasks:
        answer = tasks.create_task(sent(browser, LOGIN, form))
        await stop.reached()
        assert await scene.rows(person, "accounts") == 0
        assert (await Browser(scene.gateway.url).get(LOGIN)).status == 200
        stop.go_on()
    page = answer.result()
    assert page is not None
    assert page.status == 302
    assert await scene.rows(person, "accounts") == 1
