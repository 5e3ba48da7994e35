"""The hand-off, seen from the application: what arrives there, how often, and what comes back from it."""

import gzip
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote_plus

import pytest

from gateway.model import Secret
from tests.helpers.browser import BOUNDARY, Browser, multipart_body
from tests.helpers.shop import Got, page, redirect
from tests.helpers.stage import COOKIES, ShopStage, shop_stage

BODY = "ticket=t%261&user=alice&x=&pass=a+Hare%26%C5%BC&user_again=%61lice&flag"
PASSWORD = "a Hare&ż"
ODD_BUT_OURS = [("User-Agent", "Browser/1.0 (of the tests)"), ("Accept-Language", "pl, en;q=0.5"), ("X-Own", "  kept ")]


async def crossed(scene: ShopStage, name: str = "alice", password: str = PASSWORD) -> Browser:
    """Return a browser in which a new user has logged in."""
    scene.shop.set_password(name, password)
    browser = scene.browser()
    assert (await scene.log_in(browser, name, password)).status == 302
    assert browser.cookies.keys() >= COOKIES
    return browser


async def test_a_right_login_arrives_once_as_the_browser_sent_it(database: Secret, tmp_path: Path, kind: str) -> None:
    """Body, target and fields byte for byte; only what a proxy owes is added."""
    async with shop_stage(database, tmp_path, kind) as scene:
        await crossed(scene)
        scene.shop.got.clear()
        browser = scene.browser()
        answer = await browser.post("/login?next=%2Fshop%2F&a=b", BODY, *ODD_BUT_OURS)
        assert answer.status == 302
        [got] = scene.shop.got  # the store decided, so nobody else was asked
        assert (got.method, got.target, got.body) == ("POST", "/login?next=%2Fshop%2F&a=b", BODY.encode())
        for name, value in [*ODD_BUT_OURS, ("Origin", browser.base), ("Host", browser.base.removeprefix("http://"))]:
            assert got.values(name.lower()) == [value.strip()]


@pytest.mark.parametrize(("accepted", "asked"), [
    ([], []),
    (["gzip, deflate, br, zstd"], ["gzip"]),
    (["br;q=1.0, GZIP ;q=0.8"], ["gzip"]),
    (["br", "x-gzip"], ["gzip"]),
    (["br"], ["identity"]),
    (["gzip;q=0, br"], ["identity"]),
    (["gzip; q=0.001"], ["gzip"]),
    (["*"], ["identity"]),
])
async def test_an_answer_to_a_login_comes_in_a_coding_that_can_be_judged(
        database: Secret, tmp_path: Path, accepted: list[str], asked: list[str]) -> None:
    """Browsers offer more codings than the gateway reads, and a refusal that nobody can read would be no refusal."""
    async with shop_stage(database, tmp_path, "form") as scene:
        await scene.browser().post("/login", BODY, *(("Accept-Encoding", value) for value in accepted))
        [got] = scene.shop.got
        assert got.values("accept-encoding") == asked
        assert got.body == BODY.encode()


async def test_the_answer_comes_back_as_the_application_gave_it(database: Secret, tmp_path: Path) -> None:
    """Every cookie apart and in order, a coded body untouched; the gateway's cookies stand behind them."""
    async with shop_stage(database, tmp_path, "sql") as scene:
        await crossed(scene)
        body = gzip.compress(b"moved")
        cookies = ["session=s9; HttpOnly", "a=1; Expires=Wed, 09 Jun 2036 10:18:14 GMT", "b=\"x, y\"; Path=/x"]
        head = "".join(f"Set-Cookie: {cookie}\r\n" for cookie in cookies)
        scene.shop.odd = lambda request: (
            f"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Encoding: gzip\r\nX-Odd: \xe9\r\n{head}"
            f"Cache-Control: public\r\nContent-Length: {len(body)}\r\n\r\n").encode("latin-1") + body
        answer = await scene.browser().post("/login", BODY)
        assert answer.status == 302
        assert answer.values("set-cookie")[:3] == cookies
        assert [line.partition("=")[0] for line in answer.values("set-cookie")[3:]] == [
            "sluicegate-shop", "sluicegate-shop.session", "sluicegate-shop.device"]
        assert answer.values("content-encoding") == ["gzip"]
        assert answer.values("x-odd") == ["\xe9"]
        assert answer.values("cache-control") == ["private, no-store"]
        assert answer.body == body


