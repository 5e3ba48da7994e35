"""The heads that go on, both ways: what is removed, what is added, and who the client is."""

from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.http.fields import client_address, forward_request, forward_response, given_request_id
from gateway.http.head import RequestHead, ResponseHead
from gateway.http.parsing import HeadLimits, parse_request, parse_response

LIMITS = HeadLimits()
OWN = (
    b"X-Forwarded-For: 10.0.0.9\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a.test\r\nX-Request-Id: ours\r\n\r\n"
)


def request(*fields: bytes, line: bytes = b"GET /x HTTP/1.1") -> RequestHead:
    """Return the head of a request to a.test."""
    head = parse_request(b"\r\n".join([line, b"Host: a.test", *fields, b"", b""]), LIMITS)
    assert head is not None
    return head


def onward(*fields: bytes, line: bytes = b"GET /x HTTP/1.1", is_trusted: bool = False, body_length: int | None = None,
           keeps_expect: bool = False) -> list[bytes]:
    """Return the field lines that the app gets from a client that sends these, without Host."""
    wire = forward_request(request(*fields, line=line), peer=b"10.0.0.9", scheme=b"http", is_trusted=is_trusted,
                           request_id=b"ours", body_length=body_length, keeps_expect=keeps_expect)
    first, host, *lines, end, rest = wire.split(b"\r\n")
    assert first.endswith(b" HTTP/1.1")
    assert host == b"Host: a.test"
    assert end == rest == b""
    return lines


def passed(*fields: bytes, is_trusted: bool = False) -> list[bytes]:
    """Return those of these fields that the app gets, without what the gateway writes itself."""
    lines = onward(*fields, is_trusted=is_trusted)
    assert [line.partition(b":")[0] for line in lines[-4:]] == [
        b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Forwarded-Host", b"X-Request-Id",
    ]
    return lines[:-4]


def response(*fields: bytes, line: bytes = b"HTTP/1.1 200 OK") -> ResponseHead:
    """Return the head of an answer."""
    head = parse_response(b"\r\n".join([line, *fields, b"", b""]), LIMITS)
    assert head is not None
    return head


def backward(*fields: bytes, close: bool = False, extra: bytes = b"", private: bool = False,
             body_length: int | None = None, until_close: bool = False) -> list[bytes]:
    """Return the field lines that the client gets of an answer."""
    wire = forward_response(response(*fields), close=close, extra=extra, private=private, body_length=body_length,
                            until_close=until_close)
    first, *lines, end, rest = wire.split(b"\r\n")
    assert first == b"HTTP/1.1 200 OK"
    assert end == rest == b""
    return lines


