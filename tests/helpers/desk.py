"""A client connection and an app connection without sockets, for driving the data plane by hand."""

from dataclasses import dataclass, field

from gateway.proxy.addresses import Address
from gateway.proxy.client import ClientConnection
from gateway.proxy.connections import Connections
from gateway.proxy.ids import RequestIds
from gateway.proxy.limits import Limits
from gateway.proxy.peers import Peers
from gateway.proxy.pool import Reuse
from gateway.proxy.sites import Site, Sites
from gateway.proxy.surroundings import Surroundings
from gateway.proxy.tasks import Tasks
from gateway.proxy.upstream import Upstream
from gateway.proxy.upstream_connection import Receiver, UpstreamConnection
from tests.helpers.proxy import PassAll, Watcher, counting_entropy
from tests.helpers.transport import FakeTransport


@dataclass
class Client:
    """Is a client connection and its transport."""

    connection: ClientConnection
    transport: FakeTransport

    def sends(self, data: bytes) -> None:
        self.connection.data_received(data)

    def gets(self) -> bytes:
        """Return what was written since the last call."""
        return self.transport.take()


@dataclass
class App:
    """Is an app connection in the pool, and its transport."""

    connection: UpstreamConnection
    transport: FakeTransport

    def replies(self, data: bytes) -> None:
        self.connection.data_received(data)

    def gets(self) -> bytes:
        """Return what was written since the last call."""
        return self.transport.take()


class Dialling(Upstream):
    """Is an Upstream that is connected to at once, and for each request anew: `made` are the connections."""

    made: list[App]

    def attach(self, receiver: Receiver, request: bytes, *, method: bytes, reuse: Reuse, is_last: bool = True) -> None:
        app = App(UpstreamConnection(self.pools[0]), FakeTransport())
        self.made.append(app)
        app.connection.is_request_sent = is_last
        app.connection.begin(receiver, request, method=method, is_repeatable=reuse is Reuse.ANY)
        app.connection.connection_made(app.transport)


@dataclass
class Desk:
    """Is a worker's data plane with a clock that stands still until it is moved."""

    interceptor: object = field(default_factory=PassAll)
    limits: Limits = field(default_factory=Limits)
    hosts: tuple[str, ...] = ("*",)
    now: float = 0.0
    upstream_type: type[Upstream] = Upstream

    def __post_init__(self) -> None:
        self.watcher = Watcher()
        self.crashes: list[tuple[BaseException, bytes]] = []
        self.tasks = Tasks([].append)
        self.upstream = self.upstream_type(Address(host="app", port=80), limits=self.limits, tasks=self.tasks,
                                 clock=self.clock, on_error=lambda kind: self.watcher.upstream_error("shop", kind))
        site = Site(name="shop", hosts=self.hosts, upstream=self.upstream)
        self.connections = Connections(Surroundings(
            sites=Sites([site]), interceptor=self.interceptor, traffic=self.watcher,  # type: ignore[arg-type]
            limits=self.limits, peers=Peers(trusted=[], scheme=b"http"), tasks=self.tasks,
            request_ids=RequestIds(counting_entropy()), clock=self.clock,
            on_crash=lambda error, request_id: self.crashes.append((error, request_id))))

    def clock(self) -> float:
        return self.now

    def client(self, peer: tuple[str, int] | None = ("192.0.2.1", 50000)) -> Client:
        """Return a client that has just connected."""
        client = Client(self.connections(), FakeTransport(peer))
        client.connection.connection_made(client.transport)
        return client

    def app(self) -> App:
        """Return an idle connection to the app, which the next request takes."""
        app = App(UpstreamConnection(self.upstream.pools[0]), FakeTransport())
        app.connection.connection_made(app.transport)
        return app

    def passes(self, seconds: float) -> None:
        """Let time pass, and the sweep see it."""
        self.now += seconds
        self.connections.sweep()
