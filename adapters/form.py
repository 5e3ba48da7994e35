"""The app as its own source: a login in a clean room, as a browser without any history would do it.

Owns one try: the login page, its hidden fields and cookies, one POST of identifier and password, the verdict,
and the probe of a page that only a logged-in user sees. The browser's own cookies never come near it. The
user's identity is their normalised identifier: a form shows no primary key.
"""

import time
from collections.abc import Awaitable, Mapping
from contextlib import AbstractAsyncContextManager
from html.parser import HTMLParser
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict

from adapters.base import AdapterUnavailable
from gateway.errors import AppUnavailable
from gateway.http.answer import Answer
from gateway.http.cookies import CookieJar
from gateway.identifiers import Comparison, normalise
from gateway.intercept.rules import Rule
from gateway.intercept.verdict import judge
from gateway.model import LegacyUser, Outcome, Profile, Secret, Verdict

JUDGED_BODY = 1024 * 1024  # bytes of a page that are read; login pages are far smaller
ACCEPT = b"text/html,application/xhtml+xml,*/*;q=0.8"
AGENT = b"Sluicegate (confirms a login)"


class FormOptions(BaseModel):
    """Has no settings of its own: the app's rules say all that a form needs."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Send(Protocol):
    """Puts one whole request to the app."""

    def __call__(self, request: bytes, *, method: bytes) -> Awaitable[Answer]:
        """Return the app's whole answer; raises `AppUnavailable`."""


class FormSource(AbstractAsyncContextManager["FormSource"]):
    """Asks the app itself, by one of its login rules (a rule with a page and a probe)."""

    def __init__(self, rule: Rule, send: Send, *, origin: str, prefix: str, comparison: Comparison) -> None:
        if rule.probe is None:
            raise ValueError("a form source needs a login rule with a probe")
        self._rule = rule
        self._probe = rule.probe
        self._send = send
        self._origin = origin.encode()
        self._prefix = prefix.rstrip("/")
        self._comparison = comparison

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def ping(self) -> None:
        """Fetch the login page."""
        await self._room().get(self._rule.page)

    async def authenticate(self, login: str, password: Secret) -> LegacyUser | Outcome:
        """Log in once in a clean room.

        A name is typed without what does not count in it (blanks around it, compatibility forms): an app
        where those do count must not vouch for somebody else's name.
        """
        identity, name = normalise(login, self._comparison), normalise(login, Comparison.EXACT)
        if identity is None or name is None:
            return Outcome.NOT_FOUND
        room = self._room()
        page = await room.get(self._rule.page)
        fields = _fitting(_login_form(page, self._rule.password), self._rule.fields)
        fields |= {self._rule.identifier: name, self._rule.password: password.reveal()}
        answer = await room.post(self._target, urlencode(fields).encode())
        match judge(self._rule, answer, JUDGED_BODY):
            case Verdict.WRONG:
                return Outcome.WRONG_PASSWORD
            case Verdict.UNKNOWN:
                raise _unclear("the app's answer to a login is neither right nor wrong by its rule")
            case Verdict.RIGHT:
                return await self._probed(room, name, identity)

    async def _probed(self, room: "_CleanRoom", name: str, identity: str) -> LegacyUser:
        seen = await room.get(self._probe.path)
        if not seen.is_whole or not self._probe.conditions.hold(seen, JUDGED_BODY, path=self._probe.path):
            raise _unclear("the app's answer looked right, but its probe page shows no logged-in user")
        return LegacyUser(legacy_id=identity, identifiers=(name,), profile=Profile(username=name))

    @property
    def _target(self) -> str:
        """The address of a login, with a query by which the rule applies."""
        query = urlencode(_fitting({}, self._rule.query))
        return f"{self._rule.path}?{query}" if query else self._rule.path

    def _room(self) -> "_CleanRoom":
        return _CleanRoom(self._send, self._origin, self._prefix)


