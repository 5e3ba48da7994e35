"""The gateway's own address for other proxies: may this request pass, and whose is it?

Owns the answers that nginx (auth_request), Traefik (forwardAuth) and Caddy (forward_auth) understand. Must not
know sessions. What a proxy says about the request that it asks for is believed from trusted proxies alone.
"""

from collections.abc import Mapping
from functools import partial

from gateway.errors import RequestRefused
from gateway.http.head import RequestHead
from gateway.http.parsing import is_authority
from gateway.proxy.admission import Admission, is_navigation
from gateway.proxy.guarded import GuardedApp
from gateway.proxy.handoff import own_answer, redirect
from gateway.proxy.sites import Sites
from gateway.proxy.steps import OWN_PATH, Ask, ClientInfo, Pass, Reply

AUTH_PATH = OWN_PATH + b"auth"
REDIRECTS = b"redirect=1"  # a query with which browsers are sent to the login page at once
TARGETS = (b"x-forwarded-uri", b"x-original-uri")  # as Traefik and Caddy send it, as nginx is usually told to


class SideDoor:
    """Is the door of an app behind another proxy: everything needs a session there, since that proxy asked."""

    __slots__ = ("_head", "_login")

    def __init__(self, head: RequestHead, login: str) -> None:
        self._head = head
        self._login = login

    def needs_session(self) -> bool:
        """Say that it does."""
        return True

    def turn_away(self, fields: bytes) -> Reply:
        """Name the login page, for the other proxy to send browsers there."""
        query = self._head.target.partition(b"?")[2]
        if query == REDIRECTS and is_navigation(self._head):
            return redirect(self._login, fields)
        login = b"X-Sluicegate-Login: %b\r\n" % self._login.encode("ascii")
        return own_answer(b"401 Unauthorized", 401, login + fields, b"")


class ForwardAuth:
    """Answers for the apps by the host, and the path, that a request had at the other proxy."""

    def __init__(self, sites: Sites, apps: Mapping[str, GuardedApp], admission: Admission) -> None:
        self._sites = sites
        self._apps = apps
        self._admission = admission

    def answer(self, head: RequestHead, client: ClientInfo) -> Ask | Reply:
        """Say whose a request is, without its body; raises `RequestRefused`."""
        if head.target.partition(b"?")[0] != AUTH_PATH:
            raise RequestRefused(404, "")
        told = _told if client.is_trusted else _untold
        host, target = told(head)
        site = self._sites.find(host or head.host, target)
        if site is None:
            raise RequestRefused(421, "No application is served under this name.")
        app = self._apps.get(site.name)
        if app is None:
            raise RequestRefused(404, "This application has no sessions here.")
        login = app.entry.login(target)
        if host:  # not the gateway's own, so a login page without a host would be looked for in the wrong place
            login = f"{client.scheme.decode()}://{host.decode()}{login}"
        step = self._admission.at(SideDoor(head, login), app, head, client)
        return Ask(decide=partial(_decided, step)) if isinstance(step, Ask) else _answered(step)


def _told(head: RequestHead) -> tuple[bytes, bytes]:
    """Return host and target of a request as a trusted proxy tells them; an odd one is refused."""
    hosts = head.values(b"x-forwarded-host")
    targets = [target for name in TARGETS for target in head.values(name)]
    host = hosts[0].lower() if hosts else b""
    if len(hosts) > 1 or (host and not is_authority(host)) or len(targets) > 1:
        raise RequestRefused(400, "The forwarded host or address is malformed.")
    target = targets[0] if targets else b"/"
    if not target.startswith(b"/"):
        raise RequestRefused(400, "The forwarded host or address is malformed.")
    return host, target


def _untold(_head: RequestHead) -> tuple[bytes, bytes]:
    return b"", b"/"


async def _decided(asked: Ask) -> Reply:
    return _answered(await asked.decide())


def _answered(step: Pass | Reply) -> Reply:
    """Turn what a request passes with into fields of an answer, which the other proxy takes over."""
    if isinstance(step, Reply):
        return step
    return own_answer(b"204 No Content", 204, step.to_app + step.to_client, b"")
