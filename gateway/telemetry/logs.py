"""The operator's log: JSON lines on stderr, each value redacted before anything else happens to it.

Owns the shape of a line and the way in for the standard library's loggers, whose messages other people's
code wrote: of those the template is shown, not the arguments. A request's id is bound by whoever has it,
`log = log.bind(request_id=…)`; there is no ambient context.

    {"source": "users", "event": "source failed", "level": "warning", "at": "2026-01-31T12:00:00.123456Z"}
"""

import logging
import sys
from collections.abc import Mapping

import structlog
from structlog.typing import EventDict, FilteringBoundLogger

from gateway.telemetry.redaction import Redactor
from gateway.telemetry.sink import LineSink

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(level: str, *, redactor: Redactor, sink: LineSink) -> FilteringBoundLogger:
    """Return the process's logger, and make it the only way out for the standard library's loggers.

    `level` is one of `LEVELS`. Call it once, where the process starts; whoever does closes the sink.
    """
    log: FilteringBoundLogger = structlog.wrap_logger(
        SinkLogger(sink),
        processors=[
            Redaction(redactor),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        context_class=dict,
    )
    logging.basicConfig(handlers=[ForeignRecords(log)], level=max(LEVELS[level], logging.INFO), force=True)
    return log


def loop_trouble(log: FilteringBoundLogger, context: Mapping[str, object]) -> None:
    """Log what an event loop's exception handler is told: its message and the exception, no reprs."""
    log.error(str(context.get("message", "the event loop met an error")), exc_info=context.get("exception"))


class Redaction:
    """Is the first processor of every line."""

    __slots__ = ("_redactor",)

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, _logger: object, _method: str, event: EventDict) -> EventDict:
        """Return the line's fields as a log may show them, its exception as `error`."""
        error = _error_of(event.pop("exc_info", None))
        shown: EventDict = dict(self._redactor.fields(event))
        if error is not None:
            shown["error"] = self._redactor.error(error)
        return shown


class SinkLogger:
    """Is the end of structlog's chain: a finished line goes to the sink, which never blocks or raises."""

    __slots__ = ("_sink",)

    def __init__(self, sink: LineSink) -> None:
        self._sink = sink

    def msg(self, line: str) -> None:
        """Write one line."""
        self._sink.write((line.encode("ascii", "backslashreplace") + b"\n",))

    debug = info = warning = error = critical = msg


class ForeignRecords(logging.Handler):
    """Takes what libraries log through the standard library to the operator's log."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write the first line of the message's template: arguments and further lines may hold values."""
        lines = str(record.msg).splitlines()
        self._log.log(record.levelno, lines[0] if lines else "", logger=record.name, exc_info=record.exc_info)


def _error_of(exc_info: object) -> BaseException | None:
    """Return the exception that one of logging's ways of naming it means."""
    match exc_info:
        case BaseException():
            return exc_info
        case (_, BaseException() as error, _):
            return error
        case True:
            return sys.exc_info()[1]
        case _:
            return None
