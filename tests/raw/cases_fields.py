"""Raw cases about fields: what Connection names, who and where a client is."""

from tests.raw.cases import (
    FORGED,
    HIDDEN,
    MARK,
    Answer,
    Bullet,
    Case,
    Front,
    Got,
    Want,
    passes,
    post,
    request,
    table,
)

WHERE = ((b"x-forwarded-for", b"127.0.0.1"), (b"x-forwarded-proto", b"http"), (b"x-forwarded-host", b"shop.test"))


def drops(
    bullet: Bullet,
    name: str,
    source: str,
    *lines: bytes,
    lacks: tuple[bytes, ...] = (),
    has: tuple[tuple[bytes, bytes], ...] = (),
    ends: bool = False,
    front: Front = Front.PLAIN,
) -> Case:
    """Return a case in which a good request loses some of its fields on the way to the app."""
    return Case(
        name=name,
        bullet=bullet,
        source=source,
        sends=(request(*lines),),
        front=front,
        serves=True,
        want=passes(Got(has=has, lacks=lacks), ends=ends, lacks=(MARK, b"set-cookie: x")),
    )


SECRETS = b"authorization: Bearer a", b"cookie: a=b", b"origin: http://shop.test"
NAMING_ANSWER = (
    b"HTTP/1.1 200 OK\r\nConnection: X-Leg, Content-Length, Set-Cookie\r\nX-Leg: hop\r\nSet-Cookie: a=b\r\n"
    b"Keep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok"
)
CONNECTIONS = [
    drops(
        Bullet.CONNECTION,
        "a field that Connection names",
        "RFC 9110 7.6.1",
        b"Connection: X-Leg",
        b"X-Leg: 1",
        lacks=(b"x-leg", b"connection"),
    ),
    drops(
        Bullet.CONNECTION,
        "fields that two Connections name",
        "RFC 9110 7.6.1",
        b"Connection: X-Leg",
        b"X-Leg: 1",
        b"X-Arm: 1",
        b"connection: close, x-arm",
        lacks=(b"x-leg", b"x-arm"),
        ends=True,
    ),
    drops(
        Bullet.CONNECTION,
        "Connection names Host",
        "Davison 2019, hop-by-hop abuse",
        b"Connection: close, Host",
        has=((b"host", b"shop.test"),),
        ends=True,
    ),
    drops(
        Bullet.CONNECTION,
        "Connection names what authenticates",
        "Davison 2019, hop-by-hop abuse",
        *SECRETS,
        b"Connection: Authorization, Cookie, Origin",
        has=tuple(tuple(line.split(b": ")) for line in SECRETS),
    ),  # type: ignore[arg-type,misc]
    drops(
        Bullet.CONNECTION,
        "Connection names what the gateway says",
        "CVE-2022-31813",
        b"Connection: X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host",
        has=WHERE,
    ),
    drops(
        Bullet.CONNECTION,
        "Connection names itself",
        "RFC 9110 7.6.1",
        b"Connection: Connection",
        lacks=(b"connection",),
    ),
    drops(
        Bullet.CONNECTION,
        "hop-by-hop fields",
        "RFC 9110 7.6.1",
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: keep-alive",
        b"TE: trailers",
        b"Proxy-Authorization: Basic a",
        lacks=(b"keep-alive", b"proxy-connection", b"te", b"proxy-authorization"),
    ),
    Case(
        name="Connection names Content-Length",
        bullet=Bullet.CONNECTION,
        source="RFC 9110 7.6.1; smuggling by a lost length",
        sends=(post(b"Connection: Content-Length", b"Content-Length: %d" % len(HIDDEN), body=HIDDEN),),
        want=passes(Got(method=b"POST", body=HIDDEN)),
        serves=True,
    ),
    Case(
        name="Connection names Transfer-Encoding",
        bullet=Bullet.CONNECTION,
        source="RFC 9110 7.6.1; smuggling by lost chunks",
        sends=(
            post(
                b"Connection: Transfer-Encoding",
                b"Transfer-Encoding: chunked",
                body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN),
            ),
        ),
        want=passes(Got(method=b"POST", body=HIDDEN)),
        serves=True,
    ),
    Case(
        name="Connection of an answer names fields",
        bullet=Bullet.CONNECTION,
        source="RFC 9110 7.6.1",
        sends=(request(),),
        serves=True,
        answer=Answer(pieces=(NAMING_ANSWER,)),
        want=Want(
            statuses=(200,),
            app=(Got(),),
            ends=False,
            body=b"ok",
            has=(b"Set-Cookie: a=b",),
            lacks=(b"X-Leg", b"Keep-Alive"),
        ),
    ),
]

