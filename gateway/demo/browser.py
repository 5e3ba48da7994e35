"""A small browser for the walk: cookies, forms, no JavaScript, and no help from the gateway's own code."""

import http.client
import http.cookies
import re
import urllib.parse
from dataclasses import dataclass, field
from html import unescape

from gateway.demo.seen import NotSeen

HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer as the browser sees it."""

    status: int
    location: str
    body: str = field(repr=False)


@dataclass(slots=True)
class Browser:
    """One browser with its own cookies, at one address (`http://host:port`)."""

    base: str
    cookies: dict[str, str] = field(default_factory=dict, repr=False)

    def get(self, path: str, **headers: str) -> Page:
        """Fetch a page; redirects are shown, not followed."""
        return self._request("GET", path, "", headers)

    def submit(self, path: str, **fields: str) -> Page:
        """Open the form at `path`, keep its hidden fields, fill in the others and send it."""
        form = {name: unescape(value) for name, value in HIDDEN.findall(self.get(path).body)}
        return self._request("POST", path, urllib.parse.urlencode(form | fields), {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": self.base,
            "Referer": self.base + path,
        })

    def log_in(self, name: str, password: str) -> Page:
        """Log in on the site's own admin page."""
        return self.submit("/admin/login/", username=name, password=password, next="/admin/")

    def _request(self, method: str, path: str, body: str, headers: dict[str, str]) -> Page:
        connection = http.client.HTTPConnection(self.base.removeprefix("http://"), timeout=TIMEOUT_SECONDS)
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        try:
            connection.request(method, path, body.encode(), headers | (cookie if self.cookies else {}))
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise NotSeen(f"an answer to {method} {path} ({error})") from None
        finally:
            connection.close()
        self._keep(answer.headers.get_all("Set-Cookie") or [])
        return Page(status=answer.status, location=answer.headers.get("Location", ""), body=text)

    def _keep(self, lines: list[str]) -> None:
        for line in lines:
            for name, morsel in http.cookies.SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
