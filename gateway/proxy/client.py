"""One client connection: reads requests in order, and sees that each gets exactly one answer.

Owns the order of requests, the collecting of intercepted ones, and the time limits. Passing through is
`Passage`'s; what a request needs is the Interceptor's to say. Only an intercepted request (or one that must
be asked about) costs a task.
"""

import asyncio
import math
from collections.abc import Awaitable
from typing import assert_never, cast

from gateway.errors import AppUnavailable, RequestRefused, SluicegateError
from gateway.http.fields import SWITCHING_PROTOCOLS, given_request_id
from gateway.http.head import RequestHead
from gateway.http.parsing import parse_request
from gateway.proxy.answering import CLOSED, COLLECTING, HANDLING, IDLE, LATE, LINGERING, PASSING, Answering, State
from gateway.proxy.collection import Collection
from gateway.proxy.pace import BodyPace, Pace
from gateway.proxy.passage import Passage
from gateway.proxy.steps import OWN_PATH, Ask, ClientInfo, Intercept, Pass, Reply, Standing, WholeRequest
from gateway.proxy.surroundings import Register, Surroundings
from gateway.proxy.tunnel import Tunnel
from gateway.proxy.turn import Turn
from gateway.proxy.upstream_connection import UpstreamConnection

CUT = "The request ended before it was whole."
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
RETRY_SECONDS = 1  # another gateway, or the next, takes the request


