"""Addresses and cookie domains of an app, as its clients get them."""

import pytest

from gateway.http.fields import forward_response
from gateway.http.parsing import HeadLimits, parse_response
from gateway.http.rewriting import Rewrite

INTERNAL = Rewrite(
    locations=("http://legacy.internal:8000", "https://Legacy.Internal", "http://[fd00::1]:80"),
    cookie_domains={"legacy.internal": "", ".old.internal": "shop.test"},
)


def translated(line: bytes, rewrite: Rewrite = INTERNAL) -> bytes:
    """Return one field line as a client of https://shop.test gets it."""
    raw = rewrite.translate(b"\r\nServer: x\r\n" + line + b"\r\nVia: y\r\n", b"https://shop.test")
    assert raw.startswith(b"\r\nServer: x\r\n")
    assert raw.endswith(b"\r\nVia: y\r\n")
    return raw[13:-10]


class TestAddresses:
    @pytest.mark.parametrize(("value", "public"), [
        (b"http://legacy.internal:8000/a?b=http://legacy.internal:8000/c#d",
         b"https://shop.test/a?b=http://legacy.internal:8000/c#d"),
        (b"http://legacy.internal:8000", b"https://shop.test"),
        (b"http://legacy.internal:8000?a", b"https://shop.test?a"),
        (b"http://legacy.internal:8000#a", b"https://shop.test#a"),
        (b"HTTP://LEGACY.Internal:8000/A%2f", b"https://shop.test/A%2f"),
        (b"https://legacy.internal/", b"https://shop.test/"),
        (b"https://legacy.internal:443/", b"https://shop.test/"),
        (b"https://legacy.internal:/", b"https://shop.test/"),
        (b"http://[FD00::1]/", b"https://shop.test/"),
        (b"//legacy.internal:8000/a", b"https://shop.test/a"),
        (b"//legacy.internal", b"https://shop.test"),
    ])
    @pytest.mark.parametrize("name", [b"Location: ", b"location:", b"Content-Location:\t"])
    def test_an_internal_origin_becomes_the_clients(self, name: bytes, value: bytes, public: bytes) -> None:
        """Only the origin changes; spelling of the name, blanks, path and query stay."""
        assert translated(name + value) == name + public

    @pytest.mark.parametrize("value", [
        b"/a", b"a", b"", b"?next=http://legacy.internal:8000/",
        b"http://legacy.internal:8000.evil.test/", b"http://legacy.internal:8000@evil.test/",
        b"http://legacy.internal.evil.test:8000/", b"http://evil.test@legacy.internal:8000/",
        b"http://legacy.internal:8000\\@evil.test/", b"http://legacy.internal:8000\\/x",
        b"http://legacy.internal:8000 /x",
        b"http://legacy.internal:80000/", b"http://legacy.internal/", b"https://legacy.internal:8000/",
        b"http://xlegacy.internal:8000/", b"http:/legacy.internal:8000/", b"http:legacy.internal:8000/",
        b"ftp://legacy.internal:8000/", b"//legacy.internal:81/", b"///legacy.internal:8000/",
        b"http://legacy.internal:8000%2f/", b"http://other.test/",
    ])
    def test_what_is_no_internal_origin_stays(self, value: bytes) -> None:
        """To start with the text of an origin is not to have it; relative addresses need nothing."""
        assert translated(b"Location: " + value) == b"Location: " + value

    @pytest.mark.parametrize(("value", "public"), [
        (b"5; url=http://legacy.internal:8000/a", b"5; url=https://shop.test/a"),
        (b"0;URL='http://legacy.internal:8000'", b"0;URL='https://shop.test'"),
        (b"0, url = \"http://legacy.internal:8000/\" ", b"0, url = \"https://shop.test/\" "),
        (b"5", b"5"),
        (b"5; http://legacy.internal:8000/", b"5; http://legacy.internal:8000/"),
        (b"0; url='http://legacy.internal:8000/\"", b"0; url='http://legacy.internal:8000/\""),
        (b"0; url=/x", b"0; url=/x"),
    ])
    def test_a_simple_refresh_is_an_address_too(self, value: bytes, public: bytes) -> None:
        """The common form is rewritten, any other left alone."""
        assert translated(b"Refresh: " + value) == b"Refresh: " + public

    @pytest.mark.parametrize("line", [
        b"X-Location: http://legacy.internal:8000/", b"Link: <http://legacy.internal:8000/>",
        b"X-Set-Cookie: a=b; Domain=legacy.internal",
    ])
    def test_other_fields_stay(self, line: bytes) -> None:
        """Their grammar is their own."""
        assert translated(line) == line

    @pytest.mark.parametrize("location", [
        "legacy.internal", "http://legacy.internal/", "ftp://a", "http://", "http://a b", "http://u@a", "",
    ])
    def test_only_origins_can_be_listed(self, location: str) -> None:
        """A path, another scheme or a mistake is refused at once."""
        with pytest.raises(ValueError, match="is an origin"):
            Rewrite(locations=(location,))


