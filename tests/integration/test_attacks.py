"""Attacks on rule 2 of the crossing: whatever looks like a login, nobody is adopted who did not prove a password.

The table of refusals shares one gateway for each kind of source, whose store must stay empty and whose
application must never hear of any of them.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from gateway.model import Secret
from tests.helpers.browser import BOUNDARY, URLENCODED, Browser, Header, multipart_body
from tests.helpers.postgres import PostgresServer
from tests.helpers.shop import Got, page, redirect
from tests.helpers.stage import COOKIES, ShopStage, Stage, shop_stage

RIGHT = "user=alice&pass=a+Hare&ticket=t"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
FIELDS = {"user": "alice", "pass": "a Hare", "ticket": "t"}

DOUBLED = [
    ("/login", RIGHT + "&pass=other"),
    ("/login", RIGHT + "&user=mallory"),
    ("/login", "user=mallory&" + RIGHT),
    ("/login", RIGHT + "&pass[]=other"),
    ("/login", RIGHT + "&pass%5B0%5D=other"),
    ("/login", RIGHT + "&+pass=other"),
    ("/login", RIGHT + "&%20user=other"),
    ("/login", RIGHT + "&pass%00=other"),
    ("/login", RIGHT + "&PASS=other"),
    ("/login", "user=alice&pass[]=a+Hare&ticket=t"),
    ("/login", "user=alice&+pass=a+Hare&ticket=t"),
    ("/login", "user=alice&ticket=t"),
    ("/login", "pass=a+Hare&ticket=t"),
    ("/login", ""),
    ("/login?user=alice", RIGHT),
    ("/login?pass=other", RIGHT),
    ("/login?pass=a+Hare", "user=alice&ticket=t"),
    ("/login?pass[]=other", RIGHT),
    ("/login?%70ass=other", RIGHT),
    ("/login", RIGHT.replace("alice", "al%FFice")),
    ("/login", RIGHT.replace("alice", "al%u0069ce")),
]
PLACES = [
    "/login//", "//login", "/./login", "/x/../login", "/%6cogin", "/log%69n", "/login%2f", "/login%00", "/login%0a",
    "/login;x=1", "/;x/login", "/login/.", "/login%20", "/login.", "\\login", "/%2e/login", "/%252e/login", "/login%23",
    "/login%3fa", "/lo\u200bgin", "/%ef%bc%8flogin",
]
FORMS: list[tuple[int, str, str | bytes, tuple[Header, ...]]] = [
    (415, "application/json", '{"user": "alice", "pass": "a Hare"}', ()),
    (415, "text/plain", RIGHT, ()),
    (415, "", RIGHT, ()),
    (415, URLENCODED, RIGHT, (("Content-Encoding", "gzip"),)),
    (415, URLENCODED, RIGHT, (("Content-Encoding", "identity"),)),
    (415, URLENCODED + "; charset=latin-1", RIGHT, ()),
    (415, URLENCODED, RIGHT + "&_charset_=iso-8859-2", ()),
    (400, "application/x-www-form-urlencoded, text/plain", RIGHT, ()),
    (415, URLENCODED, RIGHT, (("Content-Type", URLENCODED), ("Content-Type", URLENCODED))),
    (400, MULTIPART + "; boundary=other", multipart_body(FIELDS), ()),
    (400, MULTIPART, multipart_body(FIELDS)[:-8], ()),
    (400, MULTIPART, "preamble\r\n" + multipart_body(FIELDS), ()),
    (400, MULTIPART, multipart_body(FIELDS) + multipart_body(FIELDS), ()),
    (400, MULTIPART, multipart_body(FIELDS).replace('name="pass"', 'name="pass"; filename="x"'), ()),
    (400, MULTIPART, multipart_body(FIELDS).replace('ss"\r\n', 'ss"\r\nContent-Transfer-Encoding: base64\r\n'), ()),
    (413, URLENCODED, RIGHT + "&x=" + "x" * 70_000, ()),
    (403, URLENCODED, RIGHT, (("Origin", "https://evil.test"),)),
    (403, URLENCODED, RIGHT, (("Origin", "null"),)),
    (403, URLENCODED, RIGHT, (("Origin", "http://127.0.0.1"),)),
    (403, URLENCODED, RIGHT, (("Sec-Fetch-Site", "cross-site"),)),
]


@pytest.fixture(scope="module", params=["sql", "form"])
async def fortress(request: pytest.FixtureRequest, postgres_server: PostgresServer,
                   tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ShopStage]:
    """Is a gateway before an application in which alice has the right password; nobody ever gets in here."""
    folder = tmp_path_factory.mktemp("fortress")
    async with postgres_server.database() as database, shop_stage(database, folder, request.param) as scene:
        scene.shop.set_password("alice", "a Hare")
        scene.shop.set_password("mallory", "mallorys Hare")
        yield scene


async def assert_refused(fortress: ShopStage, status: int, target: str, body: str | bytes, *headers: Header,
                         kind: str = URLENCODED) -> None:
    """Post something, and see it refused by the gateway before anybody else hears of it."""
    before = len(fortress.shop.got)
    answer = await fortress.browser().post(target, body, *headers, kind=kind)
    assert answer.status == status
    assert answer.set_cookies == set()
    assert len(fortress.shop.got) == before
    assert await fortress.stored() == {}


@pytest.mark.parametrize(("target", "body"), DOUBLED)
async def test_each_field_of_a_login_stands_once_in_its_place(fortress: ShopStage, target: str, body: str) -> None:
    """Else the gateway would judge one of them, and the application another."""
    await assert_refused(fortress, 400, target, body)


@pytest.mark.parametrize("target", PLACES)
async def test_the_address_of_a_login_has_one_spelling(fortress: ShopStage, target: str) -> None:
    """Whatever an application could take for it is refused, and never passed on unread."""
    await assert_refused(fortress, 400, target.encode().decode("latin-1"), RIGHT)


@pytest.mark.parametrize("target", ["http://{host}//login", "http://{host}/x/../login"])
async def test_an_absolute_address_is_no_way_around(fortress: ShopStage, target: str) -> None:
    """It is read by the same rules."""
    await assert_refused(fortress, 400, target.format(host=fortress.gateway.url.removeprefix("http://")), RIGHT)


@pytest.mark.parametrize(("status", "kind", "body", "headers"), FORMS)
async def test_a_login_comes_in_a_form_of_the_sites_own(
        fortress: ShopStage, status: int, kind: str, body: str | bytes, headers: tuple[Header, ...]) -> None:
    """Other types, codings, charsets and pages of origin are refused, each with its status."""
    await assert_refused(fortress, status, "/login", body, *headers, kind=kind)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_other_methods_are_no_way_around(fortress: ShopStage, method: str) -> None:
    """An application that does not look at the method would take them for a login."""
    before = len(fortress.shop.got)
    answer = await fortress.browser().request(method, "/login", ("Content-Type", URLENCODED), body=RIGHT)
    assert answer.status == 405
    assert len(fortress.shop.got) == before


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_reading_with_a_body_is_no_way_around(fortress: ShopStage, method: str) -> None:
    """An application that parses any body would take it for a login."""
    before = len(fortress.shop.got)
    answer = await fortress.browser().request(method, "/login", ("Content-Type", URLENCODED), body=RIGHT)
    assert answer.status == 400
    assert len(fortress.shop.got) == before


async def test_a_password_in_a_query_is_refused(fortress: ShopStage) -> None:
    """Also with GET: it would be the same login to an application that mixes the two."""
    before = len(fortress.shop.got)
    assert (await fortress.browser().get(f"/login?{RIGHT}")).status == 400
    assert len(fortress.shop.got) == before


async def test_a_login_that_is_written_right_is_still_one(fortress: ShopStage) -> None:
    """The table above would prove nothing before an application that refuses everything."""
    before = len(fortress.shop.got)
    answer = await fortress.browser().post("/login", RIGHT.replace("a+Hare", "no+Hare"))
    assert answer.status == 200
    assert "Wrong!" in answer.text
    assert len(fortress.shop.got) == before + 1


async def test_a_listed_origin_may_log_in_and_read_the_refusal(database: Secret, tmp_path: Path, kind: str) -> None:
    """The operator's own start page is no stranger; the gateway's own answers are readable there."""
    app = 'allowed_origins = ["https://start.shop.test"]\ndenied = "status"'
    async with shop_stage(database, tmp_path, kind, app=app) as scene:
        scene.shop.set_password("alice", "a Hare")
        origin = ("Origin", "https://start.shop.test")
        refused = await scene.browser().post("/login", RIGHT + "&pass=x", origin)
        assert refused.status == 400
        assert refused.values("access-control-allow-origin") == ["https://start.shop.test"]
        assert refused.values("access-control-allow-credentials") == ["true"]
        stranger = await scene.browser().post("/login", RIGHT, ("Origin", "https://evil.test"))
        assert (stranger.status, stranger.values("access-control-allow-origin")) == (403, [])
        assert (await scene.browser().post("/login", RIGHT, origin)).status == 302
        assert (await scene.stored())["accounts"] == 1


async def test_a_browser_that_is_logged_in_proves_nothing_of_anybody_else(
        database: Secret, tmp_path: Path, kind: str) -> None:
    """The application sends mallory on, whatever he posts: that looks right, and is asked again in a clean room."""
    async with shop_stage(database, tmp_path, kind) as scene:
        scene.shop.set_password("alice", "a Hare")
        scene.shop.set_password("mallory", "mallorys Hare")
        browser = scene.browser()
        assert (await scene.log_in(browser, "mallory", "mallorys Hare")).status == 302
        before = await scene.rows("SELECT account_id, encoded FROM credentials")
        own = browser.twin()
        answer = await browser.post("/login", "user=alice&pass=mallorys+Hare&ticket=t")
        assert answer.status in (302, 401)
        assert not answer.set_cookies & COOKIES & browser.cookies.keys()  # deleted at most
        assert await scene.rows("SELECT account_id, encoded FROM credentials") == before
        assert (await scene.stored())["accounts"] == 1
        assert (await own.get("/preferences")).text.endswith("mallory")
        assert (await scene.log_in(scene.browser(), "alice", "a Hare")).status == 302
        assert (await scene.stored())["accounts"] == 2


async def test_a_browser_that_is_logged_in_replaces_nobodys_password(
        database: Secret, tmp_path: Path, kind: str) -> None:
    """The same for a user who crossed already: what looks like a change on the legacy side is none."""
    async with shop_stage(database, tmp_path, kind) as scene:
        scene.shop.set_password("alice", "a Hare")
        scene.shop.set_password("mallory", "mallorys Hare")
        assert (await scene.log_in(scene.browser(), "alice", "a Hare")).status == 302
        browser = scene.browser()
        assert (await scene.log_in(browser, "mallory", "mallorys Hare")).status == 302
        before = await scene.rows("SELECT account_id, encoded FROM credentials ORDER BY account_id")
        answer = await browser.post("/login", "user=alice&pass=mallorys+Hare&ticket=t")
        assert not answer.set_cookies & COOKIES & browser.cookies.keys()  # deleted at most
        assert await scene.rows("SELECT account_id, encoded FROM credentials ORDER BY account_id") == before
        assert not await scene.rows("SELECT * FROM previous_passwords")
        assert (await scene.log_in(scene.browser(), "alice", "a Hare")).status == 302


async def test_a_browser_logged_in_at_the_real_site_proves_nothing_of_anybody_else(scene: Stage) -> None:
    """Django, too: mallory's session and alice's name with a wrong password adopt nobody."""
    alice, mallory = scene.site.person("alice"), scene.site.person("mallory")
    browser = await scene.logged_in(mallory)
    token = (await browser.fill("/admin/password_change/"))["csrfmiddlewaretoken"]
    body = f"csrfmiddlewaretoken={token}&username={alice.name}&password=not+her+Hare"
    answer = await browser.post("/admin/login/", body)
    assert not answer.set_cookies & COOKIES & browser.cookies.keys()  # deleted at most
    assert await scene.account(alice) is None
    assert (await scene.stored())["accounts"] == 1


async def test_two_racing_logins_of_one_session_adopt_only_who_was_right(scene: Stage) -> None:
    """Bob logs in rightly while the same browser posts alice's name with a wrong password: alice does not cross."""
    alice, bob = scene.site.person("alice"), scene.site.person("bob")
    browser = scene.browser()
    form = await browser.fill("/admin/login/")

    async def posted(name: str, password: str) -> Browser:
        twin = browser.twin()
        await twin.post("/admin/login/", urlencode(form | {"username": name, "password": password}))
        return twin

    twins = await asyncio.gather(*(posted(*typed) for typed in [
        (alice.name, "not her Hare"), (bob.name, bob.password), (alice.name, bob.password)] * 2))
    assert [twin.cookies.keys() >= COOKIES for twin in twins] == [False, True, False] * 2
    assert await scene.account(alice) is None
    assert await scene.account(bob) is not None


