"""The gateway's own public documents: the keys by which its tokens are verified."""

from collections.abc import Awaitable, Callable

from gateway.accounts.keyring import Keyring
from gateway.errors import RequestRefused
from gateway.http.head import READING
from gateway.ops import jwks_answer
from gateway.proxy.steps import Reply, WholeRequest

JWKS_PATH = b"/.well-known/jwks.json"
PHRASES = {200: b"OK", 304: b"Not Modified"}


def jwks_handler(keyring: Keyring) -> Callable[[WholeRequest], Awaitable[Reply]]:
    """Return what answers requests for the JWK set (RFC 7517); public, for any origin."""

    async def answer(request: WholeRequest) -> Reply:
        head = request.head
        if head.method not in READING:
            raise RequestRefused(405, "The keys can only be read.", allow=READING)
        known = b", ".join(head.values(b"if-none-match")).decode("latin-1")
        keyset = keyring.keyset
        status, fields, body = jwks_answer(keyset.jwks(), keyset.etag, known or None)
        close = not head.is_persistent
        lines = [b"HTTP/1.1 %d %b" % (status, PHRASES[status])]
        lines += [b"Content-Length: %d" % len(body)] if body else []  # never with 304 (RFC 9110 8.6)
        lines += [f"{name}: {value}".encode() for name, value in fields.items()]
        lines += [b"Access-Control-Allow-Origin: *", *([b"Connection: close"] if close else [])]
        wire = b"\r\n".join(lines) + b"\r\n\r\n" + (body if head.method == b"GET" else b"")
        return Reply(wire=wire, status=status, close=close)

    return answer
