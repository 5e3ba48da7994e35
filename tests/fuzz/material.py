"""Heads and chunked bodies to begin with, and what can be done to them.

Owns the drawing of test material from a random generator. It must not know how it is read.
"""

from random import Random

REQUESTS = (
    (
        b"GET /shop/item?id=12&sort=price HTTP/1.1\r\nHost: shop.test\r\nConnection: keep-alive\r\n"
        b"sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\n"
        b"Upgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n"
        b"Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\nSec-Fetch-Site: none\r\n"
        b"Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.9\r\n"
        b"Cookie: csrftoken=abc; sluicegate-shop=e.y.J; sessionid=1\r\n\r\n"
    ),
    (
        b"POST /login HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: Mozilla/5.0 (Windows NT 10.0) Gecko/20100101\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 27\r\nOrigin: http://shop.test\r\n"
        b"Connection: keep-alive\r\nReferer: http://shop.test/login\r\n\r\n"
    ),
    (
        b"POST /upload HTTP/1.1\r\nHost: shop.test:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n"
        b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\nTrailer: X-Checksum\r\n\r\n"
    ),
    (
        b"GET / HTTP/1.1\r\nHost: [::1]:80\r\nX-Forwarded-For: 1.1.1.1, 10.0.0.1\r\nX-Forwarded-Proto: https\r\n"
        b"X-Forwarded-Host: shop.test\r\nX-Real-IP: 1.1.1.1\r\nForwarded: for=1.1.1.1\r\nX-Request-Id: 0af7-651\r\n\r\n"
    ),
    (
        b"GET /live HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
    ),
    b"GET http://b.test:81/x?y HTTP/1.1\r\nA: 1\r\nHost: evil.test\r\nB: 2\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n",
    b"GET /old HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\n\r\n",
    b"PURGE /cache HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n\r\n",
    (
        b"DELETE /%2e%2e/a;b=c?d%00 HTTP/1.1\r\nHost:a\r\nEmpty:\r\nContent-Length: 0\r\n"
        b"Authorization: Bearer x.y.z\r\n\r\n"
    ),
)
RESPONSES = (
    (
        b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Mon, 02 Jun 2025 10:00:00 GMT\r\nContent-Type: text/html\r\n"
        b"Content-Length: 12\r\nConnection: keep-alive\r\nETag: \"65f\"\r\nAccept-Ranges: bytes\r\n\r\n"
    ),
    (
        b"HTTP/1.1 302 Found\r\nLocation: http://a.internal:8000/\r\nSet-Cookie: sessionid=1; Path=/; HttpOnly\r\n"
        b"Set-Cookie: csrftoken=2; Path=/\r\nContent-Length: 0\r\nVary: Cookie\r\n\r\n"
    ),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\nTrailer: X-Sum\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nServer: SimpleHTTP/0.6\r\nContent-type: text/html\r\nContent-Length: 3\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 404 \r\nConnection: close\r\nX: \xe4\xf6\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n",
    (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: x\r\n\r\n"
    ),
)
CHUNKED = (
    b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    b"5;a=\"b\"\r\nhello\r\n000\r\nX-Trailer: 1\r\nY:\r\n\r\n",
    b"00A;name=value;other\r\n0123456789\r\n0;x\r\n\r\n",
    b"1\r\n\r\r\n1\r\n\n\r\n2\r\n\r\n\r\n0\r\n\r\n",
    b"10\r\n0\r\n\r\nGET / HTTP/\r\nF\r\n123456789abcdef\r\n0\r\n\r\n",
    b"0\r\n\r\n",
)
NASTY = (
    b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\n\n", b"\r\r\n", b"\n\r", b"\x00", b"\x01", b"\x0b", b"\x0c", b"\x1b",
    b"\x7f", b"\x80", b"\x85", b"\xa0", b"\xc3\xa9", b"\xff", b" ", b"  ", b"\t", b" \t", b":", b"::", b",", b";",
    b"#", b"?", b"/", b"//", b"\\", b"@", b"*", b"%00", b"%0d%0a", b"+", b"-", b"_", b".", b"~", b"0", b"0x", b"1e1",
    b"\"", b"'", b"[", b"]", b"=", b"(", b"{", b"|", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\r\n ", b"\r\n\t", b"\r\n:",
    b"HTTP/1.1", b"chunked",
)
FIELDS = (
    b"Host: a", b"Host: b", b"host:a/evil", b"Host: u@a", b"Host: a b", b"Host: a;b", b"Host:", b"Content-Length: 5",
    b"content-length:0", b"Content-Length: 5, 5", b"Content-Length: +5", b"Content-Length: 5 ", b"Content-Length: 05",
    b"Content-Length: 999999999999999999", b"Content-Length: 1000000000000000000", b"Content-Length: 0x5",
    b"Content_Length: 5", b"Transfer-Encoding: chunked", b"Transfer-Encoding: CHUNKED",
    b"Transfer-Encoding: chunked ", b"transfer-encoding:\tchunked", b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding:", b"Transfer_Encoding: chunked", b"Transfer-Encoding: \"chunked\"",
    b"Transfer-Encoding: chunked;q=1", b"Transfer-Encoding : chunked", b"Connection: close",
    b"Connection: keep-alive", b"connection: Close, x", b"Connection: ,close,", b"Connection:",
    b"Connection: Host, Cookie", b"Connection: Upgrade", b"Connection: closed", b"Connection: close;x",
    b"Connection: clo se", b"Proxy-Connection: close", b"Keep-Alive: timeout=5", b"Upgrade: websocket",
    b"Upgrade: h2c", b"Upgrade: websocket, h2c", b"Expect: 100-continue", b"Expect: tea", b"TE: trailers",
    b"Trailer: Content-Length", b"X-Forwarded-For: 1.1.1.1", b"X_Forwarded_For: 1.1.1.1", b"X-Forwarded-User: root",
    b"x.sluicegate~user: root", b"X-Sluicegate-Assertion: x", b"X-Original-URL: /admin",
    b"X-HTTP-Method-Override: DELETE", b"Proxy: http://evil/", b"Cookie: a=1",
    b"cookie: __Host-sluicegate-shop=x; b=2", b"Authorization: Basic x", b"X: " + b"y" * 300, b"X-Empty:",
    b"X-Blank: \t ", b"X!#$%&'*+.^_`|~: 1", b"X", b": 1", b"X : 1", b" X: 1", b"X: a\x80b",
)
LINES = (
    b"GET / HTTP/1.1", b"HEAD /a HTTP/1.1", b"PUT /a?b HTTP/1.1", b"PATCH / HTTP/1.0", b"TRACE / HTTP/1.1",
    b"get / HTTP/1.1", b"CONNECT a:443 HTTP/1.1", b"GET / HTTP/2.0", b"GET / HTTP/0.9", b"GET / HTTP/1.2", b"GET /",
    b"PRI * HTTP/2.0", b"GET /caf\xc3\xa9 HTTP/1.1", b"GET /#a HTTP/1.1", b"GET * HTTP/1.1",
    b"OPTIONS http://a HTTP/1.1", b"GET http://a?b HTTP/1.1", b"GET http://u@a/ HTTP/1.1", b"GET ftp://a/ HTTP/1.1",
    b"X-TOOL / HTTP/1.1", b"GET  / HTTP/1.1", b"GET / HTTP/1.1 ", b"HTTP/1.1 200", b"HTTP/1.1 200 ",
    b"HTTP/1.1 500 Oops", b"HTTP/1.0 204 No Content", b"HTTP/2 200 OK", b"HTTP/1.1 099 x", b"HTTP/1.1 999 x",
    b"HTTP/1.1  200 OK", b"HTTP/1.1 304 \xff", b"HTTP/1.1 102 Processing", b"ICY 200 OK", b"HTTP/1.1 200\tOK",
)
CHUNK_PIECES = (
    b"0\r\n\r\n", b"1\r\nx\r\n", b"5;a\r\nhello\r\n", b"+5\r\nhello\r\n", b"-1\r\n", b"0x5\r\nhello\r\n",
    b"5 \r\nhello\r\n", b"5;\r\nhello\r\n", b"5;=\r\nhello\r\n", b"5;a=\r\nhello\r\n",
    b"5;a=\"b;c\\\"d\"\r\nhello\r\n", b"5;a = b\r\nhello\r\n", b"5; a=b\r\nhello\r\n", b"5 ;a=b\r\nhello\r\n",
    b"5;a=b;c;d=\"\"\r\nhello\r\n", b"5;a=b c\r\nhello\r\n", b"5;\"a\"\r\nhello\r\n", b"FFFFFFFFFFFFFFF\r\n",
    b"10000000000000000\r\n", b"0000000000000005\r\nhello\r\n", b"5\nhello\n", b"5\r\nhelloX\r\n",
    b"5;a\nb\r\nhello\r\n", b"5;a\rb\r\nhello\r\n", b"5;a,b\r\nhello\r\n", b"5;a=@\r\nhello\r\n",
    b"5;a=\"\t \x80\"\r\nhello\r\n", b"0\r\nA: 1\r\n\r\n", b"0\r\nA : 1\r\n\r\n", b"0\r\nA\r\n\r\n",
    b"0\r\n A: 1\r\n\r\n", b"0\r\nContent-Length: 1\r\n\r\n", b"0\r\nHost: b\r\n\r\n",
    b"0\r\nAuthorization: x\r\n\r\n", b"0\n\n", b"0\r\n\n", b"0\r\n\r", b"0\r\nA: \x80\r\n\r\n",
)


