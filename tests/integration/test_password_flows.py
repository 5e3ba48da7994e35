"""Passwords that change: on the real site's own page, behind the gateway's back, and back again."""

import asyncio
from pathlib import Path

import pytest

from gateway.model import Secret
from tests.helpers.browser import Browser, Page
from tests.helpers.site import Person, Site
from tests.helpers.stage import Stage, shop_stage, stage

CHANGE = "/admin/password_change/"
NEW = "A-new-Hare-for-43?"
NEWER = "Newer-Teapot+Hare-44!"


async def change(browser: Browser, old: str, new: str, again: str = "") -> Page:
    """Change a password on the site's own page."""
    return await browser.submit(CHANGE, old_password=old, new_password1=new, new_password2=again or new)


async def is_live(browser: Browser) -> bool:
    """Say whether a browser's gateway session goes on, after what its token claims has been forgotten."""
    browser.cookies.pop("sluicegate-shop", None)
    await browser.get("/admin/")
    return "sluicegate-shop" in browser.cookies


async def test_a_password_set_behind_the_gateway_is_followed(scene: Stage) -> None:
    """The newest works at the next login, none before it does, and who logged in with the old one is logged out."""
    alice = scene.site.person("alice")
    browser = await scene.logged_in(alice)
    await asyncio.to_thread(scene.site.manage, "shell", "-v0", "-c", "from django.contrib.auth.models import User;"
                            f"u = User.objects.get(username={alice.name!r}); u.set_password({NEW!r}); u.save()")
    assert await scene.is_granted(alice, NEW)
    assert not await is_live(browser)
    assert not await scene.is_granted(alice, alice.password)
    assert await scene.is_granted(alice, NEW)
    assert await scene.outcomes() == {("granted", "legacy"): 2, ("denied", "store"): 1, ("granted", "store"): 1}
    assert [row["event"] for row in await scene.rows(
        "SELECT event FROM audit WHERE account_id IS NOT NULL AND event LIKE 'password%'")] == ["password followed"]


async def test_a_previous_password_is_wrong_for_ever(scene: Stage) -> None:
    """Even where the site takes it again: its own yes does not reach the browser."""
    alice = scene.site.person("alice")
    await scene.logged_in(alice)
    scene.site.set_password(alice, NEW)
    assert await scene.is_granted(alice, NEW)
    scene.site.set_password(alice, alice.password)
    sessions = scene.site.sessions()
    for _ in range(2):
        assert not await scene.is_granted(alice, alice.password)
    assert scene.site.sessions() == sessions  # it was never forwarded as typed
    page = await scene.browser().log_in(alice.name, NEW)  # right for the store, wrong for the site: shown, no more
    assert page.status == 200
    assert page.set_cookies <= {"csrftoken"}


async def test_where_changes_are_ignored_a_new_password_is_denied(
        site: Site, database: Secret, tmp_path: Path, kind: str) -> None:
    """An operator may keep the legacy side from ever changing a password again."""
    async with stage(site, database, tmp_path, kind, app='legacy_changes = "ignore"') as scene:
        alice = site.person("alice")
        await scene.logged_in(alice)
        site.set_password(alice, NEW)
        assert not await scene.is_granted(alice, NEW)
        assert await scene.outcomes() == {("granted", "legacy"): 1, ("denied", "store"): 1}


async def test_a_change_on_the_sites_page_is_the_stores_too(scene: Stage) -> None:
    """It is confirmed and stored; the browser that made it stays, every other one is logged out."""
    alice = scene.site.person("alice")
    path = "/admin/" if scene.kind == "sql" else "/accounts/"  # the site has two such pages
    other, own = await scene.logged_in(alice), await scene.logged_in(alice)
    page = await own.submit(f"{path}password_change/", old_password=alice.password, new_password1=NEW,
                            new_password2=NEW)
    assert (page.status, page.location) == (302, f"{path}password_change/done/")
    assert not await scene.rows("SELECT * FROM pending_changes")
    assert await is_live(own)
    assert not await is_live(other)
    assert "Site administration" in (await own.get("/admin/")).text
    scene.way.unlink()  # the store knows by itself
    assert await scene.is_granted(alice, NEW)
    assert not await scene.is_granted(alice, alice.password)


