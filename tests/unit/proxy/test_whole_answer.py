"""The collecting of one whole answer."""

import asyncio

import pytest

from gateway.errors import AppUnavailable
from gateway.http.body import response_framing
from gateway.http.head import ResponseHead
from gateway.http.parsing import HeadLimits, parse_response
from gateway.proxy.whole_answer import WholeAnswer


def head(*lines: bytes) -> ResponseHead:
    parsed = parse_response(b"HTTP/1.1 200 Fine\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n",
                            HeadLimits())
    assert parsed is not None
    return parsed


def whole(limit: int = 10) -> WholeAnswer:
    return WholeAnswer(asyncio.get_running_loop().create_future(), limit=limit)


def begin(answer: WholeAnswer, *lines: bytes, body: bytes = b"") -> WholeAnswer:
    told = head(*lines)
    answer.answered(told, response_framing(told, request_method=b"GET"), bytes(told.size) + body)
    return answer


async def test_pieces_become_one_body() -> None:
    """Head, fields and body come out as they came in."""
    answer = begin(whole(), b"A: 1", b"A: 2", b"Content-Length: 4", body=b"ab")
    answer.continued(b"cd")
    answer.finished()
    result = await answer.result
    assert (result.status, result.reason, result.body, result.is_whole) == (200, b"Fine", b"abcd", True)
    assert result.values(b"a") == [b"1", b"2"]


async def test_chunks_are_undone() -> None:
    """The body is without transfer coding, and only what the chunks hold counts against the limit."""
    answer = begin(whole(4), b"Transfer-Encoding: chunked", body=b"2;extension=yes\r\na")
    answer.continued(b"b\r\n2\r\ncd\r\n0\r\n\r\n")
    answer.finished()
    assert (await answer.result).body == b"abcd"


async def test_an_answer_beyond_the_limit_is_none() -> None:
    """It is given up at the first byte too much."""
    answer = begin(whole(4), b"Content-Length: 5", body=b"abcd")
    assert not answer.result.done()
    answer.continued(b"e")
    with pytest.raises(AppUnavailable) as raised:
        await answer.result
    assert raised.value.status == 502


async def test_a_failure_before_the_head_is_raised_and_after_it_told() -> None:
    """Without a head there is no answer; with one it is not whole."""
    answer = whole()
    answer.failed(AppUnavailable("late", status=504))
    with pytest.raises(AppUnavailable) as raised:
        await answer.result
    assert raised.value.status == 504
    answer = begin(whole(), b"Content-Length: 5", body=b"ab")
    answer.failed(AppUnavailable("lost"))
    result = await answer.result
    assert (result.body, result.is_whole) == (b"ab", False)


async def test_the_first_word_counts() -> None:
    """What comes after the result changes nothing."""
    answer = begin(whole(), b"Content-Length: 2", body=b"ab")
    answer.finished()
    answer.failed(AppUnavailable("lost"))
    answer.finished()
    assert (await answer.result).is_whole
