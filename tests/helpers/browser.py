"""A browser for tests: cookies, forms, no JavaScript, and nothing of the gateway's own code.

Each request goes over a connection of its own, so `raw` requests may be as wrong as a test wants them.
"""

import asyncio
import http.client
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from http.cookies import SimpleCookie
from urllib.parse import urlencode

PATIENCE = 30.0
URLENCODED = "application/x-www-form-urlencoded"
BOUNDARY = "----a-boundary-of-the-tests"
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
Header = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer: its fields in order, and the body without transfer coding."""

    status: int
    headers: Sequence[Header]
    body: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    def values(self, name: str) -> list[str]:
        """Return the values of all fields of a name, in order."""
        return [value for found, value in self.headers if found.lower() == name]

    @property
    def location(self) -> str:
        """Where a redirect leads, empty without one."""
        return "".join(self.values("location"))

    @property
    def set_cookies(self) -> set[str]:
        """The names of all cookies that this answer sets or deletes."""
        return {line.partition("=")[0] for line in self.values("set-cookie")}

    def json(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.text)
        return found


@dataclass(slots=True)
class Browser:
    """One browser with its own cookies, at one address (`http://127.0.0.1:port`)."""

    base: str
    cookies: dict[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    async def get(self, target: str, *headers: Header) -> Page:
        """Fetch a page; redirects are shown, not followed."""
        return await self.request("GET", target, *headers)

    async def post(self, target: str, body: str | bytes, *headers: Header, kind: str = URLENCODED) -> Page:
        """Send a body as a page of the site itself would."""
        own = [("Origin", self.base), ("Referer", self.base + target), ("Content-Type", kind)]
        given = {name.lower() for name, _ in headers}
        kept = [(name, value) for name, value in own if value and name.lower() not in given]
        return await self.request("POST", target, *kept, *headers, body=body)

    async def submit(self, path: str, *, multipart: bool = False, **fields: str) -> Page:
        """Open the form at `path`, keep its hidden fields, fill in the others and send it."""
        form = await self.fill(path, **fields)
        if multipart:
            return await self.post(path, multipart_body(form), kind=f"multipart/form-data; boundary={BOUNDARY}")
        return await self.post(path, urlencode(form))

    async def fill(self, path: str, **fields: str) -> dict[str, str]:
        """Open the form at `path` and return what submitting it would send."""
        page = await self.get(path)
        return {name: unescape(value) for name, value in HIDDEN.findall(page.text)} | fields

    async def log_in(self, name: str, password: str, *, path: str = "/admin/login/", multipart: bool = False) -> Page:
        """Log in on one of the site's own pages."""
        return await self.submit(path, multipart=multipart, username=name, password=password)

    async def request(self, method: str, target: str, *headers: Header, body: str | bytes = b"") -> Page:
        """Send one request exactly as it is given, beside Host, Cookie and Content-Length."""
        payload = body.encode() if isinstance(body, str) else body
        lines = [("Host", self.base.removeprefix("http://")), ("Connection", "close"), *self.headers.items(), *headers]
        if any(name == "Host" for name, _ in headers):
            del lines[0]
        if self.cookies:
            lines.append(("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items())))
        if payload or method == "POST":
            lines.append(("Content-Length", str(len(payload))))
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines)
        page = await self.raw(head.encode("latin-1") + b"\r\n" + payload, method=method)
        self._keep(page.values("set-cookie"))
        return page

    async def raw(self, wire: bytes, *, method: str = "POST") -> Page:
        """Send these very bytes and return the answer."""
        host, _, port = self.base.removeprefix("http://").partition(":")
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(wire)
                answer = await reader.read()
            finally:
                writer.close()
        return _page(answer, method)

    def twin(self) -> "Browser":
        """Return another browser with a copy of these cookies."""
        return Browser(self.base, dict(self.cookies), self.headers)

    def _keep(self, lines: Sequence[str]) -> None:
        for line in lines:
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0" or morsel["expires"].startswith("Thu, 01 Jan 1970"):
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.coded_value


def multipart_body(fields: Mapping[str, str]) -> str:
    """Return a multipart/form-data body as browsers write it."""
    parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
             for name, value in fields.items()]
    return "".join(parts) + f"--{BOUNDARY}--\r\n"


class _Wire:
    """Is as much of a socket as http.client needs."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_: object) -> io.BytesIO:
        return io.BytesIO(self._data)


def _page(wire: bytes, method: str) -> Page:
    answer = http.client.HTTPResponse(_Wire(wire), method=method)  # type: ignore[arg-type]
    answer.begin()
    return Page(status=answer.status, headers=answer.getheaders(), body=answer.read())
