"""The passage of a request to the app and of its answer back: the hot path.

Owns what is relayed: bodies in both directions by counting alone, backpressure in both directions, and
whether the client's connection can be used again afterwards. No task, future or closure is made here, and
one Passage serves all requests of a client connection, one after another. Must not know how requests are
read or refused; it talks to its `Crossing`.
"""

from typing import Protocol

from gateway.errors import AppUnavailable
from gateway.http.body import ChunkedBody, Framing, UntilClose, request_framing
from gateway.http.fields import SWITCHING_PROTOCOLS, forward_request, forward_response
from gateway.http.head import RequestHead, ResponseHead
from gateway.proxy.pool import ANY, NEVER, RECENT
from gateway.proxy.sites import Site
from gateway.proxy.steps import PLAIN, Pass, Standing
from gateway.proxy.turn import Turn
from gateway.proxy.upstream_connection import UpstreamConnection

SAFE_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS"})  # RFC 9110 9.2.1; TRACE is refused before


class Crossing(Protocol):
    """Is the client's side of a passage."""

    def write(self, data: bytes) -> None:
        """Send bytes to the client."""

    def begun(self, status: int) -> bool:
        """Learn that an answer of this status is on its way, so no other can be given any more.

        Say whether it has to tell that the connection closes after it.
        """

    def switched(self, answer: bytes, app: UpstreamConnection, standing: Standing | None) -> None:
        """Become a tunnel on an app's connection; `answer` is the grant."""

    def passed(self, now: float, *, close: bool) -> None:
        """Learn that the whole answer was written, and when."""

    def broken(self, error: AppUnavailable) -> None:
        """Learn that the answer, or the rest of it, will not come."""

    def hold(self, *, is_held: bool) -> None:
        """Stop or go on reading the client's body, as the app can take it."""


