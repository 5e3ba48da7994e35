"""The demo as a person meets it: a real Chromium logs in through the site's own form."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.async_api import async_playwright

from gateway.demo.scene import free_port
from gateway.demo.users import USERS

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


@pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="no chromium: run `make test-deps`")
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