class TestCookieDomains:
    @pytest.mark.parametrize(("value", "public"), [
        (b"a=b; Domain=legacy.internal; Path=/", b"a=b; Path=/"),
        (b"a=b; Path=/; domain = .LEGACY.internal ", b"a=b; Path=/"),
        (b"a=b;Domain=old.internal;Secure", b"a=b;Domain=shop.test;Secure"),
        (b"a=b; Domain=.old.internal", b"a=b; Domain=shop.test"),
        (b"a=b; Domain=old.internal; Domain=old.internal", b"a=b; Domain=shop.test; Domain=shop.test"),
        (b"a=b; DOMAIN=other.internal; Path=/", b"a=b; DOMAIN=other.internal; Path=/"),
        (b"a=b; Domain=xlegacy.internal", b"a=b; Domain=xlegacy.internal"),
        (b"a=b; Domain=legacy.internal.evil", b"a=b; Domain=legacy.internal.evil"),
        (b"a=b; Domain=..legacy.internal", b"a=b; Domain=..legacy.internal"),
        (b"a=b; Domain=", b"a=b; Domain="),
        (b"domain=legacy.internal; Path=/", b"domain=legacy.internal; Path=/"),
        (b"a=b; Path=/domain=legacy.internal", b"a=b; Path=/domain=legacy.internal"),
        (b"a=b", b"a=b"),
    ])
    def test_an_internal_domain_is_replaced_or_removed(self, value: bytes, public: bytes) -> None:
        """The attribute alone is touched, never a cookie that is called domain."""
        assert translated(b"Set-Cookie: " + value) == b"Set-Cookie: " + public

    def test_several_cookies_stay_apart_and_in_order(self) -> None:
        """Each keeps its line, and values that look alike change nothing."""
        raw = (b"\r\nset-cookie: a=1; Domain=legacy.internal\r\nX: 1\r\nSet-Cookie: b=2\r\n"
               b"Set-Cookie: a=1; Domain=old.internal\r\n")
        assert INTERNAL.translate(raw, b"http://x") == (
            b"\r\nset-cookie: a=1\r\nX: 1\r\nSet-Cookie: b=2\r\nSet-Cookie: a=1; Domain=shop.test\r\n")


class TestForwarding:
    RAW = (b"HTTP/1.1 302 Found\r\nLocation: http://legacy.internal:8000/x\r\nConnection: keep-alive\r\n"
           b"Set-Cookie: a=b; Domain=legacy.internal\r\nContent-Length: 0\r\n\r\n")

    def test_an_answer_goes_back_rewritten(self) -> None:
        """The app's lines are rewritten, the gateway's own are not."""
        head = parse_response(self.RAW, HeadLimits())
        assert head is not None
        wire = forward_response(head, close=False, rewrite=INTERNAL, origin=b"https://shop.test",
                                extra=b"Set-Cookie: ours=1; Domain=legacy.internal\r\n")
        assert wire == (b"HTTP/1.1 302 Found\r\nLocation: https://shop.test/x\r\nSet-Cookie: a=b\r\n"
                        b"Content-Length: 0\r\nSet-Cookie: ours=1; Domain=legacy.internal\r\n\r\n")

    def test_without_a_rewrite_nothing_changes(self) -> None:
        """An app whose addresses are right pays nothing."""
        head = parse_response(self.RAW, HeadLimits())
        assert head is not None
        assert b"legacy.internal:8000" in forward_response(head, close=False)
