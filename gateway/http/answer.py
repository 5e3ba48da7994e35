"""An app's answer that was read whole, for those who must judge it before it goes back.

Owns the decoding of content codings for judging. The bytes that the client gets are never touched here.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
RAW_DEFLATE = -zlib.MAX_WBITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Is one answer: status, fields in order as sent, the body without transfer coding.

    `is_whole` is False when the connection ended before the body did.
    """

    status: int
    reason: bytes
    fields: Sequence[tuple[bytes, bytes]] = field(repr=False)
    body: bytes = field(repr=False)
    is_whole: bool = True

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of every field of this name (lower case), in order."""
        return [value for other, value in self.fields if other.lower() == name]

    def readable_body(self, limit: int) -> bytes | None:
        """Return the body without content coding, or None when it is cut, foreign or above `limit` bytes.

        Knows gzip and deflate (RFC 9110 8.4.1; deflate with and without the zlib wrapper, as senders do).
        """
        coding = b",".join(self.values(b"content-encoding")).strip().lower()
        if not self.is_whole or len(self.body) > limit:
            return None
        if coding in (b"", b"identity"):
            return self.body
        if coding not in (b"gzip", b"x-gzip", b"deflate"):
            return None
        return _inflate(self.body, limit)


def _inflate(body: bytes, limit: int) -> bytes | None:
    """Undo gzip, zlib or raw deflate within `limit` bytes, so that a bomb costs no more than that."""
    for window in (GZIP_OR_ZLIB, RAW_DEFLATE):
        inflater = zlib.decompressobj(window)
        try:
            plain = inflater.decompress(body, limit + 1)
        except zlib.error:
            continue
        return plain if inflater.eof and len(plain) <= limit else None
    return None
