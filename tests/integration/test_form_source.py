"""The source `form` before a whole application: the clean room confirms what the browser's answer only hinted at."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest

from gateway.errors import ConfigurationError
from gateway.model import Secret
from tests.helpers.gateways import configure
from tests.helpers.shop import RULES, Got, page, redirect
from tests.helpers.stage import COOKIES, ShopStage, shop_stage

PASSWORD = "Zażółć Hare-15€ &=%+;"


def in_the_room(request: Got) -> bool:
    """Say whether a request is the gateway's own."""
    return request.values("user-agent") == ["Sluicegate (confirms a login)"]


def own(scene: ShopStage) -> list[Got]:
    """Return the gateway's own requests."""
    return [request for request in scene.shop.got if in_the_room(request)]


async def test_the_clean_room_knows_the_browser_by_nothing(database: Secret, tmp_path: Path) -> None:
    """Page, login and probe with cookies of its own, under the public name; the password exactly as it was typed."""
    async with shop_stage(database, tmp_path, "form") as scene:
        scene.shop.set_password("alice", PASSWORD)
        browser = scene.browser(**{"X-Own": "of the browser"})
        browser.cookies["other"] = "of the browser"
        answer = await scene.log_in(browser, "alice", PASSWORD)
        assert answer.status == 302
        assert answer.set_cookies >= COOKIES
        page, login, probe = own(scene)
        assert [request.target for request in (page, login, probe)] == ["/login", "/login", "/preferences"]
        assert login.form == {"ticket": "t&1", "user": "alice", "pass": PASSWORD}
        assert [request.values("cookie") for request in (page, login)] == [[], ["seen=1"]]
        assert probe.session
        assert probe.session != browser.cookies["session"]
        assert not any(b"of the browser" in request.wire for request in own(scene))
        assert {value for request in own(scene) for value in request.values("host")} == {
            scene.gateway.url.removeprefix("http://")}
        assert len(scene.shop.logins) == 2


async def test_the_room_is_entered_once_for_each_user(database: Secret, tmp_path: Path) -> None:
    """Neither a refusal nor any later login costs the application a second one."""
    async with shop_stage(database, tmp_path, "form") as scene:
        scene.shop.set_password("alice", PASSWORD)
        for _ in range(2):
            assert (await scene.log_in(scene.browser(), "alice", "a wrong Hare")).status == 200
        assert own(scene) == []
        for _ in range(3):
            assert (await scene.log_in(scene.browser(), "alice", PASSWORD)).status == 302
        assert len(own(scene)) == 3
        assert len(scene.shop.logins) == 6


async def test_a_change_that_was_refused_is_not_asked_about(database: Secret, tmp_path: Path) -> None:
    """It would be a failed login more that the application counts; one that succeeded is asked about once."""
    async with shop_stage(database, tmp_path, "form") as scene:
        scene.shop.set_password("alice", PASSWORD)
        browser = scene.browser()
        assert (await scene.log_in(browser, "alice", PASSWORD)).status == 302
        before = len(own(scene))
        assert (await browser.submit("/change", old="a wrong Hare", new="a new Hare")).status == 200
        assert len(own(scene)) == before
        assert (await browser.submit("/change", old=PASSWORD, new="a new Hare")).status == 302
        assert [request.target for request in own(scene)[before:]] == ["/login", "/login", "/preferences"]
        assert (await scene.log_in(scene.browser(), "alice", "a new Hare")).status == 302
        assert len(own(scene)) == before + 3


def lost_page(request: Got) -> bytes | None:
    return page("Back soon", status="503 Down") if in_the_room(request) and request.method == "GET" else None


def page_without_a_form(request: Got) -> bytes | None:
    return page("<form><input name=q></form>") if in_the_room(request) and request.target == "/login" else None


def lockout(request: Got) -> bytes | None:
    return page("Wrong! Too often.", status="429 Slow") if in_the_room(request) and request.is_login else None


def no_session(request: Got) -> bytes | None:
    return redirect("/login") if request.target == "/preferences" else None


def refuses_to_confirm(request: Got) -> bytes | None:
    return page("Wrong!") if in_the_room(request) and request.is_login else None


