"""Where bodies end: by length, by chunks, with the connection."""

from itertools import pairwise

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.errors import AppUnavailable, RequestRefused
from gateway.http.body import (
    SIZE_LINE,
    TRAILER_BYTES,
    ChunkedBody,
    Framing,
    SizedBody,
    UntilClose,
    bad_request,
    request_framing,
    response_framing,
)
from gateway.http.parsing import HeadLimits, parse_request, parse_response

LIMITS = HeadLimits()
WIRE = b"5\r\nhello\r\n6;a=\"b\"\r\n world\r\n000\r\nX-Trailer: 1\r\n\r\n"


def of_request(*fields: bytes, method: bytes = b"POST") -> Framing | None:
    """Return the framing of a request with these fields."""
    head = parse_request(b"\r\n".join([method + b" / HTTP/1.1", b"Host: a", *fields, b"", b""]), LIMITS)
    assert head is not None
    return request_framing(head)


def of_response(status: bytes, *fields: bytes, method: bytes = b"GET") -> Framing | None:
    """Return the framing of an answer with these fields."""
    head = parse_response(b"\r\n".join([b"HTTP/1.1 " + status + b" x", *fields, b"", b""]), LIMITS)
    assert head is not None
    return response_framing(head, request_method=method)


def pieces(wire: bytes, cuts: list[int]) -> list[bytes]:
    """Cut a wire form at these places."""
    places = [0, *sorted(cut % (len(wire) + 1) for cut in cuts), len(wire)]
    return [wire[start:end] for start, end in pairwise(places)]


class TestFraming:
    def test_a_request_without_announcement_has_no_body(self) -> None:
        """Neither length nor chunks, or a length of 0: nothing follows (RFC 9112 6.3)."""
        assert of_request() is None
        assert of_request(b"Content-Length: 0") is None

    def test_a_request_announces_its_framing(self) -> None:
        """Length and chunks are told apart."""
        assert isinstance(of_request(b"Content-Length: 5"), SizedBody)
        assert isinstance(of_request(b"Transfer-Encoding: chunked"), ChunkedBody)

    def test_a_broken_request_is_the_clients_fault(self) -> None:
        """Bad chunks in a request are 400."""
        framing = of_request(b"Transfer-Encoding: chunked")
        assert framing is not None
        with pytest.raises(RequestRefused) as refusal:
            framing.feed(b"x\r\n")
        assert refusal.value.status == 400

    def test_a_broken_answer_is_the_apps_fault(self) -> None:
        """Bad chunks in an answer are 502."""
        framing = of_response(b"200", b"Transfer-Encoding: chunked")
        assert framing is not None
        with pytest.raises(AppUnavailable) as failure:
            framing.feed(b"x\r\n")
        assert failure.value.status == 502

    @pytest.mark.parametrize("fields", [(), (b"Content-Length: 5",), (b"Transfer-Encoding: chunked",)])
    @pytest.mark.parametrize(("status", "method"), [
        (b"200", b"HEAD"), (b"100", b"POST"), (b"103", b"GET"), (b"204", b"GET"), (b"304", b"GET"),
    ])
    def test_some_answers_never_have_a_body(self, status: bytes, method: bytes, fields: tuple[bytes, ...]) -> None:
        """HEAD, 1xx, 204 and 304 have none, whatever their fields announce."""
        assert of_response(status, *fields, method=method) is None

    def test_an_answer_ends_by_its_framing_or_with_the_connection(self) -> None:
        """Without length and chunks an answer lasts until the app closes."""
        assert of_response(b"200", b"Content-Length: 0") is None
        assert isinstance(of_response(b"200", b"Content-Length: 3"), SizedBody)
        assert isinstance(of_response(b"200", b"Transfer-Encoding: chunked"), ChunkedBody)
        assert isinstance(of_response(b"200"), UntilClose)


class TestCounting:
    def test_a_sized_body_takes_its_length_and_no_more(self) -> None:
        """Bytes after the last one belong to the next message."""
        body = SizedBody(5)
        assert body.feed(b"abc") == 3
        assert not body.is_complete
        assert body.feed(b"defgh") == 2
        assert body.is_complete
        assert body.feed(b"next") == 0

    def test_an_empty_sized_body_is_complete(self) -> None:
        """Nothing is waited for."""
        assert SizedBody(0).is_complete

    def test_a_body_until_close_takes_everything(self) -> None:
        """It is never complete by itself."""
        body = UntilClose()
        assert body.feed(b"abc") == 3
        assert not body.is_complete


