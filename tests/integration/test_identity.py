"""Who a user is, told to the app by real gateways: with every request of theirs, and with nobody else's."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import jwt as pyjwt
import pytest

from gateway.model import Secret
from tests.helpers.browser import Browser
from tests.helpers.gateways import configure, running_gateway
from tests.helpers.relay import Relay
from tests.helpers.shop import RULES, Got, Shop
from tests.helpers.stage import ShopStage, shop_stage

ACCESS, HANDLE = "sluicegate-shop", "sluicegate-shop.session"
IDENTITY = ("x-forwarded-user", "x-forwarded-email", "x-sluicegate-assertion")
PASSWORD = "a Hare"
TOLD = "identity = true"


@pytest.fixture
async def told(database: Secret, tmp_path: Path) -> AsyncIterator[ShopStage]:
    """Is a shop that is told who its users are."""
    async with shop_stage(database, tmp_path, "sql", app=TOLD) as scene:
        scene.shop.set_password("alice", PASSWORD)
        yield scene


async def logged_in(scene: ShopStage, name: str = "alice") -> Browser:
    browser = scene.browser()
    assert (await scene.log_in(browser, name, PASSWORD)).status == 302
    assert browser.cookies.keys() >= {ACCESS, HANDLE}
    return browser


def heard(request: Got) -> dict[str, list[str]]:
    return {name: request.values(name) for name in IDENTITY}


async def test_the_app_is_told_who_sends_a_request(told: ShopStage) -> None:
    """The name, and an assertion for this app alone, which verifies against the published keys for a minute."""
    browser = await logged_in(told)
    await browser.get("/cart")
    [assertion] = told.shop.got[-1].values("x-sluicegate-assertion")
    assert told.shop.got[-1].values("x-forwarded-user") == ["alice"]
    assert told.shop.got[-1].values("x-forwarded-email") == []
    keys = pyjwt.PyJWKSet.from_dict((await browser.get("/.well-known/jwks.json")).json())
    header = pyjwt.get_unverified_header(assertion)
    claims = pyjwt.decode(assertion, keys[header["kid"]], algorithms=["EdDSA"], audience="shop",
                          issuer=told.gateway.url)
    [account] = await told.rows("SELECT id FROM accounts")
    [session] = await told.rows("SELECT id FROM sessions")
    assert header["typ"] == "assertion+jwt"
    assert (claims["sub"], claims["sid"]) == (str(account["id"]), str(session["id"]))
    assert claims["preferred_username"] == "alice"
    assert claims["exp"] - claims["iat"] == 60
    assert claims["jti"]


async def test_an_assertion_is_signed_once_for_many_requests(told: ShopStage) -> None:
    """A page with its pictures costs one signature."""
    browser = await logged_in(told)
    for _ in range(3):
        await browser.get("/cart")
    assert len({request.values("x-sluicegate-assertion")[0] for request in told.shop.got[-3:]}) == 1


async def test_an_assertion_opens_nothing_here(told: ShopStage) -> None:
    """Who sees one, in a log of the app, cannot come back with it as a session."""
    browser = await logged_in(told)
    await browser.get("/cart")
    [assertion] = told.shop.got[-1].values("x-sluicegate-assertion")
    thief = Browser(told.gateway.url, {ACCESS: assertion})
    await thief.get("/cart")
    await told.browser().get("/cart", ("Authorization", f"Bearer {assertion}"))
    assert all(heard(request) == {key: [] for key in IDENTITY} for request in told.shop.got[-2:])


async def test_a_client_with_a_bearer_token_is_told_like_a_browser(told: ShopStage) -> None:
    """The field itself goes on as it came, for the app may have a use for it."""
    token = (await logged_in(told)).cookies[ACCESS]
    await told.browser().get("/api", ("Authorization", f"Bearer {token}"))
    assert told.shop.got[-1].values("x-forwarded-user") == ["alice"]
    assert told.shop.got[-1].values("authorization") == [f"Bearer {token}"]


async def test_an_apps_own_bearer_tokens_are_no_business_of_ours(told: ShopStage) -> None:
    """They pass, cost no budget, and say nothing."""
    other = pyjwt.encode({"sub": "alice"}, "x" * 32, algorithm="HS256")
    for number in range(150):
        await told.browser().get(f"/api/{number}", ("Authorization", f"Bearer {other}"))
    assert told.shop.got[-1].values("authorization") == [f"Bearer {other}"]
    assert heard(told.shop.got[-1]) == {key: [] for key in IDENTITY}
    assert len(told.shop.got) == 150


NAMES = ["X-Forwarded-User", "x-forwarded-user", "X_Forwarded_User", "X-Forwarded_User", "X.Forwarded.User",
         "X-Forwarded-Email", "X_Sluicegate_Assertion", "X-Sluicegate-Assertion", "X-SLUICEGATE-User"]


@pytest.mark.parametrize("name", NAMES)
async def test_nobody_tells_the_app_who_they_are(told: ShopStage, name: str) -> None:
    """Nobody's request carries such a field, and a user's carries the gateway's own alone."""
    browser = await logged_in(told)
    await told.browser().get("/cart", (name, "root"))
    await browser.get("/cart", (name, "root"))
    nobodys, alices = told.shop.got[-2:]
    assert heard(nobodys) == {key: [] for key in IDENTITY}
    assert alices.values("x-forwarded-user") == ["alice"]
    assert b"root" not in nobodys.wire + alices.wire


