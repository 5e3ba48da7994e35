"""What must end a session or an attempt, however the browser, the app or an attacker words it."""

import base64
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from gateway.model import AccountState, Phase, Secret
from gateway.store.postgres import PostgresStore
from tests.helpers.browser import Browser
from tests.helpers.shop import Got, page, redirect
from tests.helpers.stage import ShopStage, shop_stage, until

ALICE, BOB = "alice's Hare 1", "bob's Hare 2"
ACCESS, HANDLE = "sluicegate-shop", "sluicegate-shop.session"
LIVE = "SELECT count(*) FROM sessions WHERE ended_at IS NULL"


@pytest.fixture
async def scene(database: Secret, tmp_path: Path, kind: str) -> AsyncIterator[ShopStage]:
    async with shop_stage(database, tmp_path, kind) as scene:
        scene.shop.set_password("alice", ALICE)
        scene.shop.set_password("bob", BOB)
        yield scene


async def logged_in(scene: ShopStage, name: str = "alice", password: str = ALICE) -> Browser:
    browser = scene.browser()
    assert (await scene.log_in(browser, name, password)).status == 302
    assert HANDLE in browser.cookies
    return browser


async def live(scene: ShopStage) -> int:
    [row] = await scene.rows(LIVE)
    return int(row["count"])


async def guess(scene: ShopStage, number: int, *headers: tuple[str, str], name: str = "alice") -> int:
    body = urlencode({"user": name, "pass": f"no Hare {number}", "ticket": "t"})
    return (await scene.browser().post("/login", body, *headers)).status


def subject(token: str) -> str:
    part = token.split(".")[1]
    claimed: str = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["sub"]
    return claimed


async def test_a_second_login_in_a_browser_ends_its_first_session(scene: ShopStage) -> None:
    """Session ids change at a login, and the old handle renews nothing."""
    browser = await logged_in(scene)
    before = browser.twin()
    browser.cookies.pop("session")
    assert (await scene.log_in(browser, "bob", BOB)).status == 302
    assert await live(scene) == 1
    before.cookies.pop(ACCESS)
    await before.get("/")
    assert ACCESS not in before.cookies


@pytest.mark.parametrize("kind", ["form"])  # a table of users is asked without a page
async def test_a_login_that_only_the_app_believes_ends_the_browsers_old_session(scene: ShopStage) -> None:
    """The app says bob; the gateway must not go on saying alice."""
    browser = await logged_in(scene)
    browser.cookies.pop("session")
    scene.shop.odd = lambda request: redirect("/terms") if request.target == "/preferences" else None
    assert (await scene.log_in(browser, "bob", BOB)).status == 302
    assert not {ACCESS, HANDLE} & browser.cookies.keys()
    assert await live(scene) == 0


async def test_a_doubled_cookie_does_not_save_a_session_from_its_logout(scene: ShopStage) -> None:
    """Somebody who can write for a neighbouring host may have added it."""
    browser = await logged_in(scene)
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    answer = await Browser(scene.gateway.url).get("/logout", ("Cookie", f"{cookie}; {HANDLE}=x"))
    assert answer.status == 302
    assert await live(scene) == 0
    assert HANDLE in answer.set_cookies


async def test_a_token_alone_names_the_session_that_a_logout_ends(scene: ShopStage) -> None:
    """The handle may be gone; whose session it is stands in the token."""
    browser = await logged_in(scene)
    browser.cookies.pop(HANDLE)
    assert (await browser.get("/logout")).status == 302
    assert await live(scene) == 0
    assert ACCESS not in browser.cookies


async def test_guesses_count_in_whatever_language_the_app_refuses_them(scene: ShopStage) -> None:
    """What no rule describes is no free attempt: a client can choose the app's words."""
    scene.shop.odd = lambda request: page("Nein!") if request.is_login else None
    statuses = [await guess(scene, number, ("Accept-Language", "de")) for number in range(8)]
    assert statuses[0] == 200
    assert statuses[-1] == 429


async def test_an_app_that_broke_down_looked_at_no_password(scene: ShopStage) -> None:
    """Its 503s count against nobody."""
    scene.shop.odd = lambda request: b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n" if request.is_login else None
    if scene.kind == "form":
        assert {await guess(scene, number) for number in range(10)} == {503}
    scene.shop.odd = lambda _: None
    await logged_in(scene)


