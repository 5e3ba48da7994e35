"""An app's answer, collected whole for those who must judge it before it goes back.

Owns the bound on it. The slow path: here a future is waited for.
"""

import asyncio

from gateway.errors import AppUnavailable
from gateway.http.answer import Answer
from gateway.http.body import ChunkedBody, Framing
from gateway.http.head import ResponseHead
from gateway.proxy.upstream_connection import UpstreamConnection


class WholeAnswer:
    """Is a `Receiver` that collects one answer of at most `limit` bytes into `result`."""

    __slots__ = ("_connection", "_decoder", "_head", "_limit", "_parts", "_size", "result")

    def __init__(self, result: asyncio.Future[Answer], *, limit: int) -> None:
        self.result = result
        self._limit = limit
        self._connection: UpstreamConnection | None = None
        self._decoder: ChunkedBody | None = None
        self._head: ResponseHead | None = None
        self._parts: list[bytes] = []
        self._size = 0

    def attached(self, connection: UpstreamConnection) -> None:
        """Learn the connection that carries the request."""
        self._connection = connection

    def interim(self, head: ResponseHead) -> None:
        """Wait on: an interim answer decides nothing."""

    def answered(self, head: ResponseHead, framing: Framing | None, data: bytes) -> None:
        """Take the head and the body's first piece."""
        self._head = head
        if isinstance(framing, ChunkedBody):
            self._decoder = ChunkedBody(AppUnavailable, keeps_payload=True)
        self.continued(data[head.size:])

    def continued(self, body: bytes) -> None:
        """Take more of the body."""
        if self._decoder is not None:
            self._decoder.feed(body)
            body = self._decoder.take_payload()
        self._parts.append(body)
        self._size += len(body)
        if self._size > self._limit:
            self._parts.clear()
            self.abandon()
            self._raise(AppUnavailable("The app's answer is larger than may be held."))

    def finished(self) -> None:
        """Have the whole answer."""
        self._connection = None
        if self._head is not None and not self.result.done():
            self.result.set_result(self._answer(self._head, is_whole=True))

    def failed(self, error: AppUnavailable) -> None:
        """Have no answer, or a part of one."""
        self._connection = None
        if self.result.done():
            return
        try:
            self.result.set_result(self.cut(error))
        except AppUnavailable as raised:
            self._raise(raised)

    def cut(self, error: AppUnavailable) -> Answer:
        """Return the answer as far as it came; raises `error` when there is no head."""
        if self._head is None:
            raise error
        return self._answer(self._head, is_whole=False)

    def abandon(self) -> None:
        """Give the request up if it is still under way."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abandon()

    def hold(self) -> None:
        """Send nothing more: the request was whole from the start."""

    def release(self) -> None:
        """Go on, with nothing."""

    def _answer(self, head: ResponseHead, *, is_whole: bool) -> Answer:
        return Answer(status=head.status, reason=head.reason, fields=head.fields, body=b"".join(self._parts),
                      is_whole=is_whole)

    def _raise(self, error: AppUnavailable) -> None:
        if not self.result.done():
            self.result.set_exception(error)
