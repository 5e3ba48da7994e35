"""Raw cases about request heads: Host, fields, targets, methods, versions."""

from tests.raw.cases import HIDDEN, HOST, MARK, Bullet, Case, Got, passes, refused, request, table

EVIL = b"/" + MARK

HOSTS = [
    ("no Host", "RFC 9112 3.2", request(host=b"")),
    ("no Host in HTTP/1.0", "RFC 9112 3.2 allows it; nobody could be chosen", request(host=b"", version=b"HTTP/1.0")),
    ("two Hosts", "RFC 9112 3.2", request(HOST[:-2])),
    ("two different Hosts", "RFC 9112 3.2", request(b"Host: admin.test")),
    ("two Hosts, apart and in other case", "RFC 9112 3.2", request(b"Accept: */*", b"hOST: admin.test")),
    ("Host and its spelling with a blank", "RFC 9112 5.1", request(b"Host : admin.test")),
    ("an empty Host", "RFC 9110 7.2; an empty one names nobody", request(host=b"Host:\r\n")),
    ("Host with a path", "RFC 9110 7.2; links made of Host", request(host=b"Host: shop.test/evil\r\n")),
    ("Host with userinfo", "RFC 9110 4.2.4", request(host=b"Host: shop.test@evil.test\r\n")),
    ("Host with userinfo and port", "RFC 9110 4.2.4", request(host=b"Host: user:80@evil.test\r\n")),
    ("Host with a space", "RFC 9110 7.2", request(host=b"Host: shop.test evil.test\r\n")),
    ("Host with a tab", "RFC 9110 7.2", request(host=b"Host: shop.test\tevil.test\r\n")),
    ("Host with a semicolon", "RFC 3986 3.2.2, sub-delims", request(host=b"Host: shop.test;evil\r\n")),
    ("Host with a comma", "a list, as some proxies fold two", request(host=b"Host: shop.test, evil.test\r\n")),
    ("Host with a query", "RFC 3986 3.2", request(host=b"Host: shop.test?x\r\n")),
    ("Host with a fragment", "RFC 3986 3.2", request(host=b"Host: shop.test#x\r\n")),
    ("Host with a backslash", "WHATWG URL 4.4 reads it as a slash", request(host=b"Host: shop.test\\evil\r\n")),
    ("Host with a port that is none", "RFC 3986 3.2.3", request(host=b"Host: shop.test:80x\r\n")),
    ("Host with two ports", "RFC 3986 3.2.3", request(host=b"Host: shop.test:80:81\r\n")),
    ("Host with a percent sign", "RFC 3986 3.2.2", request(host=b"Host: shop%2etest\r\n")),
    ("Host with a quote", "RFC 9110 7.2; cache keys", request(host=b'Host: shop.test"\r\n')),
    ("Host beyond ASCII", "RFC 9110 7.2", request(host="Host: shöp.test\r\n".encode())),
]

FIELDS = [
    ("space before a colon", "RFC 9112 5.1", request(b"X-A : 1")),
    (
        "space before Content-Length's colon",
        "RFC 9112 5.1; Linhart et al. 2005",
        request(b"Content-Length : %d" % len(HIDDEN), method=b"POST", body=HIDDEN),
    ),
    (
        "space before Transfer-Encoding's colon",
        "RFC 9112 5.1; CVE-2019-16869",
        request(b"Transfer-Encoding : chunked", b"Content-Length: 5", method=b"POST", body=b"0\r\n\r\n" + HIDDEN),
    ),
    ("tab before a colon", "RFC 9112 5.1", request(b"X-A\t: 1")),
    ("obs-fold", "RFC 9112 5.2", request(b"X-A: 1\r\n folded")),
    ("obs-fold in the first field", "RFC 9112 2.2", request(host=b" X: 1\r\n" + HOST)),
    (
        "obs-fold around Transfer-Encoding",
        "RFC 9112 5.2",
        request(b"Transfer-Encoding:\r\n chunked", b"Content-Length: 5", method=b"POST", body=b"0\r\n\r\n" + HIDDEN),
    ),
    ("obs-fold that hides Host", "RFC 9112 5.2", request(b"X-A: 1\r\n\tHost: admin.test")),
    ("bare CR in a value", "RFC 9112 2.2", request(b"X-A: 1\r2")),
    ("bare LF as a line's end", "RFC 9112 2.2 allows it; two readers differ", b"GET / HTTP/1.1\nHost: shop.test\n\n"),
    ("bare LF in a value", "RFC 9110 5.5", request(b"X-A: 1\nTransfer-Encoding: chunked")),
    ("bare CR as a line's end", "RFC 9112 2.2", b"GET / HTTP/1.1\rHost: shop.test\r\r"),
    ("CR CR LF", "RFC 9112 2.2", b"GET / HTTP/1.1\r\n" + HOST + b"X-A: 1\r\r\n\r\n"),
    ("LF before the first line's end", "RFC 9112 2.2", b"GET / HTTP/1.1\n\r\n" + HOST + b"\r\n"),
    ("NUL in a value", "RFC 9110 5.5", request(b"X-A: 1\x002")),
    ("NUL in a name", "RFC 9110 5.1", request(b"X\x00A: 1")),
    ("vertical tab in a value", "RFC 9110 5.5", request(b"X-A: 1\x0b2")),
    ("DEL in a value", "RFC 9110 5.5", request(b"X-A: 1\x7f2")),
    ("no name", "RFC 9110 5.1", request(b": 1")),
    ("no colon", "RFC 9112 5", request(b"X-A")),
    ("a name in parentheses", "RFC 9110 5.6.2", request(b"X(A): 1")),
    ("a name beyond ASCII", "RFC 9110 5.6.2", request(b"X\xc4: 1")),
    ("an empty line before the request", "RFC 9112 2.2 lets servers skip it; two readers differ", b"\r\n" + request()),
]

