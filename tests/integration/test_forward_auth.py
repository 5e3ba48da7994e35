"""Other proxies ask the gateway whose a request is: nginx itself, and the questions of Traefik and Caddy."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.demo.scene import free_ports
from gateway.model import Secret
from tests.helpers.browser import Browser
from tests.helpers.gateways import RunningGateway, configure, running_gateway
from tests.helpers.listening import listens
from tests.helpers.shop import RULES, Shop
from tests.helpers.stage import ShopStage, shop_stage

ACCESS, HANDLE = "sluicegate-shop", "sluicegate-shop.session"
AUTH = "/-/sluicegate/auth"
PASSWORD = "a Hare"
PAGE = ("Accept", "text/html,*/*;q=0.8")
TOLD = "identity = true"
NGINX = "/usr/sbin/nginx"
CONFIGURATION = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    upstream sluicegate {{ server 127.0.0.1:{gateway}; }}
    server {{
        listen 127.0.0.1:{port};
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-For $remote_addr;

        location = /login {{ proxy_pass http://sluicegate; }}

        location = /auth {{
            internal;
            proxy_pass http://sluicegate/-/sluicegate/auth;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Original-URI $request_uri;
        }}

        location / {{
            auth_request /auth;
            auth_request_set $user $upstream_http_x_forwarded_user;
            auth_request_set $assertion $upstream_http_x_sluicegate_assertion;
            auth_request_set $login $upstream_http_x_sluicegate_login;
            auth_request_set $renewed $upstream_http_set_cookie;
            add_header Set-Cookie $renewed;
            error_page 401 = @login;
            proxy_set_header X-Forwarded-User $user;
            proxy_set_header X-Sluicegate-Assertion $assertion;
            proxy_pass http://127.0.0.1:{app};
        }}

        location @login {{ return 303 $login; }}
    }}
}}
"""


@asynccontextmanager
async def nginx(folder: Path, *, gateway: RunningGateway, app: int) -> AsyncIterator[str]:
    """Run a real nginx before an app, which asks the gateway; hands out its address."""
    [port] = free_ports(1)
    file = folder / "nginx.conf"
    file.write_text(CONFIGURATION.format(folder=folder, port=port, app=app, gateway=gateway.url.rpartition(":")[2]))
    process = subprocess.Popen([NGINX, "-c", file, "-p", folder, "-e", folder / "error.log"])
    try:
        async with asyncio.timeout(10):
            while not await listens(port):
                assert process.poll() is None, (folder / "error.log").read_text()
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


async def test_nginx_lets_users_in_by_our_word(database: Secret, tmp_path: Path) -> None:
    """Nobody is sent to the login page and back; a user's name reaches the app; a renewal reaches the browser."""
    async with Shop(tmp_path) as shop:
        shop.set_password("alice", PASSWORD)
        configuration = configure(tmp_path, store=database, upstream=shop.port, legacy=shop.database,
                                  app=f"{TOLD}\n{RULES}")
        text = configuration.file.read_text()
        configuration.file.write_text(text.replace("[listen]", '[listen]\ntrusted_proxies = ["127.0.0.1"]'))
        async with running_gateway(configuration) as gateway, nginx(tmp_path, gateway=gateway, app=shop.port) as url:
            browser = Browser(url)
            page = await browser.get("/cart?x=1", PAGE)
            assert page.status == 303
            assert page.location == f"{url}/login?next=/cart%3Fx%3D1"
            assert (await browser.submit("/login", user="alice", **{"pass": PASSWORD})).status == 302
            assert browser.cookies.keys() >= {ACCESS, HANDLE}
            assert (await browser.get("/cart", ("X-Forwarded-User", "root"))).status == 200
            assert shop.got[-1].values("x-forwarded-user") == ["alice"]
            assert len(shop.got[-1].values("x-sluicegate-assertion")) == 1
            del browser.cookies[ACCESS]
            assert (await browser.get("/cart")).status == 200
            assert ACCESS in browser.cookies


@pytest.fixture
async def told(database: Secret, tmp_path: Path) -> AsyncIterator[ShopStage]:
    """Is a shop under one host whose gateway believes this machine."""
    async with shop_stage(database, tmp_path, "sql", app=TOLD, host="shop.test") as scene:
        scene.shop.set_password("alice", PASSWORD)
        yield scene


@pytest.fixture
async def behind(database: Secret, tmp_path: Path) -> AsyncIterator[tuple[RunningGateway, Browser]]:
    """Is a gateway that believes the proxy before it, and a browser that has logged in."""
    async with Shop(tmp_path) as shop:
        shop.set_password("alice", PASSWORD)
        configuration = configure(tmp_path, store=database, upstream=shop.port, legacy=shop.database, host="shop.test",
                                  app=f"{TOLD}\n{RULES}")
        text = configuration.file.read_text()
        configuration.file.write_text(text.replace("[listen]", '[listen]\ntrusted_proxies = ["127.0.0.1"]'))
        async with running_gateway(configuration) as gateway:
            browser = Browser(gateway.url)
            await browser.post("/login", f"user=alice&pass={PASSWORD}&ticket=x", ("Host", "shop.test"),
                               ("Origin", "http://shop.test"))
            assert browser.cookies.keys() >= {ACCESS, HANDLE}
            yield gateway, browser


