"""Cookies: the gateway's own, the application's, and those of a conversation of the gateway's own."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.cookies import REMEMBERED_BYTES, CookieJar, cookie_name, set_cookie, values, without_own

YEAR_2024 = 1_704_067_200.0


class TestReading:
    @pytest.mark.parametrize(("cookie", "found"), [
        (None, []),
        (b"", []),
        (b"a=1", ["1"]),
        (b"b=2; a=1;c=3", ["1"]),
        (b"a=1; a=2", ["1", "2"]),
        (b"a = 1 ;A=2; aa=3; a", ["1"]),
        (b"a=b=c", ["b=c"]),
        (b"a=", [""]),
        (b"a=\xff", ["\xff"]),
        (b"x=a=1", []),
    ])
    def test_every_value_of_a_name_is_returned(self, cookie: bytes | None, found: list[str]) -> None:
        """Duplicates are for the caller to refuse; names are compared exactly."""
        assert values(cookie, "a") == found


class TestOwn:
    def test_names_are_bound_to_the_host_where_https_is(self) -> None:
        """`__Host-` needs Secure, so plain http has plain names."""
        assert cookie_name("shop", secure=True) == "__Host-sluicegate-shop"
        assert cookie_name("shop", secure=False) == "sluicegate-shop"

    @pytest.mark.parametrize(("secure", "line"), [
        (True, b"n=v; Path=/; Max-Age=900; HttpOnly; SameSite=Lax; Secure"),
        (False, b"n=v; Path=/; Max-Age=900; HttpOnly; SameSite=Lax"),
    ])
    def test_own_cookies_are_kept_from_scripts_and_other_sites(self, secure: bool, line: bytes) -> None:
        """No Domain, the whole host, HttpOnly, SameSite=Lax, Secure where there is TLS."""
        assert set_cookie("n", "v", max_age=900, secure=secure) == line

    @pytest.mark.parametrize(("cookie", "left"), [
        (b"a=1; b=2", b"a=1; b=2"),
        (b"sluicegate-shop=x; a=1", b"a=1"),
        (b"a=1; sluicegate-shop=x; b=2", b"a=1; b=2"),
        (b"a=1;  __Host-sluicegate-shop=x", b"a=1"),
        (b"a=1;\tSluiceGate-shop=x;b=2", b"a=1;b=2"),
        (b"__host-SLUICEGATE-shop=x", b""),
        (b"sluicegate-a=1;sluicegate-b=2", b""),
        (b"sluicegate-", b""),
        (b"sluicegate=1; my-sluicegate-a=2; x=sluicegate-b", b"sluicegate=1; my-sluicegate-a=2; x=sluicegate-b"),
        (b" a=1 ;; b=\"2\" ", b" a=1 ;; b=\"2\" "),
        (b"a=1, sluicegate-shop=x", b"a=1"),
        (b"a=1 __Host-sluicegate-shop=x", b"a=1"),
        (b"a=1,\tSluiceGate-shop =\tx,sluicegate-b=, b=2; c=3", b"a=1, b=2; c=3"),
        (b",sluicegate-shop=x; a=1", b"; a=1"),
        (b"a=the sluicegate-shop, my, my-sluicegate-a=2", b"a=the sluicegate-shop, my, my-sluicegate-a=2"),
        (b"", b""),
    ])
    def test_own_cookies_are_taken_out(self, cookie: bytes, left: bytes) -> None:
        """Whatever begins with the gateway's prefix goes, in any case, and no other byte changes."""
        assert without_own(cookie) == left

    @given(st.lists(st.sampled_from([b"a=1", b" b=2", b"sluicegate-x=1", b" __Host-sluicegate-y=2", b"", b"\t="])))
    def test_taking_out_is_thorough_and_touches_nothing_else(self, pairs: list[bytes]) -> None:
        """Nothing of the gateway's is left, and the others keep order and bytes."""
        left = without_own(b";".join(pairs))
        others = [pair for pair in pairs if b"sluicegate-" not in pair]
        assert left.lstrip(b" \t") == b";".join(others).lstrip(b" \t")

    @given(st.lists(st.sampled_from([
        b"a=1", b"sluicegate-x", b"__Host-SluiceGate-y", b";", b",", b" ", b"\t", b"=", b"2",
    ])).map(b"".join))
    def test_what_reads_more_than_cookies_finds_none_of_ours(self, cookie: bytes) -> None:
        """Neither at a semicolon nor at a comma or a blank does a name of ours begin that has a value."""
        left = without_own(cookie)
        assert not re.search(rb"(?:^|[;, \t])(?:__host-)?sluicegate-[^;, \t=]*[ \t]*=", left, re.IGNORECASE)

    def test_a_long_field_loses_them_too(self) -> None:
        """One that is too long to be remembered."""
        rest = b"a=" + b"x" * REMEMBERED_BYTES
        assert without_own(b"sluicegate-shop=t; " + rest) == rest

    def test_many_separators_cost_no_more_than_their_number(self) -> None:
        """A field of 64 KiB of blanks takes milliseconds; the square of it would take minutes."""
        cookie = b"x-sluicegate-=1" + b" ," * 32_768 + b"x"
        began = time.process_time()
        assert without_own(cookie) is cookie
        assert time.process_time() - began < 1


