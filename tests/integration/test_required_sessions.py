"""What needs a session cannot be reached without one, however its address is written; real gateways say so."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.model import AccountState, Secret
from gateway.store.postgres import PostgresStore
from tests.helpers.browser import Browser
from tests.helpers.relay import Relay
from tests.helpers.stage import ShopStage, shop_stage, until

ACCESS, HANDLE = "sluicegate-shop", "sluicegate-shop.session"
PASSWORD = "a Hare"
PAGE = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
ADMIN = """
[[app.access]]
path = "/admin"
require = "session"
[[app.access]]
path = "/admin/help"
require = "nothing"
"""
EVERYTHING = """
[[app.access]]
path = "/"
require = "session"
"""


@pytest.fixture
async def closed(database: Secret, tmp_path: Path) -> AsyncIterator[ShopStage]:
    """Is a shop whose administration needs a session."""
    async with shop_stage(database, tmp_path, "sql", app=ADMIN) as scene:
        scene.shop.set_password("alice", PASSWORD)
        yield scene


async def logged_in(scene: ShopStage) -> Browser:
    browser = scene.browser()
    assert (await scene.log_in(browser, "alice", PASSWORD)).status == 302
    return browser


async def test_a_browser_is_sent_to_the_login_page_and_back(closed: ShopStage) -> None:
    """The address it wanted travels along, and nothing reaches the app."""
    page = await closed.browser().get("/admin/users?page=2&q=a b".replace(" ", "%20"), PAGE)
    assert page.status == 303
    assert page.location == "/login?next=/admin/users%3Fpage%3D2%26q%3Da%2520b"
    assert page.values("cache-control") == ["private, no-store"]
    assert closed.shop.got == []


@pytest.mark.parametrize("request_", [
    ("GET", ("Accept", "application/json")), ("GET",), ("POST", PAGE), ("DELETE", PAGE), ("OPTIONS", PAGE),
    ("PROPFIND", PAGE), ("GET", PAGE, ("X-Requested-With", "XMLHttpRequest")),
    ("GET", PAGE, ("Sec-Fetch-Mode", "cors")),
])
async def test_everything_else_gets_401(closed: ShopStage, request_: tuple[object, ...]) -> None:
    """A program is told so, without a dialogue of the browser's own."""
    method, *fields = request_
    page = await closed.browser().request(str(method), "/admin/users", *fields)  # type: ignore[arg-type]
    assert page.status == 401
    assert page.values("www-authenticate") == []
    assert closed.shop.got == []


async def test_a_user_passes_and_the_rest_is_open(closed: ShopStage) -> None:
    """With a session below the path; without one beside it, and where a longer path says so."""
    browser = await logged_in(closed)
    for target in ("/admin", "/admin/", "/admin/users?x=1"):
        assert (await browser.get(target)).status == 200
    for target in ("/", "/administrator", "/admin/help", "/admin/help/me", "/login"):
        assert (await closed.browser().get(target)).status == 200


SPELLINGS = [
    "/admin", "/admin/", "/admin?x", "/%61dmin", "/%2561dmin", "//admin", "/./admin", "/x/../admin", "/x/%2e%2e/admin",
    "/admin;x=1", "/admin;/users", "/\\admin", "/%5cadmin", "/x\\..\\admin", "/admin/help/../users", "/admin/./users",
    "/admin/help/..;/users", "/admin%2fusers", "/admin%00", "/admin%20", "/admin.", "/x//..//admin",
    "/admin/help/%2e%2e/users", "/%ef%bd%81dmin", "/admin%3fx", "/admin%23x", "/adm%69n/%75sers", "/%u0061dmin",
]


@pytest.mark.parametrize("target", SPELLINGS)
async def test_no_spelling_of_an_address_leads_around(closed: ShopStage, target: str) -> None:
    """Any reading that needs a session needs it."""
    page = await closed.browser().get(target, PAGE)
    assert page.status in (303, 400, 401)
    assert closed.shop.got == []


@pytest.mark.parametrize(("target", "folds"), [("/Admin", True), ("/ADMIN/users", True), ("/%41dmin", True)])
async def test_case_counts_as_the_app_has_it(database: Secret, tmp_path: Path, target: str, *, folds: bool) -> None:
    """To an app that folds case another spelling is the same address."""
    async with shop_stage(database, tmp_path, "sql", app=f"fold_case = {str(folds).lower()}\n{ADMIN}") as scene:
        assert (await scene.browser().get(target, PAGE)).status == 303
        assert scene.shop.got == []


async def test_a_foreign_host_is_no_way_back(database: Secret, tmp_path: Path) -> None:
    """What a browser could take for another site's address is left out."""
    async with shop_stage(database, tmp_path, "sql", app=EVERYTHING) as scene:
        for target in ("//evil.test/", "/\\evil.test", "//evil.test/%2f.."):
            page = await scene.browser().get(target, PAGE)
            assert (page.status, page.location) in ((303, "/login"), (400, ""))
        assert scene.shop.got == []


