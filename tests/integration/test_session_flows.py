"""A browser's session with the gateway beside the one with the real site: renewed, ended, kept from the app."""

import asyncio
from pathlib import Path

import pytest

from gateway.model import Secret
from tests.helpers.browser import Browser
from tests.helpers.relay import Relay
from tests.helpers.shop import Shop
from tests.helpers.site import Site
from tests.helpers.stage import COOKIES, Stage, shop_stage, stage

ACCESS, HANDLE = "sluicegate-shop", "sluicegate-shop.session"
ECHO = """
[[app]]
name = "echo"
hosts = ["echo.test"]
upstream = "http://127.0.0.1:{port}"
"""
IDENTITY = [
    ("X-Forwarded-User", "root"), ("x-forwarded-user", "root"), ("X_Forwarded_User", "root"),
    ("X-Forwarded-Email", "root@shop.test"), ("X-Sluicegate-Assertion", "root"), ("X_SLUICEGATE_Anything", "root"),
    ("Forwarded", "for=root"), ("X-Real-IP", "root"), ("X-Original-URL", "/root"), ("X-Forwarded-For", "root"),
]


@pytest.mark.parametrize("path", ["/admin/logout/", "/accounts/logout/"])
async def test_a_logout_ends_both_sessions(scene: Stage, path: str) -> None:
    """The site's and the gateway's; a copy of the cookies is worth nothing afterwards."""
    alice = scene.site.person("alice")
    browser = await scene.logged_in(alice)
    copy = browser.twin()
    token = (await browser.fill("/admin/password_change/"))["csrfmiddlewaretoken"]
    page = await browser.post(path, f"csrfmiddlewaretoken={token}")
    assert page.status in (200, 302)
    assert page.set_cookies >= {ACCESS, HANDLE}
    assert page.values("cache-control") == ["private, no-store"]
    assert not browser.cookies.keys() & {ACCESS, HANDLE, "sessionid"}
    [session] = await scene.rows("SELECT end_reason FROM sessions")
    assert session["end_reason"] == "logout"
    page = await copy.get("/admin/")
    assert page.status == 302  # to the login page
    assert page.set_cookies >= {ACCESS, HANDLE}
    assert not copy.cookies.keys() & {ACCESS, HANDLE}


async def test_a_logout_that_did_not_happen_ends_nothing(scene: Stage) -> None:
    """Since 5.0 Django answers a GET with 405: the user is still logged in."""
    alice = scene.site.person("alice")
    browser = await scene.logged_in(alice)
    assert (await browser.get("/admin/logout/")).status == 405
    assert browser.cookies.keys() >= COOKIES
    assert not await scene.rows("SELECT * FROM sessions WHERE ended_at IS NOT NULL")


async def test_a_link_elsewhere_may_lead_to_the_logout(database: Secret, tmp_path: Path) -> None:
    """Only what is typed is protected from foreign pages; whether a link may log out is the app's to say."""
    async with shop_stage(database, tmp_path, "sql") as scene:
        scene.shop.set_password("alice", "a Hare")
        browser = scene.browser()
        await scene.log_in(browser, "alice", "a Hare")
        page = await browser.get("/logout", ("Sec-Fetch-Site", "cross-site"))
        assert page.status == 302
        assert not browser.cookies.keys() & {ACCESS, HANDLE, "session"}


async def test_a_session_is_renewed_on_the_way(scene: Stage) -> None:
    """A browser whose token has run out gets a new one with the next page, and the page is nobody else's."""
    alice = scene.site.person("alice")
    browser = await scene.logged_in(alice)
    first = browser.cookies.pop(ACCESS)  # as the browser does itself when Max-Age is over
    page = await browser.get("/admin/")
    assert "Site administration" in page.text
    assert page.set_cookies & COOKIES == {ACCESS}
    assert page.values("cache-control") == ["private, no-store"]
    assert browser.cookies[ACCESS] != first
    page = await browser.get("/admin/")
    assert not page.set_cookies & COOKIES
    assert page.values("cache-control") != ["private, no-store"]


async def test_requests_side_by_side_may_each_renew(scene: Stage) -> None:
    """A page with all its pictures comes back at once with the old cookies: none of them is refused."""
    alice = scene.site.person("alice")
    browser = await scene.logged_in(alice)
    del browser.cookies[ACCESS]
    pages = await asyncio.gather(*(browser.twin().get("/admin/") for _ in range(10)))
    assert all(page.status == 200 and ACCESS in page.set_cookies for page in pages)
    assert len(await scene.rows("SELECT * FROM sessions WHERE ended_at IS NULL")) == 1


