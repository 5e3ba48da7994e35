"""The private listener's paths: the table, and the application made from it.

Owns what is open and what needs the token. Whoever listens with the application owns sockets and their end.
"""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.admin.access import check_aiohttp, check_exposure, guarded
from gateway.admin.migration import Migration
from gateway.admin.problems import explained
from gateway.admin.process import Operations, Process
from gateway.admin.users import Users
from gateway.model import Secret
from gateway.store.base import Management, Phases


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Everything that a path can lead to."""

    process: Process
    users: Users
    migration: Migration


@dataclass(frozen=True, slots=True)
class Route:
    """One path; HEAD is answered wherever GET is."""

    method: str
    path: str
    handler: Callable[[Resources], Handler]
    needs_token: bool


ROUTES = (
    Route("GET", "/healthz", lambda of: of.process.health, needs_token=False),
    Route("GET", "/readyz", lambda of: of.process.readiness, needs_token=False),
    Route("GET", "/metrics", lambda of: of.process.metrics, needs_token=True),
    Route("GET", "/api/users", lambda of: of.users.list, needs_token=True),
    Route("GET", "/api/users/{id}", lambda of: of.users.show, needs_token=True),
    Route("GET", "/api/migration", lambda of: of.migration.show, needs_token=True),
)


def build_admin(*, host: str, token: Secret | None, operations: Operations, users: Management,
                phases: Phases) -> web.Application:
    """Return the application to serve on `host`; raises `ConfigurationError` where that would be unsafe."""
    check_aiohttp()
    check_exposure(host, token)
    resources = Resources(process=Process(operations), users=Users(users), migration=Migration(users, phases))
    application = web.Application(middlewares=[explained])
    for route in ROUTES:
        handler = route.handler(resources)
        if route.needs_token:
            handler = guarded(handler, token)
        for method in ("GET", "HEAD") if route.method == "GET" else (route.method,):
            application.router.add_route(method, route.path, handler)
    application.on_response_prepare.append(_keep_private)
    return application


async def _keep_private(_request: web.Request, response: web.StreamResponse) -> None:
    """Keep answers out of caches, browsers from guessing what they are, and versions from those who look for them."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["Server"] = "sluicegate"
    response.headers["X-Content-Type-Options"] = "nosniff"
