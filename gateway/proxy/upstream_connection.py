"""One connection to an app: a request goes out, its answer comes back, again and again.

Owns the reading of the app's answers (heads and framing, as strict as toward clients), and what a lost
connection means. Must not know clients: whoever sends a request is a `Receiver`, and is told what comes.
There is no task and no future here.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from gateway.errors import AppUnavailable
from gateway.http.body import Framing, UntilClose, response_framing
from gateway.http.head import ResponseHead
from gateway.http.parsing import parse_response
from gateway.proxy.addresses import is_own_end
from gateway.proxy.limits import Limits

FIRST_FINAL_STATUS = 200
INTERIM_ANSWERS = 64  # to one request; more is an app that has lost its way, or means to keep it


class Receiver(Protocol):
    """Sends one request and is told what comes back, in this order.

    `attached` (once more after a retry), `interim`*, `answered`, `continued`*, `finished`; at any time
    `failed`, which ends it. `hold` and `release` say whether the app takes more of the request's body.
    """

    def attached(self, connection: "UpstreamConnection") -> None:
        """Learn the connection that carries the request."""

    def interim(self, head: ResponseHead) -> None:
        """Take an interim answer; a 101, which comes to whom it was promised only, is followed by `detach`."""

    def answered(self, head: ResponseHead, framing: Framing | None, data: bytes) -> None:
        """Take the answer's head: `data` is the head, and what came of its body with it, as they came.

        `framing` is None for an answer without body; it has counted that part already.
        """

    def continued(self, body: bytes) -> None:
        """Take more of the body."""

    def finished(self) -> None:
        """Learn that the answer is whole; the connection is not the receiver's any more."""

    def failed(self, error: AppUnavailable) -> None:
        """Learn that no answer, or no more of it, will come."""

    def hold(self) -> None:
        """Stop sending for now: the app does not take more."""

    def release(self) -> None:
        """Go on sending."""


class Pool(Protocol):
    """Is where connections come from and go back to."""

    limits: Limits
    clock: Callable[[], float]
    on_error: Callable[[str], None]

    def opened(self, connection: "UpstreamConnection") -> None:
        """Know a connection from now on."""

    def lost(self, connection: "UpstreamConnection") -> None:
        """Forget a connection."""

    def keep(self, connection: "UpstreamConnection") -> None:
        """Take a connection back that can carry another request."""

    def retry(self, receiver: Receiver, request: bytes, *, method: bytes) -> None:
        """Send a whole request again, on a fresh connection."""