def payload_of(wire: bytes) -> bytes | None:
    """Return what a chunked body holds that is all of `wire`; None for one that is cut or is followed by more."""
    body = ChunkedBody(bad_request, keeps_payload=True)
    return body.take_payload() if body.feed(wire) == len(wire) and body.is_complete else None


class TestChunks:
    def test_a_chunked_body_is_decoded(self) -> None:
        """Sizes, extensions and trailers are not payload."""
        assert payload_of(WIRE) == b"hello world"
        assert payload_of(b"0\r\n\r\n") == b""
        assert payload_of(b"00A\r\n0123456789\r\n0;x\r\n\r\n") == b"0123456789"

    @pytest.mark.parametrize("extension", [b";a", b";a=b", b";a=\"b;\\\"c\\\\\"", b";a;b=c;d=\"\"", b";a=\" \t\""])
    def test_extensions_of_the_grammar_are_passed_over(self, extension: bytes) -> None:
        """They mean nothing to anybody (RFC 9112 7.1.1)."""
        assert payload_of(b"5" + extension + b"\r\nhello\r\n0" + extension + b"\r\n\r\n") == b"hello"

    def test_trailers_of_the_application_travel(self) -> None:
        """What says nothing about the message itself belongs to the body."""
        assert payload_of(b"0\r\nServer-Timing: a\r\nX-Checksum: 1\r\nEmpty:\r\n\r\n") == b""

    def test_bytes_after_the_end_are_not_taken(self) -> None:
        """The next request begins right after the last CRLF."""
        body = ChunkedBody(bad_request)
        assert body.feed(WIRE + b"GET /") == len(WIRE)
        assert body.is_complete
        assert body.feed(b"GET /") == 0

    def test_payload_is_kept_on_demand(self) -> None:
        """A relay keeps nothing; a reader takes what has come so far."""
        relay, reader = ChunkedBody(bad_request), ChunkedBody(bad_request, keeps_payload=True)
        relay.feed(WIRE)
        assert relay.take_payload() == b""
        reader.feed(WIRE[:5])
        assert reader.take_payload() == b"he"
        reader.feed(WIRE[5:])
        assert reader.take_payload() == b"llo world"

    @pytest.mark.parametrize("wire", [
        b"+5\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"5 ;a\r\nhello\r\n0\r\n\r\n",
        b"5\t\r\nhello\r\n0\r\n\r\n", b"5_0\r\n", b"\r\n5\r\nhello\r\n0\r\n\r\n", b"g\r\n", b";a\r\n",
        b"1234567890123456\r\n", b"0000000000000005\r\nhello", b"5\nhello\r\n0\r\n\r\n", b"5\r\r\nhello\r\n0\r\n\r\n",
        b"5;a\nhello\r\n", b"5;a\rb\r\nhello", b"5;\x00\r\nhello", b"5;\xff\r\nhello",
        b"5,\r\nhello", b"\xd9\xa5\r\nhello",
        b"5;\r\nhello", b"5;=\r\nhello", b"5;a=\r\nhello", b"5; a\r\nhello", b"5;a =b\r\nhello", b"5;a= b\r\nhello",
        b"5;a=b c\r\nhello", b"5;a=@\r\nhello", b"5;\"a\"\r\nhello", b"5;a=\"b\r\nhello", b"5;a=\"b\"c\r\nhello",
    ])
    def test_a_malformed_size_is_refused(self, wire: bytes) -> None:
        """A size is 1 to 15 hexadecimal digits; no sign, prefix, blank, bare CR or LF (RFC 9112 7.1)."""
        with pytest.raises(RequestRefused):
            ChunkedBody(bad_request).feed(wire)

    @pytest.mark.parametrize("wire", [
        b"5\r\nhelloXX0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n", b"5\r\nhello\r0\r\n\r\n", b"5\r\nhello\n\r0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n", b"5\r\nhello!\r\n0\r\n\r\n",
    ])
    def test_the_crlf_after_a_chunk_is_compared(self, wire: bytes) -> None:
        """A peer that merely skips two bytes would read another body."""
        with pytest.raises(RequestRefused):
            ChunkedBody(bad_request).feed(wire)

    @pytest.mark.parametrize("trailer", [
        b"A : 1\r\n", b" A: 1\r\n", b"A\r\n", b": 1\r\n", b"A: \x00\r\n", b"A: 1\n", b"A: 1\r2\r\n", b"\n", b"\r\r\n",
        b"Content-Length: 5\r\n", b"transfer_encoding: chunked\r\n", b"Host: b\r\n", b"Cookie: a\r\n",
        b"X-Forwarded-For: 1.1.1.1\r\n", b"X-Sluicegate-User: a\r\n",
        b"Authorization: Basic x\r\n", b"Content-Type: x\r\n", b"content_encoding: gzip\r\n", b"Set-Cookie: a=b\r\n",
    ])
    def test_a_bad_trailer_is_refused(self, trailer: bytes) -> None:
        """Trailers are fields, and none that a server may take for one of the head's that a proxy acts on."""
        with pytest.raises(RequestRefused):
            ChunkedBody(bad_request).feed(b"0\r\n" + trailer + b"\r\n")

    def test_a_size_line_is_bounded(self) -> None:
        """Extensions have room, but not without end, whether they arrive at once or not."""
        longest = b"5;" + b"x" * (SIZE_LINE - 4) + b"\r\n"
        assert payload_of(longest + b"hello\r\n0\r\n\r\n") == b"hello"
        for wire in (b"5;x" + longest[2:], b"5;" + b"x" * SIZE_LINE):
            with pytest.raises(RequestRefused):
                ChunkedBody(bad_request).feed(wire)

    def test_trailers_are_bounded_together(self) -> None:
        """Many small trailers are no way round the bound."""
        trailer = b"A: " + b"x" * 95 + b"\r\n"
        count = TRAILER_BYTES // len(trailer)
        assert payload_of(b"0\r\n" + trailer * count + b"\r\n") == b""
        with pytest.raises(RequestRefused):
            ChunkedBody(bad_request).feed(b"0\r\n" + trailer * (count + 1))

    @pytest.mark.parametrize("wire", [b"", b"5\r\nhello", b"5\r\nhello\r\n", b"0\r\n", b"0\r\n\r", WIRE + b"x"])
    def test_only_a_whole_body_is_complete(self, wire: bytes) -> None:
        """A cut body waits for more, and what comes after one is not its own."""
        assert payload_of(wire) is None


