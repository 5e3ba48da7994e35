"""The account of one request."""

import json

import pytest

from gateway.errors import AppUnavailable, Overloaded, RequestRefused, SluicegateError
from gateway.http.head import RequestHead
from gateway.http.parsing import HeadLimits, parse_request
from gateway.proxy.steps import ClientInfo
from gateway.proxy.turn import Turn
from tests.helpers.desk import Desk
from tests.helpers.proxy import Note, Watcher

CLIENT = ClientInfo(peer="10.0.0.1", address="203.0.113.9", scheme=b"http", is_trusted=True)


def head(method: bytes = b"GET", *lines: bytes) -> RequestHead:
    wire = method + b" /a?b HTTP/1.1\r\nHost: x\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    parsed = parse_request(wire, HeadLimits())
    assert parsed is not None
    return parsed


@pytest.mark.parametrize(("error", "status", "detail"), [
    (RequestRefused(403, "Not from there."), 403, "Not from there."),
    (AppUnavailable("secret address"), 502, None),
    (Overloaded("queue of 7"), 503, None),
    (None, 500, None),
])
def test_only_a_refusal_says_why(error: SluicegateError | None, status: int, detail: str | None) -> None:
    """The page has the error's status and wait; what broke behind the gateway is not told."""
    wire, told = Turn(head(), CLIENT, b"id", 0.0).page(error, close=False)
    assert told == status
    assert wire.startswith(b"HTTP/1.1 %d " % status)
    assert (b"Retry-After: 2\r\n" in wire) is (status == 503)
    said = json.loads(wire.partition(b"\r\n\r\n")[2])["detail"]
    assert said == detail if detail else str(error) not in said


def test_the_page_is_as_the_request_wants_it() -> None:
    """Accept may come in several lines, and HEAD gets no body."""
    wire, _ = Turn(head(b"GET", b"Accept: a/b", b"Accept: text/html"), CLIENT, b"id", 0.0).page(None, close=True)
    assert b"Content-Type: text/html" in wire
    assert b"Connection: close\r\n" in wire
    wire, _ = Turn(head(b"HEAD"), CLIENT, b"id", 0.0).page(None, close=False)
    assert wire.endswith(b"\r\n\r\n")


def test_a_405_says_what_is_allowed() -> None:
    """The methods are those that pass."""
    wire, _ = Turn(None, CLIENT, b"id", 0.0).page(RequestRefused(405, "No.", allow={b"HEAD", b"GET"}), close=True)
    assert b"\r\nAllow: GET, HEAD\r\n" in wire


def test_the_account_is_complete() -> None:
    """Site, request, status, time, the client's own address, id and bytes."""
    watcher, turn = Watcher(), Turn(head(), CLIENT, b"id", 1.0)
    turn.site = Desk().connections._around.sites.find(b"x", b"/")
    turn.status, turn.sent = 200, 77
    turn.account(watcher, 3.5)
    assert watcher.notes == [Note("shop", b"GET", b"/a?b", 200, 2.5, "203.0.113.9", b"id", 77)]


def test_what_is_not_known_is_a_dash() -> None:
    """A head that was not understood has neither method nor target, and a client that left no status."""
    watcher = Watcher()
    Turn(None, CLIENT, b"id", 1.0).account(watcher, 1.0)
    assert watcher.notes == [Note("-", b"-", b"-", 499, 0.0, "203.0.113.9", b"id", 0)]


def test_a_request_without_body_is_read_with_its_head() -> None:
    """What is still to come is known at the start."""
    assert Turn(head(), CLIENT, b"id", 0.0).is_read
    assert not Turn(head(b"PUT", b"Content-Length: 1"), CLIENT, b"id", 0.0).is_read
    assert not Turn(None, CLIENT, b"id", 0.0).is_read