def head(rng: Random, seeds: tuple[bytes, ...]) -> bytes:
    """Draw a head: a seed to which up to four things happened."""
    raw = rng.choice(seeds)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 4))):
        raw = rng.choice(_HEAD_MUTATIONS)(rng, raw)
    return raw


def chunked(rng: Random) -> bytes:
    """Draw the wire form of a chunked body, perhaps a broken one."""
    wire = rng.choice(CHUNKED)
    if rng.random() < 0.5:
        wire = b"".join(rng.choices(CHUNK_PIECES, k=rng.randint(0, 2))) + wire
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        wire = rng.choice(_OCTET_MUTATIONS)(rng, wire)
    return wire


def _overwrite(rng: Random, raw: bytes) -> bytes:
    at = rng.randint(0, len(raw))
    return raw[:at] + bytes((rng.randrange(256),)) + raw[at + 1:]


def _insert_nasty(rng: Random, raw: bytes) -> bytes:
    at = rng.randint(0, len(raw))
    return raw[:at] + rng.choice(NASTY) + raw[at + rng.choice((0, 0, 1, 2)):]


def _insert_at_sign(rng: Random, raw: bytes) -> bytes:
    """Insert beside a separator, where a grammar is most often wrong."""
    places = [place for place, octet in enumerate(raw) if octet in b"\r\n: ,;/=\""] or [0]
    at = rng.choice(places) + rng.randint(0, 1)
    return raw[:at] + rng.choice(NASTY) + raw[at:]


