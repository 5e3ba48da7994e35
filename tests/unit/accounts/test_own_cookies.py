"""The gateway's own cookies are read by the language of Cookie fields, and by nothing looser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounts.own_cookies import NOTHING, AppCookies
from gateway.http.cookies import REMEMBERED_BYTES, values

SECURE, PLAIN = AppCookies("shop", is_secure=True), AppCookies("shop", is_secure=False)
TOKEN, HANDLE = b"__Host-sluicegate-shop", b"__Host-sluicegate-shop.session"


def test_names_follow_the_scheme() -> None:
    """With TLS browsers protect them by their prefix."""
    assert (SECURE.access, SECURE.handle) == (TOKEN.decode(), HANDLE.decode())
    assert (PLAIN.access, PLAIN.device) == ("sluicegate-shop", "sluicegate-shop.device")


@pytest.mark.parametrize(("cookie", "found"), [
    (b"%b=t; %b=h" % (TOKEN, HANDLE), (b"t", b"h")),
    (b"a=1; %b=h;b=2;%b=t; c=3" % (HANDLE, TOKEN), (b"t", b"h")),
    (b"%b=t" % TOKEN, (b"t", None)),
    (b"%b=h" % HANDLE, (None, b"h")),
    (b"%b.device=d; %b=t" % (TOKEN, TOKEN), (b"t", None)),
    (b"%b =t" % TOKEN, (b"t", None)),
    (b"a=1;  %b=t" % TOKEN, (b"t", None)),
    (b" \t%b=t" % TOKEN, (b"t", None)),
    (b"%b=" % TOKEN, (b"", None)),
    (b"", NOTHING),
    (b"%b" % TOKEN, NOTHING),
    (b"x%b=t" % TOKEN, NOTHING),
    (b"a=1 %b=t" % TOKEN, NOTHING),
    (b"a=%b=t" % TOKEN, NOTHING),
    (b"a=1, %b=t" % TOKEN, NOTHING),
    (b"%b-two=t; %b-two.session=h" % (TOKEN, TOKEN), NOTHING),
    (b"%b.sessions=h" % TOKEN, NOTHING),
    (b"sluicegate-shop=t", NOTHING),
    (b"__host-sluicegate-shop=t", NOTHING),
])
def test_what_a_field_holds(cookie: bytes, found: tuple[bytes | None, bytes | None]) -> None:
    """Only whole names count, wherever they stand."""
    assert SECURE.read(cookie) == found


@pytest.mark.parametrize("cookie", [
    b"%b=t; %b=t" % (TOKEN, TOKEN), b"%b=t; %b=u; %b=h" % (TOKEN, TOKEN, HANDLE), b"%b=h;%b=h" % (HANDLE, HANDLE),
    b"%b=t;  %b=u" % (TOKEN, TOKEN), b"%b=t;\t%b=u" % (TOKEN, TOKEN), b"%b=t; a=1 ;%b=u" % (TOKEN, TOKEN),
    b"  %b=t; %b=u" % (TOKEN, TOKEN), b"%b=h;%b\t= i" % (HANDLE, HANDLE),
    b"%b=; %b=t" % (TOKEN, TOKEN), b"%b=t; %b=h; %b=i" % (TOKEN, HANDLE, HANDLE),
])
def test_a_doubled_name_is_nothing_at_all(cookie: bytes) -> None:
    """Not even the other cookie counts then."""
    assert SECURE.read(cookie) == NOTHING


@pytest.mark.parametrize("padding", [0, REMEMBERED_BYTES])
def test_what_was_read_is_remembered_unless_it_is_long(padding: int) -> None:
    """The same value comes again for a field of usual length; a flood of long ones must not fill the memory."""
    cookie = b"%b=t; a=%b" % (TOKEN, b"x" * padding)
    first, again = SECURE.read(cookie), SECURE.read(bytes(bytearray(cookie)))
    assert first == again == (b"t", None)
    assert (first is again) is (padding == 0)


def test_ending_sees_doubled_ones_too() -> None:
    """A logout ends whatever the browser holds."""
    cookie = b"%b=t; %b=u; %b=h" % (TOKEN, TOKEN, HANDLE)
    assert SECURE.every(cookie) == (["t", "u"], ["h"])
    assert SECURE.every(None) == ([], [])


PIECES = st.lists(st.sampled_from([
    TOKEN, HANDLE, b"__Host-sluicegate-shop.device", b"sluicegate-shop", b"=", b"; ", b";", b"a=1", b"t", b"x",
    b".session", b" ", b"\t", b",",
]), max_size=12).map(b"".join)


@given(PIECES)
def test_the_quick_reading_finds_what_the_slow_one_finds(cookie: bytes) -> None:
    """The search for one name is the parse of the whole field, but for doubled names."""
    tokens, handles = values(cookie, SECURE.access), values(cookie, SECURE.handle)
    if len(tokens) > 1 or len(handles) > 1:
        assert SECURE.read(cookie) == NOTHING
    else:
        token, handle = SECURE.read(cookie)
        assert ([token.rstrip().decode()] if token is not None else []) == tokens
        assert ([handle.rstrip().decode()] if handle is not None else []) == handles