TARGETS = [
    ("a control byte in the target", "RFC 9112 3.2", request(target=b"/a\x01b")),
    ("NUL in the target", "RFC 9112 3.2", request(target=b"/a\x00b")),
    ("a tab in the target", "RFC 9112 3.2", request(target=b"/a\tb")),
    ("a space in the target", "RFC 9112 3.2", request(target=b"/a b")),
    ("a version within the target", "RFC 9112 3; request splitting", request(target=b"/ HTTP/1.1 " + EVIL)),
    ("DEL in the target", "RFC 9112 3.2", request(target=b"/a\x7f")),
    ("a bare CR in the target", "RFC 9112 2.2", request(target=b"/a\rb")),
    ("a fragment in the target", "RFC 9112 3.2; two readings of a path", request(target=b"/a#b")),
    ("a fragment that hides a path", "RFC 9112 3.2", request(target=b"/public#/../admin")),
    ("no slash", "RFC 9112 3.2.1", request(target=b"admin")),
    ("an at sign for a path", "RFC 9112 3.2; Kettle 2017, Cracking the Lens", request(target=b"@evil.test/")),
    ("an asterisk for GET", "RFC 9112 3.2.4", request(target=b"*")),
    ("HTTP/0.9", "RFC 1945 5", b"GET /\r\n"),
    ("HTTP/0.9 with its version", "RFC 9112 2.3", request(version=b"HTTP/0.9")),
    ("HTTP/2.0 in a request line", "RFC 9113 3.4", request(version=b"HTTP/2.0")),
    ("a version in lower case", "RFC 9112 2.3", request(version=b"http/1.1")),
    ("a version with a longer number", "RFC 9112 2.3", request(version=b"HTTP/1.11")),
    ("a version without name", "RFC 9112 2.3", request(version=b"1.1")),
    ("no version but two spaces", "RFC 9112 3", b"GET /  \r\n" + HOST + b"\r\n"),
    ("two spaces after the method", "RFC 9112 3", b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("a tab after the method", "RFC 9112 3", b"GET\t/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("a space before the method", "RFC 9112 3", b" GET / HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("a space after the version", "RFC 9112 3", b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n"),
    ("a method in lower case", "Django upper-cases it; RFC 9110 9.1", request(method=b"get")),
    ("a method with a colon", "RFC 9110 9.1", request(method=b"GET:")),
    ("a TLS hello", "RFC 8446 4.1.2", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n"),
]

METHODS = [
    ("CONNECT to an authority", "RFC 9110 9.3.6", request(method=b"CONNECT", target=b"evil.test:443")),
    ("CONNECT with a path", "RFC 9110 9.3.6", request(method=b"CONNECT")),
    ("TRACE", "RFC 9110 9.3.8", request(b"Cookie: a=b", method=b"TRACE")),
]

SHOP = (b"host", b"shop.test")
ABSOLUTE = [
    ("absolute-form", request(target=b"http://shop.test/a?b"), Got(target=b"/a?b", has=(SHOP,))),
    (
        "absolute-form with another Host",
        request(target=b"http://shop.test/a", host=b"Host: admin.test\r\n"),
        Got(target=b"/a", has=(SHOP, (b"x-forwarded-host", b"shop.test"))),
    ),
    ("absolute-form without a path", request(target=b"http://shop.test"), Got(has=(SHOP,))),
    ("absolute-form with only a query", request(target=b"http://shop.test?a"), Got(target=b"/?a", has=(SHOP,))),
    ("OPTIONS *", request(target=b"*", method=b"OPTIONS"), Got(method=b"OPTIONS", target=b"*", has=(SHOP,))),
]
BAD_ABSOLUTE = [
    ("absolute-form without a Host", "RFC 9112 3.2", request(target=b"http://shop.test/", host=b"")),
    ("absolute-form with userinfo", "RFC 9110 4.2.4", request(target=b"http://shop.test@evil.test/")),
    ("absolute-form of another scheme", "RFC 9112 3.2.2; Kettle 2017", request(target=b"ftp://shop.test/")),
    ("absolute-form of a file", "RFC 9112 3.2.2", request(target=b"file:///etc/passwd")),
    ("absolute-form without an authority", "RFC 9110 4.2.1", request(target=b"http:///a")),
    ("absolute-form with two Hosts", "RFC 9112 3.2", request(b"Host: a", target=b"http://shop.test/")),
]

CASES: list[Case] = [
    *table(Bullet.HOST, HOSTS, refused()),
    *table(Bullet.FIELDS, FIELDS, refused()),
    *table(Bullet.TARGET, TARGETS, refused()),
    Case(
        name="HTTP/1.2",
        bullet=Bullet.TARGET,
        source="RFC 9112 2.3; strictness of ours",
        sends=(request(version=b"HTTP/1.2"),),
        want=refused(505),
    ),
    Case(
        name="the HTTP/2 preface",
        bullet=Bullet.TARGET,
        source="RFC 9113 3.4",
        sends=(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",),
        want=refused(),
        ours=True,
    ),
    *table(Bullet.METHODS, METHODS, refused(405)),
    *(
        Case(name=name, bullet=Bullet.ABSOLUTE, source="RFC 9112 3.2.2", sends=(sent,), want=passes(got))
        for name, sent, got in ABSOLUTE
    ),
    *table(Bullet.ABSOLUTE, BAD_ABSOLUTE, refused()),
]
