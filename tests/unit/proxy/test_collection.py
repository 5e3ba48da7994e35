"""The collecting of intercepted bodies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import RequestRefused
from gateway.http.head import RequestHead
from gateway.http.parsing import HeadLimits, parse_request
from gateway.proxy.collection import Collection


def head(framing: bytes) -> RequestHead:
    parsed = parse_request(b"POST / HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n\r\n", HeadLimits())
    assert parsed is not None
    return parsed


def chunked(pieces: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"


@given(st.lists(st.binary(max_size=20), max_size=5), st.binary(max_size=10), st.integers(1, 7), st.booleans())
def test_a_body_is_the_same_however_it_comes(pieces: list[bytes], beyond: bytes, step: int, is_chunked: bool) -> None:
    """By length or in chunks, cut anywhere: the body comes out, and not a byte of what follows it."""
    body = b"".join(pieces)
    framing = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % len(body)
    wire = (chunked(pieces) if is_chunked else body) + beyond
    collection = Collection(head(framing), 100)
    rest = b""
    for start in range(0, len(wire), step):
        part = wire[start:start + step]
        rest += part if collection.is_complete else collection.feed(part)
    assert collection.is_complete
    assert (collection.take(), rest) == (body, beyond)


def test_a_request_without_body_is_complete_at_once() -> None:
    """There is nothing to wait for."""
    collection = Collection(head(b"X: y"), 10)
    assert collection.is_complete
    assert collection.feed(b"next") == b"next"
    assert collection.take() == b""


def test_a_length_beyond_the_limit_is_refused_before_a_byte() -> None:
    """413 needs no body."""
    with pytest.raises(RequestRefused) as refused:
        Collection(head(b"Content-Length: 11"), 10)
    assert refused.value.status == 413


def test_chunks_beyond_the_limit_are_refused_at_the_first_byte_too_much() -> None:
    """What counts is what the chunks hold."""
    collection = Collection(head(b"Transfer-Encoding: chunked"), 10)
    collection.feed(b"a\r\n0123456789\r\n")
    with pytest.raises(RequestRefused) as refused:
        collection.feed(b"1\r\nX")
    assert refused.value.status == 413


def test_a_broken_chunk_is_a_400() -> None:
    """Malformed framing is refused like everywhere."""
    with pytest.raises(RequestRefused) as refused:
        Collection(head(b"Transfer-Encoding: chunked"), 10).feed(b"x\r\n")
    assert refused.value.status == 400
