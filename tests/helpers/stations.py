"""Lines to a real store and to a real app on which one message can be stopped: for what falls between two steps.

    async with store_line(database) as line, app_line(site.port) as way:
        stop = line.stop_before("COMMIT;")   # the server never hears of it
        stop = line.stop_after("COMMIT;")    # it is done; nobody is told
        await stop.reached()
        process.kill()
        line.drop()                         # what was stopped is lost, as the sender is

A message is known by what it says: to PostgreSQL the text of the statement that is executed, to an app the
request line. Nothing of the gateway's is changed or hooked.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from gateway.model import Secret

PATIENCE = 20.0
PIECE = 65536
SOCKET = ".s.PGSQL.5432"
LENGTH = 4

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Listener(Protocol):
    """Reads along in one direction of one connection."""

    def hear(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """Return each whole message: what it says, and its bytes."""


class PostgresListener:
    """Reads what a client says to PostgreSQL (its manual, "Frontend/Backend Protocol", message formats)."""

    def __init__(self) -> None:
        self._buffer = b""
        self._has_begun = False
        self._statements: dict[bytes, str] = {}

    def hear(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        self._buffer += data
        while (size := self._size()) <= len(self._buffer):
            message, self._buffer = self._buffer[:size], self._buffer[size:]
            yield self._meaning(message), message

    def _size(self) -> int:
        """Return the next message's size; the very first one has no letter."""
        letter = 1 if self._has_begun else 0
        if len(self._buffer) < letter + LENGTH:
            return len(self._buffer) + 1
        return letter + int.from_bytes(self._buffer[letter:letter + LENGTH])

    def _meaning(self, message: bytes) -> str:
        letter, content = message[:1], message[1 + LENGTH:]
        if not self._has_begun:
            self._has_begun = True
        elif letter == b"P":
            name, text, *_ = content.split(b"\0")
            self._statements[name] = text.decode()
        elif letter == b"B":
            _portal, name, *_ = content.split(b"\0")
            return self._statements[name]
        elif letter == b"Q":
            return content.rstrip(b"\0").decode()
        return ""


class HttpListener:
    """Reads request lines: a piece that does not begin with one belongs to the request before it."""

    def hear(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        yield data.partition(b"\r\n")[0].decode("latin-1"), data


@dataclass(slots=True)
class Stop:
    """Is the place where a line stops: the `left`-th message with this text, itself or its answer."""

    text: str
    is_before: bool
    left: int
    _reached: asyncio.Event = field(default_factory=asyncio.Event)
    _goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    _is_lost: bool = False

    async def reached(self) -> None:
        """Wait until the message, or its answer, is held."""
        async with asyncio.timeout(PATIENCE):
            await self._reached.wait()

    def go_on(self) -> None:
        """Let it through after all."""
        self._goes_on.set()

    def lose(self) -> None:
        """Let nothing through."""
        self._is_lost = True
        self._goes_on.set()

    def is_at(self, text: str) -> bool:
        """Say whether this message is the one."""
        if self.text not in text or not self.left:
            return False
        self.left -= 1
        return not self.left

    async def hold(self) -> bool:
        """Wait here; say whether it goes on."""
        self._reached.set()
        await self._goes_on.wait()
        return not self._is_lost


@dataclass(slots=True)
class _Lane:
    """Is one connection through the line; `stop` is set once its answers are to be held."""

    writers: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    listener: Listener
    stop: Stop | None = None

    def abort(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


class Line:
    """Listens on a free port of the loopback address and leads to a server."""

    def __init__(self, connect: Callable[[], Awaitable[Streams]], listener: Callable[[], Listener]) -> None:
        self.port = 0
        self._connect = connect
        self._listener = listener
        self._lanes: list[_Lane] = []
        self._stop: Stop | None = None
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen, after a `close` on the same port again."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Refuse connections, and end those that there are."""
        if self._server is not None:
            self._server.close()
        self.drop()

    def stop_before(self, text: str, *, nth: int = 1) -> Stop:
        """Stop the n-th message with this text; what is sent before and beside it passes."""
        self._stop = Stop(text, is_before=True, left=nth)
        return self._stop

    def stop_after(self, text: str, *, nth: int = 1) -> Stop:
        """Let the server have it, and stop the answer."""
        self._stop = Stop(text, is_before=False, left=nth)
        return self._stop

    def drop(self) -> None:
        """End every connection, with whatever is stopped on it; later ones pass."""
        if self._stop is not None:
            self._stop.lose()
        self._stop = None
        for lane in self._lanes:
            lane.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        lane = _Lane((writer, far_writer), self._listener())
        self._lanes.append(lane)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pass_requests(lane, reader, far_writer))
                tasks.create_task(self._pass_answers(lane, far_reader, writer))
        finally:
            self._lanes.remove(lane)
            lane.abort()

    async def _pass_requests(self, lane: _Lane, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(PIECE):
                for text, message in lane.listener.hear(data):
                    stop = self._stop
                    if stop is not None and stop.is_at(text):
                        if not stop.is_before:
                            lane.stop = stop
                        elif not await stop.hold():
                            return
                    writer.write(message)
        except ConnectionError:
            pass
        finally:
            if lane.stop is None:
                writer.close()

    async def _pass_answers(self, lane: _Lane, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(PIECE):
                if lane.stop is not None and not await lane.stop.hold():
                    return
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def app_line(port: int) -> AsyncIterator[Line]:
    """Stand before an app on this port."""
    async with _opened(Line(lambda: asyncio.open_connection("127.0.0.1", port), HttpListener)) as line:
        yield line


@asynccontextmanager
async def store_line(url: Secret) -> AsyncIterator[tuple[Line, Secret]]:
    """Stand before the server behind this URL's socket; hands out the line, and the URL that leads through it."""
    parts = urlsplit(url.reveal())
    folder = parse_qs(parts.query)["host"][0]
    line = Line(lambda: asyncio.open_unix_connection(f"{folder}/{SOCKET}"), PostgresListener)
    async with _opened(line):
        yield line, Secret(f"postgresql://{parts.username}:{parts.password}@127.0.0.1:{line.port}{parts.path}?sslmode=disable")


@asynccontextmanager
async def _opened(line: Line) -> AsyncIterator[Line]:
    await line.open()
    try:
        yield line
    finally:
        line.close()
