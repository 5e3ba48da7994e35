"""A whole stage: the real site, a gateway before it, browsers, and a look into the store past both.

Every password that is typed on a stage holds the word MARK, and no line of the gateway's logs may ever.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import asyncpg
from prometheus_client.parser import text_string_to_metric_families

from gateway.model import Secret
from tests.helpers.browser import Browser, Page
from tests.helpers.gateways import PRESET, Configuration, RunningGateway, configure, running_gateway
from tests.helpers.shop import RULES, Shop
from tests.helpers.site import MARK, Person, Site

PATIENCE = 10.0
COOKIES = frozenset({"sluicegate-shop", "sluicegate-shop.session", "sluicegate-shop.device"})
EVERY_TABLE = ("accounts", "aliases", "credentials", "previous_passwords", "pending_changes", "sessions")
COUNT = " UNION ALL ".join(f"SELECT '{table}' AS name, count(*) AS rows FROM {table}" for table in EVERY_TABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hall:
    """Is a gateway with the source `kind` ("sql" or "form"), and its store's database.

    `way` is the gateway's own way to the application's user table: a link that can be taken away.
    """

    gateway: RunningGateway
    database: Secret = field(repr=False)
    line: "asyncpg.Connection[asyncpg.Record]" = field(repr=False)
    kind: str
    way: Path

    def browser(self, **headers: str) -> Browser:
        """Return a browser without any history."""
        return Browser(self.gateway.url, headers=headers)

    async def rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Look into the store."""
        return await self.line.fetch(query, *arguments)

    async def stored(self) -> dict[str, int]:
        """Return how many rows each table has that knows of users; empty tables are left out."""
        return {row["name"]: row["rows"] for row in await self.rows(COUNT) if row["rows"]}

    async def outcomes(self) -> dict[tuple[str, str], int]:
        """Return how logins ended, as the gateway counts them: by outcome and decider."""
        families = text_string_to_metric_families((await self.gateway.ask("/metrics")).text)
        return {(sample.labels["outcome"], sample.labels["decider"]): int(sample.value)
                for family in families for sample in family.samples
                if sample.name == "sluicegate_logins_total" and sample.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(Hall):
    """Is a gateway before the real site."""

    site: Site

    async def logged_in(self, person: Person, *, path: str = "/admin/login/") -> Browser:
        """Return a browser in which a user has logged in."""
        browser = self.browser()
        page = await browser.log_in(person.name, person.password, path=path)
        assert page.status == 302, page
        assert browser.cookies.keys() >= COOKIES
        return browser

    async def is_granted(self, person: Person, password: str) -> bool:
        """Log in once in a new browser, and say whether both the site and the gateway let the user in.

        Anything between is a failure: a session with only one of them, or a denial that is not the site's own.
        """
        browser = self.browser()
        page = await browser.log_in(person.name, password)
        if page.status == 302:
            assert {"sessionid", *COOKIES} <= browser.cookies.keys()
            return True
        assert page.status == 200
        assert "errornote" in page.text
        assert not browser.cookies.keys() & {"sessionid", *COOKIES}
        return False

    async def account(self, person: Person) -> asyncpg.Record | None:
        """Return the account of a user of the site, or None; there is never a second one."""
        legacy_id = str(person.id) if self.kind == "sql" else person.name
        found = await self.rows("SELECT * FROM accounts WHERE legacy_id = $1", legacy_id)
        assert len(found) <= 1
        return found[0] if found else None

    async def account_id(self, person: Person) -> UUID:
        """Return the id of a user's account, which there is."""
        account = await self.account(person)
        assert account is not None
        found: UUID = account["id"]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopStage(Hall):
    """Is a gateway before the tests' own application."""

    shop: Shop

    async def log_in(self, browser: Browser, name: str, password: str) -> Page:
        """Log in on the shop's page."""
        return await browser.submit("/login", **{"user": name, "pass": password})


@asynccontextmanager
async def stage(site: Site, database: Secret, folder: Path, kind: str, *, app: str = "", rest: str = "",
                source: str = "", upstream: int | None = None) -> AsyncIterator[Stage]:
    """Set a stage; `app`, `rest` and `source` add lines to the configuration, `upstream` is another way to the site."""
    way = folder / "way"
    way.symlink_to(site.database)
    configuration = configure(folder, store=database, upstream=upstream or site.port, app=f"{PRESET}\n{app}", rest=rest,
                              legacy=way if kind == "sql" else None, source=source)
    async with discreet_gateway(configuration) as gateway, looking_into(database) as line:
        yield Stage(site=site, gateway=gateway, database=database, line=line, kind=kind, way=way)


@asynccontextmanager
async def shop_stage(database: Secret, folder: Path, kind: str, *, app: str = "", rest: str = "",
                     source: str = "", host: str = "*",
                     limits: str = "denial_seconds = 0") -> AsyncIterator[ShopStage]:
    """Set a stage with an application of the tests' own."""
    way = folder / "way"
    async with Shop(folder) as shop:
        way.symlink_to(shop.database)
        configuration = configure(folder, store=database, upstream=shop.port, app=f"{app}\n{RULES}", rest=rest,
                                  legacy=way if kind == "sql" else None, source=source, host=host, limits=limits)
        async with discreet_gateway(configuration) as gateway, looking_into(database) as line:
            yield ShopStage(shop=shop, gateway=gateway, database=database, line=line, kind=kind, way=way)


@asynccontextmanager
async def discreet_gateway(configuration: Configuration) -> AsyncIterator[RunningGateway]:
    """Run a gateway whose logs are searched for passwords in the end."""
    async with running_gateway(configuration) as gateway:
        yield gateway
    assert MARK not in "\n".join(gateway.log) + gateway.access_log.read_text()


@asynccontextmanager
async def looking_into(database: Secret) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """Open a line into the store that goes past the gateway."""
    line = await asyncpg.connect(database.reveal())
    try:
        yield line
    finally:
        await line.close()


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Wait until something that happens beside the answer has happened."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():
            await asyncio.sleep(0.01)
