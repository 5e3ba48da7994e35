"""The operator's log, as an operator reads it."""

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.typing import FilteringBoundLogger

from gateway.errors import StoreUnavailable
from gateway.model import Secret
from gateway.telemetry.logs import configure, loop_trouble
from gateway.telemetry.redaction import MASK, Redactor
from gateway.telemetry.sink import LineSink

MARK = "Zażółć-gęślą-15€"
CONNECTED = f"connected with {MARK}"


class Log:
    """Is a configured log beside what it wrote."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)

    def configured(self, level: str) -> FilteringBoundLogger:
        """Return the logger of a process with this level."""
        return configure(level, redactor=Redactor(Secret(MARK)), sink=LineSink(self.descriptor))

    def lines(self) -> list[dict[str, Any]]:
        """Return what was written, one JSON object a line."""
        return [json.loads(line) for line in self._path.read_text("ascii").splitlines()]

    def text(self) -> str:
        """Return everything that was written."""
        return self._path.read_text()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """Give the standard library its own handlers back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    for handler in handlers:  # pytest's own must not be closed by the configuration
        root.removeHandler(handler)
    opened = Log(tmp_path / "log")
    yield opened
    os.close(opened.descriptor)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_has_time_level_event_and_fields(log: Log) -> None:
    """One call is one JSON object."""
    log.configured("info").info("source failed", source="shop-users", tries=3)
    [line] = log.lines()
    assert line.pop("at").endswith("Z")
    assert line == {"event": "source failed", "level": "info", "source": "shop-users", "tries": 3}


@pytest.mark.parametrize(("level", "seen"), [
    ("debug", ["d", "i", "w", "e"]), ("info", ["i", "w", "e"]), ("warning", ["w", "e"]), ("error", ["e"])])
def test_the_level_is_a_threshold(log: Log, level: str, seen: list[str]) -> None:
    """What is below it is not written."""
    logger = log.configured(level)
    logger.debug("d")
    logger.info("i")
    logger.warning("w")
    logger.error("e")
    assert [line["event"] for line in log.lines()] == seen


def test_a_request_id_is_bound_by_whoever_has_it(log: Log) -> None:
    """The bound logger carries it, the one it came from does not."""
    logger = log.configured("info")
    logger.bind(request_id="6d1c").info("inside")
    logger.info("outside")
    assert [line.get("request_id") for line in log.lines()] == ["6d1c", None]


def test_nothing_passes_the_redaction(log: Log) -> None:
    """Masked by name, by type and by text: in fields, in bound values, in the event itself."""
    logger = log.configured("info").bind(password="hunter2", at_work=Secret("hunter2"))
    logger.info(CONNECTED, url=f"postgresql://u:{MARK}@h", headers={"cookie": "hunter2"})
    assert "hunter2" not in log.text()
    [line] = log.lines()
    assert line["event"] == f"connected with {MASK}"
    assert line["url"] == f"postgresql://u:{MASK}@h"


def fail() -> None:
    """Fail as a driver does, with the value in its text, translated as the border does."""
    try:
        raise ValueError("hunter2")
    except ValueError as error:
        raise StoreUnavailable("the store does not answer") from error


def test_an_exception_is_shown_without_foreign_text(log: Log) -> None:
    """Our own error says its sentence, its cause only what and where it was."""
    logger = log.configured("info")
    try:
        fail()
    except StoreUnavailable as error:
        logger.exception("login failed")
        logger.error("login failed", exc_info=error)
        logger.error("login failed", exc_info=(type(error), error, error.__traceback__))
    assert "hunter2" not in log.text()
    for line in log.lines():
        ours, cause = line["error"]
        assert ours["says"] == "the store does not answer"
        assert ours["at"][-1].endswith(" fail")
        assert cause["type"] == "builtins.ValueError"


def test_no_exception_is_no_field(log: Log) -> None:
    """A line that names none has no empty one."""
    log.configured("info").info("fine", exc_info=None)
    log.configured("info").info("fine", exc_info=True)
    assert all("error" not in line for line in log.lines())


def test_libraries_log_through_it(log: Log) -> None:
    """The standard library's loggers end up here: the template, the logger's name, the exception's type."""
    log.configured("info")
    try:
        fail()
    except StoreUnavailable:
        logging.getLogger("aiohttp.server").exception("Error handling request from %s", "hunter2")
    [line] = log.lines()
    assert (line["event"], line["level"]) == ("Error handling request from %s", "error")
    assert line["logger"] == "aiohttp.server"
    assert line["error"][0]["type"] == "gateway.errors.StoreUnavailable"
    assert "hunter2" not in log.text()


def test_a_librarys_further_lines_are_left_out(log: Log) -> None:
    """asyncio writes reprs of tasks and exceptions below its first line."""
    log.configured("info")
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: ValueError('hunter2')")
    logging.getLogger("asyncio").error("")
    assert [line["event"] for line in log.lines()] == ["Task exception was never retrieved", ""]


def test_a_librarys_debugging_is_not_ours(log: Log) -> None:
    """Debugging shows our own debug lines; what libraries say at that level may hold anything."""
    log.configured("debug")
    logging.getLogger("asyncio").debug("hunter2")
    logging.getLogger("asyncio").warning("slow")
    assert [line["event"] for line in log.lines()] == ["slow"]


def test_the_event_loops_trouble_is_shown_without_reprs(log: Log) -> None:
    """Of what the loop reports, the message and the exception are logged, and no task or future."""
    context = {"message": "Task exception was never retrieved", "exception": ValueError("hunter2"),
               "task": "<Task hunter2>"}
    loop_trouble(log.configured("info"), context)
    loop_trouble(log.configured("info"), {})
    first, second = log.lines()
    assert (first["event"], first["error"]["type"]) == (
        "Task exception was never retrieved", "builtins.ValueError")
    assert second["event"] == "the event loop met an error"
    assert "hunter2" not in log.text()


def test_a_lone_surrogate_is_written(log: Log) -> None:
    """Text that no encoding takes does not stop the log."""
    log.configured("info").info("odd \udcff")
    assert log.lines()[0]["event"] == "odd \udcff"