class Passage:
    """Relays requests and answers between one client connection and its apps, one exchange at a time."""

    __slots__ = ("_close", "_connection", "_crossing", "_framing", "_site", "_step", "_turn", "_unchunked",
                 "is_request_whole")

    _site: Site

    def __init__(self, crossing: Crossing) -> None:
        self._crossing = crossing
        self._connection: UpstreamConnection | None = None
        self._framing: Framing | None = None
        self._turn: Turn | None = None
        self._step = PLAIN
        self._close = False
        self._unchunked: ChunkedBody | None = None
        self.is_request_whole = True

    def begin(self, step: Pass, turn: Turn, body: bytes) -> bytes:
        """Send a request on with what came of its body, and return the bytes beyond it.

        Raises RequestRefused for a malformed chunk, before anything was sent.
        """
        site, head, client = turn.site, turn.head, turn.client
        assert site is not None
        assert head is not None
        framing = request_framing(head) if head.has_body else None
        size = framing.feed(body) if framing is not None else 0
        self._turn = turn
        self._site = site
        self._framing = framing
        self._step = step
        self.is_request_whole = is_whole = framing is None or framing.is_complete
        wire = forward_request(head, peer=client.peer.encode(), scheme=client.scheme,
                               is_trusted=client.is_trusted, request_id=turn.request_id, extra=step.to_app,
                               keeps_expect=head.expects_continue)
        reuse = ANY if framing is None and head.method in SAFE_METHODS else RECENT
        if head.upgrade is not None:
            reuse = NEVER  # it never goes back to the pool, and what opens a tunnel is sent once
        site.upstream.attach(self, wire + body[:size] if size else wire, method=head.method, reuse=reuse,
                             is_last=is_whole)
        return body[size:]

    def feed(self, data: bytes) -> bytes:
        """Send more of the request's body on, and return the bytes beyond it; raises RequestRefused."""
        framing, connection = self._framing, self._connection
        assert framing is not None
        size = framing.feed(data)
        self.is_request_whole = framing.is_complete
        if connection is not None:
            connection.is_request_sent = framing.is_complete
            connection.send(data[:size])
        return data[size:]

    def pause(self) -> None:
        """Read nothing more from the app: the client takes no more."""
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        """Read on from the app."""
        if self._connection is not None:
            self._connection.resume()

    def abandon(self) -> None:
        """Give the exchange up; the app's connection is closed."""
        connection = self._connection
        self._forget()
        if connection is not None:
            connection.abandon()

    def _forget(self) -> None:
        """Hold nothing of the exchange: a connection that idles must be small."""
        self._connection = self._turn = self._framing = self._unchunked = None
        self._step = PLAIN

    def attached(self, connection: UpstreamConnection) -> None:
        """Learn the app connection that carries the request."""
        self._connection = connection
        if self._head.upgrade is not None:
            connection.expects_upgrade = True

    def interim(self, head: ResponseHead) -> None:
        """Relay 100, 102 or 103, which HTTP/1.0 does not know (RFC 9110 15.2); become a tunnel by a granted 101."""
        if head.status == SWITCHING_PROTOCOLS:
            self._switch(head)
        elif not self._head.is_http_10:
            self._crossing.write(forward_response(head, close=False))

    def _switch(self, head: ResponseHead) -> None:
        """Give both connections to a tunnel."""
        connection, standing = self._connection, self._step.standing
        assert connection is not None
        wire = self._for_client(head, close=False)
        self._forget()
        self._crossing.switched(wire, connection, standing)

    def answered(self, head: ResponseHead, framing: Framing | None, data: bytes) -> None:
        """Relay the head, and the body's first piece in the same write.

        An answer that came before the request was whole, or that lasts until close, ends the connection.
        HTTP/1.0 knows no chunks, so to such a client the body goes without them, until close.
        """
        crossing = self._crossing
        is_until_close = isinstance(framing, UntilClose)
        if head.is_chunked and self._head.is_http_10:
            self._unchunked = ChunkedBody(AppUnavailable, keeps_payload=True)
            is_until_close = True
        must_close = crossing.begun(head.status)
        self._close = close = must_close or is_until_close or not self.is_request_whole
        if head.is_usual and not close and not self._step.to_client and self._site.rewrite is None:
            crossing.write(data)  # not a byte is changed, so none is copied
            return
        wire = self._for_client(head, close=close, until_close=is_until_close)
        body = data[head.size:]
        crossing.write(wire + (body if self._unchunked is None else self._relayed(body)))

    @property
    def _head(self) -> RequestHead:
        assert self._turn is not None
        assert self._turn.head is not None
        return self._turn.head

    def _for_client(self, head: ResponseHead, *, close: bool, until_close: bool = False) -> bytes:
        """Return an answer's head as the client gets it."""
        assert self._turn is not None
        added, rewrite = self._step.to_client, self._site.rewrite
        origin = self._turn.client.origin(self._head.host) if rewrite is not None else b""
        return forward_response(head, close=close, extra=added, private=bool(added), until_close=until_close,
                                rewrite=rewrite, origin=origin)

    def continued(self, body: bytes) -> None:
        """Relay more of the body."""
        self._crossing.write(body if self._unchunked is None else self._relayed(body))

    def _relayed(self, body: bytes) -> bytes:
        """Return a piece of the answer's body without its chunks."""
        assert self._unchunked is not None
        self._unchunked.feed(body)
        return self._unchunked.take_payload()

    def finished(self) -> None:
        """End the exchange well."""
        assert self._connection is not None
        now = self._connection.touched
        self._forget()
        self._crossing.passed(now, close=self._close or not self.is_request_whole)

    def failed(self, error: AppUnavailable) -> None:
        """End the exchange badly."""
        self._forget()
        self._crossing.broken(error)

    def hold(self) -> None:
        """Pass the app's backpressure on to the client."""
        self._crossing.hold(is_held=True)

    def release(self) -> None:
        """End the app's backpressure."""
        self._crossing.hold(is_held=False)
