"""What a person meets: a real Chromium logs in through the site's own form, at the demo and over TLS."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from gateway.demo.scene import free_port
from gateway.demo.users import USERS
from gateway.model import Secret
from tests.helpers.certificates import Authority
from tests.helpers.gateways import GatewayProcess, configure
from tests.helpers.site import Site

CHROMIUM = shutil.which("chromium")
# Only the switches that keep a browser of a test at home; as root it has no sandbox to offer.
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture
def demo_url() -> Iterator[str]:
    """Is the address of a running demo; Ctrl-C ends it."""
    port = free_port()
    command = [sys.executable, "-u", "-m", "gateway", "demo", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        try:
            assert any("Ctrl-C stops everything" in line for line in demo.stdout), "the demo ended by itself"
            yield f"http://127.0.0.1:{port}"
        finally:
            demo.send_signal(signal.SIGINT)
            demo.stdout.read()
    assert demo.returncode == 0


needs_chromium = pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"),
                                    reason="no chromium: run `make test-deps`")


@needs_chromium
async def test_carol_logs_in_with_a_browser_and_sees_the_styled_admin_page(demo_url: str) -> None:
    """The site's own form, page, styles and session reach a real browser, and so do the gateway's cookies."""
    carol = next(user for user in USERS if user.name == "carol")
    failed: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        page = await browser.new_page()
        page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
        await page.goto(f"{demo_url}/admin/")
        await page.fill("#id_username", carol.name)
        await page.fill("#id_password", carol.password)
        await page.click("input[type=submit]")
        await page.wait_for_selector("#user-tools")
        assert await page.title() == "Site administration | Django site admin"
        header = await page.evaluate("getComputedStyle(document.querySelector('#header')).backgroundColor")
        cookies = {cookie["name"]: cookie for cookie in await page.context.cookies()}
        await browser.close()
    assert header == "rgb(65, 118, 144)"  # Django's own blue: the style sheet came through
    assert {"sessionid", "sluicegate-shop"} <= set(cookies)
    assert cookies["sluicegate-shop"]["httpOnly"]
    assert failed == []


@needs_chromium
async def test_a_browser_works_in_the_admin_over_tls(site: Site, database: Secret, tmp_path: Path) -> None:
    """Page, styles, scripts and pictures come over TLS, the cookies are bound to the host, the console is silent."""
    person = site.person("teresa")
    certificate = Authority(tmp_path).issue("127.0.0.1")
    listen = f'certificate = "{certificate.chain}"\nkey = "{certificate.key}"'
    configuration = configure(tmp_path, store=database, upstream=site.port, legacy=site.database, listen=listen)
    text = configuration.file.read_text()
    configuration.file.write_text(text.replace('issuer = "http://', 'issuer = "https://'))
    url = configuration.url.replace("http://", "https://")
    complaints: list[str] = []
    statuses: dict[str, int] = {}
    async with GatewayProcess(configuration), async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        page = await browser.new_page(ignore_https_errors=True)  # the test's authority is nobody's
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(request.url))
        page.on("response", lambda answer: statuses.update({answer.url: answer.status}))
        await page.route("**/favicon.ico", lambda route: route.fulfill(status=204))  # the site has none
        await page.goto(f"{url}/admin/")
        await page.fill("#id_username", person.name)
        await page.fill("#id_password", person.password)
        await page.click("input[type=submit]")
        await page.wait_for_selector("#user-tools")
        await page.goto(f"{url}/admin/auth/user/")  # a page with scripts and pictures
        await page.wait_for_selector("#changelist")
        names = {cookie["name"]: cookie for cookie in await page.context.cookies()}
        await browser.close()
    assert complaints == []
    assert {status for status in statuses.values() if status >= 400} == set()
    assert any(each.endswith(".js") for each in statuses)
    assert any(each.endswith(".svg") for each in statuses)
    assert {"__Host-sluicegate-shop", "__Host-sluicegate-shop.session"} <= names.keys()
    assert all(cookie["secure"] for name, cookie in names.items() if "sluicegate" in name)