@pytest.mark.parametrize("multipart", [False, True])
async def test_a_denied_password_never_arrives_as_it_was_typed(
        database: Secret, tmp_path: Path, multipart: bool) -> None:
    """The application gets a random one of the same length and classes, every other byte as it was."""
    async with shop_stage(database, tmp_path, "form") as scene:
        await crossed(scene)
        scene.shop.set_password("alice", "its-new-Hare-2")
        assert (await scene.log_in(scene.browser(), "alice", "its-new-Hare-2")).status == 302
        scene.shop.got.clear()
        typed = multipart_body({"user": "alice", "ticket": "t", "pass": PASSWORD, "x": "é"}) if multipart else BODY
        form = f"multipart/form-data; boundary={BOUNDARY}" if multipart else "application/x-www-form-urlencoded"
        answers = [await scene.browser().post("/login", typed, kind=form) for _ in range(2)]
        assert [answer.status for answer in answers] == [200, 200]
        first, second = (request.body.decode() for request in scene.shop.got)
        coded = PASSWORD if multipart else "a+Hare%26%C5%BC"
        before, _, after = typed.partition(coded)
        for body in (first, second):
            assert body.startswith(before)
            assert body.endswith(after)
            assert coded not in body
        assert first != second
        made = first[len(before):len(first) - len(after)]
        assert kinds(made if multipart else unquote_plus(made)) == kinds(PASSWORD)


def kinds(text: str) -> list[tuple[bool, ...]]:
    """Return what kind of sign each character is."""
    return [(sign.islower(), sign.isupper(), sign.isdigit(), sign.isascii()) for sign in text]


async def test_a_denial_that_looks_right_is_the_gateways_own(database: Secret, tmp_path: Path, kind: str) -> None:
    """An application that lets everybody in who is logged in: its answer stays here, cookies and all."""
    async with shop_stage(database, tmp_path, kind) as scene:
        browser = await crossed(scene)
        scene.shop.set_password("alice", "its-new-Hare-2")
        assert (await scene.log_in(scene.browser(), "alice", "its-new-Hare-2")).status == 302
        answer = await browser.post("/login", BODY, ("Accept", "text/html"))
        assert answer.status == 401
        assert answer.set_cookies == set()
        assert "password is not right" in answer.text


async def test_denials_can_be_the_gateways_own_words(database: Secret, tmp_path: Path) -> None:
    """With denied = "status" the application hears nothing of what the store has denied."""
    async with shop_stage(database, tmp_path, "sql", app='denied = "status"\nlegacy_changes = "ignore"') as scene:
        await crossed(scene)
        scene.shop.got.clear()
        answer = await scene.browser().post("/login", BODY.replace("Hare", "no+Hare"), ("Accept", "application/json"))
        assert answer.status == 401
        assert answer.json()["status"] == 401
        assert scene.shop.got == []


async def test_the_applications_no_is_shown_and_opens_nothing(database: Secret, tmp_path: Path, kind: str) -> None:
    """The store says right, the application wrong: its answer, no session of ours, and nothing is written anywhere."""
    async with shop_stage(database, tmp_path, kind) as scene:
        await crossed(scene)
        before = await scene.stored()
        scene.shop.odd = lambda request: page("Wrong! Not today.") if request.is_login else None
        answer = await scene.browser().post("/login", BODY)
        assert (answer.status, "Not today" in answer.text) == (200, True)
        assert answer.set_cookies == set()
        assert await scene.stored() == before
        assert await scene.outcomes() == {("granted", "legacy"): 1, ("shown", "app"): 1}