def chunked_bodies() -> st.SearchStrategy[tuple[bytes, bytes]]:
    """Return a strategy for payloads beside their wire forms."""
    chunks = st.lists(st.tuples(st.binary(min_size=1, max_size=40), st.sampled_from([b"", b";a", b";a=\"b c\""]),
                                st.sampled_from([b"%x", b"%X", b"00%x"])), max_size=5)
    end = st.sampled_from([b"0\r\n\r\n", b"000;x\r\n\r\n", b"0\r\nX-A: 1\r\nX-B:\r\n\r\n"])

    def wire(parts: tuple[list[tuple[bytes, bytes, bytes]], bytes]) -> tuple[bytes, bytes]:
        lines = (size % len(data) + extension + b"\r\n" + data + b"\r\n" for data, extension, size in parts[0])
        return b"".join(data for data, _, _ in parts[0]), b"".join(lines) + parts[1]

    return st.tuples(chunks, end).map(wire)


@settings(max_examples=200, deadline=None)
@given(chunked_bodies(), st.lists(st.integers(0, 10_000), max_size=8))
def test_a_body_ends_alike_however_it_arrives(body: tuple[bytes, bytes], cuts: list[int]) -> None:
    """Wherever the wire is cut, the same bytes are the body's, and the payload is the same."""
    payload, wire = body
    framing = ChunkedBody(bad_request, keeps_payload=True)
    taken = [framing.feed(piece) for piece in pieces(wire + b"rest", cuts)]
    assert sum(taken) == len(wire)
    assert framing.is_complete
    assert framing.take_payload() == payload


def h11_payload(wire: bytes) -> bytes | None:
    """Return what h11 reads from a chunked body and nothing after it; None where it refuses or waits."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + wire)
    connection.next_event()
    payload = b""
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            return None
        if isinstance(event, h11.EndOfMessage):
            return None if connection.trailing_data[0] else payload
        if not isinstance(event, h11.Data):
            return None
        payload += event.data


@settings(max_examples=300, deadline=None)
@given(chunked_bodies(), st.integers(0, 10_000), st.sampled_from([b"", b"", b"\r", b"\n", b"0", b";", b" ", b"\r\n"]),
       st.integers(0, 2))
@example((b"", b"5\r\nhelloxx0\r\n\r\n"), 0, b"", 0)
@example((b"", b"5;a\nb\r\nhello\r\n0\r\n\r\n"), 0, b"", 0)
def test_h11_reads_what_is_accepted_here(body: tuple[bytes, bytes], place: int, nasty: bytes, overwritten: int) -> None:
    """A body accepted here, mutated or not, has the same payload for h11."""
    at = place % (len(body[1]) + 1)
    wire = body[1][:at] + nasty + body[1][at + overwritten:]
    try:
        payload = payload_of(wire)
    except RequestRefused:
        return
    assert payload is None or h11_payload(wire) == payload
