"""Raw cases about upgrades: h2c never, a WebSocket only by a whole request and a real 101."""

from tests.raw.cases import (
    HIDDEN,
    MARK,
    Answer,
    Bullet,
    Case,
    Front,
    Got,
    Step,
    Want,
    bad_gateway,
    passes,
    post,
    request,
)
from tests.raw.cases_fields import drops

H2C = b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"
GONE = (b"upgrade", b"http2-settings", b"connection")
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
WEBSOCKET = b"Connection: Upgrade", b"Upgrade: websocket", KEY, b"Sec-WebSocket-Version: 13"
OPENED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
FRAME = b"\x82\x85\x00\x00\x00\x00hello"
REPLY = b"\x82\x02ok"
SOCKET_GOT = Got(target=b"/ws", has=((b"connection", b"Upgrade"), (b"upgrade", b"websocket")))
NOT_OPENED = Want(statuses=(502,), app=(SOCKET_GOT,), ends=True, lacks=(MARK, b"101"))


def opened(tunnel: bytes) -> Want:
    """Expect a WebSocket with these bytes in it, and the app's frame back."""
    return Want(statuses=(101,), app=(SOCKET_GOT,), ends=False, tunnel=tunnel, has=(REPLY,))


def socket(name: str, *more: bytes | Step, pieces: tuple[bytes, ...], want: Want, serves: bool = False) -> Case:
    """Return a case that opens a WebSocket."""
    return Case(
        name=name,
        bullet=Bullet.UPGRADE,
        source="RFC 6455 4; Emelianov 2019, websocket-smuggle",
        serves=serves,
        sends=(request(*WEBSOCKET, target=b"/ws"), *more),
        answer=Answer(pieces=pieces),
        want=want,
    )


UPGRADES = [
    drops(Bullet.UPGRADE, "h2c", "RFC 9113 3.1; Bishop Fox 2020, h2c smuggling", *H2C, lacks=GONE),
    drops(Bullet.UPGRADE, "h2c that Connection does not name", "Bishop Fox 2020", *H2C[1:], lacks=GONE),
    drops(
        Bullet.UPGRADE,
        "h2c beside a WebSocket",
        "Bishop Fox 2020",
        b"Connection: Upgrade",
        b"Upgrade: websocket, h2c",
        KEY,
        lacks=GONE,
    ),
    drops(
        Bullet.UPGRADE,
        "a WebSocket and h2c in two fields",
        "Bishop Fox 2020",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Upgrade: h2c",
        KEY,
        lacks=GONE,
    ),
    drops(Bullet.UPGRADE, "TLS", "RFC 2817", b"Connection: Upgrade", b"Upgrade: TLS/1.0", lacks=GONE),
    drops(Bullet.UPGRADE, "a WebSocket that Connection does not name", "RFC 6455 4.2.1", *WEBSOCKET[1:], lacks=GONE),
    Case(
        name="a WebSocket by POST",
        bullet=Bullet.UPGRADE,
        source="RFC 6455 4.1",
        serves=True,
        sends=(post(*WEBSOCKET, b"Content-Length: 5", body=b"hello"),),
        want=passes(Got(method=b"POST", body=b"hello", lacks=GONE)),
    ),
    Case(
        name="a WebSocket in HTTP/1.0",
        bullet=Bullet.UPGRADE,
        source="RFC 6455 4.1",
        sends=(request(*WEBSOCKET, version=b"HTTP/1.0"),),
        want=passes(Got(lacks=GONE), ends=True),
    ),
    Case(
        name="a WebSocket whose GET has a body",
        bullet=Bullet.UPGRADE,
        source="RFC 6455 4.1",
        serves=True,
        sends=(request(*WEBSOCKET, b"Content-Length: %d" % len(HIDDEN), body=HIDDEN),),
        want=passes(Got(body=HIDDEN, lacks=GONE)),
    ),
    Case(
        name="h2c that the app grants",
        bullet=Bullet.UPGRADE,
        source="Bishop Fox 2020",
        sends=(request(*H2C),),
        answer=Answer(pieces=(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",)),
        want=bad_gateway(),
    ),
    socket("a WebSocket", Step.AWAIT_ANSWER, FRAME, pieces=(OPENED,), want=opened(FRAME), serves=True),
    socket("a WebSocket whose first frame is sent early", FRAME, pieces=(OPENED,), want=opened(FRAME)),
    socket("a WebSocket, and a request sent early", HIDDEN, pieces=(OPENED,), want=opened(HIDDEN)),
    socket("a WebSocket whose first frame comes with the 101", pieces=(OPENED + REPLY,), want=opened(b"")),
    socket(
        "a WebSocket that the app refuses, and a request sent early",
        HIDDEN,
        pieces=(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno",),
        want=Want(statuses=(426,), app=(SOCKET_GOT,), ends=True, body=b"no", lacks=(MARK,)),
    ),
    socket("a WebSocket that the app refuses with 502", HIDDEN, pieces=(b"nonsense\r\n\r\n",), want=NOT_OPENED),
    socket("a WebSocket granted as h2c", pieces=(OPENED.replace(b"websocket", b"h2c", 1),), want=NOT_OPENED),
    socket("a 101 without Upgrade", pieces=(b"HTTP/1.1 101 Switching Protocols\r\n\r\n",), want=NOT_OPENED),
    socket("a 101 in HTTP/1.0", pieces=(OPENED.replace(b"HTTP/1.1", b"HTTP/1.0"),), want=NOT_OPENED),
    Case(
        name="a WebSocket in which nothing is said",
        bullet=Bullet.TIMES,
        source="RFC 6455 5.5.2",
        front=Front.HASTY,
        sends=(request(*WEBSOCKET, target=b"/ws"),),
        answer=Answer(pieces=(OPENED,)),
        want=Want(statuses=(101,), app=(SOCKET_GOT,), ends=True),
    ),
]
CASES: list[Case] = UPGRADES