async def test_whom_only_the_application_can_judge_it_judges(database: Secret, tmp_path: Path) -> None:
    """A hash that nobody knows: the login goes on as it was typed, once, and nothing is stored by its answer.

    What the application calls wrong is counted, what it lets in or cannot answer is not.
    """
    async with shop_stage(database, tmp_path, "sql") as scene:
        scene.shop.set_password("alice", PASSWORD, as_kept="homegrown$abc")
        for odd, status in [(None, 302)] * 4 + [(b"", 502)] * 4:
            scene.shop.odd = lambda request, odd=odd: odd if request.is_login else None  # type: ignore[misc]
            answer = await scene.browser().post("/login", BODY)
            assert (answer.status, answer.set_cookies & COOKIES) == (status, set())
            assert scene.shop.got[-1].body == BODY.encode()
        assert len(scene.shop.logins) == 8
        assert await scene.stored() == {}
        scene.shop.odd = lambda _: None
        statuses = [(await scene.browser().post("/login", BODY.replace("Hare", "no+Hare"))).status for _ in range(9)]
        assert statuses[:6] == [200] * 6
        assert statuses[-1] == 429


def hangs_up(request: Got) -> bytes | None:
    return b"" if request.is_login else None


def breaks_off(request: Got) -> bytes | None:
    return page("Wrong!", "X-Cut: 1")[:-1] if request.is_login else None


def talks_nonsense(request: Got) -> bytes | None:
    return b"SSH-2.0\r\n\r\n" if request.is_login else None


@pytest.mark.parametrize("odd", [hangs_up, breaks_off, talks_nonsense])
async def test_an_application_without_an_answer_is_a_502(
        database: Secret, tmp_path: Path, odd: Callable[[Got], bytes | None]) -> None:
    """The login is not sent a second time, and nobody's session begins."""
    async with shop_stage(database, tmp_path, "sql") as scene:
        await crossed(scene)
        scene.shop.got.clear()
        scene.shop.odd = odd
        answer = await scene.browser().post("/login", BODY)
        assert answer.status == 502
        assert answer.set_cookies == set()
        assert len(scene.shop.got) == 1
        assert (await scene.stored())["sessions"] == 1


async def test_what_fits_no_rules_fields_goes_on_as_it_is(database: Secret, tmp_path: Path) -> None:
    """On an address that takes logins and other forms, the others are none of the gateway's business."""
    rules = """
[[app.rule]]
name = "search-or-login"
kind = "login"
path = "/index"
fields = { action = ["login"] }
identifier = "user"
password = "pass"
right = { status = [302] }
wrong = { status = [200] }
probe = { path = "/preferences", status = [200] }
"""
    async with shop_stage(database, tmp_path, "sql", app="path = '/'\n" + rules) as scene:
        answer = await scene.browser().post("/index", "action=search&pass=1&pass=2&q=a+Hare")
        assert answer.status == 200
        assert scene.shop.got[-1].body == b"action=search&pass=1&pass=2&q=a+Hare"
        assert await scene.stored() == {}
        assert (await scene.browser().post("/index", "action=login&pass=1&pass=2&user=a")).status == 400


async def test_an_app_below_a_prefix_is_guarded_there(database: Secret, tmp_path: Path) -> None:
    """Rules, clean room and hand-off all begin where the application does."""
    async with shop_stage(database, tmp_path, "form", app='path = "/shop"') as scene:
        scene.shop.set_password("alice", PASSWORD)
        answer_as = scene.shop.answer

        def below(request: Got) -> bytes:
            assert request.target.startswith("/shop/")
            return answer_as(Got(method=request.method, target=request.target.removeprefix("/shop"),
                                 fields=request.fields, body=request.body, wire=request.wire))

        scene.shop.odd = below
        answer = await scene.browser().post("/shop/login", BODY)
        assert answer.status == 302
        assert answer.set_cookies >= COOKIES
        assert (await scene.browser().get("/login")).status == 404
        assert (await scene.browser().post("/shop/../shop/login", BODY)).status == 400


async def test_a_redirect_of_the_application_is_never_followed(database: Secret, tmp_path: Path) -> None:
    """Neither in the clean room nor before it: a login page that leads elsewhere gets no password."""
    async with shop_stage(database, tmp_path, "form") as scene:
        scene.shop.set_password("alice", PASSWORD)
        scene.shop.odd = lambda request: redirect("http://evil.test/login") if request.method == "GET" else None
        answer = await scene.browser().post("/login", BODY)
        assert answer.status == 302
        assert not answer.set_cookies & COOKIES
        assert await scene.stored() == {}
        assert len(scene.shop.logins) == 1
