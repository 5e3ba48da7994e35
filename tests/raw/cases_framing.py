"""Raw cases about where a request's body ends: lengths, codings, chunks, trailers, pipelines, expectations."""

from tests.raw.cases import (
    CHUNKED,
    HIDDEN,
    MARK,
    Answer,
    Bullet,
    Case,
    Got,
    Step,
    Then,
    Want,
    passes,
    post,
    refused,
    request,
    table,
)

SIZE = len(HIDDEN)
END = b"0\r\n\r\n"


def sized(value: bytes) -> bytes:
    """Return a POST whose length is given as `value`, with a hidden request behind it."""
    return post(b"Content-Length: " + value, body=HIDDEN)


def coded(*lines: bytes, body: bytes = END + HIDDEN) -> bytes:
    """Return a POST with a hidden request behind an empty chunked body."""
    return post(*lines, body=body)


LENGTHS = [
    (
        "two lengths that differ",
        "RFC 9112 6.3; Linhart et al. 2005",
        post(b"Content-Length: 0", b"Content-Length: %d" % SIZE, body=HIDDEN),
    ),
    (
        "two equal lengths",
        "RFC 9112 6.3",
        post(b"Content-Length: %d" % SIZE, b"Content-Length: %d" % SIZE, body=HIDDEN),
    ),
    ("a list of lengths", "RFC 9112 6.3", sized(b"0, %d" % SIZE)),
    ("a list of equal lengths", "RFC 9110 8.6", sized(b"%d, %d" % (SIZE, SIZE))),
    ("a length with plus", "RFC 9110 8.6; CVE-2023-47627", sized(b"+%d" % SIZE)),
    ("a negative length", "RFC 9110 8.6", sized(b"-1")),
    ("a length in hex", "RFC 9110 8.6", sized(b"0x%x" % SIZE)),
    ("a length with a point", "RFC 9110 8.6", sized(b"%d.0" % SIZE)),
    ("a length with an exponent", "RFC 9110 8.6", sized(b"1e1")),
    ("a length with an underscore", "Python's int() reads it; CVE-2023-47627", sized(b"1_0")),
    ("a length in other digits", "Python's int() reads them; RFC 9110 8.6", sized("١".encode())),
    ("a length with a space inside", "RFC 9110 8.6", sized(b"1 0")),
    ("an empty length", "RFC 9110 8.6; CVE-2023-40225", sized(b"")),
    ("a length in quotes", "RFC 9110 8.6", sized(b'"10"')),
    ("a length of 19 digits", "RFC 9110 8.6, overflow", sized(b"0" * 18 + b"1")),
    ("a length beyond 64 bits", "RFC 9110 8.6, overflow", sized(b"18446744073709551616")),
    ("length and chunked: CL.TE", "RFC 9112 6.1; Kettle 2019", coded(b"Content-Length: %d" % (5 + SIZE), CHUNKED)),
    (
        "length and chunked: TE.CL",
        "RFC 9112 6.1; Kettle 2019",
        coded(CHUNKED, b"Content-Length: 4", body=b"%x\r\n%b\r\n0\r\n\r\n" % (SIZE, HIDDEN)),
    ),
    ("chunked and a length of zero", "RFC 9112 6.1", coded(CHUNKED, b"Content-Length: 0")),
    ("chunked and a broken length", "RFC 9112 6.1", coded(CHUNKED, b"Content-Length: x")),
]

