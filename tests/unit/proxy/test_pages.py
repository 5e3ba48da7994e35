"""The gateway's own answers."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from gateway.proxy import pages

BROWSER = b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ID = b"0123456789abcdef0123456789abcdef"


def make(status: int = 502, *, accept: bytes = BROWSER, reason: str = "", **options: object) -> tuple[str, str]:
    """Return head and body of an answer."""
    wire = pages.answer(status, reason=reason, accept=accept, request_id=ID, **options)  # type: ignore[arg-type]
    head, _, body = wire.partition(b"\r\n\r\n")
    return head.decode("ascii"), body.decode("utf-8")


class Outline(HTMLParser):
    """Collects the elements of a page, and whether each is closed."""

    VOID = frozenset({"meta", "path", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize(("accept", "is_page"), [
    (BROWSER, True),
    (b"text/html", True),
    (b"TEXT/HTML", True),
    (b"application/json, text/html;q=0.9", False),
    (b"application/json;q=0.8, text/html;q=0.9", True),
    (b"application/json, text/html", True),
    (b"text/html;q=0, application/json", False),
    (b"text/html;q=0", False),
    (b"text/html;level=1;q=0.5", True),
    (b"text/html;q=high", False),
    (b"application/xhtml+xml", True),
    (b"application/json, text/plain, */*", False),
    (b"*/*", False),
    (b"", False),
    (b";,;q=,", False),
])
def test_who_names_html_gets_the_page(accept: bytes, is_page: bool) -> None:
    """Browsers name text/html, programs do not; a preference for JSON is respected."""
    assert pages.prefers_page(accept) is is_page
    head, _ = make(accept=accept)
    assert ("Content-Type: text/html" in head) is is_page
    assert ("Content-Type: application/problem+json" in head) is not is_page


@pytest.mark.parametrize("status", [*pages.WORDS, 418])
def test_every_page_stands_alone(status: int) -> None:
    """It is well-formed, accessible, says what to do, and loads nothing from anywhere."""
    _, body = make(status, reason="Because.")
    outline = Outline()
    outline.feed(body)
    assert outline.open == []
    names = [name for name, _ in outline.seen]
    assert names.count("h1") == names.count("title") == names.count("main") == 1
    assert ("html", {"lang": "en"}) in outline.seen
    attributes = {name for _, found in outline.seen for name in found}
    assert not attributes & {"src", "href", "action", "style", "onload", "onclick"}
    assert "url(" not in body
    assert "Because." in body
    assert ID.decode() in body
    assert str(status) in body


def test_the_policy_allows_the_pages_own_style_and_nothing_else() -> None:
    """The Content-Security-Policy names the hash of exactly the style that is there."""
    head, body = make()
    style = re.search("<style>(.*)</style>", body)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in head
    assert "frame-ancestors 'none'" in head
    assert "prefers-color-scheme:dark" in style[1]


@pytest.mark.parametrize("accept", [BROWSER, b"application/json"])
def test_an_answer_is_framed_and_kept_by_nobody(accept: bytes) -> None:
    """Length, cache and type fields are there, the id too."""
    head, body = make(accept=accept)
    assert head.startswith("HTTP/1.1 502 Bad Gateway\r\n")
    assert f"Content-Length: {len(body.encode())}\r\n" in head + "\r\n"
    for line in ("Cache-Control: no-store", "X-Content-Type-Options: nosniff", f"X-Request-Id: {ID.decode()}"):
        assert line in head.split("\r\n")
    assert "Connection:" not in head
    assert "Retry-After:" not in head


def test_what_others_wrote_is_escaped() -> None:
    """Neither a reason nor a request id can bring markup in, nor a line into the head."""
    wire = pages.answer(400, reason="<script>alert(1)</script>", accept=BROWSER, request_id=b"<b>")
    assert b"<script>" not in wire
    assert b"&lt;script&gt;" in wire
    assert b"<dd>&lt;b&gt;</dd>" in wire


def test_problem_details_say_the_same() -> None:
    """The machine-readable twin has status, title, detail and id (RFC 9457)."""
    _, body = make(503, accept=b"*/*", reason="Später \"wieder\".")
    assert json.loads(body) == {"type": "about:blank", "title": "Service Unavailable", "status": 503,
                                "detail": "Später \"wieder\".", "request_id": ID.decode()}
    _, body = make(503, accept=b"*/*")
    assert json.loads(body)["detail"] == pages.WORDS[503].advice


def test_optional_fields_are_there_when_asked_for() -> None:
    """Retry-After, Connection: close and extra lines; the page tells the wait too."""
    head, body = make(503, retry_after=7, close=True, extra=b"X-A: 1\r\nX-B: 2\r\n")
    lines = head.split("\r\n")
    assert {"Retry-After: 7", "Connection: close", "X-A: 1", "X-B: 2"} <= set(lines)
    assert "7 s" in body


def test_an_answer_to_head_is_a_head() -> None:
    """HEAD gets the head that GET would get."""
    full_head, _ = make()
    head, body = make(head_only=True)
    assert (head, body) == (full_head, "")