def _cut_out(rng: Random, raw: bytes) -> bytes:
    at = rng.randint(0, len(raw))
    return raw[:at] + raw[at + rng.randint(1, 12):]


def _truncate(rng: Random, raw: bytes) -> bytes:
    return raw[:rng.randint(0, len(raw))]


def _double(rng: Random, raw: bytes) -> bytes:
    at = rng.randint(0, len(raw))
    return raw[:at] + raw[at:at + rng.randint(1, 20)] + raw[at:]


def _change_line_end(rng: Random, raw: bytes) -> bytes:
    lines = raw.split(b"\r\n")
    at = rng.randint(1, len(lines))
    end = rng.choice((b"\n", b"\r", b"\r\r\n", b"\n\r", b"", b"\r\n\r\n", b"\r\n ", b"\x85"))
    return b"\r\n".join(lines[:at]) + end + b"\r\n".join(lines[at:])


def _swap_case(rng: Random, raw: bytes) -> bytes:
    at = rng.randint(0, len(raw))
    size = rng.randint(1, 20)
    return raw[:at] + raw[at:at + size].swapcase() + raw[at + size:]


def _change_number(rng: Random, raw: bytes) -> bytes:
    digits = [place for place, octet in enumerate(raw) if octet in b"0123456789"] or [0]
    at = rng.choice(digits)
    more = rng.choice((b"0", b"9", b"+", b"-", b"0x", b" ", b"00000000000", b"1_", b"f", b","))
    return raw[:at] + more + raw[at + rng.choice((0, 1)):]


