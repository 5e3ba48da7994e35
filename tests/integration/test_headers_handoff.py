"""The hand-off `headers`: the gateway answers the login itself, and the app hears with each request whose it is."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.model import Secret
from tests.helpers.browser import Browser, Page
from tests.helpers.stage import COOKIES, ShopStage, shop_stage

ACCESS, HANDLE = "sluicegate-shop", "sluicegate-shop.session"
PASSWORD, WRONG = "a Hare", "a Hatter"
PAGE = ("Accept", "text/html,*/*;q=0.8")
JSON = ("Accept", "application/json")
HEADERS = """handoff = "headers"
home = "/start"
"""
EVERYTHING = '\n[[app.access]]\npath = "/"\nrequire = "session"\n'

@pytest.fixture
async def scene(database: Secret, tmp_path: Path) -> AsyncIterator[ShopStage]:
    """Is a shop that knows its users by the gateway's word alone; its source shows who is disabled."""
    async with shop_stage(database, tmp_path, "sql", app=f"{HEADERS}{EVERYTHING}") as scene:
        scene.shop.set_password("alice", PASSWORD)
        yield scene


async def log_in(scene: ShopStage, password: str = PASSWORD, *fields: tuple[str, str], target: str = "/login",
                 body: str = "", browser: Browser | None = None) -> Page:
    return await (browser or scene.browser()).post(target, f"user=alice&pass={password}{body}", *fields)


def flag(scene: ShopStage, value: int) -> None:
    """Say in the legacy table that alice is active (1), or not (0)."""
    with sqlite3.connect(scene.shop.database) as table:
        table.execute("UPDATE auth_user SET is_active = ?", (value,))


async def test_the_gateway_answers_the_login_and_tells_the_app(scene: ShopStage) -> None:
    """The app sees no password; from then on it sees the name."""
    browser = scene.browser()
    page = await log_in(scene, PASSWORD, PAGE, browser=browser)
    assert (page.status, page.location) == (303, "/start")
    assert page.values("cache-control") == ["private, no-store"]
    assert page.set_cookies == COOKIES
    assert scene.shop.got == []
    assert (await browser.get("/cart")).status == 200
    assert scene.shop.got[-1].values("x-forwarded-user") == ["alice"]
    assert await scene.outcomes() == {("granted", "legacy"): 1}
    await log_in(scene, PASSWORD, PAGE)
    assert await scene.outcomes() == {("granted", "legacy"): 1, ("granted", "store"): 1}


async def test_a_program_is_answered_in_json(scene: ShopStage) -> None:
    """With the same cookies."""
    page = await log_in(scene, PASSWORD, JSON, target="/login?next=/cart")
    assert page.status == 200
    assert page.json() == {"status": "ok", "next": "/cart"}
    assert page.set_cookies == COOKIES


LOCAL = [("?next=/cart%3Fa%3Db", "", "/cart?a=b"), ("", "&next=/cart", "/cart"), ("?next=/a", "&next=/b", "/b"),
         ("?next=/caf%C3%A9", "", "/caf%C3%A9")]
FOREIGN = ["//evil.test", "https://evil.test", "/\\evil.test", "\\\\evil.test", "javascript:alert(1)", "/%09/evil.test",
           "/%0a/evil.test", "%2F%2Fevil.test", "evil.test", "", "/a&next=/b", "/a%0d%0aSet-Cookie:%20x=y",
           "/%5cevil.test"]


@pytest.mark.parametrize(("query", "body", "location"), LOCAL)
async def test_a_login_leads_where_the_browser_wanted(scene: ShopStage, query: str, body: str, location: str) -> None:
    """The form's word goes before the address's."""
    assert (await log_in(scene, PASSWORD, PAGE, target=f"/login{query}", body=body)).location == location


@pytest.mark.parametrize("wanted", FOREIGN)
async def test_a_login_leads_to_no_other_site(scene: ShopStage, wanted: str) -> None:
    """What is not plainly local counts for nothing, in the form or in the address."""
    for target, body in ((f"/login?next={wanted}", ""), ("/login", f"&next={wanted}")):
        page = await log_in(scene, PASSWORD, PAGE, target=target, body=body)
        assert (page.status, page.location) == (303, "/start")


