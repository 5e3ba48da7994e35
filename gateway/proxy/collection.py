"""The body of an intercepted request, collected whole.

Owns the bound on it. A body above the bound is refused as early as it is known: by its Content-Length
before any of it was read, else at the first byte too much.
"""

from gateway.errors import RequestRefused
from gateway.http.body import ChunkedBody, SizedBody, bad_request
from gateway.http.head import RequestHead


class Collection:
    """Collects one body of at most `limit` bytes; raises RequestRefused with 413, or 400 for bad chunks."""

    __slots__ = ("_framing", "_limit", "_parts", "_size")

    def __init__(self, head: RequestHead, limit: int) -> None:
        length = head.content_length or 0
        if length > limit:
            raise _too_large()
        self._framing = ChunkedBody(bad_request, keeps_payload=True) if head.is_chunked else SizedBody(length)
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def is_complete(self) -> bool:
        """Whether the body is whole."""
        return self._framing.is_complete

    def feed(self, data: bytes) -> bytes:
        """Take more of the body, and return the bytes beyond it."""
        taken = self._framing.feed(data)
        part = self._framing.take_payload() if isinstance(self._framing, ChunkedBody) else data[:taken]
        self._parts.append(part)
        self._size += len(part)
        if self._size > self._limit:
            raise _too_large()
        return data[taken:]

    def take(self) -> bytes:
        """Return the whole body, without transfer coding."""
        return b"".join(self._parts)


def _too_large() -> RequestRefused:
    return RequestRefused(413, "The request is larger than this address takes.")
