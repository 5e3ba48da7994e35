"""The straight line of a request that passes, as gateway/README.md draws it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.desk import Desk
from tests.helpers.tracing import calls

ROOT = Path(__file__).parents[3]
GET = (b"GET /a HTTP/1.1\r\nHost: shop.test\r\nConnection: keep-alive\r\nCookie: a=b\r\nAccept: */*\r\n\r\n")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok"
OTHERS = {"guard", "traffic", "write"}  # stand-ins here
INNER = {"lines"}  # a room of `parsing`'s own


def drawn(name: str) -> list[str]:
    """Return the modules of one line of the README, without what is in brackets."""
    text = (ROOT / "gateway" / "README.md").read_text(encoding="utf-8")
    match = re.search(rf"^{name}: `([^`]+)`", text, re.MULTILINE)
    assert match is not None
    plain = re.sub(r"\[[^]]*\]| = \w+", "", match[1])
    return [module for module in (each.strip() for each in plain.split("→")) if module not in OTHERS]


def entered(what: Callable[[], None]) -> list[str]:
    """Return the modules of the gateway that a call enters, each once, in order."""
    return list(dict.fromkeys(module for module, _ in calls(what) if module not in INNER))


@pytest.mark.parametrize("line", ["request", "answer"])
def test_the_line_is_as_drawn(line: str) -> None:
    """From the bytes that arrive to those that leave, on warm connections."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    for _ in range(2):  # the first makes what later ones find
        way = {"request": entered(lambda: client.sends(GET)), "answer": entered(lambda: app.replies(OK))}
    assert client.gets().count(b"\r\n\r\nok") == 2
    assert way[line] == drawn(line)
