"""The logs of a process that is one of several."""

import os
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.server.process import last_word, own_description


def test_a_shared_pipe_is_opened_anew() -> None:
    """Writing to it never blocks this process, and the others' way of writing stays theirs."""
    reading, writing = os.pipe()
    try:
        with own_description(writing) as own:
            assert own != writing
            assert not os.get_blocking(own)
            assert os.get_blocking(writing)
            os.write(own, b"a word")
        assert os.read(reading, 4096) == b"a word"
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(own)
        os.fstat(writing)
    finally:
        os.close(reading)
        os.close(writing)


def test_a_file_is_used_as_it_is(tmp_path: Path) -> None:
    """It never blocks for long, and its end is everybody's."""
    with (tmp_path / "log").open("wb") as log, own_description(log.fileno()) as own:
        assert own == log.fileno()


class Log:
    """Remembers what was logged as an error."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []

    def error(self, _event: str, *, exc_info: BaseException) -> None:
        self.errors.append(exc_info)


def test_the_unforeseen_is_logged_and_ends_the_process() -> None:
    """With exit code 1; what is foreseen passes on to whoever words it."""
    log, error = Log(), ValueError("hunter2")
    with pytest.raises(SystemExit, match="1"), last_word(log):  # type: ignore[arg-type]
        raise error
    assert log.errors == [error]
    with pytest.raises(ConfigurationError), last_word(log):  # type: ignore[arg-type]
        raise ConfigurationError("a sentence")
    assert log.errors == [error]