async def test_a_user_may_return_to_an_old_password_on_the_sites_page(scene: Stage) -> None:
    """What the site's own page allows to its user is a new decision, not the old password's return."""
    alice = scene.site.person("alice")
    browser = await scene.logged_in(alice)
    await change(browser, alice.password, NEW)
    await change(browser, NEW, alice.password)
    assert await scene.is_granted(alice, alice.password)
    assert not await scene.is_granted(alice, NEW)


@pytest.mark.parametrize(("old", "new", "again"), [
    ("not her Hare", NEW, NEW), (None, "Hare", "Hare"), (None, NEW, NEW + "x"),
])
async def test_a_change_that_the_site_refuses_changes_nothing(
        scene: Stage, old: str | None, new: str, again: str) -> None:
    """The site's own words come back, and nothing stays pending."""
    alice = scene.site.person("alice")
    browser = await scene.logged_in(alice)
    page = await change(browser, alice.password if old is None else old, new, again)
    assert page.status == 200
    assert 'name="old_password"' in page.text
    assert not await scene.rows("SELECT * FROM pending_changes")
    assert await is_live(browser)
    assert await scene.is_granted(alice, alice.password)


async def test_a_password_that_the_store_could_not_keep_is_not_set_anywhere(scene: Stage) -> None:
    """Too long a one is refused before the site hears of it: its owner could not log in again."""
    alice = scene.site.person("alice")
    browser = await scene.logged_in(alice)
    before = scene.site.hash_of(alice)
    assert (await change(browser, alice.password, "Hare" * 65)).status == 400
    assert scene.site.hash_of(alice) == before
    assert (await change(browser, alice.password, "Hare" * 64)).status == 302
    assert await scene.is_granted(alice, "Hare" * 64)


async def test_a_change_without_a_gateway_session_is_found_at_the_next_login(scene: Stage) -> None:
    """The gateway cannot tell whose it is, so it stores nothing; the site has it, and it is followed."""
    alice = scene.site.person("alice")
    await scene.logged_in(alice)
    browser = Browser(scene.site.url)
    await browser.log_in(alice.name, alice.password)
    through = Browser(scene.gateway.url, browser.cookies)
    assert (await change(through, alice.password, NEW)).status == 302
    assert not await scene.rows("SELECT * FROM pending_changes")
    assert not await scene.rows("SELECT * FROM previous_passwords")
    assert await scene.is_granted(alice, NEW)
    assert not await scene.is_granted(alice, alice.password)


async def test_a_stolen_gateway_cookie_changes_nobodys_account(scene: Stage) -> None:
    """Mallory's app session beside alice's gateway session: what happens at the site proves nothing of alice."""
    alice, mallory = scene.site.person("alice"), scene.site.person("mallory")
    hers, his = await scene.logged_in(alice), await scene.logged_in(mallory)
    before = await scene.rows("SELECT account_id, encoded FROM credentials ORDER BY account_id")
    stolen = {name: value for name, value in hers.cookies.items() if name.startswith("sluicegate-shop")}
    mixed = Browser(scene.gateway.url, his.cookies | stolen)
    assert (await change(mixed, mallory.password, NEW)).status == 302
    assert await scene.rows("SELECT account_id, encoded FROM credentials ORDER BY account_id") == before
    assert not await scene.rows("SELECT * FROM pending_changes")
    assert await is_live(hers)
    assert await scene.is_granted(alice, alice.password)
    assert not await scene.is_granted(alice, NEW)
    assert await scene.is_granted(mallory, NEW)


