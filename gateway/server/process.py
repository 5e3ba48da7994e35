"""What supervisor and workers have in common as processes.

Owns their logs, the limits that the system sets them, and the last word for the unforeseen. Must not know what
they serve.
"""

import contextlib
import os
import resource
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from gateway.app import Logs
from gateway.errors import ConfigurationError, SluicegateError
from gateway.settings import LogSection
from gateway.telemetry.accesslog import AccessLog, AnswerLog, NoAccessLog
from gateway.telemetry.logs import configure
from gateway.telemetry.redaction import Redactor
from gateway.telemetry.sink import LineSink


def forbid_core_dumps() -> None:
    """Let no crash write memory to a disk: it holds passwords."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def use_all_descriptors() -> None:
    """Raise the limit of open files to what is allowed: a connection takes two, and shells give 1024."""
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # some systems name more than they grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))


@contextlib.contextmanager
def last_word(log: FilteringBoundLogger) -> Iterator[None]:
    """Log what nobody foresaw, redacted, and end the process with exit code 1."""
    try:
        yield
    except SluicegateError:
        raise
    except Exception as error:  # the process's outer shell: a foreign text may hold a secret
        log.error("the gateway ended", exc_info=error)
        sys.exit(1)


@contextlib.contextmanager
def operator_log(section: LogSection) -> Iterator[tuple[FilteringBoundLogger, Redactor]]:
    """Open the operator's log on standard error."""
    redactor = Redactor()
    with own_description(sys.stderr.fileno()) as descriptor:
        sink = LineSink(descriptor)
        try:
            yield configure(section.level, redactor=redactor, sink=sink), redactor
        finally:
            sink.close()


@contextlib.contextmanager
def all_logs(section: LogSection) -> Iterator[Logs]:
    """Open the operator's log, and the access log where the settings say."""
    with operator_log(section) as (operator, redactor), _access_log(section.access) as access:
        yield Logs(operator=operator, redactor=redactor, access=access)


@contextlib.contextmanager
def _access_log(place: bool | Path) -> Iterator[AnswerLog]:  # noqa: FBT001
    if place is False:
        yield NoAccessLog()
        return
    opened = own_description(sys.stdout.fileno()) if place is True else _appended(Path(place))
    with opened as descriptor:
        access = AccessLog(LineSink(descriptor), time.time)
        try:
            yield access
        finally:
            access.close()


@contextlib.contextmanager
def _appended(place: Path) -> Iterator[int]:
    """Open a file to add lines to it."""
    try:
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    except OSError as error:
        raise ConfigurationError(f"log.access: {place} cannot be written: {error.strerror}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def own_description(shared: int) -> Iterator[int]:
    """Open a pipe anew, as one that never blocks: between a look and a write other workers may fill it.

    O_NONBLOCK on the shared one would be everybody's. Where a pipe cannot be opened (it is another user's, or
    this is not Linux) the shared one has to do.
    """
    try:
        is_pipe = stat.S_ISFIFO(os.fstat(shared).st_mode)
        own = os.open(f"/proc/self/fd/{shared}", os.O_WRONLY | os.O_NONBLOCK) if is_pipe else None
    except OSError:
        own = None
    try:
        yield shared if own is None else own
    finally:
        if own is not None:
            os.close(own)
