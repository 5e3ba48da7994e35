"""One client connection: reads requests in order, and sees that each gets exactly one answer.

Owns the states of the connection, the refusals, the collecting of intercepted requests and the order of
pipelined ones. Passing through is `Passage`'s; what a request needs is the Interceptor's to say. Only an
intercepted request (or one that must be asked about) costs a task.
"""

import asyncio
import math
from collections.abc import Awaitable
from enum import Enum
from typing import assert_never, cast

from gateway.errors import AppUnavailable, RequestRefused, SluicegateError
from gateway.http.fields import given_request_id
from gateway.http.head import RequestHead, parse_request
from gateway.proxy.collection import Collection
from gateway.proxy.pace import Pace
from gateway.proxy.passage import Passage
from gateway.proxy.sites import Site
from gateway.proxy.steps import Ask, ClientInfo, Intercept, Pass, Reply, WholeRequest
from gateway.proxy.surroundings import Register, Surroundings
from gateway.proxy.turn import Turn

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
GATEWAY_TIMEOUT = 504
LATE = "The request did not arrive in time."


class State(Enum):
    """What a client connection is doing."""

    IDLE = "idle"  # no request, or a part of a head
    PASSING = "passing"  # a request is at the app
    COLLECTING = "collecting"  # the body of an intercepted request is arriving
    HANDLING = "handling"  # a task is at work for this request
    LINGERING = "lingering"  # the last answer was written; what still arrives is thrown away
    CLOSED = "closed"


