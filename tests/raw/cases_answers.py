"""Raw cases about an app's answers: as strict as toward clients, and a cut one is seen as cut."""

from tests.raw.cases import (
    CHUNKED,
    MARK,
    Answer,
    Bullet,
    Case,
    Got,
    Then,
    Want,
    bad_gateway,
    request,
)

OK = b"HTTP/1.1 200 OK\r\n"
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n" + MARK
MALFORMED = [
    ("not HTTP", "RFC 9112 4", b"hello " + MARK + b"\r\n\r\n"),
    ("HTTP/0.9 from the app", "RFC 1945 6", b"<html>" + MARK),
    ("HTTP/2 in a status line", "RFC 9112 4", b"HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ("a status of two digits", "RFC 9112 4", b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"),
    ("a status of four digits", "RFC 9112 4", b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"),
    ("a status of 600", "RFC 9110 15", b"HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n"),
    ("a status with plus", "RFC 9112 4", b"HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n"),
    ("a bare CR in a reason", "RFC 9112 4", b"HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n"),
    ("bare LF in an answer's head", "RFC 9112 2.2", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    (
        "a bare CR in a value of an answer",
        "response splitting, CWE-113",
        OK + b"X-A: 1\rSet-Cookie: " + MARK + b"\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a bare LF in a value of an answer",
        "response splitting, CWE-113",
        OK + b"X-A: 1\nSet-Cookie: " + MARK + b"\r\nContent-Length: 0\r\n\r\n",
    ),
    ("NUL in an answer's value", "RFC 9110 5.5", OK + b"X-A: 1\x00\r\nContent-Length: 0\r\n\r\n"),
    ("space before a colon in an answer", "RFC 9112 5.1", OK + b"Content-Length : 8\r\n\r\n" + MARK),
    ("obs-fold in an answer", "RFC 9112 5.2", OK + b"X-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n"),
    ("a field of an answer without name", "RFC 9110 5.1", OK + b": 1\r\nContent-Length: 0\r\n\r\n"),
    ("two lengths in an answer", "RFC 9112 6.3", OK + b"Content-Length: 0\r\nContent-Length: 8\r\n\r\n" + MARK),
    ("a list of lengths in an answer", "RFC 9112 6.3", OK + b"Content-Length: 0, 8\r\n\r\n" + MARK),
    ("a length with plus in an answer", "RFC 9110 8.6", OK + b"Content-Length: +8\r\n\r\n" + MARK),
    ("a length of 19 digits in an answer", "RFC 9110 8.6", OK + b"Content-Length: 0000000000000000008\r\n\r\n" + MARK),
    (
        "length and chunked in an answer",
        "RFC 9112 6.3",
        OK + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n\r\n0\r\n\r\n" + POISON,
    ),
    ("two codings in an answer", "RFC 9112 6.1", OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("an unknown coding in an answer", "RFC 9112 6.1", OK + b"Transfer-Encoding: x\r\n\r\n" + MARK),
    (
        "chunked in an answer of HTTP/1.0",
        "RFC 9112 6.1",
        b"HTTP/1.0 200 OK\r\n" + CHUNKED + b"\r\n\r\n0\r\n\r\n" + POISON,
    ),
    (
        "vertical tab before an answer's coding",
        "CVE-2019-18277",
        OK + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "a wrong chunk size in an answer's first bytes",
        "RFC 9112 7.1",
        OK + CHUNKED + b"\r\n\r\n0x8\r\n" + MARK + b"\r\n0\r\n\r\n",
    ),
    ("a head of an answer without end", "bounded like a client's", OK + b"X-A: " + b"a" * 40_000 + b"\r\n\r\n"),
    (
        "too many fields in an answer",
        "bounded like a client's",
        OK + b"X-A: 1\r\n" * 200 + b"Content-Length: 0\r\n\r\n",
    ),
]

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
UNSOLICITED = [
    ("a 101 that nobody asked for", "RFC 9110 15.2.2", SWITCHED + b"websocket\r\n\r\n" + POISON),
    ("a 101 to h2c", "RFC 9110 7.8", SWITCHED + b"h2c\r\n\r\n"),
]


def whole(
    name: str,
    source: str,
    pieces: tuple[bytes, ...],
    *,
    body: bytes | None = None,
    method: bytes = b"GET",
    status: int = 200,
    ends: bool = False,
    then: Then = Then.STAY,
    later: bytes = b"",
    bullet: Bullet = Bullet.UNSOLICITED,
    interim: tuple[int, ...] = (),
    lacks: tuple[bytes, ...] = (MARK,),
    serves: bool = False,
) -> Case:
    """Return a case in which the app's answer reaches the client, without whatever else the app says."""
    return Case(
        name=name,
        bullet=bullet,
        source=source,
        sends=(request(method=method),),
        serves=serves,
        answer=Answer(pieces=pieces, then=then, later=later),
        want=Want(statuses=(status,), interim=interim, app=(Got(method=method),), ends=ends, body=body, lacks=lacks),
    )


EXTRA = [
    whole(
        "a second answer behind the first",
        "response queue poisoning, Kettle 2021",
        (OK + b"Content-Length: 2\r\n\r\nok" + POISON,),
        body=b"ok",
    ),
    whole(
        "a second answer a moment later",
        "RFC 9112 9.2",
        (OK + b"Content-Length: 2\r\n\r\nok",),
        body=b"ok",
        later=POISON,
    ),
    whole(
        "an interim answer that comes late",
        "RFC 9112 9.2",
        (OK + b"Content-Length: 2\r\n\r\nok",),
        body=b"ok",
        later=b"HTTP/1.1 103 Early Hints\r\nX-A: " + MARK + b"\r\n\r\n",
    ),
    whole(
        "bytes beyond the last chunk",
        "RFC 9112 7.1",
        (OK + CHUNKED + b"\r\n\r\n2\r\nok\r\n0\r\n\r\n" + POISON,),
        body=b"2\r\nok\r\n0\r\n\r\n",
    ),
    whole(
        "a body for HEAD", "RFC 9110 9.3.2; Kettle 2021", (OK + b"Content-Length: 8\r\n\r\n" + MARK,), method=b"HEAD"
    ),
    whole(
        "chunks for HEAD",
        "RFC 9110 9.3.2",
        (OK + CHUNKED + b"\r\n\r\n8\r\n" + MARK + b"\r\n0\r\n\r\n",),
        method=b"HEAD",
    ),
    whole(
        "a whole answer as HEAD's body",
        "Kettle 2021, HTTP/2: The Sequel",
        (OK + b"Content-Length: 46\r\n\r\n" + POISON,),
        method=b"HEAD",
    ),
    whole(
        "a body with 304",
        "RFC 9110 15.4.5",
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 8\r\n\r\n" + MARK,),
        status=304,
    ),
    whole(
        "a body with 204",
        "RFC 9110 15.3.5",
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 8\r\n\r\n" + MARK,),
        status=204,
    ),
    whole(
        "chunks with 204",
        "RFC 9112 6.1",
        (b"HTTP/1.1 204 No Content\r\n" + CHUNKED + b"\r\n\r\n8\r\n" + MARK + b"\r\n0\r\n\r\n",),
        status=204,
    ),
    whole(
        "an interim answer with a length",
        "RFC 9110 15.2",
        (b"HTTP/1.1 103 Early Hints\r\nContent-Length: 8\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok",),
        interim=(103,),
        body=b"ok",
        lacks=(MARK, b"Content-Length: 8"),
    ),
    whole(
        "an interim answer in chunks",
        "RFC 9112 6.1",
        (b"HTTP/1.1 103 Early Hints\r\n" + CHUNKED + b"\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok",),
        interim=(103,),
        body=b"ok",
        lacks=(MARK, b"chunked"),
    ),
    whole(
        "100 that nobody expects, twice",
        "RFC 9110 15.2.1",
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 2 + OK + b"Content-Length: 2\r\n\r\nok",),
        interim=(100, 100),
        body=b"ok",
    ),
    whole(
        "a body with an interim answer",
        "RFC 9110 15.2",
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok",),
        interim=(103,),
        body=b"ok",
    ),
]
GOOD = [
    whole(
        "an answer until close",
        "RFC 9112 6.3",
        (b"HTTP/1.1 200 OK\r\n\r\n", b"some", b" more"),
        then=Then.CLOSE,
        ends=True,
        bullet=Bullet.CUT,
        serves=True,
    ),
    whole(
        "an answer of HTTP/1.0",
        "RFC 9112 6.3",
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",),
        then=Then.CLOSE,
        bullet=Bullet.CUT,
        serves=True,
    ),
    whole(
        "an answer in chunks with a trailer",
        "RFC 9112 7.1.2",
        (OK + CHUNKED + b"\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n",),
        bullet=Bullet.TRAILERS,
        serves=True,
    ),
]


def cut(name: str, source: str, pieces: tuple[bytes, ...], then: Then) -> Case:
    """Return a case in which the app's answer breaks off after its head has gone on."""
    return Case(
        name=name,
        bullet=Bullet.CUT,
        source=source,
        sends=(request(),),
        answer=Answer(pieces=pieces, then=then),
        want=Want(statuses=(200,), app=(Got(),), ends=True, cut=True, lacks=(MARK,)),
    )


SIZED = OK + b"Content-Length: 100\r\n\r\n"
IN_CHUNKS = OK + CHUNKED + b"\r\n\r\n"
CUTS = [
    cut("a sized answer that is closed early", "RFC 9112 8", (SIZED, b"some"), Then.CLOSE),
    cut("a sized answer that is reset", "RFC 9112 8", (SIZED, b"some"), Then.RESET),
    cut("chunks closed early within one", "RFC 9112 8", (IN_CHUNKS, b"a\r\nsome"), Then.CLOSE),
    cut("chunks closed early between two", "RFC 9112 8", (IN_CHUNKS, b"4\r\nsome\r\n"), Then.CLOSE),
    cut("chunks closed before the end of the trailers", "RFC 9112 8", (IN_CHUNKS, b"4\r\nsome\r\n0\r\n"), Then.CLOSE),
    cut("an answer until close that is reset", "RFC 9112 8", (b"HTTP/1.1 200 OK\r\n\r\n", b"some"), Then.RESET),
    cut(
        "a chunk longer than its size",
        "RFC 9112 7.1",
        (IN_CHUNKS, b"4\r\nsome\r\n", b"4\r\nlonger\r\n0\r\n\r\n"),
        Then.STAY,
    ),
    cut(
        "a chunk size with 0x later on",
        "RFC 9112 7.1",
        (IN_CHUNKS, b"4\r\nsome\r\n", b"0x8\r\n" + MARK + b"\r\n0\r\n\r\n"),
        Then.STAY,
    ),
    cut(
        "LF after a chunk of an answer",
        "RFC 9112 7.1; Weikop 2025",
        (IN_CHUNKS, b"4\r\nsome\n", b"0\r\n\r\n"),
        Then.STAY,
    ),
    cut(
        "a trailer of an answer that frames",
        "RFC 9110 6.5.1",
        (IN_CHUNKS, b"4\r\nsome\r\n", b"0\r\nContent-Length: 4\r\n\r\n"),
        Then.STAY,
    ),
]


def bad(
    name: str, source: str, pieces: tuple[bytes, ...], bullet: Bullet = Bullet.ANSWERS, then: Then = Then.CLOSE
) -> Case:
    """Return a case in which nothing of the app's answer may reach the client."""
    return Case(
        name=name,
        bullet=bullet,
        source=source,
        sends=(request(),),
        answer=Answer(pieces=pieces, then=then),
        want=bad_gateway(),
    )


CASES: list[Case] = [
    *(bad(name, source, (sent,)) for name, source, sent in MALFORMED),
    bad("no answer but an end", "RFC 9112 8", (b"",)),
    bad("half a head, then the end", "RFC 9112 8", (OK + b"Content-Len",)),
    bad("a reset instead of an answer", "RFC 9112 8", (b"",), then=Then.RESET),
    *(bad(name, source, (sent,), Bullet.UNSOLICITED) for name, source, sent in UNSOLICITED),
    *EXTRA,
    *GOOD,
    *CUTS,
]
