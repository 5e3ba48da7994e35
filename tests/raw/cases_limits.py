"""Raw cases about sizes and times. On the hasty front every time limit is one second."""

from tests.raw.cases import (
    HOST,
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
    refused,
    request,
    table,
)

FORM = b"Content-Type: application/x-www-form-urlencoded"
LOGIN = b"/admin/login/"
NEVER = b"Host: never.test\r\n"  # the app of this name accepts no connection

SIZES = [
    ("a head of 33 KiB", request(b"X-A: " + b"a" * 33 * 1024), 431),
    ("a head of 33 KiB in many fields", request(*(b"X-A: " + b"a" * 400,) * 84), 431),
    ("a head that never ends", b"GET / HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 200_000, 431),
    ("101 fields", request(*(b"X-A: 1",) * 100), 431),
    ("10 000 fields", request(*(b"A: 1",) * 10_000), 431),
    ("a target of 9 KiB", request(target=b"/" + b"a" * 9 * 1024), 414),
    ("a target that never ends", b"GET /" + b"a" * 200_000, 414),
    ("a method that never ends", b"A" * 200_000, 414),
]

CASES: list[Case] = [
    *(
        Case(
            name=name, bullet=Bullet.LIMITS, source="RFC 9110 15.5.15; RFC 6585 5", sends=(sent,), want=refused(status)
        )
        for name, sent, status in SIZES
    ),
    Case(
        name="a head of 30 KiB",
        bullet=Bullet.LIMITS,
        source="RFC 9112 5",
        serves=True,
        sends=(request(*(b"X-A: " + b"a" * 7000,) * 4),),
        want=passes(Got()),
    ),
    Case(
        name="100 fields",
        bullet=Bullet.LIMITS,
        source="RFC 9112 5",
        serves=True,
        sends=(request(*(b"X-A: 1",) * 99),),
        want=passes(Got()),
    ),
    Case(
        name="a target of 7 KiB",
        bullet=Bullet.LIMITS,
        source="RFC 9112 3",
        serves=True,
        sends=(request(target=b"/" + b"a" * 7 * 1024),),
        want=passes(Got(target=b"/" + b"a" * 7 * 1024)),
    ),
    *table(
        Bullet.LIMITS,
        [
            ("a login of 65 KiB by its length", "RFC 9110 15.5.14", post(FORM, b"Content-Length: 66560", target=LOGIN)),
            (
                "a login of 65 KiB in chunks",
                "RFC 9110 15.5.14",
                post(
                    FORM,
                    b"Transfer-Encoding: chunked",
                    target=LOGIN,
                    body=b"10400\r\n" + b"a" * 66560 + b"\r\n0\r\n\r\n",
                ),
            ),
        ],
        refused(413),
        ours=True,
    ),
    Case(
        name="half a head, then nothing",
        bullet=Bullet.TIMES,
        source="slow head, RSnake 2009, Slowloris",
        front=Front.HASTY,
        sends=(b"GET / HTTP/1.1\r\n" + HOST,),
        want=refused(408),
    ),
    Case(
        name="a head byte by byte",
        bullet=Bullet.TIMES,
        source="RSnake 2009, Slowloris",
        front=Front.HASTY,
        sends=(b"GET / HTTP/1.1\r\n", Step.PAUSE, b"X-A: 1\r\n", Step.PAUSE, HOST, Step.PAUSE, b"\r\n"),
        want=refused(408),
    ),
    Case(
        name="nothing at all",
        bullet=Bullet.TIMES,
        source="RFC 9112 9.5",
        front=Front.HASTY,
        sends=(),
        want=Want(statuses=(), ends=True),
    ),
    Case(
        name="nothing after a request",
        bullet=Bullet.TIMES,
        source="RFC 9112 9.5",
        front=Front.HASTY,
        sends=(request(), Step.PAUSE, Step.PAUSE),
        want=passes(Got(), ends=True),
    ),
    Case(
        name="half a login, then nothing",
        bullet=Bullet.TIMES,
        source="RFC 9110 15.5.9",
        front=Front.HASTY,
        ours=True,
        sends=(post(FORM, b"Content-Length: 100", target=LOGIN, body=b"username=a"),),
        want=refused(408),
    ),
    Case(
        name="an app that says nothing",
        bullet=Bullet.TIMES,
        source="RFC 9110 15.6.5",
        front=Front.HASTY,
        sends=(request(),),
        answer=Answer(pieces=(b"",)),
        want=bad_gateway(504),
    ),
    Case(
        name="an app that says half a head",
        bullet=Bullet.TIMES,
        source="RFC 9110 15.6.5",
        front=Front.HASTY,
        sends=(request(),),
        answer=Answer(pieces=(b"HTTP/1.1 200 OK\r\nX-A: " + MARK,)),
        want=bad_gateway(504),
    ),
    Case(
        name="an answer that stops",
        bullet=Bullet.TIMES,
        source="RFC 9112 8",
        front=Front.HASTY,
        sends=(request(),),
        answer=Answer(pieces=(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"some")),
        want=Want(statuses=(200,), app=(Got(),), ends=True, cut=True),
    ),
    Case(
        name="a body byte by byte",
        bullet=Bullet.TIMES,
        source="Wong Onn Chee 2010, slow POST",
        front=Front.HASTY,
        sends=(post(b"Content-Length: 100000", body=b"a"), *(Step.PAUSE, b"a") * 4),
        want=refused(408),
    ),
    Case(
        name="an app that accepts nobody",
        bullet=Bullet.TIMES,
        source="RFC 9110 15.6.5",
        front=Front.HASTY,
        sends=(request(host=NEVER),),
        want=Want(statuses=(504,), ends=False),
    ),
]
