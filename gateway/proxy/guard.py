"""The guard at the door: says of each request whether it is the gateway's own, is intercepted, or may pass.

Owns no state. Everything here is a look at the request's head, without waiting.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from gateway.errors import RequestRefused
from gateway.http.head import RequestHead
from gateway.proxy.admission import Admission
from gateway.proxy.exchange import Exchange
from gateway.proxy.forward_auth import ForwardAuth
from gateway.proxy.guarded import Events, GuardedApp
from gateway.proxy.sites import Site
from gateway.proxy.steps import PLAIN, Ask, ClientInfo, Intercept, Reply, Step, WholeRequest

WELL_KNOWN = b"/.well-known/"
NO_BODY = 0

Handler = Callable[[WholeRequest], Awaitable[Reply]]


class Guard:
    """Knows the guarded apps by name, and the gateway's own public paths.

    An app that is not among `apps` is plain pass-through.
    """

    def __init__(
        self,
        apps: Mapping[str, GuardedApp],
        exchange: Exchange,
        admission: Admission,
        forward_auth: ForwardAuth,
        *,
        events: Events,
        own_paths: Mapping[bytes, Handler],
        body_limit: int,
    ) -> None:
        self._apps = apps
        self._exchange = exchange
        self._admission = admission
        self._forward_auth = forward_auth
        self._events = events
        self._own_paths = own_paths
        self._body_limit = body_limit

    def own(self, head: RequestHead, client: ClientInfo) -> Ask | Reply:
        """Answer at an address below the gateway's own path; raises `RequestRefused`."""
        return self._forward_auth.answer(head, client)

    def examine(self, site: Site, head: RequestHead, client: ClientInfo) -> Step:
        """Return what the request needs; raises `RequestRefused` for what must not pass."""
        target = head.target
        if target.startswith(WELL_KNOWN):
            own = self._own_paths.get(target.partition(b"?")[0])
            if own is not None:
                return Intercept(handler=own, body_limit=NO_BODY)
        app = self._apps.get(site.name)
        if app is None:
            return PLAIN
        try:
            match = app.rules.match(head.method, target, app.prefix, has_body=head.has_body)
        except RequestRefused:
            self._events.login(app.name, "refused", "gateway")
            raise
        if match is not None:
            return Intercept(handler=partial(self._exchange.run, app, match), body_limit=self._body_limit)
        return self._admission.examine(app, head, client)
