"""A recording app: it keeps the exact bytes of each connection, and answers as the case at hand says.

It reads requests strictly, as `reading` does; at what is ambiguous it answers 200 and closes, for a lenient
app would have answered. Requests for /next and /victim are the players' own and are always answered well.
"""

import asyncio
import socket
import struct
from dataclasses import dataclass, field
from typing import Self

from tests.raw.cases import Answer, Then
from tests.raw.reading import Ambiguous, Message, read_requests

PLAYERS_OWN = (b"/next", b"/victim")
LATER_SECONDS = 0.05


@dataclass
class Recorded:
    """Is one connection: what came before any 101, and what came after."""

    wire: bytes = b""
    tunnel: bytes = b""
    requests: list[Message] = field(default_factory=list)


class RecordingApp:
    """Listens on a free port of the loopback address while it is open."""

    def __init__(self) -> None:
        self.port = 0
        self.recorded: list[Recorded] = []
        self.has_head = asyncio.Event()
        self._answer = Answer()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self.forget(Answer())
        await self._server.wait_closed()

    async def forget(self, answer: Answer) -> None:
        """Begin anew: no connections, no records; from now on the case's requests are answered so."""
        for writer in tuple(self._writers):
            writer.transport.abort()
        self._answer = answer
        self.recorded = []
        self.has_head = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recorded = Recorded()
        self.recorded.append(recorded)
        self._writers.add(writer)
        try:
            await self._read(reader, writer, recorded)
        except (ConnectionError, OSError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, recorded: Recorded) -> None:
        unread = b""
        is_answered = False  # the request that is still being read
        while data := await reader.read(65536):
            recorded.wire += data
            unread += data
            if b"\r\n\r\n" in unread:
                self.has_head.set()
            if not is_answered:
                is_answered = await self._at_head(unread, writer)
            while unread:
                try:
                    found, rest = read_requests(unread, limit=1)
                except Ambiguous:
                    writer.write(_page(b"AMBIGUOUS", b"Connection: close\r\n"))
                    await writer.drain()
                    return
                if not found:
                    break
                unread = rest
                recorded.requests += found
                if not is_answered and await self._answer_to(found[0], writer):
                    recorded.tunnel += unread
                    while data := await reader.read(65536):
                        recorded.tunnel += data
                        writer.write(b"\x82\x02ok")
                    return
                is_answered = False

    async def _at_head(self, unread: bytes, writer: asyncio.StreamWriter) -> bool:
        """Do what is due before the body has come; say whether that was the answer."""
        head, blank, body = unread.partition(b"\r\n\r\n")
        if not blank or _is_players_own(head):
            return False
        if self._answer.at_head:
            await self._give(self._answer, writer)
            return True
        if b"\r\nexpect: 100-continue" in head.lower() and not body and self._answer.says_continue:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return False

    async def _answer_to(self, request: Message, writer: asyncio.StreamWriter) -> bool:
        """Answer a request; say whether the connection is none of HTTP's any more."""
        method, target = request.start
        answer = self._answer
        if answer.pieces is None or target in PLAYERS_OWN:
            page = _page(method + b" " + target)
            writer.write(page if method != b"HEAD" else page.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
            return False
        await self._give(answer, writer)
        return answer.pieces[-1].startswith(b"HTTP/1.1 101 ")

    async def _give(self, answer: Answer, writer: asyncio.StreamWriter) -> None:
        for piece in answer.pieces or ():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        if answer.later:
            await asyncio.sleep(LATER_SECONDS)
            writer.write(answer.later)
        if answer.then is Then.RESET:
            connected = writer.get_extra_info("socket")
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        elif answer.then is Then.CLOSE:
            writer.close()


def _is_players_own(head: bytes) -> bool:
    return head.split(b" ", 2)[1:2] in ([target] for target in PLAYERS_OWN)


def _page(text: bytes, *lines: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (b"".join(lines), len(text), text)
