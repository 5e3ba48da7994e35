"""Lines on their way to a descriptor that may not take them."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.telemetry import sink as module
from gateway.telemetry.sink import LineSink


class Pipe:
    """Is a pipe between a sink and a reader that reads when the test says so."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)

    def read(self) -> bytes:
        """Return what has arrived."""
        try:
            return os.read(self.reading, 1 << 24)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        for descriptor in (self.reading, self.writing):
            try:
                os.close(descriptor)
            except OSError:
                continue


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    opened = Pipe()
    yield opened
    opened.close()


LINES = [b"%05d %s\n" % (number, b"x" * 93) for number in range(100)]  # 10 000 bytes


def test_lines_arrive_in_order(pipe: Pipe) -> None:
    """What was written is what is read."""
    sink = LineSink(pipe.writing)
    sink.write(LINES[:2])
    sink.write(LINES[2:4])
    assert pipe.read() == b"".join(LINES[:4])
    assert sink.dropped == 0


def test_nothing_written_is_nothing_read(pipe: Pipe) -> None:
    """An empty batch costs no write."""
    LineSink(pipe.writing).write(())
    assert pipe.read() == b""


def test_a_reader_that_sleeps_does_not_block(pipe: Pipe) -> None:
    """A full pipe is left alone; the rest arrives, complete and in order, once the reader reads again."""
    sink, written = LineSink(pipe.writing), b""
    for _ in range(20):  # 200 000 bytes against the pipe's 65 536
        sink.write(LINES)
        written += b"".join(LINES)
    seen = b""
    while piece := pipe.read():
        seen += piece
        sink.write(())
    assert seen == written
    assert sink.dropped == 0


def test_the_backlog_is_bounded(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its bound, lines are dropped and counted, and those that arrive are whole."""
    monkeypatch.setattr(module, "BACKLOG_BYTES", 20_000)
    sink = LineSink(pipe.writing)
    for _ in range(20):
        sink.write(LINES)
    assert sink.dropped > 0
    seen = b""
    while piece := pipe.read():
        seen += piece
        sink.write(())
    assert sink.dropped + seen.count(b"\n") == 20 * len(LINES)
    assert set(seen.splitlines(keepends=True)) <= set(LINES)


def test_the_descriptor_stays_blocking(pipe: Pipe) -> None:
    """Whoever shares the descriptor finds it as it was."""
    before = fcntl.fcntl(pipe.writing, fcntl.F_GETFL)
    LineSink(pipe.writing).write(LINES)
    assert fcntl.fcntl(pipe.writing, fcntl.F_GETFL) == before


def test_a_reader_that_went_away_is_survived(pipe: Pipe) -> None:
    """A broken pipe raises nothing; each lost line is counted once."""
    sink = LineSink(pipe.writing)
    os.close(pipe.reading)
    sink.write(LINES[:3])
    sink.write(LINES[:2])
    assert sink.dropped == 5


def test_a_line_that_was_cut_is_ended_before_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a disk was full in the middle of a line, the next line begins on a line of its own."""
    path = tmp_path / "log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    sink = LineSink(descriptor)
    real, calls = os.write, iter((3, None, None))

    def filling_disk(target: int, data: bytes) -> int:
        room = next(calls, len(data))
        if room is None:
            raise OSError(28, "No space left on device")
        return real(target, data[:room])

    monkeypatch.setattr(os, "write", filling_disk)
    sink.write([b"first\n", b"second\n"])  # three bytes fit
    sink.write([b"third\n"])  # nothing fits
    sink.write([b"fourth\n"])  # there is room again
    os.close(descriptor)
    assert path.read_bytes() == b"fir\nfourth\n"
    assert sink.dropped == 3


def test_closing_gives_up_what_nobody_reads(pipe: Pipe) -> None:
    """At the end the process does not wait; what nobody took is counted."""
    sink = LineSink(pipe.writing)
    for _ in range(20):
        sink.write(LINES)
    sink.close()
    assert pipe.read().count(b"\n") + sink.dropped == pytest.approx(20 * len(LINES), abs=1)
    lost = sink.dropped
    sink.close()
    assert sink.dropped == lost


def test_lines_are_written_whole(pipe: Pipe) -> None:
    """However much waits, each write ends with a line, so that another process's lines never fall into one."""
    os.set_blocking(pipe.writing, False)
    sink = LineSink(pipe.writing)
    sink.write(LINES)
    for _ in range(40):
        sink.write(LINES)
        read = pipe.read()
        assert not read or read.endswith(b"\n")


def test_a_pipe_that_somebody_else_filled_costs_nothing(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the write another worker may have written: the lines wait."""
    os.set_blocking(pipe.writing, False)
    sink = LineSink(pipe.writing)
    filled = 0
    try:
        while True:
            filled += os.write(pipe.writing, b"x" * 4096)
    except BlockingIOError:
        pass
    monkeypatch.setattr(sink, "_poll", _Optimist())
    sink.write(LINES[:2])
    assert sink.dropped == 0
    assert len(pipe.read()) == filled
    sink.write(LINES[2:3])
    assert pipe.read() == b"".join(LINES[:3])


class _Optimist:
    """Sees room everywhere."""

    def poll(self, _timeout: int) -> list[tuple[int, int]]:
        return [(0, 0)]


def test_a_backlog_is_not_copied_for_each_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte that waits costs a megabyte to write, and what a short write left comes with the next one."""
    pieces: list[memoryview] = []
    real = os.write

    def short(target: int, data: memoryview) -> int:
        pieces.append(data)
        return real(target, data[:1000])

    monkeypatch.setattr(os, "write", short)
    path = tmp_path / "log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    LineSink(descriptor).write(LINES)
    os.close(descriptor)
    assert path.read_bytes() == b"".join(LINES)
    assert len(pieces) > 1
    assert len({id(piece.obj) for piece in pieces}) == 1