FORWARDED = (("X-Forwarded-Host", "shop.test"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "192.0.2.7"))


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
async def test_a_user_is_named_in_the_answer(behind: tuple[RunningGateway, Browser], method: str) -> None:
    """Whatever the method of the question, and under whatever host the gateway itself is reached."""
    page = await behind[1].request(method, AUTH, *FORWARDED)
    assert page.status == 204
    assert page.values("x-forwarded-user") == ["alice"]
    assert len(page.values("x-sluicegate-assertion")) == 1
    assert page.values("cache-control") == ["private, no-store"]
    assert page.body == b""


async def test_nobody_gets_401_and_the_way_to_the_login(behind: tuple[RunningGateway, Browser]) -> None:
    """With the host and the scheme that the browser knows."""
    nobody = Browser(behind[0].url)
    page = await nobody.get(AUTH, PAGE, *FORWARDED, ("X-Forwarded-Uri", "/cart?x=1"))
    assert page.status == 401
    assert page.values("x-sluicegate-login") == ["https://shop.test/login?next=/cart%3Fx%3D1"]
    assert page.values("x-forwarded-user") == []
    page = await nobody.get(f"{AUTH}?redirect=1", PAGE, *FORWARDED, ("X-Forwarded-Uri", "/cart"))
    assert (page.status, page.location) == (303, "https://shop.test/login?next=/cart")
    page = await nobody.get(f"{AUTH}?redirect=1", ("Accept", "application/json"), *FORWARDED)
    assert page.status == 401


ODD = [("X-Forwarded-Host", "shop.test/evil"), ("X-Forwarded-Host", "evil.test@shop.test"),
       ("X-Forwarded-Uri", "https://evil.test/"), ("X-Forwarded-Uri", "evil")]


@pytest.mark.parametrize("field", ODD)
async def test_an_odd_word_of_a_proxy_is_refused(behind: tuple[RunningGateway, Browser],
                                                 field: tuple[str, str]) -> None:
    """Neither a host nor an address that is none."""
    fields = [each for each in FORWARDED if each[0] != field[0]]
    assert (await behind[1].get(AUTH, PAGE, *fields, field)).status in (400, 421)


async def test_a_doubled_word_of_a_proxy_is_refused(behind: tuple[RunningGateway, Browser]) -> None:
    """Which of two hosts is meant, nobody knows."""
    assert (await behind[1].get(AUTH, *FORWARDED, ("X-Forwarded-Host", "shop.test"))).status == 400
    uris = ("X-Forwarded-Uri", "/a"), ("X-Original-URI", "/b")
    assert (await behind[1].get(AUTH, *FORWARDED, *uris)).status == 400


async def test_a_login_page_of_another_site_is_never_named(behind: tuple[RunningGateway, Browser]) -> None:
    """The way back is local, or there is none."""
    page = await Browser(behind[0].url).get(AUTH, PAGE, *FORWARDED, ("X-Forwarded-Uri", "//evil.test/"))
    assert page.values("x-sluicegate-login") == ["https://shop.test/login"]


async def test_a_host_of_nobodys_is_421(behind: tuple[RunningGateway, Browser]) -> None:
    """As everywhere."""
    assert (await behind[1].get(AUTH, ("X-Forwarded-Host", "other.test"))).status == 421


async def test_who_is_not_trusted_speaks_for_itself_alone(told: ShopStage) -> None:
    """A client cannot ask about another host: its own Host counts."""
    page = await told.browser().get(AUTH, ("Host", "other.test"), ("X-Forwarded-Host", "shop.test"))
    assert page.status == 421
    page = await told.browser().get(AUTH, ("Host", "shop.test"), ("X-Forwarded-Host", "evil.test"),
                                    ("X-Forwarded-Uri", "/cart"))
    assert page.status == 401
    assert page.values("x-sluicegate-login") == ["/login?next=/"]


OTHERS = ["/-/sluicegate/", "/-/sluicegate/other", "/-/sluicegate/auth/", "/-/sluicegate/auth/x",
          "/-/sluicegate/../cart"]


@pytest.mark.parametrize("target", OTHERS)
async def test_nothing_else_below_the_own_path_is_anybodys(told: ShopStage, target: str) -> None:
    """It is no app's either, under no host."""
    for host in ("shop.test", "other.test"):
        assert (await told.browser().get(target, ("Host", host))).status == 404
    assert told.shop.got == []


async def test_an_ended_session_is_nobodys(behind: tuple[RunningGateway, Browser]) -> None:
    """Its cookies are cleared through the other proxy."""
    kept = behind[1].twin()
    await behind[1].post("/logout", "", ("Host", "shop.test"), ("Origin", "http://shop.test"))
    page = await kept.get(AUTH, *FORWARDED)
    assert page.status == 401
    assert page.set_cookies == {ACCESS, HANDLE}
    assert not kept.cookies.keys() & {ACCESS, HANDLE}