class TestRequest:
    def test_a_usual_request_arrives_as_it_was_sent(self) -> None:
        """Order, case, blanks and duplicates stay; only the gateway's own lines are new."""
        sent = [b"User-Agent:  x", b"accept: */*", b"X-One: 1", b"X-One: 2", b"Cookie: a=1", b"Content-Type: x"]
        wire = forward_request(request(*sent), peer=b"10.0.0.9", scheme=b"http", is_trusted=False, request_id=b"ours")
        assert wire == b"\r\n".join([b"GET /x HTTP/1.1", b"Host: a.test", *sent, OWN])

    def test_an_absolute_target_goes_on_in_origin_form(self) -> None:
        """Target and Host agree, and the version is ours."""
        head = parse_request(b"GET http://B.test:81/y HTTP/1.0\r\nHost: evil\r\n\r\n", LIMITS)
        assert head is not None
        wire = forward_request(head, peer=b"::1", scheme=b"https", is_trusted=False, request_id=b"r")
        assert wire == (b"GET /y HTTP/1.1\r\nHost: B.test:81\r\nX-Forwarded-For: ::1\r\nX-Forwarded-Proto: https\r\n"
                        b"X-Forwarded-Host: b.test:81\r\nX-Request-Id: r\r\n\r\n")

    @pytest.mark.parametrize("field", [
        b"Connection: Keep-Alive, x", b"connection:close ", b"Keep-Alive: 5", b"Proxy-Connection: keep-alive",
        b"TE: trailers", b"Upgrade: websocket", b"HTTP2-Settings: x", b"Proxy-Authorization: Basic x",
        b"Proxy-Authenticate: x", b"Proxy: http://evil/",
    ])
    def test_hop_by_hop_fields_end_here(self, field: bytes) -> None:
        """They are about this connection, not the next (RFC 9110 7.6.1)."""
        assert passed(b"A: 1", field, b"B: 2") == [b"A: 1", b"B: 2"]

    def test_a_plain_keep_alive_travels(self) -> None:
        """The gateway says the same of its own connections, so a usual head is not touched because of it."""
        assert passed(b"Connection: keep-alive", b"A: 1") == [b"Connection: keep-alive", b"A: 1"]

    def test_nominated_fields_end_here(self) -> None:
        """What Connection names is removed, in any case and as often as it occurs."""
        sent = [b"X-Hop: 1", b"x-hop: 2", b"X-Hop-Not: 3", b"Connection: close, X-HOP", b"connection: ,x-other",
                b"X-Other:"]
        assert passed(*sent) == [b"X-Hop-Not: 3"]

    @pytest.mark.parametrize("field", [
        b"Cookie: a=1", b"Authorization: Basic x", b"Content-Length: 0", b"Content-Type: text/plain", b"Origin: http://a",
        b"Transfer-Encoding: chunked", b"Content-Encoding: gzip",
    ])
    def test_connection_cannot_take_away_what_was_looked_at(self, field: bytes) -> None:
        """The app sees the same credentials and framing as the gateway, whatever Connection names."""
        name = field.partition(b":")[0]
        assert passed(field, b"Connection: " + name + b", Host, X-Forwarded-For, X-Request-Id") == [field]

    @pytest.mark.parametrize("name", [
        b"X-Forwarded-User", b"x-forwarded-user", b"X_FORWARDED_USER", b"X-Forwarded_Email", b"X.Forwarded.User",
        b"X-Sluicegate-Assertion", b"x_sluicegate_anything", b"X-SLUICEGATE-", b"X-Original-URL", b"X_Original_Url",
        b"X-Rewrite-URL", b"X_Forwarded_For", b"X_Real_IP", b"X_Request_Id", b"Content_Length", b"content_type",
        b"Transfer_Encoding", b"X-Forwarded-For_", b"Proxy_Connection", b"Accept_Encoding", b"accept.encoding",
        b"X-HTTP-Method", b"x-http-method-override", b"X_HTTP_METHOD_OVERRIDE", b"X-Method-Override",
    ])
    @pytest.mark.parametrize("is_trusted", [False, True])
    def test_identities_and_aliases_come_from_nobody(self, name: bytes, is_trusted: bool) -> None:
        """Not even a trusted proxy may say who the user is, what path or method is meant, or use an alias."""
        assert passed(b"A: 1", name + b": root", name + b": root", is_trusted=is_trusted) == [b"A: 1"]

    @pytest.mark.parametrize("field", [
        b"Forwarded: for=1.1.1.1", b"X-Real-IP: 1.1.1.1", b"X-Forwarded-Prefix: /x", b"X-Forwarded-Port: 1",
        b"X-Forwarded-Uri: /admin", b"x-forwarded-server: b",
    ])
    def test_forwarding_fields_are_believed_of_trusted_proxies_alone(self, field: bytes) -> None:
        """Anybody else's are removed."""
        assert passed(field) == []
        assert passed(field, is_trusted=True) == [field]

    def test_a_stranger_is_believed_nothing(self) -> None:
        """Address, scheme, host and request id are the gateway's own findings."""
        assert onward(b"X-Forwarded-For: 1.1.1.1", b"X-Forwarded-Proto: https", b"X-Forwarded-Host: evil",
                      b"X-Request-Id: theirs") == OWN[:-4].split(b"\r\n")

    def test_a_trusted_proxy_is_added_to(self) -> None:
        """Its peers come first, then itself; its scheme, host and request id stand."""
        assert onward(b"X-Forwarded-For: 1.1.1.1, 2.2.2.2", b"X-Forwarded-For: 3.3.3.3", b"X-Forwarded-Proto: https",
                      b"X-Forwarded-Host: shop.test", b"X-Request-Id: theirs-1", is_trusted=True) == [
            b"X-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, 10.0.0.9", b"X-Forwarded-Proto: https",
            b"X-Forwarded-Host: shop.test", b"X-Request-Id: theirs-1",
        ]

    @pytest.mark.parametrize("fields", [
        [], [b"X-Forwarded-For:", b"X-Forwarded-Proto:", b"X-Forwarded-Host: a/b", b"X-Request-Id: a b"],
        [b"X-Request-Id: " + b"x" * 129], [b"X-Request-Id: a", b"X-Request-Id: b"],
    ])
    def test_a_trusted_proxy_that_says_nothing_usable_is_filled_in_for(self, fields: list[bytes]) -> None:
        """Where it is silent or talks nonsense, the gateway's own findings are used."""
        assert onward(*fields, is_trusted=True) == OWN[:-4].split(b"\r\n")

    def test_a_given_request_id_can_be_logged(self) -> None:
        """The log may use the id that goes on."""
        assert given_request_id(request(b"X-Request-Id: a.b-c_1 ")) == b"a.b-c_1"
        assert given_request_id(request(b"X_Request_Id: a")) is None

    @pytest.mark.parametrize(("sent", "left"), [
        (b"Cookie: a=1;  b=2 ", [b"Cookie: a=1;  b=2 "]),
        (b"cookie:a=1; sluicegate-shop=secret; b=2", [b"cookie: a=1; b=2"]),
        (b"Cookie: __Host-sluicegate-shop=secret", []),
    ])
    def test_own_cookies_never_reach_the_app(self, sent: bytes, left: list[bytes]) -> None:
        """The app gets its own cookies, untouched where nothing was taken out."""
        assert passed(b"A: 1", sent, b"Cookie: z=9") == [b"A: 1", *left, b"Cookie: z=9"]

    def test_expect_goes_on_only_where_nobody_answers_it(self) -> None:
        """100-continue is passed on with a streamed body, else answered here and dropped."""
        sent = b"Expect: 100-continue"
        assert sent not in onward(sent, b"Content-Length: 1", line=b"POST / HTTP/1.1")
        assert sent in onward(sent, b"Content-Length: 1", line=b"POST / HTTP/1.1", keeps_expect=True)
        assert sent not in onward(sent, b"Content-Length: 1", line=b"POST / HTTP/1.0", keeps_expect=True)

    @pytest.mark.parametrize("framing", [
        [b"Content-Length: 4"], [b"Transfer-Encoding: chunked", b"Trailer: X-A"], [],
    ])
    def test_a_replaced_body_has_its_own_length(self, framing: list[bytes]) -> None:
        """A whole body goes on with Content-Length, whatever framing it came in."""
        lines = onward(b"A: 1", *framing, line=b"POST / HTTP/1.1", body_length=7)
        assert lines[:2] == [b"A: 1", b"Content-Length: 7"]
        assert len(lines) == 6

    @pytest.mark.parametrize("framing", [[b"Content-Length: 4"], [b"Transfer-Encoding: chunked", b"Trailer: X-A"]])
    def test_a_streamed_body_keeps_its_framing(self, framing: list[bytes]) -> None:
        """What is only passed through keeps its announcement."""
        assert passed(*framing) == framing

    def test_equal_lines_are_removed_each(self) -> None:
        """The same line twice is gone twice, also side by side and inside other values."""
        twice = b"X-Forwarded-For: 1"
        assert passed(twice, twice, b"A: " + twice, twice) == [b"A: " + twice]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(
    st.sampled_from([b"X-Forwarded-For", b"x_forwarded_user", b"Connection", b"Cookie", b"A", b"X-Hop", b"Forwarded",
                     b"Content-Length-X", b"TE", b"X-Sluicegate-User", b"Accept", b"Host_"]),
    st.sampled_from([b"1", b"x-hop", b"close", b"sluicegate-a=1; b=2", b"Cookie: sluicegate-a=1", b"",
                     b"accept, host"]),
), max_size=8), st.booleans())
def test_what_goes_on_is_clean_and_nothing_else_is_lost(fields: list[tuple[bytes, bytes]], is_trusted: bool) -> None:
    """The onward head is one that the gateway would accept itself, and running it through once more adds no loss."""
    head = request(*(name + b": " + value for name, value in fields))
    wire = forward_request(head, peer=b"10.0.0.9", scheme=b"http", is_trusted=is_trusted, request_id=b"ours")
    again = parse_request(wire, LIMITS)
    assert again is not None
    assert again.size == len(wire)
    nominated = b",".join(head.values(b"connection"))
    gone = {b"x-hop"} & set(nominated.split(b",")) | ({b"accept"} if b"accept" in nominated else set())
    for name in (b"x_forwarded_user", b"connection", b"te", b"x-sluicegate-user", *gone):
        assert again.values(name) == []
    assert b"sluicegate-" not in (again.cookie or b"").replace(b"Cookie: sluicegate-a=1", b"")
    for name in {b"a", b"accept", b"content-length-x", b"host_"} - gone:
        assert again.values(name) == head.values(name)


