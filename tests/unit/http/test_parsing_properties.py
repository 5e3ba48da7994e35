"""Two ways to read a head, and h11's: the same heads are accepted and mean the same."""

from collections.abc import Iterable

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.errors import AppUnavailable, RequestRefused
from gateway.http import parsing
from gateway.http.head import RequestHead, ResponseHead
from gateway.http.parsing import HeadLimits, parse_request, parse_response

LIMITS = HeadLimits(head_bytes=400, fields=8, request_line=60)
WIDE = HeadLimits()

METHODS = [b"GET", b"POST", b"OPTIONS", b"PURGE", b"M-SEARCH", b"get", b"TRACE", b"CONNECT", b"", b"G T"]
TARGETS = [b"/", b"/a?b=c", b"//x", b"/%2e", b"/\xc3\xa9", b"*", b"http://b.test/x", b"http://b.test", b"a", b"/#f",
           b"http://u@b/", b"/" + b"x" * 60]
VERSIONS = [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.2", b"http/1.1"]
NAMES = [b"Host", b"host", b"Cookie", b"Connection", b"Content-Length", b"Transfer-Encoding", b"Expect", b"Upgrade",
         b"X-Forwarded-For", b"X_Forwarded_For", b"x-sluicegate-user", b"Content_Length", b"Content-Type", b"Accept",
         b"X-Thing", b"TE", b"Trailer", b"Proxy", b"Keep-Alive", b"X", b"", b"A B", b"Hosts", b"xHost"]
VALUES = [b"", b"a", b"a.test:80", b"close", b"keep-alive", b"chunked", b"gzip, chunked", b"5", b"007", b"5, 5", b"+5",
          b"100-continue", b"x-thing, close", b"a=1; b=2", b"\xff", b"a\tb", b"h2c", b"1.1.1.1, 2.2.2.2", b"x" * 200]
BLANKS = [b"", b" ", b"\t", b" \t "]
LINE_ENDS = [b"\r\n"] * 12 + [b"\n", b"\r", b"\r\n ", b"\r\r\n", b"\r\n\r\n"]
NASTY = [b"\r", b"\n", b"\r\n", b"\x00", b"\x7f", b"\x0b", b" ", b"\t", b":", b",", b"\x80", b"#", b"a", b"\r\n\r\n",
         b""]


def field_lines() -> st.SearchStrategy[bytes]:
    """Return a strategy for field lines, good and bad."""
    parts = (NAMES, BLANKS[:1] * 9 + BLANKS, [b":"] * 9 + [b""], BLANKS, VALUES, BLANKS, LINE_ENDS)
    return st.tuples(*map(st.sampled_from, parts)).map(b"".join)


def sound_lines() -> st.SearchStrategy[bytes]:
    """Return a strategy for field lines that are well-formed, whatever they mean."""
    names = [name for name in NAMES if name not in (b"", b"A B", b"Host", b"host", b"Expect")]
    parts = (names, [b":"], BLANKS, VALUES, BLANKS, [b"\r\n"])
    return st.tuples(*map(st.sampled_from, parts)).map(b"".join)


def fields() -> st.SearchStrategy[bytes]:
    """Return a strategy for the fields of a head; most of them are sound."""
    return st.one_of(
        st.lists(sound_lines(), max_size=4, unique_by=lambda line: line.partition(b":")[0]).map(b"".join),
        st.lists(sound_lines(), max_size=9).map(b"".join),
        st.lists(field_lines(), max_size=9).map(b"".join),
    )


@st.composite
def mutated(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Draw a head, and overwrite or insert something nasty in up to two places of some."""
    raw = draw(whole)
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(raw)))
        raw = raw[:at] + draw(st.sampled_from(NASTY)) + raw[at + draw(st.integers(0, 2)):]
    return raw


def request_heads() -> st.SearchStrategy[bytes]:
    """Return a strategy for request heads, most of them with a Host and a good first line."""
    line = st.one_of(
        st.sampled_from([b"GET / HTTP/1.1", b"POST /a?b HTTP/1.1", b"PURGE /a HTTP/1.1", b"GET http://b/ HTTP/1.1",
                         b"POST / HTTP/1.0"]),
        st.tuples(*map(st.sampled_from, (METHODS, TARGETS, VERSIONS))).map(b" ".join),
    )
    host = st.sampled_from([b"Host: a.test\r\n"] * 9 + [b""])
    return st.tuples(line, st.just(b"\r\n"), host, fields(), st.sampled_from([b"\r\n"] * 9 + [b""]),
                     st.sampled_from([b"", b"rest\r\n\r\n"])).map(b"".join)


def response_heads() -> st.SearchStrategy[bytes]:
    """Return a strategy for answers' heads."""
    line = st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.1 404 ", b"HTTP/1.0 302 Found", b"HTTP/1.1 204",
                            b"HTTP/1.1 101 S", b"HTTP/1.1 103 Early Hints", b"HTTP/1.1 999 ?", b"HTTP/2 200"])
    return st.tuples(line, st.just(b"\r\n"), fields(), st.sampled_from([b"\r\n"] * 9 + [b""]),
                     st.sampled_from([b"", b"rest"])).map(b"".join)


