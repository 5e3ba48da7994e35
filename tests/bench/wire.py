"""Requests as browsers send them, and one connection that sends them and reads the answers; nothing of the gateway."""

import socket
from dataclasses import dataclass, field
from typing import Self

REQUEST_BYTES = 970  # what a browser's request with a session cookie has
PATIENCE = 60.0
RECEIVE = 256 * 1024
BROWSER = (
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "en-GB,en;q=0.7,de;q=0.3"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Connection", "keep-alive"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "same-origin"),
)


def browser_request(port: int, path: str = "/shop/cart?item=42", *, cookie: str = "", token: str = "") -> bytes:
    """Return a GET of `REQUEST_BYTES`, filled up by a cookie of the app's own; longer if the credentials are."""
    lines = [("Host", f"127.0.0.1:{port}"), *BROWSER]
    if token:
        lines.append(("Authorization", f"Bearer {token}"))
    cookies = "; ".join(filter(None, (cookie, "app_session=1; prefs=")))
    head = f"GET {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines)
    bare = f"{head}Cookie: {cookies}\r\n\r\n"
    return f"{head}Cookie: {cookies}{'x' * (REQUEST_BYTES - len(bare))}\r\n\r\n".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Is an answer's status, its fields with lower-case names in order, and its body."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)

    @property
    def cookies(self) -> dict[str, str]:
        """What it sets, by name."""
        pairs = (value.partition(";")[0].partition("=") for name, value in self.fields if name == "set-cookie")
        return {name: value for name, _, value in pairs}


class Wire:
    """Is one connection to a port of loopback; answers are framed by Content-Length."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ahead = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(self, request: bytes) -> Answer:
        """Send a request and return the whole answer."""
        self.socket.sendall(request)
        status, fields = self.read_head()
        length = next((int(value) for name, value in fields if name == "content-length"), 0)
        while len(self._ahead) < length:
            self._ahead += self._receive()
        body, self._ahead = self._ahead[:length], self._ahead[length:]
        return Answer(status=status, fields=fields, body=body)

    def read_head(self) -> tuple[int, tuple[tuple[str, str], ...]]:
        """Read an answer's status and fields."""
        while b"\r\n\r\n" not in self._ahead:
            self._ahead += self._receive()
        head, _, self._ahead = self._ahead.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return int(first.split(" ")[1]), tuple((name.lower(), value.strip()) for name, _, value in pairs)

    def read_some(self, most: int = RECEIVE) -> bytes:
        """Return what comes next of a body."""
        if self._ahead:
            some, self._ahead = self._ahead, b""
            return some
        return self._receive(most)

    def _receive(self, most: int = RECEIVE) -> bytes:
        data = self.socket.recv(most)
        if not data:
            raise ConnectionError("closed before the answer was whole")
        return data


def ask_once(port: int, request: bytes) -> Answer:
    """Ask over a connection of its own."""
    with Wire(port) as wire:
        return wire.ask(request)


def login_request(port: int, name: str, password: str) -> bytes:
    """Return a login as the form of the app's page sends it."""
    origin, body = f"http://127.0.0.1:{port}", f"user={name}&pass={password}"
    lines = [("Host", f"127.0.0.1:{port}"), *BROWSER, ("Origin", origin), ("Referer", f"{origin}/login"),
             ("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", str(len(body)))]
    return ("POST /login HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines)
            + f"\r\n{body}").encode()