async def test_the_login_page_stays_open_where_everything_is_closed(database: Secret, tmp_path: Path) -> None:
    """So somebody can log in; afterwards all is open."""
    async with shop_stage(database, tmp_path, "sql", app=EVERYTHING) as scene:
        scene.shop.set_password("alice", PASSWORD)
        assert (await scene.browser().get("/cart", PAGE)).location == "/login?next=/cart"
        assert (await scene.browser().get("/login?next=/cart", PAGE)).status == 200
        browser = await logged_in(scene)
        assert (await browser.get("/cart", PAGE)).status == 200
        assert (await browser.request("OPTIONS", "*")).status == 200
        assert (await scene.browser().request("OPTIONS", "*")).status == 401


async def test_what_looks_like_a_change_needs_a_session_too(database: Secret, tmp_path: Path) -> None:
    """An intercepted address is no way around."""
    async with shop_stage(database, tmp_path, "sql", app=EVERYTHING) as scene:
        page = await scene.browser().post("/change", "old=a&new=b")
        assert page.status == 401
        page = await scene.browser().post("/change", "colour=green")
        assert page.status == 401
        assert scene.shop.got == []


async def test_blocking_an_account_ends_its_access(closed: ShopStage) -> None:
    """Within a second, though the app's own session lives on."""
    browser = await logged_in(closed)
    assert (await browser.get("/admin", PAGE)).status == 200
    [account] = await closed.rows("SELECT id FROM accounts")
    async with PostgresStore.open(closed.database) as store:
        await store.management.set_state(account["id"], AccountState.BLOCKED, actor="cli")

    async def is_out() -> bool:
        return (await browser.twin().get("/admin", PAGE)).status == 303

    await until(is_out)
    page = await browser.get("/admin", PAGE)
    assert page.location == "/login?next=/admin"
    assert not browser.cookies.keys() & {ACCESS, HANDLE}


@pytest.mark.parametrize("cookies", [
    {ACCESS: "a.b.c"}, {HANDLE: "A" * 43}, {ACCESS: "a.b.c", HANDLE: "A" * 43}, {"sluicegate-other": "x"},
    {"session": "s1"},
])
async def test_made_up_cookies_open_nothing(closed: ShopStage, cookies: dict[str, str]) -> None:
    """Neither ours nor the app's own."""
    page = await Browser(closed.gateway.url, cookies).get("/admin", PAGE)
    assert page.status == 303
    assert closed.shop.got == []


async def test_doubled_cookies_open_nothing(closed: ShopStage) -> None:
    """Not even when both are right: somebody else may have added one."""
    browser = await logged_in(closed)
    token = browser.cookies[ACCESS]
    for doubled in (f"{ACCESS}={token}; {ACCESS}={token}", f"{ACCESS}=x; {ACCESS}={token}"):
        assert (await closed.browser().get("/admin", PAGE, ("Cookie", doubled))).status == 303
    assert (await closed.browser().get("/admin", PAGE, ("Cookie", f"{ACCESS}={token}"))).status == 200


async def test_another_apps_session_opens_nothing(database: Secret, tmp_path: Path) -> None:
    """Its token has another audience, and its handle finds nothing under this name."""
    bank = '[[app]]\nname = "bank"\nhosts = ["bank.test"]\nupstream = "http://127.0.0.1:1"\nsource = "people"\n'
    rest = f'{bank}preset = "django"\n{EVERYTHING}'
    async with shop_stage(database, tmp_path, "sql", app=ADMIN, rest=rest) as scene:
        scene.shop.set_password("alice", PASSWORD)
        browser = await logged_in(scene)
        token, handle = browser.cookies[ACCESS], browser.cookies[HANDLE]
        for cookies in ({"sluicegate-bank": token}, {"sluicegate-bank.session": handle},
                        {"sluicegate-bank": token, "sluicegate-bank.session": handle}, browser.cookies):
            page = await Browser(scene.gateway.url, dict(cookies)).get("/", PAGE, ("Host", "bank.test"))
            assert (page.status, page.location) == (303, "/admin/login/?next=/")


async def test_without_the_store_sessions_go_on_and_nobody_gets_in(
    database: Secret, tmp_path: Path, postgres_line: tuple[Relay, Secret],
) -> None:
    """A token that is right goes on from memory; where only the row can tell, it is a 503 and no 401."""
    relay, url = postgres_line
    async with shop_stage(url, tmp_path, "sql", app=ADMIN) as scene:
        scene.shop.set_password("alice", PASSWORD)
        browser = await logged_in(scene)
        await relay.cut()
        assert (await browser.get("/admin", PAGE)).status == 200
        handle_alone = Browser(scene.gateway.url, {HANDLE: browser.cookies[HANDLE]})
        page = await handle_alone.get("/admin", PAGE)
        assert page.status == 503
        assert page.values("retry-after")
        assert (await handle_alone.get("/")).status == 200
        assert (await scene.browser().get("/admin", PAGE)).status == 303
        await relay.restore()
        assert (await handle_alone.get("/admin", PAGE)).status == 200
