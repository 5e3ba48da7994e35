"""The guard at the door: says of each request whether it passes, is intercepted, or renews a session.

Owns no state. Everything here is a look at the request's head, without waiting.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from gateway.accounts.sessions import Due, SessionKeeper
from gateway.errors import RequestRefused, StoreUnavailable
from gateway.http.head import RequestHead
from gateway.proxy.exchange import Exchange
from gateway.proxy.guarded import Events, GuardedApp
from gateway.proxy.handoff import lines
from gateway.proxy.sites import Site
from gateway.proxy.steps import PLAIN, Ask, ClientInfo, Intercept, Pass, Reply, Step, WholeRequest

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
        sessions: SessionKeeper,
        *,
        events: Events,
        own_paths: Mapping[bytes, Handler],
        body_limit: int,
    ) -> None:
        self._apps = apps
        self._exchange = exchange
        self._sessions = sessions
        self._events = events
        self._own_paths = own_paths
        self._body_limit = body_limit

    def examine(self, site: Site, head: RequestHead, _client: ClientInfo) -> Step:
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
        if head.cookie is None or head.has_body:
            return PLAIN  # a request with a body is not held up; the next one renews
        known = self._sessions.recognise(app.name, head.cookie)
        return Ask(decide=partial(self._renewed, app, head.cookie)) if isinstance(known, Due) else PLAIN

    async def _renewed(self, app: GuardedApp, cookie: bytes) -> Pass:
        """Return the fields of a renewed or ended session; without the store the request just passes."""
        try:
            return Pass(to_client=lines(await self._sessions.renew(app.name, cookie) or ()))
        except StoreUnavailable:
            return PLAIN
