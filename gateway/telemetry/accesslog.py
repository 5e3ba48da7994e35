"""The access log: one JSON object a line for each answer on the public listener.

Owns the shape of a line and the batching. Formatted by hand, because the hot path pays for each line.
Never shows a query string or a path parameter: they carry reset tokens, session ids and passwords.

    {"at":"2026-01-31T12:00:00.123Z","app":"shop","method":"GET","path":"/cart","status":200,"ms":1.250,
     "bytes":1024,"peer":"192.0.2.7","request_id":"6d1c…"}
"""

import json
import re
import time
from collections.abc import Callable
from typing import Protocol

from gateway.telemetry.sink import LineSink

BATCH_LINES = 128  # one hand-over for so many lines; the caller's timer flushes what lies longer than 1 s
PATH_BYTES = 512  # enough to recognise a page; an attacker's address must not fill the disk

Answered = tuple[float, str, bytes, bytes, int, float, str, bytes, int]
"""When, and the arguments of `AccessLog.record`."""

_plain_path = re.compile(rb'(/[!$-:<->@-\[\]-~]{0,511}+)(?:\?|\Z)').match  # as JSON has it: most are
_is_plain = re.compile(rb"[ !#-\[\]-~]*+").fullmatch
_path_parameters = re.compile(rb";[^/]*+")
_authority = re.compile(rb"[a-z][a-z0-9+.-]*+://[^/]*+", re.IGNORECASE)


class AnswerLog(Protocol):
    """Takes note of answers; `dropped` counts the lines that were lost because nobody read them fast enough."""

    @property
    def dropped(self) -> int:
        """The number of lines that were lost."""

    def record(self, app: str, method: bytes, target: bytes, status: int, seconds: float, peer: str,
               request_id: bytes, sent: int) -> None:
        """Note an answer; `seconds` is the time taken, `sent` the bytes of the answer's head and body."""

    def flush(self) -> None:
        """Write what was noted."""

    def close(self) -> None:
        """Write what can be written at once."""


class NoAccessLog:
    """Is the log of a gateway that keeps none: no line is made only to be thrown away."""

    dropped = 0

    def record(self, *_answer: object) -> None:
        """Note nothing."""

    def flush(self) -> None:
        """Write nothing."""

    def close(self) -> None:
        """Write nothing."""


class AccessLog:
    """Gathers answers and writes a line of each to `sink`; `clock` is seconds since the epoch.

    The caller flushes each second. A batch of lines is made at once: made one by one between other things, a
    line takes twice as long (3 µs).
    """

    __slots__ = ("_answers", "_clock", "_second", "_sink", "_stamp")

    def __init__(self, sink: LineSink, clock: Callable[[], float]) -> None:
        self._sink = sink
        self._clock = clock
        self._answers: list[Answered] = []
        self._second = -1
        self._stamp = b""

    @property
    def dropped(self) -> int:
        """The number of lines that were lost because nobody read them fast enough."""
        return self._sink.dropped

    def record(self, app: str, method: bytes, target: bytes, status: int, seconds: float, peer: str,
               request_id: bytes, sent: int) -> None:
        """Add a line; `seconds` is the time taken, `sent` the bytes of the answer's head and body."""
        self._answers.append((self._clock(), app, method, target, status, seconds, peer, request_id, sent))
        if len(self._answers) >= BATCH_LINES:
            self.flush()

    def flush(self) -> None:
        """Hand over what has gathered, and what the reader did not take before."""
        answers, self._answers = self._answers, []  # first: one that has no line must not stay for the next flush
        self._sink.write([self._line(*answer) for answer in answers])

    def close(self) -> None:
        """Flush once more, and give up what the reader does not take at once."""
        self.flush()
        self._sink.close()

    def _line(self, at: float, app: str, method: bytes, target: bytes, status: int, seconds: float, peer: str,
              request_id: bytes, sent: int) -> bytes:
        """Return a line.

        Of the texts only the target can hold what JSON does not: the method is a token (RFC 9110 5.6.2), the
        peer an address, the id what `gateway.http.fields` takes for one. To look at them again costs 0.7 µs.
        """
        if int(at) != self._second:  # the text of a second is made once
            self._second = int(at)
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)).encode("ascii")
        return (
            b'{"at":"%b.%03dZ","app":"%b","method":"%b","path":"%b","status":%d,"ms":%.3f,"bytes":%d,'
            b'"peer":"%b","request_id":"%b"}\n'
            % (self._stamp, int(at * 1000) % 1000, app.encode(), method, shown_path(target), status,
               seconds * 1000, sent, peer.encode(), request_id))


def shown_path(target: bytes) -> bytes:
    """Return what a log may show of a request target, fit for a JSON string.

    Query, fragment and path parameters are gone, and so is the authority of an absolute form, which may
    hold a password (RFC 9110 4.2.4).
    """
    plain = _plain_path(target)
    if plain is not None:
        return plain[1]
    path = target.partition(b"?")[0].partition(b"#")[0]
    if not path.startswith(b"/"):
        path = _authority.sub(b"", path, count=1)
    if b";" in path:
        path = _path_parameters.sub(b"", path)
    return escaped(path[:PATH_BYTES])


def escaped(text: bytes) -> bytes:
    r"""Return text fit for a JSON string; a byte outside ASCII becomes the four characters ``\xNN``."""
    if _is_plain(text):
        return text
    return json.dumps(text.decode("ascii", "backslashreplace"))[1:-1].encode("ascii")
