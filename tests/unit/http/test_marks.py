"""The names that a proxy acts on, in every spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.marks import (
    FOLD,
    SIGNS,
    find_in_request,
    find_in_response,
    is_marked_in_request,
    is_marked_in_response,
)

MARKED = [b"Host", b"Cookie", b"Connection", b"Content-Length", b"Transfer-Encoding", b"TE", b"Trailer", b"Expect",
          b"Upgrade", b"Keep-Alive", b"HTTP2-Settings", b"Proxy", b"Proxy-Connection", b"Proxy-Authorization",
          b"Proxy-Authenticate", b"Forwarded", b"X-Forwarded-For", b"X-Forwarded", b"X-Forwarded-Anything-Else",
          b"X-Real-IP", b"X-Original-URL", b"X-Rewrite-URL", b"X-Request-Id", b"X-Sluicegate-User", b"X-Sluicegate-",
          b"X-HTTP-Method", b"X-HTTP-Method-Override", b"X-Method-Override"]
NOT_MARKED = [b"Hosts", b"X-Host", b"Cookie2", b"Content-Type", b"Content-Encoding", b"X-Requested-With", b"Accept",
              b"Accept-Encoding", b"Accept-Language", b"X-HTTP-Methods", b"X-Method",
              b"Authorization", b"T", b"Proxy-Thing", b"X-Forward", b"User-Agent", b"Referer", b"Set-Cookie"]


@pytest.mark.parametrize("name", MARKED)
def test_names_are_marked_in_every_spelling(name: bytes) -> None:
    """Case does not matter, nor does the sign that stands for `-`."""
    for sign in SIGNS.decode():
        spelled = name.replace(b"-", sign.encode())
        assert all(map(is_marked_in_request, (spelled, spelled.lower(), spelled.upper())))


@pytest.mark.parametrize("name", NOT_MARKED)
def test_other_names_are_not(name: bytes) -> None:
    """What a proxy need not look at travels in the slice."""
    assert not is_marked_in_request(name)


@pytest.mark.parametrize("name", [b"Content_Type", b"content.length", b"CONTENT_ENCODING", b"Accept_Encoding"])
def test_aliases_of_content_fields_are_marked(name: bytes) -> None:
    """An alias would tell the app another length, type or coding than the gateway has read."""
    assert is_marked_in_request(name)


def test_answers_have_fewer_marks() -> None:
    """Of an answer only what frames it or ends at the gateway is marked."""
    assert all(map(is_marked_in_response, [b"Connection", b"content-length", b"TRANSFER-ENCODING", b"Trailer"]))
    assert not any(map(is_marked_in_response, [b"Host", b"Set-Cookie", b"X-Forwarded-For", b"Cache-Control"]))


def test_lines_are_found_whole() -> None:
    """A line is found with its name and its value, blanks before the value left out."""
    raw = b"\r\nA: Host: x\r\nHOST:\t a \r\nHost2: b\r\nCookie:\r\n"
    assert find_in_request(raw) == [(b"HOST:\t a ", b"HOST", b"a "), (b"Cookie:", b"Cookie", b"")]
    assert find_in_response(b"\r\nHost: a\r\nUpgrade: b\r\n") == [(b"Upgrade: b", b"Upgrade", b"b")]


@given(st.binary(min_size=1, max_size=12))
def test_names_fold_to_what_cgi_makes_of_them(name: bytes) -> None:
    """Folding leaves lower-case letters, digits and `-`, of ASCII."""
    folded = name.translate(FOLD)
    assert folded == folded.lower().translate(FOLD)
    assert not set(folded) & set(SIGNS.replace(b"-", b""))
