"""What the data plane asks of those above it, and the values that go to and fro.

Owns the two contracts of a client connection: the Interceptor, who says what a request needs beyond being
passed through, and Traffic, who watches. Must not know tokens, rules or accounts.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from gateway.http.head import RequestHead
from gateway.proxy.sites import Site

OWN_PATH = b"/-/sluicegate/"
"""What lies below it is the gateway's own under every host, and never an app's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientInfo:
    """Who sent a request.

    `peer` is the address at the other end of the socket. `address` is the client's own, walked from the
    right of X-Forwarded-For through the trusted proxies. `scheme` is b"http" or b"https".
    """

    peer: str
    address: str
    scheme: bytes
    is_trusted: bool

    def origin(self, host: bytes) -> bytes:
        """Return the origin under which the client came, by the host that it asked for."""
        return self.scheme + b"://" + host

    def payer(self, head: RequestHead) -> str | None:
        """Return the address that pays for what is wrong with a request; None where it is not the client's own.

        A peer that sends X-Forwarded-For and is not trusted may be a proxy that nobody declared: then its address
        is that of everybody, and one attacker would spend what is theirs (BEHAVIOUR 14).
        """
        return self.address if self.is_trusted or head.forwarded_for is None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeRequest:
    """Is a request that was read to its end; `body` is without transfer coding."""

    site: Site
    head: RequestHead
    body: bytes = field(repr=False)
    client: ClientInfo
    request_id: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Is a whole answer in bytes, framed by Content-Length; `close` when it says Connection: close."""

    wire: bytes = field(repr=False)
    status: int
    close: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Intercept:
    """Has the whole request collected, up to `body_limit` bytes (413 above), and answered by `handler`.

    The handler runs to its end even when the client goes away meanwhile: what it has begun (an adoption,
    a password change) must not stop half-way. Errors of `gateway.errors` become pages.
    """

    handler: Callable[[WholeRequest], Awaitable[Reply]]
    body_limit: int


class Standing(Protocol):
    """Is the session that a request rides on, for those who stay open longer than a request does."""

    def holds(self) -> bool | None:
        """Say without waiting whether it still stands; None when only its row can tell."""

    async def ask(self) -> bool:
        """Ask the row; while the store is out, what stood goes on standing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """Passes a request through, with what the gateway adds to it.

    `to_app` is complete field lines for the app, each with its CRLF: who the user is. `to_client` is complete
    Set-Cookie lines; an answer with such an addition is made private (BEHAVIOUR 12). `standing` is None for
    a request of nobody we know.
    """

    to_app: bytes = field(default=b"", repr=False)
    to_client: bytes = field(default=b"", repr=False)
    standing: Standing | None = None


PLAIN = Pass()
"""Passes a request through as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Cannot say without waiting; `decide` returns what can be said then. The body waits meanwhile."""

    decide: Callable[[], Awaitable[Pass | Reply]]


Step = Pass | Ask | Intercept | Reply
"""What a request needs; a Reply is given at once, whatever of the body is still to come."""


class Interceptor(Protocol):
    """Looks at each request before it goes on."""

    def own(self, head: RequestHead, client: ClientInfo) -> Ask | Reply:
        """Answer a request below `OWN_PATH`, whatever its host; nothing of it passes. Raises `RequestRefused`."""

    def examine(self, site: Site, head: RequestHead, client: ClientInfo) -> Step:
        """Say what this request needs.

        It is called for every request and must not wait. Raises `gateway.errors.RequestRefused`.
        """


class Traffic(Protocol):
    """Watches what passes. Its methods must neither wait nor raise."""

    def answered(self, site: str, method: bytes, target: bytes, status: int, seconds: float, peer: str,
                 request_id: bytes, sent: int) -> None:
        """Take note of one request, once, when its answer has ended or was given up.

        `site` is "-" where none was found, `method` and `target` are b"-" where the head was not
        understood. `target` is as sent: its query may hold secrets. `seconds` run from the end of the
        request's head. `peer` is the client's own address, as `ClientInfo.address`. `sent` is the bytes of
        the answer's head and body. `status` is 499 when the client left before there was any answer.
        """