class TestJar:
    def jar(self, *fields: bytes, path: str = "/") -> CookieJar:
        """Return a jar with the cookies of one answer."""
        jar = CookieJar(now=YEAR_2024)
        jar.store(fields, path)
        return jar

    def test_an_empty_jar_sends_nothing(self) -> None:
        """No cookie, no field."""
        assert CookieJar(now=0).header("/") is None

    def test_cookies_are_kept_and_sent(self) -> None:
        """Values are sent byte by byte, attributes are not."""
        jar = self.jar(b"a=1; Path=/; HttpOnly; Secure; Domain=else.test", b"b=\"\xff=;\"; path=/")
        assert jar.header("/x") == b"a=1; b=\"\xff="

    def test_a_cookie_is_replaced_by_name_and_path(self) -> None:
        """The same name on two paths is two cookies, the longer path first (RFC 6265 5.4)."""
        jar = self.jar(b"a=1; Path=/", b"a=2; Path=/admin", b"b=3; Path=/")
        jar.store([b"a=4; Path=/"], "/")
        assert jar.header("/admin/x") == b"a=2; a=4; b=3"
        assert jar.header("/other") == b"a=4; b=3"

    @pytest.mark.parametrize(("scope", "path", "is_sent"), [
        ("/", "/", True), ("/", "/x", True), ("/a", "/a", True), ("/a", "/a/b", True), ("/a", "/ab", False),
        ("/a/", "/a/b", True), ("/a/", "/a", False), ("/a", "/", False), ("/a", "/a?x", True), ("/a", "/A", False),
    ])
    def test_a_path_covers_what_is_below_it(self, scope: str, path: str, is_sent: bool) -> None:
        """Paths match by whole segments (RFC 6265 5.1.4)."""
        assert (self.jar(b"n=v; Path=" + scope.encode()).header(path) is not None) is is_sent

    @pytest.mark.parametrize(("request_path", "covered", "not_covered"), [
        ("/a/b", "/a/c", "/b"), ("/a/", "/a/c", "/b"), ("/a", "/b", None), ("/a/b?c=/d/e", "/a/x", "/b"),
        ("*", "/", None),
    ])
    @pytest.mark.parametrize("attribute", [b"", b"; Path", b"; Path=x"])
    def test_without_a_path_the_folder_counts(self, request_path: str, covered: str, not_covered: str | None,
                                              attribute: bytes) -> None:
        """A cookie without a usable Path is for the folder that set it (RFC 6265 5.1.4)."""
        jar = self.jar(b"n=v" + attribute, path=request_path)
        assert jar.header(covered) == b"n=v"
        assert not_covered is None or jar.header(not_covered) is None

    @pytest.mark.parametrize("attributes", [
        b"Max-Age=0", b"max-age=-1", b"Max-Age=0; Expires=Fri, 01 Jan 2100 00:00:00 GMT",
        b"Expires=Thu, 01 Jan 1970 00:00:00 GMT", b"expires=Sun, 31-Dec-2023 23:59:59 GMT",
        b"Max-Age=5; Max-Age=0", b"Max-Age=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    ])
    def test_a_cookie_is_deleted(self, attributes: bytes) -> None:
        """Max-Age goes before Expires, and the last of several counts (RFC 6265 5.3)."""
        jar = self.jar(b"n=v; Path=/", b"m=w; Path=/", b"n=; Path=/; " + attributes)
        assert jar.header("/") == b"m=w"

    @pytest.mark.parametrize("attributes", [
        b"Max-Age=1", b"Max-Age=" + b"9" * 5000, b"Max-Age=", b"Max-Age=1.5", b"Expires=never", b"Expires=",
        b"Expires=Fri, 01 Jan 2100 00:00:00 GMT", b"Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        b"Expires=Fri, 99 Foo 2100 99:99:99 GMT", b"Expires=Fri, 01 Foo 2100 00:00:00 GMT",
        b"Expires=Wed, 09 Jun 99999999 10:18:14 GMT",
    ])
    def test_what_does_not_delete_keeps(self, attributes: bytes) -> None:
        """Unreadable attributes mean nothing."""
        assert self.jar(b"n=v; Path=/; " + attributes).header("/") == b"n=v"

    def test_without_a_clock_only_long_ago_is_past(self) -> None:
        """The dates that frameworks write for deletion are known without one."""
        jar = CookieJar()
        jar.store([b"a=1; Expires=Thu, 01-Jan-1970 00:00:10 GMT", b"b=2; Expires=Sun, 31 Dec 2023 23:59:59 GMT"], "/")
        assert jar.header("/") == b"b=2"

    def test_malformed_cookies_are_ignored(self) -> None:
        """A cookie needs a name and an equals sign."""
        assert self.jar(b"", b"=v", b"n", b";a=b").header("/") is None

    @given(st.binary(max_size=30), st.text(alphabet="0123456789 :-,+JanFeb9GMT", max_size=30))
    def test_no_answer_breaks_a_jar(self, field: bytes, date: str) -> None:
        """Whatever an app sends, a jar is left that can be asked."""
        jar = self.jar(field, b"n=v; Expires=" + date.encode(), field + b"; Max-Age=" + date.encode())
        assert jar.header("/x") == jar.header("/x?y")