CODINGS = [
    ("chunked twice in two fields", "RFC 9112 7; TE.TE", coded(CHUNKED, CHUNKED)),
    ("chunked twice in a list", "RFC 9112 7", coded(b"Transfer-Encoding: chunked, chunked")),
    ("gzip, chunked", "RFC 9112 7; most apps decode no gzip", coded(b"Transfer-Encoding: gzip, chunked")),
    ("chunked, gzip", "RFC 9112 6.3", coded(b"Transfer-Encoding: chunked, gzip")),
    ("chunked, identity", "RFC 9112 7; Kettle 2019", coded(b"Transfer-Encoding: chunked, identity")),
    ("identity", "RFC 2616 3.6", coded(b"Transfer-Encoding: identity", b"Content-Length: 5")),
    (
        "identity, then chunked in a field of its own",
        "TE.TE; Kettle 2019",
        coded(b"Transfer-Encoding: identity", CHUNKED),
    ),
    (
        "chunked, then another coding in a field of its own",
        "TE.TE; Kettle 2019; CVE-2024-1135",
        coded(CHUNKED, b"Transfer-encoding: cow"),
    ),
    ("xchunked", "TE.TE; Kettle 2019", coded(b"Transfer-Encoding: xchunked", b"Content-Length: 5")),
    (
        "vertical tab before chunked",
        "CVE-2019-18277; Kettle 2019",
        coded(b"Transfer-Encoding: \x0bchunked", b"Content-Length: 5"),
    ),
    ("vertical tab before chunked, without length", "CVE-2019-18277", coded(b"Transfer-Encoding: \x0bchunked")),
    ("form feed after chunked", "TE.TE", coded(b"Transfer-Encoding: chunked\x0c")),
    ("no-break space before chunked", "TE.TE", coded(b"Transfer-Encoding: \xa0chunked", b"Content-Length: 5")),
    ("NUL after chunked", "TE.TE", coded(b"Transfer-Encoding: chunked\x00", b"Content-Length: 5")),
    ("quoted chunked", "TE.TE", coded(b'Transfer-Encoding: "chunked"', b"Content-Length: 5")),
    ("chunked with a parameter", "RFC 9112 7; TE.TE", coded(b"Transfer-Encoding: chunked;q=1")),
    ("chunked after a comma", "RFC 9110 5.6.1", coded(b"Transfer-Encoding: ,chunked")),
    ("chunked before a comma", "RFC 9110 5.6.1", coded(b"Transfer-Encoding: chunked,")),
    ("an empty coding", "RFC 9112 6.1", coded(b"Transfer-Encoding:", b"Content-Length: 5")),
    ("a coding behind a bare LF", "TE.TE", coded(b"X-A: 1\nTransfer-Encoding: chunked", b"Content-Length: 5")),
    ("chunked in HTTP/1.0", "RFC 9112 6.1", request(CHUNKED, method=b"POST", version=b"HTTP/1.0", body=END + HIDDEN)),
    (
        "chunked and length in HTTP/1.0",
        "RFC 9112 6.1",
        request(CHUNKED, b"Content-Length: 5", method=b"POST", version=b"HTTP/1.0", body=END + HIDDEN),
    ),
]

CHUNKS = [
    ("a size with plus", "RFC 9112 7.1", b"+5\r\nhello\r\n" + END),
    ("a negative size", "RFC 9112 7.1", b"-5\r\nhello\r\n" + END),
    ("a size with 0x", "RFC 9112 7.1; CVE-2023-47627", b"0x5\r\nhello\r\n" + END),
    ("a size with an underscore", "Python's int(); CVE-2023-47627", b"0_5\r\nhello\r\n" + END),
    ("a space before a size", "RFC 9112 7.1", b" 5\r\nhello\r\n" + END),
    ("a space after a size", "RFC 9112 7.1.1, BWS; two readers differ", b"5 \r\nhello\r\n" + END),
    ("a tab after a size", "RFC 9112 7.1", b"5\t\r\nhello\r\n" + END),
    ("no size", "RFC 9112 7.1", b"\r\nhello\r\n" + END),
    ("only an extension", "RFC 9112 7.1", b";x\r\nhello\r\n" + END),
    ("a size of letters", "RFC 9112 7.1", b"g\r\nhello\r\n" + END),
    ("a size of 17 digits", "RFC 9112 7.1; overflow, CVE-2013-2028", b"10000000000000005\r\nhello\r\n" + END),
    ("a size that wraps to zero", "CVE-2013-2028", b"10000000000000000\r\n\r\n" + HIDDEN),
    ("no CRLF after the data", "RFC 9112 7.1", b"5\r\nhello" + END),
    ("two letters for the CRLF after the data", "Jeppe Weikop 2025, Funky Chunks", b"5\r\nhelloXX" + END),
    ("LF after the data", "RFC 9112 7.1", b"5\r\nhello\n" + END),
    ("CR CR after the data", "RFC 9112 7.1", b"5\r\nhello\r\r" + END),
    ("LF after a size", "RFC 9112 7.1; Weikop 2025", b"5\nhello\r\n" + END),
    ("CR after a size", "RFC 9112 7.1", b"5\rhello\r\n" + END),
    ("LF after the last size", "RFC 9112 7.1", b"0\n\r\n" + HIDDEN),
    (
        "LF in an extension: TERM.EXT",
        "Weikop 2025, Funky Chunks",
        b"2;\nxx\r\n%x\r\n0\r\n\r\n%b\r\n0\r\n\r\n" % (SIZE + 5, HIDDEN),
    ),
    ("CR in an extension: EXT.TERM", "Weikop 2025, Funky Chunks", b"2;\rxx\r\nhe\r\n" + END),
    (
        "a data end that hides a size: SPILL.TERM",
        "Weikop 2025, Funky Chunks",
        b"5\r\nAAAAAXX2\r\n45\r\n0\r\n\r\n" + HIDDEN + END,
    ),
    ("NUL in an extension", "RFC 9112 7.1.1", b"5;\x00\r\nhello\r\n" + END),
    ("an extension that is too long", "RFC 9112 7.1.1: bounded", b"5;" + b"x" * 20_000 + b"\r\nhello\r\n" + END),
]