async def test_a_denial_is_the_gateways_own(scene: ShopStage) -> None:
    """Wrong, unknown or somebody's former password: 401, the same words, and nothing for the app."""
    wrong = await log_in(scene, WRONG, PAGE)
    unknown = await scene.browser().post("/login", "user=nobody&pass=x", PAGE)
    await log_in(scene)
    known = await log_in(scene, WRONG, PAGE)
    assert [page.status for page in (wrong, unknown, known)] == [401] * 3
    assert len({page.text.partition("<dl>")[0] for page in (wrong, unknown, known)}) == 1
    assert not (wrong.set_cookies | unknown.set_cookies | known.set_cookies)
    assert scene.shop.got == []


async def test_a_login_from_a_foreign_page_is_refused(scene: ShopStage) -> None:
    """Login CSRF: somebody else's account must not become this browser's."""
    page = await log_in(scene, PASSWORD, ("Origin", "https://evil.test"))
    assert page.status == 403
    assert not page.set_cookies


async def test_failed_logins_are_throttled(scene: ShopStage) -> None:
    """As with the other hand-off."""
    pages = [await log_in(scene, f"{WRONG} {number}") for number in range(8)]
    assert [page.status for page in pages][:5] == [401] * 5
    assert pages[-1].status == 429


async def test_a_logout_is_the_gateways_own_too(scene: ShopStage) -> None:
    """The session is over at once, and the browser is at the login page."""
    browser = scene.browser()
    await log_in(scene, browser=browser)
    kept = browser.twin()
    page = await browser.post("/logout", "")
    assert (page.status, page.location) == (303, "/login")
    assert not browser.cookies.keys() & {ACCESS, HANDLE}
    assert (await kept.get("/cart", PAGE)).status == 303
    assert scene.shop.got == []


async def test_who_is_disabled_there_does_not_get_in(scene: ShopStage) -> None:
    """Before the crossing and after it: the gateway reads the flag that no app reads any more."""
    flag(scene, 0)
    assert (await log_in(scene)).status == 401
    assert await scene.stored() == {}
    flag(scene, 1)
    assert (await log_in(scene, PASSWORD, PAGE)).status == 303
    flag(scene, 0)
    assert (await log_in(scene, PASSWORD, PAGE)).status == 401
    assert await scene.outcomes() == {("denied", "legacy"): 2, ("granted", "legacy"): 1}


async def test_who_was_disabled_there_is_out_at_the_next_renewal(scene: ShopStage) -> None:
    """The session's row ends, so no other worker renews it."""
    browser = scene.browser()
    await log_in(scene, browser=browser)
    flag(scene, 0)
    assert (await browser.get("/cart", PAGE)).status == 200
    del browser.cookies[ACCESS]
    page = await browser.get("/cart", PAGE)
    assert (page.status, page.location) == (303, "/login?next=/cart")
    assert HANDLE not in browser.cookies
    [row] = await scene.rows("SELECT end_reason FROM sessions")
    assert row["end_reason"] == "barred on the legacy side"


async def test_a_source_that_cannot_be_asked_bars_nobody(scene: ShopStage) -> None:
    """Neither at a login of somebody who has crossed nor at a renewal."""
    browser = scene.browser()
    await log_in(scene, browser=browser)
    scene.way.unlink()
    assert (await log_in(scene, PASSWORD, PAGE)).status == 303
    del browser.cookies[ACCESS]
    assert (await browser.get("/cart", PAGE)).status == 200
    assert ACCESS in browser.cookies


async def test_a_password_change_goes_to_the_app_with_the_name(scene: ShopStage) -> None:
    """Its page is the app's own, and knows its user by the gateway's word."""
    browser = scene.browser()
    await log_in(scene, browser=browser)
    await browser.post("/change", f"old={PASSWORD}&new=another Hare")
    assert scene.shop.got[-1].target == "/change"
    assert scene.shop.got[-1].values("x-forwarded-user") == ["alice"]