class TestResponse:
    def test_an_answer_arrives_as_it_was_sent(self) -> None:
        """Order, case and duplicates stay, Set-Cookie above all."""
        sent = [b"Server:  x", b"Set-Cookie: a=1; Path=/", b"set-cookie: a=2; Path=/x", b"Content-Length: 3"]
        assert backward(*sent) == sent

    def test_an_answer_without_fields_is_a_head_too(self) -> None:
        """There may be nothing between status line and blank line."""
        assert backward() == []
        assert backward(close=True) == [b"Connection: close"]

    @pytest.mark.parametrize(("line", "sent"), [
        (b"HTTP/1.0 404 Not Found", b"HTTP/1.1 404 Not Found"), (b"HTTP/1.1 200", b"HTTP/1.1 200 "),
        (b"HTTP/1.1 100 Continue", b"HTTP/1.1 100 Continue"),
    ])
    def test_the_version_is_ours(self, line: bytes, sent: bytes) -> None:
        """Status and reason are the app's (RFC 9110 6.2)."""
        assert forward_response(response(b"A: 1", line=line), close=False) == sent + b"\r\nA: 1\r\n\r\n"

    @pytest.mark.parametrize("field", [
        b"connection: Keep-Alive", b"Keep-Alive: timeout=5", b"Upgrade: h2c", b"Proxy-Authenticate: Basic",
        b"Proxy-Connection: close", b"TE: x",
    ])
    def test_hop_by_hop_fields_end_here(self, field: bytes) -> None:
        """They are about the connection to the app."""
        assert backward(b"A: 1", field, b"B: 2") == [b"A: 1", b"B: 2"]

    def test_nominated_fields_end_here_but_cookies_and_framing_do_not(self) -> None:
        """Connection works both ways, within the same bounds."""
        assert backward(b"Connection: X-Hop, Set-Cookie, Content-Length", b"X-Hop: 1", b"Set-Cookie: a=1",
                        b"Content-Length: 0") == [b"Set-Cookie: a=1", b"Content-Length: 0"]

    def test_own_fields_come_last(self) -> None:
        """Complete lines are added, then the end of the connection is announced."""
        assert backward(b"Set-Cookie: a=1", b"Connection: Set-Cookie", close=True,
                        extra=b"Set-Cookie: b=2\r\nX: 3\r\n") == [
            b"Set-Cookie: a=1", b"Set-Cookie: b=2", b"X: 3", b"Connection: close",
        ]

    def test_a_private_answer_is_kept_by_no_cache(self) -> None:
        """All that would let a cache keep it goes, targeted fields included (RFC 9213); validators stay."""
        assert backward(b"Cache-Control: public", b"cache-control: max-age=9", b"Expires: x", b"Pragma: x", b"ETag: 1",
                        b"CDN-Cache-Control: max-age=9", b"Surrogate-Control: x", b"Last-Modified: x", b"X-Cache: y",
                        extra=b"Set-Cookie: b=2\r\n", private=True) == [
            b"ETag: 1", b"Last-Modified: x", b"X-Cache: y", b"Set-Cookie: b=2", b"Cache-Control: private, no-store",
        ]

    @pytest.mark.parametrize("framing", [
        [b"Content-Length: 4"], [b"Transfer-Encoding: chunked", b"Trailer: X-A"], [],
    ])
    def test_a_whole_body_has_its_own_length(self, framing: list[bytes]) -> None:
        """An answer that was read whole goes back whole."""
        assert backward(b"A: 1", *framing, body_length=7) == [b"A: 1", b"Content-Length: 7"]

    def test_an_old_client_gets_no_chunks(self) -> None:
        """Without chunks only the end of the connection ends the body; a length is kept."""
        assert backward(b"Transfer-Encoding: chunked", b"Trailer: X-A", until_close=True) == [b"Connection: close"]
        assert backward(b"Content-Length: 4", until_close=True) == [b"Content-Length: 4", b"Connection: close"]
        assert backward(b"Transfer-Encoding: chunked", close=True) == [
            b"Transfer-Encoding: chunked", b"Connection: close",
        ]