async def test_a_deleted_user_stays_out_while_nobody_can_be_asked(scene: ShopStage) -> None:
    """A tombstone denies by itself: its password is not even shown to the app."""
    await logged_in(scene)
    async with PostgresStore.open(scene.database) as store:
        [account] = await scene.rows("SELECT id FROM accounts")
        await store.management.set_state(account["id"], AccountState.DELETED, actor="test")
    scene.shop.odd = lambda request: redirect("/terms") if request.target == "/preferences" else None
    scene.shop.got.clear()
    browser = scene.browser()
    await scene.log_in(browser, "alice", ALICE)
    assert not {"session", HANDLE} & browser.cookies.keys()
    assert ALICE not in [got.form.get("pass") for got in scene.shop.logins]


async def test_in_complete_only_whom_the_gateway_knows_may_change_a_password(scene: ShopStage) -> None:
    """A change of nobody would be followed by nobody: its owner could never log in again."""
    browser = await logged_in(scene)
    async with PostgresStore.open(scene.database) as store:
        await store.phases.change("people", Phase.COMPLETE, actor="test")
    changed = urlencode({"old": ALICE, "new": "a newer Hare"})

    async def is_refused() -> bool:
        stranger = browser.twin()
        for name in (ACCESS, HANDLE):
            stranger.cookies.pop(name)
        return (await stranger.post("/change", changed)).status == 401

    await until(is_refused)
    scene.shop.set_password("alice", ALICE)  # until the phase had arrived, the change went through
    answer = await browser.post("/change", changed)
    assert (answer.status, answer.location) == (302, "/changed")
    await logged_in(scene, password="a newer Hare")


async def test_a_change_whose_answer_broke_down_is_asked_about(scene: ShopStage) -> None:
    """A 5xx may come from something between, after the app had done it."""
    browser = await logged_in(scene)

    def changes_and_breaks(request: Got) -> bytes | None:
        if request.target != "/change":
            return None
        scene.shop.set_password("alice", "a newer Hare")
        return b"HTTP/1.1 504 Late\r\nContent-Length: 0\r\n\r\n"

    scene.shop.odd = changes_and_breaks
    assert (await browser.post("/change", urlencode({"old": ALICE, "new": "a newer Hare"}))).status == 504
    scene.shop.odd = lambda _: None
    assert (await scene.rows("SELECT count(*) FROM previous_passwords"))[0]["count"] == 1
    await logged_in(scene, password="a newer Hare")


async def test_a_denial_takes_its_least_time_whoever_words_it(database: Secret, tmp_path: Path, kind: str) -> None:
    """The app's own failure page is no quicker for an unknown name than for a known one."""
    async with shop_stage(database, tmp_path, kind, limits="denial_seconds = 0.4") as scene:
        scene.shop.set_password("alice", ALICE)
        for name in ("alice", "nobody"):
            begin = time.monotonic()
            assert await guess(scene, 1, name=name) == 200
            assert time.monotonic() - begin >= 0.4


async def test_a_refused_address_counts_as_a_refused_login(scene: ShopStage) -> None:
    """Attempts to go around a rule are seen in the numbers, and a 405 says what the address knows."""
    browser = scene.browser()
    assert (await browser.post("/%6cogin", "user=alice&pass=x")).status == 400
    answer = await browser.request("PUT", "/login", body="user=alice&pass=x")
    assert (answer.status, answer.values("allow")) == (405, ["GET, HEAD, OPTIONS, POST"])
    assert await scene.outcomes() == {("refused", "gateway"): 2}


async def test_a_profile_form_without_a_password_needs_no_store(scene: ShopStage) -> None:
    """Nothing is looked up for a change that changes no password."""
    browser = await logged_in(scene)
    await scene.rows("ALTER TABLE sessions RENAME TO sessions_gone")
    try:
        assert (await browser.post("/change", "old=&colour=blue")).status not in (500, 503)
    finally:
        await scene.rows("ALTER TABLE sessions_gone RENAME TO sessions")