NAMES = (
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Uri",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Server",
    "Forwarded",
    "X-Real-IP",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-HTTP-Method-Override",
    "X-Sluicegate-User",
    "Proxy",
)
SPELLINGS = (
    "X_Forwarded_For",
    "X-Forwarded_For",
    "x_forwarded_user",
    "X.Forwarded.User",
    "X_Real_IP",
    "X_Original_URL",
    "X!Forwarded!Host",
)
FORWARDED = [
    *table(
        Bullet.FORWARDED,
        [
            (
                f"{name} from anyone",
                "`_` read as `-` by CGI and WSGI" if name in SPELLINGS else "RFC 7239 8.1",
                request(b"%b: %b" % (name.encode(), FORGED)),
            )
            for name in NAMES + SPELLINGS
        ],
        passes(Got(has=WHERE)),
        serves=True,
    ),
    drops(
        Bullet.FORWARDED,
        "forwarding fields twice",
        "RFC 7239 8.1",
        b"X-Forwarded-For: forged",
        b"X-Forwarded-For: forged",
        b"x-forwarded-for: forged",
        has=WHERE,
    ),
    drops(
        Bullet.FORWARDED,
        "an empty forwarding field",
        "RFC 7239 8.1",
        b"X-Forwarded-For:",
        b"X-Forwarded-Proto: https",
        has=WHERE,
    ),
    drops(
        Bullet.FORWARDED,
        "what a trusted proxy says",
        "RFC 7239 5",
        b"X-Forwarded-For: 203.0.113.9",
        b"X-Forwarded-Proto: https",
        b"X-Forwarded-Host: www.test",
        b"X-Real-IP: 203.0.113.9",
        b"X-Request-Id: a-1",
        front=Front.TRUSTING,
        has=(
            (b"x-forwarded-for", b"203.0.113.9, 127.0.0.1"),
            (b"x-forwarded-proto", b"https"),
            (b"x-forwarded-host", b"www.test"),
            (b"x-real-ip", b"203.0.113.9"),
            (b"x-request-id", b"a-1"),
        ),
    ),
    drops(
        Bullet.FORWARDED,
        "what a trusted proxy passed on from a client",
        "RFC 7239 8.1; walked from the right",
        b"X-Forwarded-For: 6.6.6.6",
        b"X-Forwarded-For: 203.0.113.9",
        front=Front.TRUSTING,
        has=((b"x-forwarded-for", b"6.6.6.6, 203.0.113.9, 127.0.0.1"),),
    ),
    drops(
        Bullet.FORWARDED,
        "no proxy says who the user is",
        "only the gateway says so",
        b"X-Forwarded-User: forged",
        b"X-Forwarded-Email: forged",
        b"X_Forwarded_User: forged",
        b"X-Original-URL: forged",
        b"X-Rewrite-URL: forged",
        front=Front.TRUSTING,
        lacks=(b"x-forwarded-user", b"x-forwarded-email", b"x_forwarded_user", b"x-original-url", b"x-rewrite-url"),
    ),
]

CASES: list[Case] = [*CONNECTIONS, *FORWARDED]