async def test_a_page_that_reflects_what_was_typed_proves_nothing(database: Secret, tmp_path: Path) -> None:
    """An application whose answers look right for anybody is believed only in its clean room, probe included."""
    async with shop_stage(database, tmp_path, "form") as scene:
        scene.shop.set_password("alice", "a Hare")

        def looks_right(request: Got) -> bytes | None:
            return redirect("/", "Set-Cookie: session=made-up") if request.is_login else None

        scene.shop.odd = looks_right
        answer = await scene.browser().post("/login", "user=alice&pass=any+Hare&ticket=t")
        assert answer.status == 302
        assert not answer.set_cookies & COOKIES
        assert await scene.stored() == {}
        assert scene.shop.got[-1].target == "/preferences"


@pytest.mark.parametrize("odd", [
    page("Wrong!", status="429 Too Many"), page("Wrong!", status="403 Forbidden"), page("Are you a robot?"),
    redirect("/", "Set-Cookie: session=; Max-Age=0"), page("", status="500 Oops"),
    page("Wrong!", "Content-Encoding: br"),
])
async def test_an_answer_that_fits_no_rule_decides_nothing(
        database: Secret, tmp_path: Path, kind: str, odd: bytes) -> None:
    """It is shown as it is; the gateway has no session for it, and adopts nobody by it."""
    async with shop_stage(database, tmp_path, kind) as scene:
        scene.shop.set_password("alice", "a Hare")
        scene.shop.odd = lambda request: odd if request.is_login else None
        answer = await scene.browser().post("/login", RIGHT)
        assert answer.status == int(odd[9:12])
        assert not answer.set_cookies & COOKIES
        assert "sessions" not in await scene.stored()
        assert [request.body for request in scene.shop.logins] == [RIGHT.encode()]  # once, as it was typed
        assert ("accounts" in await scene.stored()) == (kind == "sql")
