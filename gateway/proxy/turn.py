"""One request's turn on a client connection: what is known of it, and the account of its answer.

Owns the page that a failed request gets and the one note that the traffic takes of each request.
"""

from gateway.errors import RequestRefused, SluicegateError
from gateway.http.head import RequestHead
from gateway.proxy import pages
from gateway.proxy.sites import Site
from gateway.proxy.steps import ClientInfo, Traffic

CLIENT_LEFT = 499  # in logs and metrics only: the client left before there was an answer


class Turn:
    """Is one request and how far its answer is; `head` is None when it was not understood.

    `is_read` says that nothing of the request is still to come, `keeps_open` that the client may ask again.
    `status` is 0 until an answer is begun. `sent` counts the answer's bytes, head and body. `started` is the
    clock at the end of the head.
    """

    __slots__ = ("client", "head", "is_read", "keeps_open", "request_id", "sent", "site", "started", "status")

    def __init__(self, head: RequestHead | None, client: ClientInfo, request_id: bytes,
                 started: float) -> None:
        self.head = head
        self.client = client
        self.request_id = request_id
        self.started = started
        self.is_read = head is not None and not head.has_body
        self.keeps_open = head is not None and head.keeps_open
        self.site: Site | None = None
        self.status = 0
        self.sent = 0

    def page(self, error: SluicegateError | None, *, close: bool) -> tuple[bytes, int]:
        """Return the answer to a failed request and its status; None is a crash.

        Only a refusal's reason is fit for the client; what broke behind the gateway is not its business.
        """
        status = 500 if error is None else error.status
        head = self.head
        wire = pages.answer(
            status,
            reason=error.reason if isinstance(error, RequestRefused) else "",
            accept=b",".join(head.values(b"accept")) if head is not None else b"",
            request_id=self.request_id,
            retry_after=None if error is None else error.retry_after,
            extra=_allowed(error) if isinstance(error, RequestRefused) else b"",
            head_only=head is not None and head.method == b"HEAD",
            close=close,
        )
        return wire, status

    def account(self, traffic: Traffic, now: float) -> None:
        """Tell the traffic of this request; call it once."""
        head = self.head
        traffic.answered(
            "-" if self.site is None else self.site.name,
            b"-" if head is None else head.method,
            b"-" if head is None else head.target,
            self.status or CLIENT_LEFT,
            now - self.started,
            self.client.address,
            self.request_id,
            self.sent,
        )


def _allowed(refusal: RequestRefused) -> bytes:
    return b"Allow: " + b", ".join(sorted(refusal.allow)) + b"\r\n" if refusal.allow else b""