def hangs_up(request: Got) -> bytes | None:
    return b"" if in_the_room(request) else None


@pytest.mark.parametrize("odd", [lost_page, page_without_a_form, lockout, no_session, refuses_to_confirm, hangs_up])
async def test_what_is_not_confirmed_is_shown_and_not_stored(
        database: Secret, tmp_path: Path, odd: Callable[[Got], bytes | None]) -> None:
    """The browser has the application's own answer already; the gateway adds nothing, and the next one tries again."""
    async with shop_stage(database, tmp_path, "form") as scene:
        scene.shop.set_password("alice", PASSWORD)
        scene.shop.odd = odd
        browser = scene.browser()
        answer = await scene.log_in(browser, "alice", PASSWORD)
        assert answer.status == 302
        assert not answer.set_cookies & COOKIES
        assert await scene.stored() == {}
        scene.shop.odd = lambda _: None
        assert (await browser.get("/preferences")).text.endswith("alice")
        assert (await scene.log_in(scene.browser(), "alice", PASSWORD)).set_cookies >= COOKIES
        assert (await scene.stored())["accounts"] == 1


async def test_an_unclear_room_follows_no_change_either(database: Secret, tmp_path: Path) -> None:
    """A user who crossed and whose new password cannot be confirmed keeps the old one until it can."""
    async with shop_stage(database, tmp_path, "form") as scene:
        scene.shop.set_password("alice", PASSWORD)
        assert (await scene.log_in(scene.browser(), "alice", PASSWORD)).status == 302
        before = await scene.rows("SELECT encoded FROM credentials")
        scene.shop.set_password("alice", "another Hare")
        scene.shop.odd = lockout
        answer = await scene.log_in(scene.browser(), "alice", "another Hare")
        assert not answer.set_cookies & COOKIES
        assert await scene.rows("SELECT encoded FROM credentials") == before
        scene.shop.odd = lambda _: None
        assert (await scene.log_in(scene.browser(), "alice", "another Hare")).set_cookies >= COOKIES
        assert (await scene.log_in(scene.browser(), "alice", PASSWORD)).status == 200


async def test_a_room_that_rests_lets_the_application_speak(database: Secret, tmp_path: Path) -> None:
    """After several failures the room is left alone for a while; logins go on, and nobody is adopted meanwhile."""
    async with shop_stage(database, tmp_path, "form") as scene:
        scene.shop.set_password("alice", PASSWORD)
        scene.shop.odd = hangs_up
        for _ in range(8):
            assert (await scene.log_in(scene.browser(), "alice", PASSWORD)).status == 302
        assert 0 < len(own(scene)) < 8
        assert await scene.stored() == {}


@pytest.mark.parametrize(("change", "complaint"), [
    (("probe =", "# probe ="), "has no probe"),
    (('password = "pass"', 'password = "pass"\nforms = ["multipart"]'), "must allow the form urlencoded"),
])
def test_a_rule_that_cannot_be_confirmed_is_a_mistake(tmp_path: Path, change: tuple[str, str], complaint: str) -> None:
    """It is found before the start, not at somebody's login."""
    configuration = configure(tmp_path, store=Secret("postgresql://x@127.0.0.1/x"), upstream=1, legacy=None,
                              app=RULES.replace(*change))
    with pytest.raises(ConfigurationError, match=complaint):
        configuration.settings()


async def test_an_app_of_a_certain_name_is_asked_under_it(database: Secret, tmp_path: Path) -> None:
    """With the port of the public address, as browsers write it."""
    async with shop_stage(database, tmp_path, "form", host="shop.test") as scene:
        scene.shop.set_password("alice", PASSWORD)
        name = f"shop.test:{scene.gateway.url.rpartition(':')[2]}"
        body = urlencode({"ticket": "t", "user": "alice", "pass": PASSWORD})
        answer = await scene.browser().post("/login", body, ("Host", name), ("Origin", f"http://{name}"))
        assert answer.status == 302
        assert answer.set_cookies >= COOKIES
        assert [(request.values("host"), request.values("origin")) for request in own(scene)] == [
            ([name], []), ([name], [f"http://{name}"]), ([name], [])]
