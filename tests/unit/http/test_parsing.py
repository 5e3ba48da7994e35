"""Heads of requests and answers: what is understood, and what is refused with which status."""

import pytest

from gateway.errors import AppUnavailable, RequestRefused
from gateway.http.head import RequestHead, ResponseHead
from gateway.http.parsing import HeadLimits, parse_request, parse_response

LIMITS = HeadLimits()


def request(*lines: bytes) -> RequestHead:
    """Parse a head of these lines, which must be complete."""
    head = parse_request(b"\r\n".join(lines) + b"\r\n\r\n", LIMITS)
    assert head is not None
    return head


def response(*lines: bytes) -> ResponseHead:
    """Parse an answer's head of these lines, which must be complete."""
    head = parse_response(b"\r\n".join(lines) + b"\r\n\r\n", LIMITS)
    assert head is not None
    return head


def refused_status(raw: bytes, limits: HeadLimits = LIMITS) -> int:
    """Return the status with which a request is refused."""
    with pytest.raises(RequestRefused) as refusal:
        parse_request(raw, limits)
    return refusal.value.status


def post(*fields: bytes) -> bytes:
    """Return a POST with a Host and these field lines."""
    return b"POST / HTTP/1.1\r\nHost: a\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


class TestRequest:
    def test_a_browsers_request_is_understood(self) -> None:
        """A usual head gives method, target, host, cookie and the bytes that it took."""
        raw = (b"GET /shop?page=2 HTTP/1.1\r\nHost: Shop.Test:8080\r\nConnection: keep-alive\r\n"
               b"Cookie: a=1; b=2\r\nAccept: */*\r\n\r\n")
        head = parse_request(raw + b"the next request", LIMITS)
        assert head is not None
        assert (head.method, head.target, head.host) == (b"GET", b"/shop?page=2", b"shop.test:8080")
        assert head.cookie == b"a=1; b=2"
        assert head.size == len(raw)
        assert head.is_persistent
        assert not head.has_body
        assert not head.is_http_10

    def test_fields_keep_order_spelling_and_duplicates(self) -> None:
        """`fields` are the fields as sent, values without the blanks around them."""
        head = request(b"GET / HTTP/1.1", b"Host: a", b"X-One:1", b"x-one: \t2 \t", b"Empty:")
        assert head.fields == ((b"Host", b"a"), (b"X-One", b"1"), (b"x-one", b"2"), (b"Empty", b""))
        assert head.values(b"x-one") == [b"1", b"2"]
        assert head.values(b"absent") == []
        assert head.fields is head.fields

    def test_several_cookie_fields_are_one_cookie(self) -> None:
        """Cookie fields are joined as HTTP/2 gateways join them (RFC 9113 8.2.3)."""
        assert request(b"GET / HTTP/1.1", b"Host: a", b"Cookie: a=1 ", b"cookie: b=2").cookie == b"a=1; b=2"

    def test_forwarded_addresses_are_joined_in_order(self) -> None:
        """Several X-Forwarded-For are one list."""
        head = request(b"GET / HTTP/1.1", b"Host: a", b"X-Forwarded-For: 1.1.1.1", b"X-Forwarded-For: 2.2.2.2")
        assert head.forwarded_for == b"1.1.1.1, 2.2.2.2"

    @pytest.mark.parametrize("name", [b"X_Forwarded_For", b"X.Forwarded-For"])
    def test_an_alias_is_not_the_field(self, name: bytes) -> None:
        """What only looks like X-Forwarded-For to CGI is never taken for it."""
        assert request(b"GET / HTTP/1.1", b"Host: a", name + b": 1.1.1.1").forwarded_for is None

    @pytest.mark.parametrize(("fields", "length", "is_chunked", "has_body"), [
        ([], None, False, False),
        ([b"Content-Length: 0"], 0, False, False),
        ([b"content-length:\t12 "], 12, False, True),
        ([b"Content-Length: 999999999999999999"], 999_999_999_999_999_999, False, True),
        ([b"Transfer-Encoding: chunked"], None, True, True),
        ([b"Transfer-Encoding: Chunked"], None, True, True),
    ])
    def test_the_body_is_announced_one_way(self, fields: list[bytes], length: int | None, is_chunked: bool,
                                           has_body: bool) -> None:
        """Content-Length or chunked says whether a body follows."""
        head = parse_request(post(*fields), LIMITS)
        assert head is not None
        assert (head.content_length, head.is_chunked, head.has_body) == (length, is_chunked, has_body)

    @pytest.mark.parametrize(("version", "connection", "is_persistent"), [
        (b"1.1", None, True),
        (b"1.1", b"keep-alive", True),
        (b"1.1", b"close", False),
        (b"1.1", b"Keep-Alive, CLOSE", False),
        (b"1.1", b"x-thing", True),
        (b"1.0", None, False),
        (b"1.0", b"keep-alive", True),
        (b"1.0", b"keep-alive, close", False),
    ])
    def test_connections_last_as_the_version_says(self, version: bytes, connection: bytes | None,
                                                  is_persistent: bool) -> None:
        """HTTP/1.1 stays open unless told to close, HTTP/1.0 the other way round (RFC 9112 9.3)."""
        fields = [b"Connection: " + connection] if connection else []
        head = request(b"GET / HTTP/" + version, b"Host: a", *fields)
        assert head.is_persistent is is_persistent
        assert head.is_http_10 is (version == b"1.0")

    @pytest.mark.parametrize(("lines", "expects"), [
        ([b"POST / HTTP/1.1", b"Host: a", b"Expect: 100-continue", b"Content-Length: 2"], True),
        ([b"POST / HTTP/1.1", b"Host: a", b"Expect: 100-Continue", b"Transfer-Encoding: chunked"], True),
        ([b"POST / HTTP/1.1", b"Host: a", b"Expect: 100-continue"], False),
        ([b"POST / HTTP/1.0", b"Host: a", b"Expect: 100-continue", b"Content-Length: 2"], False),
    ])
    def test_a_client_that_has_a_body_may_wait_for_100(self, lines: list[bytes], expects: bool) -> None:
        """Expect counts in HTTP/1.1 and with a body (RFC 9110 10.1.1)."""
        assert request(*lines).expects_continue is expects

    @pytest.mark.parametrize(("target", "origin_form", "host"), [
        (b"http://b.test/x?y", b"/x?y", b"b.test"),
        (b"HTTPS://B.test:444", b"/", b"b.test:444"),
        (b"http://b.test?y=1", b"/?y=1", b"b.test"),
        (b"http://[::1]:8080/", b"/", b"[::1]:8080"),
    ])
    def test_an_absolute_target_becomes_origin_form(self, target: bytes, origin_form: bytes, host: bytes) -> None:
        """The authority of an absolute target replaces Host, also in what goes on (RFC 9112 3.2.2)."""
        head = request(b"GET " + target + b" HTTP/1.1", b"A: 1", b"Host: evil.test", b"B: 2")
        assert (head.target, head.host) == (origin_form, host)
        assert [name for name, _ in head.fields] == [b"A", b"Host", b"B"]
        assert [value.lower() for value in head.values(b"host")] == [host]

    @pytest.mark.parametrize("target", [b"*", b"http://a.test"])
    def test_options_may_ask_about_the_server(self, target: bytes) -> None:
        """`OPTIONS *` is passed as it is, and its absolute form means the same (RFC 9112 3.2.4)."""
        assert request(b"OPTIONS " + target + b" HTTP/1.1", b"Host: a").target == b"*"

    def test_raw_octets_in_a_target_are_let_through(self) -> None:
        """Octets above ASCII are no controls; browsers have sent them in queries."""
        assert request(b"GET /caf\xc3\xa9 HTTP/1.1", b"Host: a").target == b"/caf\xc3\xa9"

    def test_an_upgrade_is_a_normal_request(self) -> None:
        """Nothing of an upgrade but its fields is left, and these are not in the way."""
        head = request(b"GET / HTTP/1.1", b"Host: a", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c",
                       b"HTTP2-Settings: AAMAAABkAAQAAP__")
        assert head.is_persistent
        assert not head.has_body