async def test_a_change_that_nobody_can_confirm_waits_for_the_next_login(
        site: Site, database: Secret, tmp_path: Path) -> None:
    """The source is away while the site changes the password: the login with the new one settles it."""
    async with stage(site, database, tmp_path, "sql") as scene:
        alice = site.person("alice")
        own, other = await scene.logged_in(alice), await scene.logged_in(alice)
        scene.way.unlink()
        assert (await change(own, alice.password, NEW)).status == 302
        assert len(await scene.rows("SELECT * FROM pending_changes")) == 1
        page = await scene.browser().log_in(alice.name, NEW)
        assert page.status == 503  # nobody can tell
        scene.way.symlink_to(site.database)
        assert not await scene.is_granted(alice, alice.password)
        assert await scene.is_granted(alice, NEW)
        assert not await scene.rows("SELECT * FROM pending_changes")
        assert not await is_live(other)
        scene.way.unlink()
        assert not await scene.is_granted(alice, alice.password)


@pytest.mark.parametrize("happens", [True, False])
async def test_a_change_whose_answer_never_came_is_asked_about(
        database: Secret, tmp_path: Path, kind: str, happens: bool) -> None:
    """The app may have done it or not before it broke off: the legacy side is asked which."""
    async with shop_stage(database, tmp_path, kind) as scene:
        scene.shop.set_password("alice", "old Hare")
        browser = scene.browser()
        assert (await scene.log_in(browser, "alice", "old Hare")).status == 302

        def hangs_up(request: object) -> bytes | None:
            if getattr(request, "target", "") != "/change":
                return None
            if happens:
                scene.shop.set_password("alice", NEW)
            return b""

        scene.shop.odd = hangs_up
        assert (await browser.submit("/change", old="old Hare", new=NEW)).status == 502
        assert not await scene.rows("SELECT * FROM pending_changes")
        scene.shop.odd = lambda _: None
        page = await scene.log_in(scene.browser(), "alice", NEW if happens else "old Hare")
        assert page.status == 302
        page = await scene.log_in(scene.browser(), "alice", "old Hare" if happens else NEW)
        assert page.status == 200
        assert ("granted", "store") in await scene.outcomes()


async def test_a_name_that_became_anothers_changes_nobodys_password(database: Secret, tmp_path: Path) -> None:
    """Her name was given to somebody new since: what that one's password becomes is not hers."""
    async with shop_stage(database, tmp_path, "sql") as scene:
        scene.shop.set_password("alice", "old Hare")
        scene.shop.set_password("bob", "bobs Hare")
        browser = scene.browser()
        assert (await scene.log_in(browser, "alice", "old Hare")).status == 302
        before = await scene.rows("SELECT encoded FROM credentials")
        scene.shop.forget("alice")
        scene.shop.set_password("alice", "old Hare")
        page = await browser.submit("/change", old="old Hare", new=NEW)
        assert (page.status, page.location) == (302, "/changed")
        assert await scene.rows("SELECT encoded FROM credentials") == before
        assert not await scene.rows("SELECT * FROM pending_changes")


async def test_changes_at_once_leave_one_password(scene: Stage) -> None:
    """Two browsers change it in the same moment: whatever the site keeps is what the store keeps."""
    alice = scene.site.person("alice")
    browsers = [await scene.logged_in(alice) for _ in range(2)]
    pages = await asyncio.gather(*(change(browser, alice.password, new)
                                   for browser, new in zip(browsers, (NEW, NEWER), strict=True)))
    assert {page.status for page in pages} <= {200, 302}
    granted = [new for new in (NEW, NEWER) if await scene.is_granted(alice, new)]
    assert len(granted) == 1
    assert not await scene.is_granted(alice, alice.password)


def test_the_passwords_are_ones_that_the_site_takes() -> None:
    """Else a refusal by the site's validators would prove nothing."""
    person = Person(id=1, name="alice-1", password="", email="")
    assert all(len(new) >= 8 and person.name not in new for new in (NEW, NEWER))
