"""Who may pass, and what the app is told of them: the session check of every request of a guarded app.

Owns the identity fields and the answers to those who need a session and have none. A known browser costs one
look into memory; everything else is looked at more closely, and only a renewal or a doubt asks the store.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

from gateway.accounts.flags import BARRED, LegacyFlags
from gateway.accounts.memory import Known
from gateway.accounts.recognition import Unexamined
from gateway.accounts.sessions import Due, Ended, Issued, Recognised, SessionKeeper, SessionStanding
from gateway.errors import RequestRefused, StoreUnavailable
from gateway.http.head import READING, RequestHead
from gateway.proxy.guarded import GuardedApp
from gateway.proxy.handoff import lines, redirect
from gateway.proxy.steps import PLAIN, Ask, ClientInfo, Pass, Reply
from gateway.tokens.claims import ASSERTION_LIFE, is_tellable

KEPT_SECONDS = ASSERTION_LIFE * 2 / 3  # signing costs 47 µs; an app has a third of its life to read an assertion
SIGN_IN = "Sign in first."
TOO_MANY = "Too many invalid sessions came from this address. Please wait."

BEARER = b"bearer "


class Door(Protocol):
    """Is what a request without a session comes to."""

    def needs_session(self) -> bool:
        """Tell whether it may not pass."""

    def turn_away(self, fields: bytes) -> Reply:
        """Answer one that may not pass, with Set-Cookie lines; may raise `RequestRefused` instead."""


class AppDoor:
    """Is the door of an app: its access table, its login page for browsers, 401 for programs."""

    __slots__ = ("_app", "_head")

    def __init__(self, app: GuardedApp, head: RequestHead) -> None:
        self._app = app
        self._head = head

    def needs_session(self) -> bool:
        """Tell whether the address needs a session."""
        access, head = self._app.access, self._head
        if access is None:
            return False
        return access.needs_session(head.target, is_reading=head.method in READING and not head.has_body)

    def turn_away(self, fields: bytes) -> Reply:
        """Send a browser that wants a page to the login page."""
        if not is_navigation(self._head):
            raise RequestRefused(401, SIGN_IN)
        return redirect(self._app.entry.login(self._head.target), fields)


class Admission:
    """Checks the sessions of all guarded apps; `clock` gives seconds since the epoch."""

    __slots__ = ("_clock", "_flags", "_sessions")

    def __init__(self, sessions: SessionKeeper, flags: LegacyFlags, clock: Callable[[], float]) -> None:
        self._sessions = sessions
        self._flags = flags
        self._clock = clock

    def examine(self, app: GuardedApp, head: RequestHead, client: ClientInfo) -> Pass | Ask | Reply:
        """Say whether a request of an app passes, without waiting; raises `RequestRefused`."""
        cookie = head.cookie
        found = None if cookie is None else self._sessions.recognise(app.name, cookie, client.payer(head))
        if isinstance(found, Known):
            return self._made(app, found)
        return self._look_closer(app, head, client, found, AppDoor(app, head))

    def at(self, door: Door, app: GuardedApp, head: RequestHead, client: ClientInfo) -> Pass | Ask | Reply:
        """Do the same at another door."""
        found = self._sessions.recognise(app.name, head.cookie, client.payer(head))
        return self._look_closer(app, head, client, found, door)

    def _look_closer(self, app: GuardedApp, head: RequestHead, client: ClientInfo, found: Recognised,
                     door: Door) -> Pass | Ask | Reply:
        # Any spelling of the scheme but the usual two is a client's own risk: then it is nobody.
        if found is None and app.minds and b"earer " in head.raw:
            found = self._bearer(app, head, client)
        if isinstance(found, Known):
            return self._made(app, found)
        if isinstance(found, Due):
            return Ask(decide=partial(self._ask, app, found, door))
        return self._without_session(app, found, door)

    def _bearer(self, app: GuardedApp, head: RequestHead, client: ClientInfo) -> Recognised:
        """Recognise a client by one of our tokens in Authorization; the field goes on to the app as it is."""
        credentials = head.values(b"authorization")
        if len(credentials) != 1 or credentials[0][:len(BEARER)].lower() != BEARER:
            return None
        return self._sessions.recognise_bearer(app.name, credentials[0][len(BEARER):].strip(), client.payer(head))

    async def _ask(self, app: GuardedApp, due: Due, door: Door) -> Pass | Reply:
        """Let the row decide; without the store a token goes on as long as it is right by itself."""
        try:
            found = await self._row(app, due)
        except StoreUnavailable:
            if due.known is not None:
                return self._made(app, due.known)
            if door.needs_session():
                raise
            return PLAIN
        if isinstance(found, Issued):
            return replace(self._made(app, found.known), to_client=lines(found.fields))
        if isinstance(found, Known):
            return self._made(app, found)
        return self._without_session(app, found, door)

    async def _row(self, app: GuardedApp, due: Due) -> Issued | Known | Ended | Unexamined:
        renewed = await self._sessions.renew(app.name, due)
        if isinstance(renewed, Issued) and app.reads_flags and await self._is_barred(app, renewed):
            return Ended(fields=await self._sessions.bar(renewed.session, reason="barred on the legacy side"))
        return renewed

    async def _is_barred(self, app: GuardedApp, issued: Issued) -> bool:
        """Tell whether the legacy side lets this user in no more; who cannot be asked about goes on."""
        question = app.any_question
        if question is None:
            return False
        return await self._flags.of_account(app.source.name, question, issued.session.account_id) in BARRED

    def _without_session(self, app: GuardedApp, found: Ended | Unexamined | None, door: Door) -> Pass | Reply:
        if isinstance(found, Unexamined):
            if app.is_told or door.needs_session():
                raise RequestRefused(429, TOO_MANY, retry_after=found.seconds)
            return PLAIN
        fields = b"" if found is None else lines(found.fields)
        if door.needs_session():
            return door.turn_away(fields)
        return Pass(to_client=fields) if fields else PLAIN

    def _made(self, app: GuardedApp, known: Known) -> Pass:
        """Return what a known browser passes with, made once and again when its assertion has aged."""
        kept = known.kept
        if isinstance(kept, Pass) and self._clock() < known.kept_until:
            return kept
        to_app = identity_lines(known, self._sessions.assertion(known)) if app.is_told else b""
        made = Pass(to_app=to_app, standing=SessionStanding(self._sessions, known))
        known.kept = made
        known.kept_until = self._clock() + KEPT_SECONDS if app.is_told else math.inf
        return made


def identity_lines(known: Known, assertion: str) -> bytes:
    """Return who a user is, as field lines for the app; names are UTF-8.

    A name that could be misread in a field is in no token of ours; here it is looked at once more, since a
    line that ends early would be an impersonation.
    """
    claims = known.claims
    named = ((b"X-Forwarded-User", claims.preferred_username), (b"X-Forwarded-Email", claims.email),
             (b"X-Sluicegate-Assertion", assertion))
    return b"".join(name + b": " + value.encode() + b"\r\n" for name, value in named
                    if value and (value is assertion or is_tellable(value)))


def is_navigation(head: RequestHead) -> bool:
    """Tell whether a browser asks for a page that somebody will look at."""
    if head.method not in READING or head.values(b"x-requested-with"):
        return False
    modes = head.values(b"sec-fetch-mode")
    return modes in ([], [b"navigate"]) and b"text/html" in b",".join(head.values(b"accept")).lower()
