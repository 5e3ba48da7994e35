"""What all client connections of a worker share, and who keeps count of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gateway.proxy.ids import RequestIds
from gateway.proxy.limits import Limits
from gateway.proxy.peers import Peers
from gateway.proxy.sites import Sites
from gateway.proxy.steps import Interceptor, Traffic
from gateway.proxy.tasks import Tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Is what all client connections of a worker share.

    `on_crash` gets an unforeseen exception and the request's id; its log must hold nothing of the request.
    `clock` counts seconds and never goes back.
    """

    sites: Sites
    interceptor: Interceptor
    traffic: Traffic
    limits: Limits
    peers: Peers
    tasks: Tasks
    request_ids: RequestIds
    clock: Callable[[], float]
    on_crash: Callable[[Exception, bytes], None]


class OpenConnection(Protocol):
    """Is a client connection as its register sees it."""

    def sweep(self, now: float) -> None:
        """Apply the time limits."""

    def drain(self) -> None:
        """Close if no request is being read or answered."""

    def abort(self) -> None:
        """Close, whatever is going on."""


class Register(Protocol):
    """Knows the open client connections, and whether they are to end."""

    @property
    def is_draining(self) -> bool:
        """Whether each connection closes after its exchange."""

    def opened(self, connection: OpenConnection) -> None:
        """Know a connection from now on."""

    def closed(self, connection: OpenConnection) -> None:
        """Forget a connection."""