class TestClientAddress:
    TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))

    @pytest.mark.parametrize(("peer", "forwarded", "address"), [
        ("1.1.1.1", None, "1.1.1.1"),
        ("1.1.1.1", b"2.2.2.2", "1.1.1.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", b"2.2.2.2", "2.2.2.2"),
        ("10.0.0.1", b"9.9.9.9, 2.2.2.2", "2.2.2.2"),
        ("10.0.0.1", b"9.9.9.9, 2.2.2.2 ,10.0.0.2", "2.2.2.2"),
        ("10.0.0.1", b"10.0.0.3,10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", b"2.2.2.2, unknown", "10.0.0.1"),
        ("10.0.0.1", b"2.2.2.2, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", b"", "10.0.0.1"),
        ("10.0.0.1", b",", "10.0.0.1"),
        ("10.0.0.1", b"2.2.2.2:1234", "2.2.2.2"),
        ("10.0.0.1", b"\"[2001:DB8::1]:443\"", "2001:db8::1"),
        ("10.0.0.1", b"2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", b"fe80::1%<script>", "fe80::1"),
        ("10.0.0.1", b"2.2.2.2%x", "2.2.2.2"),
        ("10.0.0.1", b"02.2.2.2", "10.0.0.1"),
        ("::ffff:10.0.0.1", b"::ffff:2.2.2.2", "2.2.2.2"),
        ("fd00::1", b"2.2.2.2", "2.2.2.2"),
        ("unix:", b"2.2.2.2", "unix:"),
    ])
    def test_the_walk_goes_from_the_right(self, peer: str, forwarded: bytes | None, address: str) -> None:
        """The first address that no trusted proxy has is the client's; nonsense ends the walk."""
        assert client_address(peer, forwarded, self.TRUSTED) == address

    def test_by_default_nobody_is_trusted(self) -> None:
        """Without trusted proxies the peer is the client."""
        assert client_address("10.0.0.1", b"2.2.2.2", ()) == "10.0.0.1"


