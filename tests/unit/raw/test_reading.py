"""The strict reader: what has two readings it refuses, what has one it reads."""

import pytest

from tests.raw.cases import request
from tests.raw.reading import Ambiguous, read_answers, read_requests

AMBIGUOUS = [
    request(host=b""),
    request(b"Host: b"),
    request(host=b"Host: a/b\r\n"),
    request(host=b"Host: a@b\r\n"),
    request(b"Content-Length: 0", b"Content-Length: 0"),
    request(b"Content-Length: 0", b"Transfer-Encoding: chunked"),
    request(b"Content-Length: +1", body=b"a"),
    request(b"Content-Length: 9223372036854775808"),
    request(b"Transfer-Encoding: gzip, chunked"),
    request(b"Transfer-Encoding: \x0bchunked"),
    request(b"Transfer-Encoding: chunked", body=b"0x1\r\na\r\n0\r\n\r\n"),
    request(b"Transfer-Encoding: chunked", body=b"1\r\nab\r\n0\r\n\r\n"),
    request(b"Transfer-Encoding: chunked", body=b"0\r\nContent-Length: 1\r\n\r\n"),
    request(b"X-A : 1"),
    request(b"X-A: 1\n"),
    request(b"X-A: \x00"),
    request(b" folded"),
    request(b"Content_Length: 1"),
    request(b"X_Forwarded_User: root"),
    request(b"X-Forwarded-For: forged"),
    request(b"Connection: X-A"),
    request(b"Connection: Upgrade", b"Upgrade: h2c"),
    request(b"Upgrade: websocket"),
    request(target=b"/a#b"),
    request(version=b"HTTP/0.9"),
]
UNFINISHED = [b"GET / HT", request()[:-2], request(b"Content-Length: 2", body=b"a"),
              request(b"Transfer-Encoding: chunked", body=b"1\r\na")]


@pytest.mark.parametrize("wire", AMBIGUOUS)
def test_what_two_readers_may_read_differently_is_refused(wire: bytes) -> None:
    """Each of these has misled some server."""
    with pytest.raises(Ambiguous):
        read_requests(wire)


@pytest.mark.parametrize("wire", UNFINISHED)
def test_an_unfinished_request_is_no_offence(wire: bytes) -> None:
    """Everybody sees that an aborted request is not whole."""
    assert read_requests(wire) == ([], wire)


def test_requests_are_read_one_after_another() -> None:
    """Bodies end where they say, and nothing is lost between two requests."""
    chunked = request(b"Transfer-Encoding: chunked", method=b"POST", body=b"2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n")
    found, rest = read_requests(request(b"Content-Length: 2", body=b"ab") + chunked + request(target=b"/3") + b"GET")
    assert [(message.start, message.body) for message in found] == [
        ((b"GET", b"/"), b"ab"), ((b"POST", b"/"), b"ab"), ((b"GET", b"/3"), b"")]
    assert found[1].trailers == ((b"X-Sum", b"1"),)
    assert rest == b"GET"


def test_answers_are_matched_to_their_requests() -> None:
    """HEAD's answer has no body, an interim one is none of those owed, and what follows them all is left."""
    wire = (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokmore")
    found, left = read_answers(wire, [b"HEAD", b"GET"], is_closed=False)
    assert [(message.status, message.body, message.is_whole) for message in found] == [
        (103, b"", True), (200, b"", True), (200, b"ok", True)]
    assert left == b"more"


@pytest.mark.parametrize(("wire", "is_closed", "is_whole"), [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsome", True, False),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n", True, False),
    (b"HTTP/1.1 200 OK\r\n\r\nsome", True, True),
    (b"HTTP/1.1 200 OK\r\n\r\nsome", False, False),
])
def test_a_cut_answer_is_not_whole(wire: bytes, is_closed: bool, is_whole: bool) -> None:
    """An answer until close is whole only by an orderly end."""
    [message], _ = read_answers(wire, [b"GET"], is_closed=is_closed)
    assert message.is_whole is is_whole
