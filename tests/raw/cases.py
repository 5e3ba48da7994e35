"""The vocabulary of raw cases: what a client sends, how the app answers, what must come of it.

A case is bytes and an expectation, nothing that runs. The tables stand in the files `cases_*`, by subject;
`ALL` joins them. A client's request that must never reach the app by itself has a target with MARK in it,
and so has whatever an app must never be able to say to another client.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

MARK = b"smuggled"
FORGED = b"forged"  # in a field's value: what a client says of who or where it is
HOST = b"Host: shop.test\r\n"


class Front(Enum):
    """Which of a proxy's listeners a case goes to."""

    PLAIN = "plain"
    HASTY = "hasty"  # every time limit is a second
    TRUSTING = "trusting"  # believes its peers


class Step(Enum):
    """What a client does between its pieces."""

    AWAIT_ANSWER = "wait until something has come back"
    AWAIT_APP = "wait until the app has a head"
    END = "end its side"
    PAUSE = "wait two seconds"


class Then(Enum):
    """What the app does with its connection after an answer that a case gives."""

    STAY = "keep it"
    CLOSE = "close it"
    RESET = "reset it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Is how the app answers the case's requests; `later` is sent a moment after, unasked.

    `at_head` answers before the body has come. `says_continue` sends 100 to a request that expects it.
    With `pieces` None the app answers as it does all others: 200, with method and target as the body.
    After a 101 the app reads no more requests from the connection and keeps what comes as it is.
    """

    pieces: tuple[bytes, ...] | None = None
    then: Then = Then.STAY
    later: bytes = b""
    at_head: bool = False
    says_continue: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """Is one whole request as the app must get it. Names are lower case, values as the wire has them.

    `has` are fields it holds with exactly these values, `lacks` names it does not hold.
    """

    method: bytes = b"GET"
    target: bytes = b"/"
    body: bytes = b""
    has: tuple[tuple[bytes, bytes], ...] = ()
    lacks: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """Is what must come of a case; `statuses` are the final answers' in order, `interim` those before.

    `app` are the whole requests that reach the app, in order. `ends` says whether the connection is closed
    by us, `cut` whether the last answer is seen as incomplete. `body` is the last answer's, if looked at;
    `lacks` stand nowhere in what the client gets, `has` do. `tunnel` are bytes behind a 101 at the app.
    """

    statuses: tuple[int, ...]
    interim: tuple[int, ...] = ()
    app: tuple[Got, ...] = ()
    ends: bool
    cut: bool = False
    body: bytes | None = None
    has: tuple[bytes, ...] = ()
    lacks: tuple[bytes, ...] = ()
    tunnel: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Is one raw case. `bullet` names the promise that it tests, `source` where the bytes come from.

    `serves` says that the request is a good one: whoever refuses it fails as well. `ours` says that the case
    is about what only the gateway does or does not (its own pages, no HTTP/2): there is nothing to compare.
    """

    name: str
    bullet: "Bullet"
    source: str
    sends: tuple[bytes | Step, ...]
    want: Want
    answer: Answer = Answer()
    front: Front = Front.PLAIN
    serves: bool = False
    ours: bool = False


class Bullet(Enum):
    """Are the promises of the data plane about HTTP; each has cases, which a test makes sure of."""

    HOST = "400: a Host that is missing, doubled or malformed"
    FIELDS = "400: space before colon, obs-fold, bare CR or LF, NUL"
    LENGTH = "400: Content-Length repeated, signed, listed, over 18 digits, or with Transfer-Encoding"
    CODING = "400: any coding but one final chunked; Transfer-Encoding in HTTP/1.0"
    CHUNKS = "400: chunk sizes with sign, 0x or spaces; a wrong CRLF after the data"
    TARGET = "400: control bytes or a fragment in the target; HTTP/0.9 and HTTP/2"
    METHODS = "405: CONNECT and TRACE"
    ABSOLUTE = "absolute-form: its authority replaces Host"
    ANSWERS = "502: an app's answer that is not strict HTTP; none of it reaches a client"
    UNSOLICITED = "an unsolicited 101 or extra bytes never reach a client"
    CUT = "a cut body is seen as cut"
    CONNECTION = "fields that Connection names are removed, never those that matter"
    UPGRADE = "h2c is dropped; a WebSocket only by a whole request and a real 101"
    EXPECT = "100-continue works"
    TRAILERS = "trailers are not merged"
    PIPELINE = "pipelining is served in order"
    FORWARDED = "forwarding and identity fields are nobody's to send but a trusted proxy's"
    LIMITS = "limits of size: 431, 414, 413"
    TIMES = "limits of time: 408, 504, and idle connections closed"


def refused(status: int = 400, *before: Got) -> Want:
    """Expect an answer of the gateway's own, then the end; the app gets nothing but what came `before`."""
    return Want(statuses=(*(200 for _ in before), status), app=before, ends=True, lacks=(MARK,))


def passes(*app: Got, ends: bool = False, interim: tuple[int, ...] = (), lacks: tuple[bytes, ...] = (MARK,)) -> Want:
    """Expect that these requests reach the app and are answered."""
    return Want(statuses=tuple(200 for _ in app), interim=interim, app=app, ends=ends, lacks=lacks)


def bad_gateway(status: int = 502, app: Got | None = None) -> Want:
    """Expect that the app's answer is replaced by one of the gateway's own."""
    return Want(statuses=(status,), app=(app or Got(),), ends=False, lacks=(MARK,))


def request(
    *lines: bytes,
    method: bytes = b"GET",
    target: bytes = b"/",
    host: bytes = HOST,
    body: bytes = b"",
    version: bytes = b"HTTP/1.1",
) -> bytes:
    """Return a request; `lines` are field lines without their ends."""
    fields = b"".join(line + b"\r\n" for line in lines)
    return b"%b %b %b\r\n%b%b\r\n%b" % (method, target, version, host, fields, body)


def post(*lines: bytes, body: bytes = b"", target: bytes = b"/") -> bytes:
    """Return a POST whose framing is in `lines`."""
    return request(*lines, method=b"POST", target=target, body=body)


HIDDEN = request(target=b"/" + MARK)  # the request that an attack wants to reach the app
CHUNKED = b"Transfer-Encoding: chunked"


def table(
    bullet: Bullet, rows: Sequence[tuple[str, str, bytes | tuple[bytes | Step, ...]]], want: Want, **more: object
) -> list[Case]:
    """Return cases that differ only in name, source and bytes."""
    return [
        Case(
            name=name,
            bullet=bullet,
            source=source,
            sends=sent if isinstance(sent, tuple) else (sent,),
            want=want,
            **more,
        )  # type: ignore[arg-type]
        for name, source, sent in rows
    ]