class TestIncompleteRequest:
    @pytest.mark.parametrize("raw", [b"GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
                                     b"GET http://b/x HTTP/1.0\r\nHost: a\r\n\r\n"])
    def test_every_part_of_a_good_head_is_incomplete(self, raw: bytes) -> None:
        """A head may arrive byte by byte, and is there with its last byte."""
        assert [parse_request(raw[:size], LIMITS) for size in range(len(raw))] == [None] * len(raw)
        assert parse_request(raw, LIMITS) is not None

    @pytest.mark.parametrize("raw", [
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\rHost: a",
        b"\x16\x03\x01\x02\x00\x01",
        b"GET /\r\n",
        b"\r\n",
        b"PRI * HTTP/2.0\r\n",
    ])
    def test_a_hopeless_beginning_is_not_waited_for(self, raw: bytes) -> None:
        """A mistake is refused where it shows, not 20 seconds later."""
        assert refused_status(raw) == 400


class TestRefusedRequest:
    @pytest.mark.parametrize("line", [
        b"GET / HTTP/1.1 ", b"GET  / HTTP/1.1", b" GET / HTTP/1.1", b"GET\t/ HTTP/1.1", b"GET /a b HTTP/1.1",
        b"GET /", b"GET", b"GET / HTTP/2.0", b"GET / HTTP/0.9", b"GET / HTTP/2",
        b"PRI * HTTP/2.0", b"GET / http/1.1", b"GET / HTTP/1.1x",
        b"GET / HTTP/1.10", b"GET / ICY/1.1", b"G(T / HTTP/1.1", b"get / HTTP/1.1", b"Post / HTTP/1.1",
        b"G\xc3T / HTTP/1.1", b"GET /#top HTTP/1.1", b"GET /a\x01 HTTP/1.1", b"GET /\x7f HTTP/1.1",
        b"GET /\x00 HTTP/1.1", b"GET a HTTP/1.1", b"GET * HTTP/1.1", b"GET ?a HTTP/1.1", b"GET a.test:80 HTTP/1.1",
        b"GET http:// HTTP/1.1", b"GET http:///x HTTP/1.1", b"GET ftp://a/ HTTP/1.1", b"GET http:/x HTTP/1.1",
        b"GET http://user@a/ HTTP/1.1", b"GET http://a:b/ HTTP/1.1", b"GET http://a\\b/ HTTP/1.1", b"",
        b"GET http://a/#x HTTP/1.1", b"\r\nGET / HTTP/1.1", b"GET / HTTP/1.1\r", b"GET /\n HTTP/1.1",
    ])
    def test_a_malformed_request_line_is_400(self, line: bytes) -> None:
        """Nothing about a first line is guessed: not blanks, case, versions, forms or empty lines before it."""
        assert refused_status(line + b"\r\nHost: a\r\n\r\n") == 400

    @pytest.mark.parametrize("field", [
        b"A : 1", b"A\t: 1", b" A: 1", b"A: 1\r\n b", b"A: 1\r\n\tb", b"A", b": 1", b"A\x00: 1", b"A: \x00",
        b"A: 1\rB: 2", b"A: 1\nB: 2", b"A: 1\n", b"A: \x7f", b"A: \x1b", b"(A): 1", b"\xc3A: 1", b"A B: 1",
        b"A: 1\r\r\nB: 2", b"A: 1\n\r\nB: 2",
    ])
    def test_a_malformed_field_is_400(self, field: bytes) -> None:
        """Blanks before the colon, folds, bare CR or LF, NUL and other controls are refused (RFC 9112 5, 2.2)."""
        assert refused_status(post(field)) == 400

    @pytest.mark.parametrize("host", [
        b"host/evil", b"user@a", b"a b", b"a;b", b"a,b", b"a:", b"a:b", b"a:123456", b":80", b"", b"a\\b", b"a?b",
        b"a:65536", b"a:99999", b"...", b".a", b"-", b"[:::::]", b"[1.2.3.4]", b"[::1]:65536",
        b"a\t", b"[::1", b"::1", b"[g]", b"a:80:80", b"\xc3\xa9.test", b"a%2eb", b"http://a",
    ])
    def test_a_malformed_host_is_400(self, host: bytes) -> None:
        """A Host is a name or an address and perhaps a port."""
        assert refused_status(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n") == 400

    @pytest.mark.parametrize("fields", [
        b"", b"Host: a\r\nHost: a\r\n", b"Host: a\r\nhost: b\r\n", b"Hos: a\r\n",
    ])
    @pytest.mark.parametrize("line", [b"GET / HTTP/1.1", b"GET / HTTP/1.0", b"GET http://a/ HTTP/1.1"])
    def test_a_missing_or_doubled_host_is_400(self, line: bytes, fields: bytes) -> None:
        """There is exactly one Host, whatever the version and the form of the target."""
        assert refused_status(line + b"\r\n" + fields + b"\r\n") == 400

    def test_a_bad_host_is_400_beside_an_absolute_target_too(self) -> None:
        """The Host that an absolute target replaces is still looked at."""
        assert refused_status(b"GET http://a/ HTTP/1.1\r\nHost: a/b\r\n\r\n") == 400

    @pytest.mark.parametrize("fields", [
        [b"Content-Length: 1", b"Content-Length: 1"],
        [b"Content-Length: 1, 1"],
        [b"Content-Length: +1"],
        [b"Content-Length: -1"],
        [b"Content-Length: 0x1"],
        [b"Content-Length: 1_0"],
        [b"Content-Length: \xb2"],
        [b"Content-Length: 1 1"],
        [b"Content-Length:"],
        [b"Content-Length: 1000000000000000000"],
        [b"Content-Length: 1", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"content-length: 0"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: gzip, chunked"],
        [b"Transfer-Encoding: chunked, chunked"],
        [b"Transfer-Encoding: identity"],
        [b"Transfer-Encoding: xchunked"],
        [b"Transfer-Encoding: chunked;a=b"],
        [b"Transfer-Encoding: \x0bchunked"],
        [b"Transfer-Encoding: chunked\t"],
        [b"Content-Length: 1\t"],
        [b"Transfer-Encoding:"],
    ])
    def test_doubtful_framing_is_400(self, fields: list[bytes]) -> None:
        """Two readers must never see two bodies: one length, or chunked alone."""
        assert refused_status(post(*fields)) == 400

    def test_chunked_in_http_1_0_is_400(self) -> None:
        """HTTP/1.0 knows no transfer codings (RFC 9112 6.1)."""
        assert refused_status(b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n") == 400

    @pytest.mark.parametrize("line", [b"CONNECT a.test:443 HTTP/1.1", b"TRACE / HTTP/1.1"])
    def test_connect_and_trace_are_405(self, line: bytes) -> None:
        """Nothing is tunnelled and nothing echoed."""
        assert refused_status(line + b"\r\nHost: a\r\n\r\n") == 405

    @pytest.mark.parametrize("version", [b"HTTP/1.2", b"HTTP/3.0"])
    def test_unknown_versions_are_505(self, version: bytes) -> None:
        """A well-formed version that is not spoken gets its own status."""
        assert refused_status(b"GET / " + version + b"\r\nHost: a\r\n\r\n") == 505

    def test_unknown_expectations_are_417(self) -> None:
        """Only 100-continue can be expected (RFC 9110 10.1.1)."""
        assert refused_status(post(b"Expect: 100-continue", b"Expect: tea")) == 417


class TestLimits:
    LIMITS = HeadLimits(head_bytes=200, fields=3, request_line=50)

    @pytest.mark.parametrize("method", [b"GET", b"PURGE"])
    def test_the_request_line_is_bounded(self, method: bytes) -> None:
        """The longest request line passes, one byte more is 414, also before it is complete."""
        path = b"/" * (50 - len(method + b"  HTTP/1.1"))
        line = method + b" " + path + b" HTTP/1.1"
        assert parse_request(line + b"\r\nHost: a\r\n\r\n", self.LIMITS) is not None
        assert parse_request(line + b"\r", self.LIMITS) is None
        assert refused_status(b"%b /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (method, path), self.LIMITS) == 414
        assert refused_status(b"%b /%b HTTP/1.1" % (method, path), self.LIMITS) == 414

    @pytest.mark.parametrize("method", [b"GET", b"PURGE"])
    def test_fields_are_counted(self, method: bytes) -> None:
        """As many fields as allowed pass, one more is 431, also before the head is complete."""
        start = method + b" / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\n"
        assert parse_request(start + b"\r\n", self.LIMITS) is not None
        assert refused_status(start + b"C: 3\r\n\r\n", self.LIMITS) == 431
        assert refused_status(start + b"C: 3\r\n", self.LIMITS) == 431

    @pytest.mark.parametrize("method", [b"GET", b"PURGE"])
    def test_the_head_is_bounded(self, method: bytes) -> None:
        """The longest head passes, one byte more is 431, as soon as it cannot end in time."""
        start = method + b" / HTTP/1.1\r\nHost: a\r\nA: "
        whole = start + b"x" * (200 - len(start) - 4) + b"\r\n\r\n"
        assert len(whole) == 200
        assert parse_request(whole + b"y" * 1000, self.LIMITS) is not None
        assert parse_request(whole[:199], self.LIMITS) is None
        assert refused_status(whole[:196] + b"x\r\n\r\n", self.LIMITS) == 431
        assert refused_status(whole[:196] + b"xxxx", self.LIMITS) == 431

    def test_the_defaults_are_those_of_the_design(self) -> None:
        """32 KiB, a hundred fields, 8 KiB of request line."""
        assert (LIMITS.head_bytes, LIMITS.fields, LIMITS.request_line) == (32_768, 100, 8_192)


class TestResponse:
    def test_an_answer_is_understood(self) -> None:
        """A usual answer gives status, reason, framing and the bytes that its head took."""
        raw = (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n"
               b"Connection: keep-alive\r\n\r\n")
        head = parse_response(raw + b"abc", LIMITS)
        assert head is not None
        assert (head.status, head.reason, head.size, head.content_length) == (200, b"OK", len(raw), 3)
        assert head.values(b"set-cookie") == [b"a=1", b"b=2"]
        assert head.is_persistent
        assert not head.is_chunked

    @pytest.mark.parametrize(("line", "status", "reason"), [
        (b"HTTP/1.1 404 Not Found", 404, b"Not Found"),
        (b"HTTP/1.1 200 ", 200, b""),
        (b"HTTP/1.1 200", 200, b""),
        (b"HTTP/1.1 100 Continue", 100, b"Continue"),
        (b"HTTP/1.1 599 \xe4\xf6\xfc", 599, b"\xe4\xf6\xfc"),
    ])
    def test_status_lines(self, line: bytes, status: int, reason: bytes) -> None:
        """A status line may lack its reason, and some apps' lack the blank before it."""
        for fields in ((), (b"Content-Length: 0",)):
            head = response(line, *fields)
            assert (head.status, head.reason) == (status, reason)
            assert len(head.fields) == len(fields)

    def test_an_old_app_closes_unless_it_says_otherwise(self) -> None:
        """HTTP/1.0 answers are understood."""
        assert not response(b"HTTP/1.0 200 OK", b"Server: x").is_persistent
        assert response(b"HTTP/1.0 200 OK", b"Connection: keep-alive").is_http_10

    @pytest.mark.parametrize("raw", [
        b"HTTP/1.1 200 OK\r\nA : 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: 1\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\nA: 1\n\n",
        b"HTTP/1.1 200 OK\r\nA: 1\nB: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n",
        b"HTTP/1.1 200 O\x08K\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 600 OK\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.2 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"<html>\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\t\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ])
    def test_a_malformed_answer_is_502(self, raw: bytes) -> None:
        """Apps are read as strictly as clients are; 101 was never asked for."""
        with pytest.raises(AppUnavailable) as failure:
            parse_response(raw, LIMITS)
        assert failure.value.status == 502

    def test_every_part_of_a_good_head_is_incomplete(self) -> None:
        """An answer may arrive byte by byte."""
        raw = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n"
        assert [parse_response(raw[:size], LIMITS) for size in range(len(raw))] == [None] * len(raw)

    @pytest.mark.parametrize("raw", [
        b"HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC: 3\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100,
    ])
    def test_answers_have_limits_too(self, raw: bytes) -> None:
        """Too many fields, or too large a head, is 502."""
        with pytest.raises(AppUnavailable):
            parse_response(raw, HeadLimits(head_bytes=100, fields=2))


OPENING = (b"Connection: Upgrade", b"Upgrade: websocket")


def opening(*fields: bytes, line: bytes = b"GET /live HTTP/1.1") -> bytes | None:
    """Return what a request with these fields asks to become."""
    return request(line, b"Host: a", *fields).upgrade


class TestUpgrade:
    @pytest.mark.parametrize("fields", [
        OPENING,
        (b"connection: keep-alive, upgrade", b"upgrade: WebSocket"),
        (b"Connection: keep-alive", b"Connection: Upgrade", b"Upgrade:websocket "),
        (*OPENING, b"Content-Length: 0"),
    ])
    def test_a_websocket_can_be_opened(self, fields: tuple[bytes, ...]) -> None:
        """Browsers write the options in either order and case (RFC 6455 4.1)."""
        assert opening(*fields) == b"websocket"

    @pytest.mark.parametrize("fields", [
        (), (b"Connection: Upgrade",), (b"Upgrade: websocket",), (b"Connection: keep-alive", b"Upgrade: websocket"),
        (*OPENING, b"Upgrade: websocket"), (b"Connection: Upgrade", b"Upgrade: websocket, h2c"),
        (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAM"),
        (b"Connection: Upgrade", b"Upgrade: websocket/13"), (b"Connection: Upgrade", b"Upgrade:"),
        (*OPENING, b"Content-Length: 1"), (*OPENING, b"Transfer-Encoding: chunked"),
        (b"Connection: x-upgrade", b"Upgrade: websocket"), (b"Connection: Upgrade", b"Up_grade: websocket"),
    ])
    def test_nothing_else_can(self, fields: tuple[bytes, ...]) -> None:
        """h2c, several protocols, a body that would follow: such a request stays a request."""
        assert opening(*fields) is None

    @pytest.mark.parametrize("line", [b"POST / HTTP/1.1", b"GET / HTTP/1.0", b"HEAD / HTTP/1.1"])
    def test_only_a_get_of_http_11_can(self, line: bytes) -> None:
        """Other methods open nothing (RFC 6455 4.1), and HTTP/1.0 knows no Upgrade (RFC 9110 7.8)."""
        assert opening(*OPENING, line=line) is None

    def test_a_switch_that_was_asked_for_is_taken(self) -> None:
        """A 101 with both fields is an answer to an opening."""
        raw = b"HTTP/1.1 101 Switching\r\nupgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
        head = parse_response(raw + b"\x81\x00", LIMITS, expects_upgrade=True)
        assert head is not None
        assert (head.status, head.size) == (101, len(raw))

    @pytest.mark.parametrize("raw", [
        b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.0 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ])
    def test_no_other_switch_is_taken(self, raw: bytes) -> None:
        """An app that switches to something else than it was asked for has failed."""
        with pytest.raises(AppUnavailable):
            parse_response(raw, LIMITS, expects_upgrade=True)

    def test_a_refused_opening_is_an_answer_like_any(self) -> None:
        """426 and the like pass when a switch was expected."""
        raw = b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n"
        head = parse_response(raw, LIMITS, expects_upgrade=True)
        assert head is not None
        assert head.status == 426