class ClientConnection(Answering, asyncio.Protocol):
    """Serves one client connection: a protocol for `loop.create_server`, and a `Crossing`."""

    __slots__ = ("_announced", "_body_pace", "_collecting", "_peer")

    _peer: ClientInfo

    def __init__(self, around: Surroundings, register: Register, announced: ClientInfo | None = None) -> None:
        super().__init__(around, register)
        self._announced = announced
        self._collecting: tuple[Collection, Intercept] | None = None
        self._body_pace: BodyPace | None = None

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
        if state is IDLE:
            now = self._around.clock()
            if self._buffer:
                is_line_open = b"\n" not in data
                data = self._buffer + data
                if is_line_open and len(data) <= self._around.limits.head.head_bytes:
                    self._buffer = data  # a head in drops is read at its line ends: at each, 32 KiB took 2 s
                    return
            else:
                self._since = now
            self._buffer = data
            self._advance(now)
        elif state is PASSING and self._passage is not None and not self._passage.is_request_whole:
            self._feed(self._passage, data)
        elif state is COLLECTING:
            self._collect(data)
        elif state is not LINGERING:
            self._buffer += data
            self.regulate()

    def eof_received(self) -> bool:
        """Close, unless an answer is owed: a client may end its side once it has asked (RFC 9112 9.6)."""
        self._is_eof = True
        if not self._transport.can_write_eof():  # TLS has no half-closed connections
            return False
        if self._state is PASSING:
            return self._passage is not None and self._passage.is_request_whole
        return self._state is HANDLING or (self._state is IDLE and self._is_write_paused)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # however it was lost
        """Give up what was going on; a handler at work goes on to its end, and its reply is dropped."""
        self._close()
        if self._passage is not None:
            self._passage.abandon()
        self._account(self._around.clock())

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
        self._advance(self._around.clock())

    # Requests, one after another.

    def _advance(self, now: float) -> None:
        """Begin with the requests that are waiting: a loop, so that no pipeline can grow the stack."""
        while self._state is IDLE and self._buffer and not self._is_write_paused:
            try:
                head = parse_request(self._buffer, self._around.limits.head)
            except RequestRefused as refusal:
                self._open(None, now)
                self.fail(refusal)
                break
            if head is None:
                break
            self._buffer = self._buffer[head.size:]
            self._begin(head, now)
        if self._buffer or self._pace.is_paused:
            self.regulate()
        if self._is_eof and self._state is IDLE and not self._is_write_paused:
            self._transport.close()

    def _open(self, head: RequestHead | None, now: float) -> Turn:
        around, client, given = self._around, self._peer, None
        if client.is_trusted and head is not None:
            client = around.peers.walk(client, head)
            given = given_request_id(head)
        self._turn = turn = Turn(head, client, given or around.request_ids.take(), now)
        return turn

    def _begin(self, head: RequestHead, now: float) -> None:
        """Find out what a request needs, and begin with it."""
        turn = self._open(head, now)
        try:
            if head.target.startswith(OWN_PATH):
                self._take(self._around.interceptor.own(head, turn.client), head, turn)
                return
            turn.site = site = self._around.sites.find(head.host, head.target)
            if site is None:
                raise RequestRefused(421, "No application is served under this name.")
            step = self._around.interceptor.examine(site, head, turn.client)
            if isinstance(step, Pass):
                self._pass(step, turn)
            else:
                self._take(step, head, turn)
        except RequestRefused as refusal:
            self.fail(refusal)
        except Exception as error:  # noqa: BLE001  # the outer shell: one request fails, not the worker
            self.crash(error, turn)

    def _pass(self, step: Pass, turn: Turn) -> None:
        """Send a request on to its app; raises RequestRefused."""
        passage = self._passage
        if passage is None:
            self._passage = passage = Passage(self)
        body, self._buffer = self._buffer, b""
        self._state = PASSING
        self._buffer = passage.begin(step, turn, body)
        if passage.is_request_whole:
            return
        if self._is_eof:
            self._give_up(RequestRefused(400, CUT))
            return
        # A client that waits for 100 is not slow: its pace is measured from the body's first byte on.
        if body or turn.head is None or not turn.head.expects_continue:
            self._begin_body()

    def _begin_body(self) -> None:
        limits = self._around.limits
        self._body_pace = BodyPace(self._around.clock(), grace=limits.body_grace_seconds, rate=limits.body_rate)

    def _feed(self, passage: Passage, data: bytes) -> None:
        """Send more of a body on; a malformed chunk ends the exchange, at the app too."""
        if self._body_pace is None:
            self._begin_body()
        if self._body_pace is not None:
            self._body_pace.received += len(data)
        try:
            self._buffer = passage.feed(data)
        except RequestRefused as refusal:
            self._give_up(refusal)

    def _give_up(self, refusal: RequestRefused) -> None:
        """End a passage because of its request: with a page while there is no answer yet, at the app too."""
        if self._passage is not None:
            self._passage.abandon()
        if self._turn is not None and self._turn.status:
            self.cut()
        else:
            self.fail(refusal)

    def _take(self, step: Ask | Intercept | Reply, head: RequestHead, turn: Turn) -> None:
        """Do what the interceptor said; raises RequestRefused."""
        match step:
            case Intercept():
                self._collecting = Collection(head, step.body_limit), step
                self._state = COLLECTING
                self._since = self._around.clock()
                self._begin_body()
                if head.expects_continue and not self._buffer:
                    self._transport.write(CONTINUE)
                data, self._buffer = self._buffer, b""
                self._collect(data)
            case Ask():
                self._state = HANDLING
                self._around.tasks.start(self._guard(self._ask(step, turn), turn))
            case Reply():
                self.reply(step, turn)
            case _:
                assert_never(step)

    def _collect(self, data: bytes) -> None:
        """Take more of an intercepted body; once it is whole, hand the request over."""
        turn = self._turn
        assert self._collecting is not None
        assert self._body_pace is not None
        assert turn is not None
        assert turn.head is not None
        assert turn.site is not None
        collection, step = self._collecting
        self._body_pace.received += len(data)
        try:
            self._buffer = collection.feed(data)
        except RequestRefused as refusal:
            self.fail(refusal)
            return
        if not collection.is_complete:
            if self._is_eof:
                self.fail(RequestRefused(400, CUT))
            return
        self._collecting = self._body_pace = None
        turn.is_read = True
        self._state = HANDLING
        request = WholeRequest(site=turn.site, head=turn.head, body=collection.take(), client=turn.client,
                               request_id=turn.request_id)
        self._around.tasks.start(self._guard(self._handle(step, request, turn), turn))

    # The work of a task; a client that left meanwhile is in State.CLOSED and gets nothing.

    async def _guard(self, work: Awaitable[None], turn: Turn) -> None:
        """Do `work`, and answer for it when it fails; then go on with the connection."""
        try:
            await work
        except SluicegateError as error:
            self.fail(error)
        except Exception as error:  # noqa: BLE001  # the outer shell: one request fails, not the worker
            self.crash(error, turn)
        self._advance(self._around.clock())

    async def _handle(self, step: Intercept, request: WholeRequest, turn: Turn) -> None:
        self.reply(await step.handler(request), turn)

    async def _ask(self, step: Ask, turn: Turn) -> None:
        said = await step.decide()
        if isinstance(said, Reply):
            self.reply(said, turn)
        elif self._state is HANDLING:
            self._pass(said, turn)

    # What a passage tells.

    def passed(self, now: float, *, close: bool) -> None:
        """End a passage well."""
        if self._turn is not None and not self._turn.is_read:
            self._settle_body()
        self.end(now, close=close)
        if self._buffer or self._is_eof or self._pace.is_paused:
            self._advance(now)

    def broken(self, error: AppUnavailable) -> None:
        """End a passage badly."""
        self._settle_body()
        self.fail_passage(error)
        self._advance(self._around.clock())

    def hold(self, *, is_held: bool) -> None:
        """Read the client's body as fast as the app takes it."""
        self._is_app_held = is_held
        self.regulate()

    def switched(self, answer: bytes, app: UpstreamConnection, standing: Standing | None) -> None:
        """Become a tunnel, to which everything is given; what the client sent early goes on only now."""
        turn, held = self._turn, self._buffer
        assert turn is not None
        self._turn = None
        turn.status = SWITCHING_PROTOCOLS
        if not self._is_eof:
            self._pace.regulate(is_paused=False)
        tunnel = Tunnel(self._transport, app, turn=turn, standing=standing, around=self._around,
                        register=self._register)
        tunnel.open(answer, held, is_client_full=self._is_write_paused, is_app_full=self._is_app_held,
                    has_client_ended=self._is_eof)
        self._close()

    def _settle_body(self) -> None:
        self._body_pace = None
        if self._turn is not None and self._passage is not None:
            self._turn.is_read = self._passage.is_request_whole

    def _close(self) -> None:
        """Keep nothing: this connection is over, or another's."""
        self._state = CLOSED
        self._register.closed(self)
        self._buffer = b""
        self._collecting = None
        self._body_pace = None

    # Time.

    def sweep(self, now: float) -> None:
        """Apply the time limits; called about once a second."""
        if self._pace.look(now):
            if now - self._pace.moved > self._around.limits.send_stall_seconds:
                self.abort()
        elif now - max(self._since, self._pace.moved) > self._patience or self._is_body_slow(now):
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

    def _is_body_slow(self, now: float) -> bool:
        """Say whether the client sends its body more slowly than one does who wants an answer."""
        pace = self._body_pace
        if pace is None or self._state not in (PASSING, COLLECTING):
            return False
        is_whole = self._state is PASSING and self._passage is not None and self._passage.is_request_whole
        return not is_whole and pace.is_slow(now, is_held=self._is_app_held)

    def _expire(self) -> None:
        """End a connection whose time is over: with an answer, if a request was begun."""
        if self._state is LINGERING:
            self.abort()
        elif self._state is IDLE and not self._buffer:
            self._transport.close()
        else:
            if self._turn is None:
                self._open(None, self._around.clock())
            self._give_up(RequestRefused(408, LATE))

    def drain(self) -> None:
        """Close if no request is being read or answered."""
        if self._state is IDLE and not self._buffer:
            self._transport.close()

    def abort(self) -> None:
        """Close, whatever is going on; where an answer was begun and is not taken whole, so that the cut is seen."""
        turn = self._turn
        if (turn is not None and turn.status) or self._transport.get_write_buffer_size():
            self._pace.reset()
        elif turn is not None and turn.head is not None:
            self._turn_away(turn)
        else:
            self._transport.abort()

    def _turn_away(self, turn: Turn) -> None:
        """Tell a client that waits for an answer to come again."""
        turn.keeps_open = turn.is_read = False
        if self._passage is not None:
            self._passage.abandon()
        self.fail(AppUnavailable("the gateway stops", status=503, retry_after=RETRY_SECONDS))
        self._transport.close()