class UpstreamConnection(asyncio.Protocol):
    """Carries one request after another to the app; belongs to one `Receiver` at a time."""

    __slots__ = ("_buffer", "_framing", "_interims", "_is_answering", "_is_held", "_is_persistent",
                 "_is_read_paused", "_method", "_pool", "_receiver", "_repeatable", "_transport", "_waiting",
                 "expects_upgrade", "is_request_sent", "touched")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._receiver: Receiver | None = None
        self._method = b""
        self._repeatable: bytes | None = None
        self._waiting: list[bytes] = []
        self._buffer = b""
        self._framing: Framing | None = None
        self._is_answering = False
        self._is_persistent = False
        self._is_held = False
        self._is_read_paused = False
        self._interims = 0
        self.is_request_sent = False
        self.expects_upgrade = False
        self.touched = pool.clock()

    @property
    def is_usable(self) -> bool:
        """Whether a new request may be sent on it."""
        return self._transport is not None and not self._transport.is_closing() and self._receiver is None

    @property
    def is_connected(self) -> bool:
        """Whether there is, or was, an app at the other end."""
        return self._transport is not None

    def move(self, pool: Pool) -> None:
        """Belong to another address's pool; only as long as it is not connected."""
        self._pool = pool

    def begin(self, receiver: Receiver, request: bytes, *, method: bytes, is_repeatable: bool) -> None:
        """Send a request, or its head and what there is of its body; `is_request_sent` is the sender's."""
        self._receiver = receiver
        self._method = method
        self.expects_upgrade = False  # whatever its last request was: a 101 to this one must have been asked for
        self.touched = self._pool.clock()
        receiver.attached(self)
        if self._transport is not None:
            self._repeatable = request if is_repeatable else None
            self._transport.write(request)
            return
        self._waiting.append(request)
        if not self.is_request_sent:
            self._is_held = True
            receiver.hold()

    def send(self, body: bytes) -> None:
        """Send more of the request's body; while the connection is being made, that is held back."""
        self.touched = self._pool.clock()
        if self._transport is not None:
            self._transport.write(body)
        else:
            self._waiting.append(body)

    def pause(self) -> None:
        """Read nothing more from the app for now."""
        if self._transport is not None and not self._is_read_paused and not self._transport.is_closing():
            self._is_read_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._transport is not None and self._is_read_paused:
            self._is_read_paused = False
            self.touched = self._pool.clock()
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def abandon(self) -> None:
        """Give the request up; nothing more is told to its receiver, and the connection is closed."""
        self._receiver = None
        self._is_held = False
        self._waiting.clear()
        if self._transport is not None:
            self._transport.abort()

    def detach(self) -> tuple[asyncio.Transport, bytes]:
        """Give the transport away, which is being read, with what came after the 101.

        The pool goes on counting it: whoever has it tells `connection_lost`.
        """
        assert self._transport is not None
        self.resume()
        transport, early = self._transport, self._buffer
        self._receiver = self._transport = None
        self._buffer = b""
        return transport, early

    def sweep(self, now: float) -> None:
        """Close it after idling, or fail a request whose answer is late; both count from the last bytes."""
        if self._transport is None:
            return
        limits = self._pool.limits
        if self._receiver is None:
            if now - self.touched > limits.pool_seconds:
                self._transport.close()
            return
        # A client that takes no more is no fault of the app.
        stalled = limits.answer_stall_seconds if self._is_answering else limits.answer_head_seconds
        if not self._is_read_paused and now - self.touched > stalled:
            self.fail("timeout", AppUnavailable("the app did not answer in time", status=504))

    def fail(self, kind: str, error: AppUnavailable) -> None:
        """Tell the receiver that the app failed, and close."""
        receiver = self._receiver
        self.abandon()
        self._pool.on_error(kind)
        if receiver is not None:
            receiver.failed(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send what waited for the connection."""
        self._transport = transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        transport.set_write_buffer_limits(high=self._pool.limits.write_buffer)
        self._pool.opened(self)
        if self._receiver is None:
            self._pool.keep(self)
            return
        waiting, self._waiting = self._waiting, []
        if self._is_held:
            self._is_held = False
            self._receiver.release()
        transport.write(b"".join(waiting))

    def data_received(self, data: bytes) -> None:
        """Read on in the answer; bytes that nobody asked for poison the connection."""
        receiver = self._receiver
        if receiver is None:
            self.abandon()
            return
        self.touched = self._pool.clock()
        self._repeatable = None
        try:
            if not self._is_answering:
                self._read_head(receiver, self._buffer + data if self._buffer else data)
                return
            size = self._framing.feed(data) if self._framing is not None else 0
        except AppUnavailable as error:
            self.fail("protocol", error)
            return
        receiver.continued(data if size == len(data) else data[:size])
        self._settle(receiver, has_excess=size < len(data))

    def _read_head(self, receiver: Receiver, data: bytes) -> None:
        """Read heads until the final one; raises AppUnavailable for what is not HTTP."""
        self._buffer = b""
        while True:
            head = parse_response(data, self._pool.limits.head, expects_upgrade=self.expects_upgrade)
            if head is None:
                self._buffer = data
                return
            if head.status >= FIRST_FINAL_STATUS:
                break
            self._buffer = data = data[head.size:]
            self._interims += 1
            if self._interims > INTERIM_ANSWERS:
                raise AppUnavailable("the app sent too many interim answers")
            receiver.interim(head)
            if not data or self._receiver is not receiver:
                return
            self._buffer = b""
        self._interims = 0
        framing = response_framing(head, request_method=self._method)
        end = framing.feed(data, head.size) if framing is not None else head.size
        self._framing = framing
        self._is_answering = True
        self._is_persistent = head.is_persistent
        receiver.answered(head, framing, data if end == len(data) else data[:end])
        self._settle(receiver, has_excess=end < len(data))

    def _settle(self, receiver: Receiver, *, has_excess: bool) -> None:
        """End the exchange if the answer is whole, unless the receiver gave up while it was told."""
        framing = self._framing
        if self._receiver is not receiver or (framing is not None and not framing.is_complete):
            return
        self._receiver = self._framing = None
        self._is_answering = False
        # An app that was asked for a tunnel and gave none: who knows what it reads next?
        is_clean = self.is_request_sent and not has_excess and not self._is_held and not self.expects_upgrade
        if self._is_persistent and is_clean:
            if self._is_read_paused:
                self.resume()
            self._pool.keep(self)
        else:
            self.abandon()
        receiver.finished()

    def eof_received(self) -> None:
        """Let the transport close; `connection_lost` says what that means."""

    def connection_lost(self, exc: Exception | None) -> None:
        """End an answer that lasts until close, retry a stale connection, or fail."""
        self._pool.lost(self)
        receiver = self._receiver
        if receiver is None:
            return
        if isinstance(self._framing, UntilClose) and exc is None and is_own_end(self._transport):
            self._receiver = None
            self.touched = self._pool.clock()  # the answer ends now, not with its last bytes
            receiver.finished()
        elif self._repeatable is not None:
            self._receiver = None
            self._pool.retry(receiver, self._repeatable, method=self._method)
        else:
            self.fail("lost", AppUnavailable("the app closed the connection before its answer was whole"))

    def pause_writing(self) -> None:
        """Pass the app's backpressure on."""
        self._is_held = True
        if self._receiver is not None:
            self._receiver.hold()

    def resume_writing(self) -> None:
        """End the app's backpressure."""
        self._is_held = False
        if self._receiver is not None:
            self._receiver.release()