async def test_what_the_browser_posts_waits_for_its_session(scene: Stage) -> None:
    """A request with a body is renewed like any other, and arrives whole."""
    alice = scene.site.person("alice")
    browser = await scene.logged_in(alice)
    del browser.cookies[ACCESS]
    token = (await browser.fill("/admin/password_change/"))["csrfmiddlewaretoken"]
    del browser.cookies[ACCESS]
    page = await browser.post("/admin/auth/user/add/", f"csrfmiddlewaretoken={token}&username=")
    assert page.status == 200
    assert "This field is required" in page.text
    assert page.set_cookies & COOKIES == {ACCESS}


@pytest.mark.parametrize("value", ["", "x", "A" * 43, "A" * 43 + "; sluicegate-shop.session=" + "B" * 43])
async def test_a_made_up_session_is_nobodys(scene: Stage, value: str) -> None:
    """The site's page comes all the same: the gateway's session opens nothing there."""
    browser = Browser(scene.gateway.url, {HANDLE: value})
    page = await browser.get("/admin/login/")
    assert page.status == 200
    assert ACCESS not in browser.cookies


async def test_one_apps_session_is_not_anothers(site: Site, database: Secret, tmp_path: Path) -> None:
    """A handle under another app's name finds nothing."""
    async with Shop(tmp_path) as other:
        rest = ECHO.format(port=other.port) + 'preset = "django"\nsource = "people"\n'
        async with stage(site, database, tmp_path, "sql", rest=rest) as scene:
            browser = await scene.logged_in(site.person("alice"))
            browser.cookies = {"sluicegate-echo.session": browser.cookies[HANDLE]}
            page = await browser.get("/", ("Host", "echo.test"))
            assert page.set_cookies == {"sluicegate-echo", "sluicegate-echo.session"}
            assert not browser.cookies


async def test_the_gateways_own_cookies_reach_no_app(site: Site, database: Secret, tmp_path: Path) -> None:
    """Neither those of the app nor of its neighbours; what else a browser sends arrives as it was."""
    async with Shop(tmp_path) as echo, \
            stage(site, database, tmp_path, "sql", rest=ECHO.format(port=echo.port)) as scene:
        browser = await scene.logged_in(site.person("alice"))
        assert browser.cookies.keys() >= COOKIES
        await browser.get("/", ("Host", "echo.test"), ("X-Own", "kept"))
        await browser.post("/", "a body", ("Host", "echo.test"))
        for request in echo.got:
            assert b"sluicegate" not in request.wire
            assert request.values("cookie") == [
                "; ".join(f"{name}={browser.cookies[name]}" for name in browser.cookies if name not in COOKIES)]
        assert echo.got[0].values("x-own") == ["kept"]
        assert [request.body for request in echo.got] == [b"", b"a body"]


@pytest.mark.parametrize("field", IDENTITY, ids=lambda field: str(field[0]))
async def test_nobody_says_who_they_are_in_a_field(database: Secret, tmp_path: Path, field: tuple[str, str]) -> None:
    """What a client sends under names that apps believe is removed from every request, login or not."""
    async with shop_stage(database, tmp_path, "sql") as scene:
        scene.shop.set_password("alice", "a Hare")
        browser = scene.browser(**{field[0]: field[1]})
        assert (await scene.log_in(browser, "alice", "a Hare")).status == 302
        await browser.get("/logout")
        assert [request.target for request in scene.shop.got] == ["/login", "/login", "/logout"]
        for request in scene.shop.got:
            assert b"root" not in request.wire
            assert request.values("x-forwarded-for") == ["127.0.0.1"]


async def test_without_the_store_pages_pass_and_logins_wait(site: Site, database: Secret, tmp_path: Path,
                                                           postgres_line: tuple[Relay, Secret]) -> None:
    """An outage of Postgres: who is logged in goes on, a login is a 503, and all is well once it is back."""
    relay, url = postgres_line
    async with stage(site, url, tmp_path, "sql") as scene:
        alice = site.person("alice")
        browser = await scene.logged_in(alice)
        await relay.cut()
        del browser.cookies[ACCESS]
        page = await browser.get("/admin/")
        assert "Site administration" in page.text
        assert not page.set_cookies & COOKIES
        page = await scene.browser().log_in(alice.name, alice.password)
        assert page.status == 503
        assert int("".join(page.values("retry-after"))) > 0
        assert "sessionid" not in page.set_cookies
        await relay.restore()
        assert await scene.is_granted(alice, alice.password)
        assert ACCESS in (await browser.get("/admin/")).set_cookies
