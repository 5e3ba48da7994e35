"""The answering half of a client connection: its state, the gateway's own answers, and how each answer ends.

Owns the turn that is being answered and what becomes of the connection after it. Must not know how requests
are read.
"""

import asyncio
from enum import Enum

from gateway.errors import AppUnavailable, RequestRefused, SluicegateError
from gateway.proxy.pace import Pace
from gateway.proxy.passage import Passage
from gateway.proxy.steps import Reply
from gateway.proxy.surroundings import Register, Surroundings
from gateway.proxy.turn import Turn

GATEWAY_TIMEOUT = 504
LATE = "The request did not arrive in time."


class State(Enum):
    """What a client connection is doing."""

    IDLE = "idle"  # no request, or a part of a head
    PASSING = "passing"  # a request is at the app
    COLLECTING = "collecting"  # the body of an intercepted request is arriving
    HANDLING = "handling"  # a task is at work for this request
    LINGERING = "lingering"  # the last answer was written; what still arrives is thrown away
    CLOSED = "closed"  # or given to a tunnel


# For the hot path: in Python 3.11 `State.IDLE` is a call (0.15 µs), a module's name is none.
IDLE, PASSING, COLLECTING, HANDLING, LINGERING, CLOSED = State


class Answering:
    """Answers the requests of one client connection, each exactly once."""

    __slots__ = ("_around", "_buffer", "_is_app_held", "_is_eof", "_is_write_paused", "_pace", "_passage",
                 "_register", "_since", "_state", "_transport", "_turn")

    _transport: asyncio.Transport
    _pace: Pace

    def __init__(self, around: Surroundings, register: Register) -> None:
        self._around = around
        self._register = register
        self._state = IDLE
        self._since = around.clock()
        self._buffer = b""
        self._turn: Turn | None = None
        self._passage: Passage | None = None
        self._is_eof = False
        self._is_app_held = False
        self._is_write_paused = False

    @property
    def _must_close(self) -> bool:
        """Whether the current answer has to be the connection's last."""
        return self._turn is None or not self._turn.keeps_open or self._register.is_draining

    def write(self, data: bytes) -> None:
        """Send bytes of the current answer."""
        if self._turn is not None:
            self._turn.sent += len(data)
        self._transport.write(data)

    def begun(self, status: int) -> bool:
        """Learn that the app's answer is on its way; say whether it has to be the connection's last."""
        if self._turn is not None:
            self._turn.status = status
        return self._must_close

    def fail(self, error: SluicegateError | None) -> None:
        """Answer with the page that an error deserves; None is a crash."""
        if self._turn is not None:
            close = self._must_close or not self._turn.is_read
            wire, status = self._turn.page(error, close=close)
            self._respond(wire, status, close=close)

    def crash(self, error: Exception, turn: Turn) -> None:
        """Answer for an exception that nobody foresaw."""
        self._around.on_crash(error, turn.request_id)
        turn.keeps_open = False  # nobody knows what became of the bytes that wait
        if self._passage is not None:
            self._passage.abandon()
        if turn.status:
            self.cut()
        else:
            self.fail(None)

    def reply(self, reply: Reply, turn: Turn) -> None:
        """Give an answer that was made above; its connection ends if the request was not read whole."""
        wire = reply.wire
        close = reply.close or self._must_close or not turn.is_read
        if close and not reply.close:
            wire = wire.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        self._respond(wire, reply.status, close=close)

    def fail_passage(self, error: AppUnavailable) -> None:
        """Answer for an app: by a page while there is no answer yet, else so that the cut is seen."""
        turn = self._turn
        if turn is not None and turn.status:
            self.cut()
            return
        is_client_late = turn is not None and not turn.is_read and not self._is_app_held
        self.fail(RequestRefused(408, LATE) if is_client_late and error.status == GATEWAY_TIMEOUT else error)

    def cut(self) -> None:
        """End an answer that cannot be finished by a reset, which no client takes for its end."""
        self._account(self._around.clock())
        self._state = LINGERING
        self._pace.reset()

    def _respond(self, wire: bytes, status: int, *, close: bool) -> None:
        """Write a whole answer of the gateway's own, unless the client has left."""
        if self._turn is None or self._state is CLOSED:
            return
        self._turn.status = status
        self.write(wire)
        self.end(self._around.clock(), close=close)

    def end(self, now: float, *, close: bool) -> None:
        """Be done with a request: ready for the next, or leaving."""
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.account(self._around.traffic, now)
        self._is_app_held = False
        self._since = now
        if close or self._register.is_draining:
            self._leave(turn)
        else:
            self._state = IDLE

    def _leave(self, turn: Turn | None) -> None:
        """Close after the answer to `turn`, so that the client reads all of it."""
        self._state = LINGERING
        if self._is_left_alone(turn) or self._transport.is_closing():
            self._transport.close()
            return
        # Closing now would reset the connection under bytes that come meanwhile, and the client could lose the
        # answer: first it must see the end (RFC 9112 9.6).
        self._buffer = b""
        self._pace.end()
        self.regulate()

    def _is_left_alone(self, turn: Turn | None) -> bool:
        """Say whether the client sends nothing more, by its own word; TLS can show no end but a close."""
        if self._is_eof:
            return True
        if turn is None or turn.head is None or not turn.is_read or self._buffer:
            return False
        return not turn.head.is_persistent or not self._transport.can_write_eof()

    def regulate(self) -> None:
        """Read on, or not: as the app takes the body, and as far as a client may be ahead of its answers.

        What waits in an idle connection is a part of a head, which has a bound of its own.
        """
        if self._is_eof:
            return
        is_owed = self._state is not IDLE or self._is_write_paused
        is_ahead = is_owed and len(self._buffer) > self._around.limits.pipeline
        self._pace.regulate(is_paused=self._is_app_held or is_ahead)

    def _account(self, now: float) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.account(self._around.traffic, now)
