"""The access log's lines: what they say, and what they never say."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry.accesslog import BATCH_LINES, PATH_BYTES, AccessLog, NoAccessLog, escaped, shown_path
from gateway.telemetry.sink import LineSink

ALPHANUMERIC = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
TOKENS = ALPHANUMERIC + "!#$%&'*+-.^_`|~"  # RFC 9110 5.6.2
IDS = ALPHANUMERIC + "._-"


class Clock:
    """Is a clock that stands until a test moves it."""

    now = 1_769_860_800.1239  # 2026-01-31T12:00:00.123Z

    def __call__(self) -> float:
        return self.now


class Written:
    """Is an access log beside the file that it writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
        self.log = AccessLog(LineSink(self.descriptor), self.clock)

    def record(self) -> None:
        """Record a usual answer."""
        self.log.record("shop", b"GET", b"/cart", 200, 0.00125, "192.0.2.7", b"6d1c0b8e", 1024)

    def lines(self) -> list[dict[str, Any]]:
        """Return what was written so far, one JSON object a line."""
        return [json.loads(line) for line in self.path.read_text("ascii").splitlines()]


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    opened = Written(tmp_path / "access.log")
    yield opened
    os.close(opened.descriptor)


def test_an_answer_without_a_line_is_lost_alone(written: Written) -> None:
    """It is an error once; the answers after it are logged."""
    written.log.record("shop", b"GET", b"/", 200, 0.001, "\udcff", b"6d1c0b8e", 1)
    with pytest.raises(UnicodeEncodeError):
        written.log.flush()
    written.record()
    written.log.flush()
    assert [line["path"] for line in written.lines()] == ["/cart"]


def test_a_line_says_what_happened(written: Written) -> None:
    """One answer is one JSON object with the time, the app, the request, the answer and the client."""
    written.record()
    written.log.flush()
    assert written.lines() == [{
        "at": "2026-01-31T12:00:00.123Z", "app": "shop", "method": "GET", "path": "/cart", "status": 200,
        "ms": 1.25, "bytes": 1024, "peer": "192.0.2.7", "request_id": "6d1c0b8e"}]


def test_time_goes_on(written: Written) -> None:
    """Within a second only the milliseconds change, afterwards the whole stamp."""
    for later in (0.0, 0.5, 86_400.0):
        written.clock.now = Clock.now + later
        written.record()
    written.log.flush()
    assert [line["at"] for line in written.lines()] == [
        "2026-01-31T12:00:00.123Z", "2026-01-31T12:00:00.623Z", "2026-02-01T12:00:00.123Z"]


def test_lines_are_written_in_batches(written: Written) -> None:
    """Nothing is written until a batch is full or somebody flushes."""
    for _ in range(BATCH_LINES - 1):
        written.record()
    assert written.lines() == []
    written.record()
    assert len(written.lines()) == BATCH_LINES
    written.record()
    written.log.close()
    assert len(written.lines()) == BATCH_LINES + 1
    assert written.log.dropped == 0


def test_lost_lines_are_counted() -> None:
    """What the sink could not write is a number of the log."""
    reading, writing = os.pipe()
    os.close(reading)
    log = AccessLog(LineSink(writing), Clock())
    log.record("shop", b"GET", b"/", 200, 0.1, "::1", b"a", 1)
    log.close()
    os.close(writing)
    assert log.dropped == 1


@pytest.mark.parametrize(("target", "path"), [
    (b"/cart", b"/cart"),
    (b"/", b"/"),
    (b"/reset?token=SECRET", b"/reset"),
    (b"/reset?token=SECRET?more", b"/reset"),
    (b"/a;jsessionid=SECRET", b"/a"),
    (b"/a;jsessionid=SECRET/b;v=SECRET?q", b"/a/b"),
    (b"/a#SECRET", b"/a"),
    (b"http://user:SECRET@shop.test/cart?x", b"/cart"),
    (b"HTTPS://user:SECRET@shop.test", b""),
    (b"*", b"*"),
    (b"-", b"-"),
    (b"/caf%C3%A9", b"/caf%C3%A9"),
    (b"/caf\xc3\xa9", rb"/caf\\xc3\\xa9"),
    (b'/"\\', rb"/\"\\"),
    (b"/\x00\n", rb"/\u0000\n"),
])
def test_only_the_path_of_a_target_is_shown(target: bytes, path: bytes) -> None:
    """Query, fragment, path parameters and authority are not, for they carry secrets."""
    assert shown_path(target) == path


def test_a_long_path_is_cut() -> None:
    """An address of any length takes a bounded part of the disk, whichever way it is read."""
    assert shown_path(b"/" + b"a" * 5000) == b"/" + b"a" * (PATH_BYTES - 1)
    assert shown_path(b"/" + b"a" * (PATH_BYTES - 1)) == b"/" + b"a" * (PATH_BYTES - 1)
    assert shown_path(b"/" + b"a" * (PATH_BYTES - 1) + b"?q") == b"/" + b"a" * (PATH_BYTES - 1)
    assert len(shown_path(b"/" + b"\x00" * 5000)) < 6 * PATH_BYTES + 1


@given(st.binary(max_size=600), st.binary(max_size=40))
def test_no_query_ever_shows(path: bytes, query: bytes) -> None:
    """What stands behind the first question mark makes no difference."""
    assert shown_path(path + b"?" + query) == shown_path(path + b"?")


@given(st.binary(max_size=600))
def test_the_short_way_and_the_long_way_agree(target: bytes) -> None:
    """The one-regex reading of a usual target gives what the careful reading gives."""
    careful = shown_path(b"x://h" + target) if target.startswith(b"/") else shown_path(target)
    assert shown_path(target) == careful


@given(st.text(TOKENS, min_size=1).map(str.encode), st.binary(), st.ip_addresses().map(str),
       st.text(IDS).map(str.encode))
def test_a_line_is_always_one_json_object(method: bytes, target: bytes, peer: str, request_id: bytes) -> None:
    """Whatever target a client sends, a line stays a line and parses; the grammar makes the rest harmless."""
    kept: list[bytes] = []

    class Kept(LineSink):
        def __init__(self) -> None:
            pass

        def write(self, lines: Sequence[bytes]) -> None:
            kept.extend(lines)

    log = AccessLog(Kept(), Clock())
    log.record("shop", method, target, 200, 0.1, peer, request_id, 0)
    log.flush()
    [line] = kept
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert line.isascii()
    read = json.loads(line)
    assert (read["method"], read["peer"], read["request_id"]) == (method.decode(), peer, request_id.decode())


def test_plain_text_is_not_copied() -> None:
    """The usual case costs no more than looking at it."""
    text = b"GET"
    assert escaped(text) is text


def test_no_log_is_a_log_too() -> None:
    """Where none is kept, everything that is asked of a log is answered by nothing."""
    log = NoAccessLog()
    log.record("shop", b"GET", b"/", 200, 0.1, "::1", b"id", 1)
    log.flush()
    log.close()
    assert log.dropped == 0