class ClientConnection(asyncio.Protocol):
    """Serves one client connection: a protocol for `loop.create_server`, and a `Crossing`."""

    __slots__ = ("_announced", "_around", "_buffer", "_collecting", "_is_app_held", "_is_eof", "_is_write_paused",
                 "_pace", "_passage", "_peer", "_register", "_since", "_state", "_transport", "_turn")

    _transport: asyncio.Transport
    _pace: Pace
    _peer: ClientInfo

    def __init__(self, around: Surroundings, register: Register, announced: ClientInfo | None = None) -> None:
        self._around = around
        self._announced = announced
        self._register = register
        self._state = State.IDLE
        self._since = around.clock()
        self._buffer = b""
        self._turn: Turn | None = None
        self._collecting: tuple[Collection, Intercept] | None = None
        self._passage: Passage | None = None
        self._is_eof = False
        self._is_app_held = False
        self._is_write_paused = False

    @property
    def must_close(self) -> bool:
        """Whether the current answer has to be the connection's last.

        To HTTP/1.0 it always is: the word of its keep-alive would have to be given, for nobody today.
        """
        head = self._turn.head if self._turn is not None else None
        return head is None or not head.is_persistent or head.is_http_10 or self._register.is_draining

    # What the loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open for requests."""
        self._transport = transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        peername = transport.get_extra_info("peername")
        if not peername:  # it left before it was looked at
            transport.abort()
            return
        self._pace = Pace(transport, self._since)
        self._peer = self._announced or self._around.peers.info(peername[0])
        transport.set_write_buffer_limits(high=self._around.limits.write_buffer)
        self._register.opened(self)

    def data_received(self, data: bytes) -> None:
        """Take what the client sent, by what the connection is doing."""
        state = self._state
        if state is State.IDLE:
            if self._buffer:
                data = self._buffer + data
            else:
                self._since = self._around.clock()
            self._buffer = data
            self._advance()
        elif state is State.PASSING and self._passage is not None and not self._passage.is_request_whole:
            self._feed(self._passage, data)
        elif state is State.COLLECTING:
            self._collect(data)
        elif state is not State.LINGERING:
            self._buffer += data
            self._regulate()

    def eof_received(self) -> bool:
        """Close, unless an answer is owed: a client may end its side once it has asked (RFC 9112 9.6)."""
        self._is_eof = True
        if not self._transport.can_write_eof():  # TLS has no half-closed connections
            return False
        if self._state is State.PASSING:
            return self._passage is not None and self._passage.is_request_whole
        return self._state is State.HANDLING or (self._state is State.IDLE and self._is_write_paused)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # however it was lost
        """Give up what was going on; a handler at work goes on to its end, and its reply is dropped."""
        self._state = State.CLOSED
        self._register.closed(self)
        if self._passage is not None:
            self._passage.abandon()
        self._buffer = b""
        self._collecting = None
        self._account()

    def pause_writing(self) -> None:
        """Stop the app: the client is slower."""
        self._is_write_paused = True
        if self._passage is not None:
            self._passage.pause()

    def resume_writing(self) -> None:
        """Let the app go on, or begin with the next pipelined request."""
        self._is_write_paused = False
        if self._passage is not None:
            self._passage.resume()
        self._advance()

    # Requests, one after another.

    def _advance(self) -> None:
        """Begin with the requests that are waiting: a loop, so that no pipeline can grow the stack."""
        while self._state is State.IDLE and self._buffer and not self._is_write_paused:
            try:
                head = parse_request(self._buffer, self._around.limits.head)
            except RequestRefused as refusal:
                self._open(None)
                self._fail(refusal)
                break
            if head is None:
                break
            self._buffer = self._buffer[head.size:]
            self._begin(head)
        self._regulate()
        if self._is_eof and self._state is State.IDLE and not self._is_write_paused:
            self._transport.close()

    def _open(self, head: RequestHead | None) -> Turn:
        around = self._around
        client = self._peer if head is None else around.peers.walk(self._peer, head)
        given = given_request_id(head) if head is not None and client.is_trusted else None
        self._turn = turn = Turn(head, client, given or around.request_ids.take(), around.clock())
        return turn

    def _begin(self, head: RequestHead) -> None:
        """Find out what a request needs, and begin with it."""
        turn = self._open(head)
        try:
            turn.site = site = self._around.sites.find(head.host, head.target)
            if site is None:
                raise RequestRefused(421, "No application is served under this name.")
            step = self._around.interceptor.examine(site, head, turn.client)
            if isinstance(step, Pass):
                self._pass(step, site, head, turn)
            else:
                self._take(step, site, head, turn)
        except RequestRefused as refusal:
            self._fail(refusal)
        except Exception as error:  # noqa: BLE001  # the outer shell: one request fails, not the worker
            self._crash(error, turn)

    def _pass(self, step: Pass, site: Site, head: RequestHead, turn: Turn) -> None:
        """Send a request on to its app; raises RequestRefused."""
        passage = self._passage
        if passage is None:
            self._passage = passage = Passage(self)
        body, self._buffer = self._buffer, b""
        self._buffer = passage.begin(step, site, head, body, turn.client, request_id=turn.request_id)
        self._state = State.PASSING

    def _feed(self, passage: Passage, data: bytes) -> None:
        """Send more of a body on; a malformed chunk ends the exchange, at the app too."""
        try:
            self._buffer = passage.feed(data)
        except RequestRefused as refusal:
            passage.abandon()
            if self._turn is not None and self._turn.status:
                self._cut()
            else:
                self._fail(refusal)

    def _take(self, step: Ask | Intercept | Reply, site: Site, head: RequestHead, turn: Turn) -> None:
        """Do what the interceptor said; raises RequestRefused."""
        match step:
            case Intercept():
                self._collecting = Collection(head, step.body_limit), step
                self._state = State.COLLECTING
                self._since = self._around.clock()
                if head.expects_continue and not self._buffer:
                    self._transport.write(CONTINUE)
                data, self._buffer = self._buffer, b""
                self._collect(data)
            case Ask():
                self._state = State.HANDLING
                self._around.tasks.start(self._guard(self._ask(step, site, head, turn), turn))
            case Reply():
                self._reply(step, turn)
            case _:
                assert_never(step)

    def _collect(self, data: bytes) -> None:
        """Take more of an intercepted body; once it is whole, hand the request over."""
        turn = self._turn
        assert self._collecting is not None
        assert turn is not None
        assert turn.head is not None
        assert turn.site is not None
        collection, step = self._collecting
        try:
            self._buffer = collection.feed(data)
        except RequestRefused as refusal:
            self._fail(refusal)
            return
        if not collection.is_complete:
            return
        self._collecting = None
        turn.is_read = True
        self._state = State.HANDLING
        request = WholeRequest(site=turn.site, head=turn.head, body=collection.take(), client=turn.client,
                               request_id=turn.request_id)
        self._around.tasks.start(self._guard(self._handle(step, request, turn), turn))

    # The work of a task; a client that left meanwhile is in State.CLOSED and gets nothing.

    async def _guard(self, work: Awaitable[None], turn: Turn) -> None:
        """Do `work`, and answer for it when it fails; then go on with the connection."""
        try:
            await work
        except SluicegateError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001  # the outer shell: one request fails, not the worker
            self._crash(error, turn)
        self._advance()

    async def _handle(self, step: Intercept, request: WholeRequest, turn: Turn) -> None:
        self._reply(await step.handler(request), turn)

    async def _ask(self, step: Ask, site: Site, head: RequestHead, turn: Turn) -> None:
        said = await step.decide()
        if isinstance(said, Reply):
            self._reply(said, turn)
        elif self._state is State.HANDLING:
            self._pass(said, site, head, turn)

    # Answers.

    def write(self, data: bytes) -> None:
        """Send bytes of the current answer."""
        if self._turn is not None:
            self._turn.sent += len(data)
        self._transport.write(data)

    def begun(self, status: int) -> None:
        """Learn that the app's answer is on its way."""
        if self._turn is not None:
            self._turn.status = status

    def passed(self, *, close: bool) -> None:
        """End a passage well."""
        self._settle_body()
        self._end(close=close)
        self._advance()

    def broken(self, error: AppUnavailable) -> None:
        """End a passage badly: by a page while there is no answer yet, else so that the cut is seen."""
        self._settle_body()
        turn = self._turn
        if turn is not None and turn.status:
            self._cut()
            return
        is_client_late = turn is not None and not turn.is_read and not self._is_app_held
        if is_client_late and error.status == GATEWAY_TIMEOUT:
            self._fail(RequestRefused(408, LATE))
        else:
            self._fail(error)
        self._advance()

    def hold(self, *, is_held: bool) -> None:
        """Read the client's body as fast as the app takes it."""
        self._is_app_held = is_held
        self._regulate()

    def _settle_body(self) -> None:
        if self._turn is not None and self._passage is not None:
            self._turn.is_read = self._passage.is_request_whole

    def _fail(self, error: SluicegateError | None) -> None:
        """Answer with the page that an error deserves; None is a crash."""
        if self._turn is not None:
            close = self.must_close or not self._turn.is_read
            wire, status = self._turn.page(error, close=close)
            self._respond(wire, status, close=close)

    def _crash(self, error: Exception, turn: Turn) -> None:
        """Answer for an exception that nobody foresaw."""
        self._around.on_crash(error, turn.request_id)
        self._fail(None)

    def _reply(self, reply: Reply, turn: Turn) -> None:
        """Give an answer that was made above; its connection ends if the request was not read whole."""
        wire = reply.wire
        close = reply.close or self.must_close or not turn.is_read
        if close and not reply.close:
            wire = wire.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        self._respond(wire, reply.status, close=close)

    def _respond(self, wire: bytes, status: int, *, close: bool) -> None:
        """Write a whole answer of the gateway's own, unless the client has left."""
        if self._turn is None or self._state is State.CLOSED:
            return
        self._turn.status = status
        self.write(wire)
        self._end(close=close)

    def _end(self, *, close: bool) -> None:
        """Be done with a request: ready for the next, or leaving."""
        is_read = self._turn is not None and self._turn.is_read
        self._account()
        self._collecting = None
        self._is_app_held = False
        self._since = self._around.clock()
        if not (close or self._register.is_draining):
            self._state = State.IDLE
            return
        self._state = State.LINGERING
        if self._is_eof or self._transport.is_closing() or (is_read and not self._buffer):
            self._transport.close()
            return
        # Closing now would reset the connection under unread bytes, and the client could lose the answer.
        self._buffer = b""
        self._pace.end()
        self._regulate()

    def _cut(self) -> None:
        """End an answer that cannot be finished by a reset, which no client takes for its end."""
        self._account()
        self._state = State.LINGERING
        self._pace.reset()

    def _account(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.account(self._around.traffic, self._around.clock())

    def _regulate(self) -> None:
        """Read on, or not: as the app takes the body, and as far as a client may be ahead of its answers."""
        if not self._is_eof:
            self._pace.regulate(is_paused=self._is_app_held or len(self._buffer) > self._around.limits.pipeline)

    def sweep(self, now: float) -> None:
        """Apply the time limits; called about once a second."""
        if self._pace.look(now):
            if now - self._pace.moved > self._around.limits.send_stall_seconds:
                self.abort()
        elif now - max(self._since, self._pace.moved) > self._patience:
            self._expire()

    @property
    def _patience(self) -> float:
        """How many seconds may pass in the present state, once everything is written."""
        limits = self._around.limits
        match self._state:
            case State.IDLE:
                return limits.head_seconds if self._buffer else limits.keep_alive_seconds
            case State.COLLECTING:
                return limits.body_seconds
            case State.LINGERING:
                return limits.linger_seconds
            case _:
                return math.inf  # the app's own limits hold, or the handler's

    def _expire(self) -> None:
        """End a connection whose time is over: with an answer, if a request was begun."""
        if self._state is State.LINGERING:
            self.abort()
        elif self._state is State.IDLE and not self._buffer:
            self._transport.close()
        else:
            if self._turn is None:
                self._open(None)
            self._fail(RequestRefused(408, LATE))

    def drain(self) -> None:
        """Close if no request is being read or answered."""
        if self._state is State.IDLE and not self._buffer:
            self._transport.close()

    def abort(self) -> None:
        """Close, whatever is going on."""
        self._transport.abort()