class _CleanRoom:
    """One browser without history: a cookie jar, and the requests made with it."""

    def __init__(self, send: Send, origin: bytes, prefix: str) -> None:
        self._send = send
        self._origin = origin
        self._prefix = prefix
        self._cookies = CookieJar(now=time.time())

    async def get(self, path: str) -> Answer:
        return await self._exchange(b"GET", self._prefix + path, (), b"")

    async def post(self, path: str, body: bytes) -> Answer:
        fields = (
            b"Content-Type: application/x-www-form-urlencoded",
            b"Content-Length: %d" % len(body),
            b"Origin: " + self._origin,
            b"Referer: " + self._origin + (self._prefix + path).encode(),
        )
        return await self._exchange(b"POST", self._prefix + path, fields, body)

    async def _exchange(self, method: bytes, path: str, fields: tuple[bytes, ...], body: bytes) -> Answer:
        scheme, _, authority = self._origin.partition(b"://")
        cookie = self._cookies.header(path)
        head = [
            method + b" " + path.encode() + b" HTTP/1.1",
            b"Host: " + authority,
            b"X-Forwarded-Proto: " + scheme,
            b"X-Forwarded-Host: " + authority,
            b"User-Agent: " + AGENT,
            b"Accept: " + ACCEPT,
            *fields,
            *([b"Cookie: " + cookie] if cookie else []),
        ]
        try:
            answer = await self._send(b"\r\n".join(head) + b"\r\n\r\n" + body, method=method)
        except AppUnavailable as error:
            raise AdapterUnavailable(error.reason, _UNAVAILABLE[error.status]) from error
        self._cookies.store(answer.values(b"set-cookie"), path)
        return answer


_UNAVAILABLE = {502: Outcome.UNAVAILABLE, 504: Outcome.TIMEOUT}


def _unclear(reason: str) -> AdapterUnavailable:
    return AdapterUnavailable(reason, Outcome.PROTOCOL_ERROR)


def _login_form(page: Answer, password_field: str) -> dict[str, str]:
    """Return the values that the page's login form would send by itself (hidden fields, defaults)."""
    body = page.readable_body(JUDGED_BODY) if page.status == 200 else None
    if body is None:
        raise _unclear("the app's login page cannot be read")
    reader = _FormReader(password_field)
    reader.feed(body.decode("utf-8", "replace"))
    reader.close()
    if reader.found is None:
        raise _unclear("the app's login page has no form with the rule's password field")
    return reader.found


def _fitting(found: Mapping[str, str], wanted: Mapping[str, frozenset[str]]) -> dict[str, str]:
    """Return the fields with which a rule applies: those found, each discriminator with a value that fits.

    The value "" stands for an absent field.
    """
    chosen = {name: min(values) for name, values in wanted.items() if found.get(name, "") not in values}
    return {name: value for name, value in {**found, **chosen}.items() if value or name not in chosen}


class _FormReader(HTMLParser):
    """Finds the first form that has the password field, and what a browser would send beside it.

    That is the values of its fields, and of the first of its buttons (HTML 4.10.21.2, implicit submission).
    """

    def __init__(self, password_field: str) -> None:
        super().__init__()
        self.found: dict[str, str] | None = None
        self._password_field = password_field
        self._fields: dict[str, str] = {}
        self._has_button = False
        self._select = ""
        self._text_of = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self._text_of = ""
        if tag == "form":
            self._end_form()
        elif "disabled" not in attributes:
            self._control(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        self._text_of = ""
        if tag == "form":
            self._end_form()
        if tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._text_of:
            self._fields[self._text_of] += data.strip()

    def close(self) -> None:
        super().close()
        self._end_form()  # browsers end it with the page, too

    def _end_form(self) -> None:
        if self.found is None and self._password_field in self._fields:
            self.found = self._fields
        self._fields, self._has_button, self._select = {}, False, ""

    def _control(self, tag: str, attributes: dict[str, str]) -> None:
        name = attributes.get("name", "")
        match tag, attributes.get("type", "").lower():
            case ("input", "submit" | "image") | ("button", "" | "submit"):
                self._button(name, attributes)
            case "input", "checkbox" | "radio":
                if "checked" in attributes:
                    self._keep(name, attributes.get("value", "on"))
            case "input", kind if kind not in ("button", "reset", "file"):
                self._keep(name, attributes.get("value", ""))
            case "select", _:
                self._select = name
            case "option", _:
                self._option(attributes)
            case _:
                pass

    def _keep(self, name: str, value: str) -> None:
        if name:
            self._fields.setdefault(name, value)

    def _button(self, name: str, attributes: dict[str, str]) -> None:
        if not self._has_button and attributes.get("type", "").lower() != "image":
            self._keep(name, attributes.get("value", ""))
        self._has_button = True

    def _option(self, attributes: dict[str, str]) -> None:
        """Take the selected option of a choice, or its first; without a value its text is sent."""
        if self._select and ("selected" in attributes or self._select not in self._fields):
            self._fields[self._select] = attributes.get("value", "")
            self._text_of = "" if "value" in attributes else self._select