SWITCH = [b"Connection: Upgrade", b"Upgrade: websocket"]


class TestUpgrade:
    def test_an_opening_arrives_as_one(self) -> None:
        """The app gets both fields once, in our spelling, and the keys of the handshake as they were."""
        lines = onward(b"connection: keep-alive, Upgrade", b"upgrade: WebSocket", b"Sec-WebSocket-Key: x")
        assert lines[0] == b"Sec-WebSocket-Key: x"
        assert lines[-2:] == SWITCH
        assert len(lines) == 7

    @pytest.mark.parametrize("fields", [
        [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAM"],
        [b"Connection: Upgrade", b"Upgrade: h2c, websocket"], [b"Connection: Upgrade"], [b"Upgrade: websocket"],
    ])
    def test_other_upgrades_end_here(self, fields: list[bytes]) -> None:
        """Nothing of them reaches the app, so it answers in HTTP/1.1."""
        assert passed(b"A: 1", *fields) == [b"A: 1"]

    def test_the_granted_switch_goes_back(self) -> None:
        """The client gets both fields once, whatever else the app names, and never Connection: close."""
        raw = (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade, x-hop\r\nX-Hop: 1\r\n"
               b"Sec-WebSocket-Accept: x\r\nContent-Length: 0\r\n\r\n")
        head = parse_response(raw, LIMITS, expects_upgrade=True)
        assert head is not None
        assert forward_response(head, close=True) == b"\r\n".join(
            [b"HTTP/1.1 101 Switching Protocols", b"Sec-WebSocket-Accept: x", *SWITCH, b"", b""])


class TestExtraToApp:
    def test_identity_lines_come_as_given(self) -> None:
        """They cannot be displaced: neither by fields of the same name nor by Connection."""
        extra = b"X-Forwarded-User: kim\r\nX-Sluicegate-Assertion: e.y.J\r\n"
        head = request(b"X-Forwarded-User: root", b"x_sluicegate.assertion: forged",
                       b"Connection: X-Forwarded-User, X-Sluicegate-Assertion, close")
        wire = forward_request(head, peer=b"10.0.0.9", scheme=b"http", is_trusted=False, request_id=b"ours",
                               extra=extra)
        assert wire == b"GET /x HTTP/1.1\r\nHost: a.test\r\n" + extra + OWN


@pytest.mark.parametrize("line", [b"HTTP/1.1 204 No Content", b"HTTP/1.1 103 Early Hints"])
def test_framing_of_no_body_ends_here(line: bytes) -> None:
    """Clients that read a body after 1xx or 204 would take the next answer for it (RFC 9112 6.3)."""
    for field in (b"Content-Length: 5", b"Transfer-Encoding: chunked"):
        wire = forward_response(response(b"A: 1", field, line=line), close=False)
        assert wire == line + b"\r\nA: 1\r\n\r\n"


TRAVELLERS = st.sampled_from([
    b"A: 1", b"a:", b"Cookie: a=1", b"Cookie: sluicegate-a=1; b=2", b"Cookie: sluicegate-a=1", b"cookie:\ta=1 ; b=2 ",
    b"cookie: __HOST-Sluicegate-a=1", b"Connection: close", b"connection: keep-alive", b"Keep-Alive: 5",
    b"X-Forwarded-User: Cookie: sluicegate-a=1", b"B: Connection: close", b"X_Forwarded_For: 1", b"TE: trailers",
    b"X-Request-Id: 1", b"X-Request-Id:", b"Upgrade: h2c", b"Cookie-Policy: x", b"X-Cookie: sluicegate-a=1",
    b"Trailer: X", b"X-Real-IP: 1",
])


@settings(max_examples=300, deadline=None)
@given(st.lists(TRAVELLERS, max_size=12), st.booleans())
def test_each_line_has_its_own_fate(lines: list[bytes], is_trusted: bool) -> None:
    """What travels of several lines is what travels of each alone, in order, however much they look alike."""
    alone = [left for line in lines for left in passed(line, is_trusted=is_trusted)]
    assert passed(*lines, is_trusted=is_trusted) == alone


USUAL = st.sampled_from([
    b"A: 1", b"a:", b"Cookie: a=1", b"Cookie: sluicegate-a=1; b=2", b"Cookie: sluicegate-a=1", b"Cookie:\ta=1 ; b=2 ",
    b"Connection: keep-alive", b"B: Cookie: sluicegate-a=1", b"X-Cookie: sluicegate-a=1", b"Cookie-Policy: x",
])


@settings(max_examples=300, deadline=None)
@given(st.lists(USUAL, max_size=8))
def test_a_usual_head_travels_like_any_other(lines: list[bytes]) -> None:
    """The short way and the long one give the app the same lines, but for the keep-alive."""
    short, long = request(*lines), request(*lines)
    long.is_usual = False
    ways = [forward_request(head, peer=b"::1", scheme=b"http", is_trusted=False, request_id=b"r")
            for head in (short, long)]
    assert ways[0].replace(b"\r\nConnection: keep-alive", b"") == ways[1]