def _add_field(rng: Random, raw: bytes) -> bytes:
    lines = raw.split(b"\r\n")
    lines.insert(rng.randint(1, max(1, len(lines) - 2)), rng.choice(FIELDS))
    return b"\r\n".join(lines)


def _double_line(rng: Random, raw: bytes) -> bytes:
    lines = raw.split(b"\r\n")
    lines.insert(rng.randrange(len(lines)), rng.choice(lines))
    return b"\r\n".join(lines)


def _drop_line(rng: Random, raw: bytes) -> bytes:
    lines = raw.split(b"\r\n")
    del lines[rng.randrange(len(lines))]
    return b"\r\n".join(lines)


def _replace_first_line(rng: Random, raw: bytes) -> bytes:
    return b"\r\n".join((rng.choice(LINES), *raw.split(b"\r\n")[1:]))


def _change_sign(rng: Random, raw: bytes) -> bytes:
    """Replace the sign in a name by another that some applications take for it."""
    sign = rng.choice((b"_", b".", b"+", b"~", b"!", b"--", b""))
    lines = raw.split(b"\r\n")
    at = rng.randrange(len(lines))
    name, colon, value = lines[at].partition(b":")
    lines[at] = name.replace(b"-", sign, rng.randint(1, 2)) + colon + value
    return b"\r\n".join(lines)


def _surround_with_blanks(rng: Random, raw: bytes) -> bytes:
    lines = raw.split(b"\r\n")
    at = rng.randrange(len(lines))
    blank = rng.choice((b" ", b"\t", b"  ", b" \t "))
    lines[at] = rng.choice((lines[at] + blank, blank + lines[at], lines[at].replace(b":", blank + b":", 1),
                            lines[at].replace(b":", b":" + blank, 1)))
    return b"\r\n".join(lines)


def _lengthen(rng: Random, raw: bytes) -> bytes:
    """Make the target, a value or the number of fields so large that it meets a limit."""
    size = rng.choice((100, 500, 8_200, 33_000))
    lines = raw.split(b"\r\n")
    match rng.randrange(3):
        case 0:
            lines[0] = lines[0].replace(b"/", b"/" + b"x" * size, 1)
        case 1:
            lines.insert(1, b"X: " + b"y" * size)
        case _:
            lines[1:1] = [b"A:"] * (size // 40)
    return b"\r\n".join(lines)


_OCTET_MUTATIONS = (_overwrite, _insert_nasty, _insert_at_sign, _insert_at_sign, _cut_out, _truncate, _double,
                    _change_line_end, _swap_case, _change_number)
_HEAD_MUTATIONS = (*_OCTET_MUTATIONS, *([_add_field] * 8), _double_line, _drop_line, _replace_first_line,
                   _replace_first_line, _change_sign, _change_sign, _surround_with_blanks, _surround_with_blanks,
                   _lengthen)