# A trailer that a server merges with the head would be a field that nobody has looked at (RFC 9110 6.5.1).
TRAILERS = [
    ("a length as a trailer", "RFC 9110 6.5.1", b"0\r\nContent-Length: 10\r\n\r\n"),
    ("a coding as a trailer", "RFC 9110 6.5.1", b"0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("Host as a trailer", "RFC 9110 6.5.1", b"0\r\nHost: admin.test\r\n\r\n"),
    ("a user as a trailer", "RFC 9110 6.5.1", b"0\r\nX-Forwarded-User: forged\r\n\r\n"),
    ("an address as a trailer", "RFC 9110 6.5.1", b"0\r\nX_Forwarded_For: forged\r\n\r\n"),
    ("a cookie as a trailer", "RFC 9110 6.5.1", b"0\r\nCookie: a=b\r\n\r\n"),
    ("LF after a trailer", "RFC 9112 7.1.2", b"0\r\nX-Sum: 1\n\r\n"),
    ("a trailer that is a request", "RFC 9112 7.1.2", b"0\r\nX: y\r\nGET /" + MARK + b" HTTP/1.1\r\n\r\n"),
    ("a trailer with a space before its colon", "RFC 9112 5.1", b"0\r\nX-Sum : 1\r\n\r\n"),
    ("a folded trailer", "RFC 9112 5.2", b"0\r\nX-Sum: 1\r\n 2\r\n\r\n"),
    ("trailers without end", "RFC 9112 7.1.2: bounded; CVE-2023-46589", b"0\r\n" + b"X-Sum: 1\r\n" * 4000 + b"\r\n"),
]

HELLO = Got(method=b"POST", body=b"hello")
GOOD = [
    (Bullet.LENGTH, "a body with a length", post(b"Content-Length: 5", body=b"hello"), HELLO),
    (Bullet.LENGTH, "a length of 18 digits", post(b"Content-Length: 000000000000000005", body=b"hello"), HELLO),
    (
        Bullet.LENGTH,
        "a length and its spelling with _",
        post(b"Content_Length: 0", b"Content-Length: 5", b"content.length: 0", body=b"hello"),
        Got(method=b"POST", body=b"hello", lacks=(b"content_length", b"content.length")),
    ),
    (
        Bullet.CODING,
        "a length and Transfer_Encoding",
        post(b"Transfer_Encoding: chunked", b"Content-Length: 5", body=b"hello"),
        Got(method=b"POST", body=b"hello", lacks=(b"transfer_encoding",)),
    ),
    (Bullet.CODING, "a chunked body", post(CHUNKED, body=b"2\r\nhe\r\n3\r\nllo\r\n" + END), HELLO),
    (Bullet.CODING, "Chunked in other case", post(b"transfer-encoding: Chunked", body=b"5\r\nhello\r\n" + END), HELLO),
    (Bullet.CHUNKS, "an extension", post(CHUNKED, body=b"5;x=1\r\nhello\r\n" + END), HELLO),
    (Bullet.CHUNKS, "sizes in hex with zeros", post(CHUNKED, body=b"005\r\nhello\r\n000\r\n\r\n"), HELLO),
    (
        Bullet.TRAILERS,
        "a harmless trailer",
        post(CHUNKED, body=b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"),
        Got(method=b"POST", body=b"hello", lacks=(b"x-sum",)),
    ),
]

TWO = request(target=b"/1") + request(target=b"/2")
SLOW = post(b"Content-Length: 1000000", body=b"x" * 1000)
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
EXPECTING = (b"Content-Length: 5", b"Expect: 100-continue")

HEAD_AND_GET = request(method=b"HEAD", target=b"/1") + request(target=b"/2")
PIPELINES = [
    Case(
        name="HEAD, then GET",
        bullet=Bullet.PIPELINE,
        source="RFC 9112 6.3; Kettle 2021",
        serves=True,
        sends=(HEAD_AND_GET,),
        want=passes(Got(method=b"HEAD", target=b"/1"), Got(target=b"/2")),
    ),
    Case(
        name="three requests at once",
        bullet=Bullet.PIPELINE,
        source="RFC 9112 9.3.2",
        serves=True,
        sends=(TWO + request(target=b"/3"),),
        want=passes(Got(target=b"/1"), Got(target=b"/2"), Got(target=b"/3")),
    ),
    Case(
        name="a hundred requests at once",
        bullet=Bullet.PIPELINE,
        source="RFC 9112 9.3.2",
        serves=True,
        sends=(b"".join(request(target=b"/%d" % n) for n in range(100)),),
        want=passes(*(Got(target=b"/%d" % n) for n in range(100))),
    ),
    Case(
        name="a request behind a body",
        bullet=Bullet.PIPELINE,
        source="RFC 9112 9.3.2",
        serves=True,
        sends=(post(b"Content-Length: 5", body=b"hello") + request(target=b"/2"),),
        want=passes(HELLO, Got(target=b"/2")),
    ),
    Case(
        name="a request behind chunks",
        bullet=Bullet.PIPELINE,
        source="RFC 9112 9.3.2",
        serves=True,
        sends=(post(CHUNKED, body=b"5\r\nhello\r\n" + END) + request(target=b"/2"),),
        want=passes(HELLO, Got(target=b"/2")),
    ),
    Case(
        name="a bad request behind a good one",
        bullet=Bullet.PIPELINE,
        source="RFC 9112 9.3.2",
        sends=(request(target=b"/1") + b"nonsense\r\n\r\n" + HIDDEN,),
        want=refused(400, Got(target=b"/1")),
    ),
    Case(
        name="a request behind the last one",
        bullet=Bullet.PIPELINE,
        source="RFC 9112 9.6",
        sends=(request(b"Connection: close", target=b"/1") + HIDDEN,),
        want=passes(Got(target=b"/1"), ends=True),
    ),
    Case(
        name="a half-closed client",
        bullet=Bullet.PIPELINE,
        source="RFC 9112 9.6",
        sends=(TWO, Step.END),
        want=passes(Got(target=b"/1"), Got(target=b"/2"), ends=True),
    ),
    Case(
        name="a GET with a body: 0.CL",
        bullet=Bullet.PIPELINE,
        source="Kettle 2025, HTTP/1.1 Must Die; RFC 9110 9.3.1",
        serves=True,
        sends=(request(b"Content-Length: %d" % SIZE, body=HIDDEN),),
        want=passes(Got(body=HIDDEN)),
    ),
    Case(
        name="an early answer, then a request in the body: 0.CL",
        bullet=Bullet.PIPELINE,
        source="Kettle 2022, Browser-Powered Desync",
        sends=(SLOW, Step.AWAIT_ANSWER, HIDDEN),
        answer=Answer(pieces=(PAGE,), at_head=True),
        want=Want(statuses=(200,), ends=True, body=b"ok", lacks=(MARK,)),
    ),
    Case(
        name="an early answer and a closed connection",
        bullet=Bullet.PIPELINE,
        source="Kettle 2022; RFC 9112 9.6",
        sends=(SLOW, Step.AWAIT_ANSWER, HIDDEN),
        answer=Answer(pieces=(PAGE,), at_head=True, then=Then.CLOSE),
        want=Want(statuses=(200,), ends=True, body=b"ok", lacks=(MARK,)),
    ),
    Case(
        name="a cut body with a request in it",
        bullet=Bullet.PIPELINE,
        source="RFC 9112 8",
        sends=(post(b"Content-Length: 1000", body=HIDDEN), Step.AWAIT_APP, Step.END),
        want=Want(statuses=(), ends=True),
    ),
]

EXPECTATIONS = [
    Case(
        name="100-continue",
        bullet=Bullet.EXPECT,
        source="RFC 9110 10.1.1",
        serves=True,
        sends=(post(*EXPECTING), Step.AWAIT_ANSWER, b"hello"),
        want=passes(HELLO, interim=(100,)),
    ),
    Case(
        name="100-continue with the body at once",
        bullet=Bullet.EXPECT,
        source="RFC 9110 10.1.1",
        sends=(post(*EXPECTING, body=b"hello"),),
        want=passes(HELLO),
    ),
    Case(
        name="100-continue and a final answer instead",
        bullet=Bullet.EXPECT,
        source="RFC 9110 10.1.1; Kettle 2025",
        sends=(post(b"Content-Length: %d" % SIZE, EXPECTING[1]), Step.AWAIT_ANSWER, HIDDEN),
        answer=Answer(pieces=(PAGE,), at_head=True),
        want=Want(statuses=(200,), ends=True, body=b"ok", lacks=(MARK,)),
    ),
    Case(
        name="100-continue without a body",
        bullet=Bullet.EXPECT,
        source="RFC 9110 10.1.1; Kettle 2025, HTTP/1.1 Must Die",
        sends=(request(EXPECTING[1]) + request(target=b"/2"),),
        want=passes(Got(lacks=(b"expect",)), Got(target=b"/2")),
    ),
    Case(
        name="100-continue of HTTP/1.0",
        bullet=Bullet.EXPECT,
        source="RFC 9110 10.1.1",
        sends=(request(*EXPECTING, method=b"POST", version=b"HTTP/1.0", body=b"hello"),),
        want=passes(Got(method=b"POST", body=b"hello", lacks=(b"expect",)), ends=True),
    ),
    Case(
        name="Expect: y 100-continue",
        bullet=Bullet.EXPECT,
        source="Kettle 2025, HTTP/1.1 Must Die",
        sends=(post(b"Content-Length: %d" % SIZE, b"Expect: y 100-continue", body=HIDDEN),),
        want=refused(417),
    ),
    Case(
        name="an expectation that nobody knows",
        bullet=Bullet.EXPECT,
        source="RFC 9110 10.1.1",
        sends=(request(b"Expect: x-nothing"),),
        want=refused(417),
    ),
    Case(
        name="an expectation behind obs-fold",
        bullet=Bullet.EXPECT,
        source="CVE-2025-32094 (OPTIONS, obs-fold)",
        sends=(request(b"Expect:\r\n 100-continue", b"Content-Length: %d" % SIZE, method=b"OPTIONS", body=HIDDEN),),
        want=refused(),
    ),
]

CASES: list[Case] = [
    *table(Bullet.LENGTH, LENGTHS, refused()),
    *table(Bullet.CODING, CODINGS, refused()),
    *table(Bullet.CHUNKS, [(name, source, post(CHUNKED, body=body)) for name, source, body in CHUNKS], refused()),
    *table(
        Bullet.CHUNKS,
        [
            (f"{name}, in a piece of its own", source, (post(CHUNKED), Step.AWAIT_APP, body))
            for name, source, body in CHUNKS[::6]
        ],
        refused(),
    ),
    *table(
        Bullet.TRAILERS,
        [(name, source, post(CHUNKED, body=b"5\r\nhello\r\n" + body)) for name, source, body in TRAILERS],
        refused(),
    ),
    *(
        Case(name=name, bullet=bullet, source="RFC 9112 6 and 7", sends=(sent,), want=passes(got), serves=True)
        for bullet, name, sent, got in GOOD
    ),
    Case(
        name="HTTP/1.0 keep-alive",
        bullet=Bullet.CODING,
        source="RFC 9112 C.2.2",
        serves=True,
        sends=(request(b"Connection: keep-alive", version=b"HTTP/1.0"),),
        want=passes(Got(), ends=True),
    ),
    *PIPELINES,
    *EXPECTATIONS,
]