async def test_an_app_is_told_nothing_unless_it_asks(database: Secret, tmp_path: Path) -> None:
    """With the hand-off `replay` the app knows its users itself."""
    async with shop_stage(database, tmp_path, "sql") as scene:
        scene.shop.set_password("alice", PASSWORD)
        browser = await logged_in(scene)
        await browser.get("/cart")
        assert heard(scene.shop.got[-1]) == {key: [] for key in IDENTITY}
        claims = pyjwt.decode(browser.cookies[ACCESS], options={"verify_signature": False})
        assert not {"preferred_username", "email"} & claims.keys()


async def test_names_beyond_ascii_arrive_as_utf_8(told: ShopStage) -> None:
    """The bytes are the name's own, whatever language it is in."""
    told.shop.set_password("Zoë", PASSWORD)
    with sqlite3.connect(told.shop.database) as table:
        table.execute("UPDATE auth_user SET email = 'zoë@exämple.test' WHERE username = 'Zoë'")
    browser = await logged_in(told, "Zoë")
    await browser.get("/cart")
    assert told.shop.got[-1].values("x-forwarded-user") == ["Zoë".encode().decode("latin-1")]
    assert told.shop.got[-1].values("x-forwarded-email") == ["zoë@exämple.test".encode().decode("latin-1")]


@pytest.mark.parametrize("email", ["a\r\nX-Forwarded-User: root", " root@shop.test", "x" * 3000])
async def test_an_odd_name_is_not_told(told: ShopStage, email: str) -> None:
    """One that would end its line, look like another's, or burst the cookie; the user has a session all the same."""
    with sqlite3.connect(told.shop.database) as table:
        table.execute("UPDATE auth_user SET email = ?", (email,))
    browser = await logged_in(told)
    await browser.get("/cart")
    assert told.shop.got[-1].values("x-forwarded-email") == []
    assert told.shop.got[-1].values("x-forwarded-user") == ["alice"]
    assert len(browser.cookies[ACCESS]) < 3000


async def test_what_users_post_is_told_too(told: ShopStage) -> None:
    """A password change and a logout carry the name; a login does not, for it may be somebody else's."""
    browser = await logged_in(told)
    await browser.post("/change", f"old={PASSWORD}&new=another Hare")
    assert told.shop.got[-1].values("x-forwarded-user") == ["alice"]
    told.shop.set_password("bob", PASSWORD)
    await told.log_in(browser, "bob", PASSWORD)
    assert heard(told.shop.logins[-1]) == {key: [] for key in IDENTITY}
    await browser.post("/logout", "")
    assert told.shop.got[-1].target == "/logout"
    assert told.shop.got[-1].values("x-forwarded-user") == ["bob"]


async def test_a_flood_of_forged_tokens_is_told_to_wait(told: ShopStage) -> None:
    """Beyond its budget it is not looked at; who is known goes on, and the metrics tell of it."""
    browser = await logged_in(told)
    head, payload, _ = browser.cookies[ACCESS].split(".")
    before = len(told.shop.got)
    pages = [await Browser(told.gateway.url, {ACCESS: f"{head}.{payload}.{number:086d}"}).get("/cart")
             for number in range(130)]
    assert [page.status for page in pages[:100]] == [200] * 100
    waiting = [page for page in pages if page.status == 429]
    assert waiting
    assert all(page.values("retry-after") for page in waiting)
    assert all(heard(request) == {key: [] for key in IDENTITY} for request in told.shop.got[before:])
    assert (await browser.get("/cart")).status == 200
    assert told.shop.got[-1].values("x-forwarded-user") == ["alice"]
    metrics = (await told.gateway.ask("/metrics")).text
    assert f'sluicegate_token_verifications_total{{outcome="over_budget"}} {len(waiting)}.0' in metrics


async def test_a_new_worker_tells_the_name_without_the_store(
    database: Secret, tmp_path: Path, postgres_line: tuple[Relay, Secret],
) -> None:
    """The token holds it: after a restart in an outage the app still hears who it is."""
    relay, url = postgres_line
    async with Shop(tmp_path) as shop:
        shop.set_password("alice", PASSWORD)
        configuration = configure(tmp_path, store=url, upstream=shop.port, legacy=shop.database, app=f"{TOLD}\n{RULES}")
        async with running_gateway(configuration) as gateway:
            browser = Browser(gateway.url)
            await browser.submit("/login", user="alice", **{"pass": PASSWORD})
        async with running_gateway(configuration):
            await relay.cut()
            await browser.get("/cart")
            assert shop.got[-1].values("x-forwarded-user") == ["alice"]
            await relay.restore()
