"""What can be asked of a head once it is read; how it is read is tested with `parsing`."""

from gateway.http.head import RequestHead
from gateway.http.parsing import HeadLimits, parse_request, parse_response

LINES = b"Host: a.test\r\nAccept:  text/html \r\nX-One: 1\r\nx-one:\t2\r\nX-Forwarded-For: 1\r\nx-forwarded-for: 2\r\n"


def request(rest: bytes = b"") -> RequestHead:
    """Return the head of a request, which other bytes follow."""
    head = parse_request(b"GET /a HTTP/1.1\r\n" + LINES + b"\r\n" + rest, HeadLimits())
    assert head is not None
    return head


def test_the_bytes_are_those_that_came() -> None:
    """Without the blank line, and without what follows it."""
    head = request(b"GET /next")
    assert head.as_sent == b"GET /a HTTP/1.1\r\n" + LINES
    assert head.raw == b"\r\n" + LINES
    assert head.size == len(head.as_sent) + 2


def test_fields_keep_order_and_case() -> None:
    """Blanks around a value are none of it; fields of one name stay apart."""
    head = request()
    assert head.fields[:4] == ((b"Host", b"a.test"), (b"Accept", b"text/html"), (b"X-One", b"1"), (b"x-one", b"2"))
    assert head.values(b"x-one") == [b"1", b"2"]
    assert head.values(b"x-two") == []


def test_marked_values_are_found_without_splitting_the_rest() -> None:
    """By lower-case name, as often as they came; what a proxy does not act on is not among them."""
    head = request()
    assert head.marked_values == {b"host": [b"a.test"], b"x-forwarded-for": [b"1", b"2"]}
    assert head.forwarded_for == b"1, 2"


def test_a_head_that_says_nothing_is_an_ordinary_one() -> None:
    """HTTP/1.1 persists, and nothing is known of a body."""
    head = parse_response(b"HTTP/1.1 200 OK\r\nA: 1\r\n\r\n", HeadLimits())
    assert head is not None
    assert (head.is_http_10, head.is_persistent, head.is_chunked, head.content_length) == (False, True, False, None)
    assert request().keeps_open