def seen(head: RequestHead | ResponseHead) -> dict[str, object]:
    """Return everything that a head says, its fields too."""
    slots = [slot for kind in type(head).__mro__ for slot in getattr(kind, "__slots__", ()) if slot[0] != "_"]
    return {slot: getattr(head, slot) for slot in (*slots, "fields", "marked_values") if slot != "is_usual"}


def request_outcome(parse: object, raw: bytes, limits: HeadLimits) -> object:
    """Return what a way of reading makes of a request: its head, None, or the status of a refusal."""
    assert callable(parse)
    try:
        head = parse(raw, limits)
    except RequestRefused as refusal:
        return refusal.status, refusal.reason
    return head if head is None else seen(head)


def response_outcome(parse: object, raw: bytes, limits: HeadLimits) -> object:
    """Return what a way of reading makes of an answer."""
    assert callable(parse)
    try:
        head = parse(raw, limits)
    except AppUnavailable as failure:
        return failure.reason
    return head if head is None else seen(head)


@settings(max_examples=400, deadline=None)
@given(mutated(request_heads()))
@example(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Foo: 1\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nHost: a\r\nx.sluicegate~y: 1\r\nContent+Type: 2\r\n\r\n")
@example(b"GET /" + b"x" * 60 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"x" * 400 + b"\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A:\r\n" * 8 + b"\r\n")
def test_both_ways_read_the_same_requests(raw: bytes) -> None:
    """The fast way accepts what the strict one does, understands it alike and refuses it alike."""
    strict = request_outcome(parsing._parse_request_strictly, raw, LIMITS)
    assert request_outcome(parse_request, raw, LIMITS) == strict


@settings(max_examples=300, deadline=None)
@given(mutated(response_heads()))
@example(b"HTTP/1.1 200 OK\r\nA: " + b"x" * 400 + b"\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\n" + b"A:\r\n" * 9 + b"\r\n")
def test_both_ways_read_the_same_answers(raw: bytes) -> None:
    """The same holds for answers."""
    strict = response_outcome(parsing._parse_response_strictly, raw, LIMITS)
    assert response_outcome(parse_response, raw, LIMITS) == strict


@pytest.mark.parametrize(("raw", "is_formed"), [
    (b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1\r\nConnection: keep-alive\r\nCookie: a\r\n\r\n", True),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n", True),
    (b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", False),
])
def test_production_traffic_is_not_read_line_by_line(raw: bytes, is_formed: bool) -> None:
    """Chunks, forwarded addresses and keep-alive do not leave the fast ways."""
    assert (HeadLimits().formed_request(raw) is not None) is is_formed


@pytest.mark.parametrize(("fields", "is_usual"), [
    (b"", True),
    (b"Accept: */*\r\nCookie: a=1; b=2 \r\nUpgrade-Insecure-Requests: 1\r\nConnection: keep-alive\r\n", True),
    (b"Cookie: \r\n", True),
    (b"Authorization: Bearer x\r\nContent-Type: x\r\n", True),
    (b"cookie: a=1\r\n", False),
    (b"Cookie: a=1\r\nCookie: b=2\r\n", False),
    (b"Cookie:  a=1\r\n", False),
    (b"Connection: close\r\n", False),
    (b"Content-Length: 0\r\n", False),
    (b"X-Forwarded-For: 1.1.1.1\r\n", False),
    (b"x_forwarded_user: root\r\n", False),
    (b"X-Sluicegate-Assertion: a.b.c\r\n", False),
])
def test_what_a_usual_request_holds(fields: bytes, is_usual: bool) -> None:
    """Nothing but Host, one Cookie and keep-alive that a proxy acts on; what it says is the same on every way."""
    raw = b"GET /x HTTP/1.1\r\nHost: A.test:80\r\n" + fields + b"\r\n"
    head = parse_request(raw, WIDE)
    assert head is not None
    assert head.is_usual is is_usual
    assert seen(head) == request_outcome(parsing._parse_request_strictly, raw, WIDE)


@pytest.mark.parametrize(("fields", "is_usual"), [
    (b"Content-Length: 5\r\nConnection: keep-alive\r\nSet-Cookie: a=1\r\n", True),
    (b"Server: x\r\nTransfer-Encoding: chunked\r\n", True),
    (b"Date: x\r\n", True),
    (b"Content-Length: 5\r\nContent-Length: 5\r\n", False),
    (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", False),
    (b"Content-Length: 1234567890123456789\r\n", False),
    (b"Keep-Alive: timeout=5\r\n", False),
    (b"Connection: close\r\n", False),
])
def test_what_a_usual_answer_holds(fields: bytes, is_usual: bool) -> None:
    """One framing and keep-alive."""
    raw = b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n"
    assert (HeadLimits().usual_response(raw) is not None) is is_usual
    strict = response_outcome(parsing._parse_response_strictly, raw, WIDE)
    assert response_outcome(parse_response, raw, WIDE) == strict


@settings(max_examples=200, deadline=None)
@given(mutated(request_heads()), st.integers(0, 500))
def test_a_head_is_read_alike_however_it_arrives(raw: bytes, size: int) -> None:
    """The beginning of an accepted head is incomplete, and what follows a head changes nothing."""
    whole = request_outcome(parse_request, raw, WIDE)
    if not isinstance(whole, dict):
        return
    assert request_outcome(parse_request, raw[:whole["size"]] + b"\x00\n", WIDE) == whole
    assert parse_request(raw[:min(size, whole["size"] - 1)], WIDE) is None


@settings(max_examples=400, deadline=None)
@given(mutated(request_heads()))
@example(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX: \xff\r\n\r\n")
@example(b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n")
def test_h11_accepts_what_is_accepted_here(raw: bytes) -> None:
    """Every request accepted here is one for h11 too, with the same fields and the same framing.

    h11 knows no octets above ASCII in targets, and does not touch absolute ones.
    """
    outcome = request_outcome(parse_request, raw, WIDE)
    if not isinstance(outcome, dict):
        return
    line = raw.partition(b"\r\n")[0]
    if not line.isascii() or b"://" in line:
        return
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(raw[:outcome["size"]])
    event = connection.next_event()
    assert isinstance(event, h11.Request)
    assert (event.method, event.target) == (outcome["method"], outcome["target"])
    assert lowered(outcome["fields"]) == lowered(event.headers)
    body = connection.next_event()
    assert isinstance(body, h11.EndOfMessage) is not (outcome["is_chunked"] or bool(outcome["content_length"]))


def lowered(fields: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return fields with lower-case names, and the coding in lower case too, as h11 writes it."""
    pairs = ((name.lower(), value) for name, value in fields)
    return [(name, value.lower() if name == b"transfer-encoding" else value) for name, value in pairs]


@settings(max_examples=300, deadline=None)
@given(mutated(response_heads()))
def test_h11_accepts_the_answers_that_are_accepted_here(raw: bytes) -> None:
    """Every final answer accepted here is one for h11 too."""
    outcome = response_outcome(parse_response, raw, WIDE)
    if not isinstance(outcome, dict) or int(str(outcome["status"])) < 200:
        return
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(raw[:outcome["size"]])
    event = connection.next_event()
    assert isinstance(event, h11.Response)
    assert (event.status_code, event.reason) == (outcome["status"], outcome["reason"])
