"""Plays one case against one proxy and says what was seen; judging it is `judging`'s.

Three clients: the case's own; the same one again on the same connection, which asks for /next; and a victim
on a fresh connection, who asks for /victim and must get the answer to that.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tests.raw.cases import Case, Step, request
from tests.raw.reading import Ambiguous, Message, read_answers
from tests.raw.recording import LATER_SECONDS, Recorded, RecordingApp

GAP_SECONDS = 0.01  # between two pieces, so that they come as two
PAUSE_SECONDS = 2.0
End = Literal["open", "closed", "reset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Is what all sides saw; `following` is None when the connection was not fit for another request."""

    client: bytes
    end: End
    following: bytes | None
    victim: bytes
    app: Sequence[Recorded]


class _Client:
    """Is one client connection with everything that came back on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self.got = b""
        self.end: End = "open"

    async def reads(self, seconds: float) -> bool:
        """Take what comes within so many seconds; say whether anything did."""
        try:
            data = await asyncio.wait_for(self._reader.read(65536), seconds)
        except TimeoutError:
            return False
        except (ConnectionError, OSError):
            self.end = "reset"
            return False
        self.got += data
        if not data:
            self.end = "closed"
        return bool(data)

    async def waits(self, seconds: float) -> None:
        """Let time pass, and take what comes meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.end == "open":
                    await self.reads(seconds)

    async def sends(self, data: bytes) -> None:
        """Send, if there is somebody to send to."""
        if self.end != "open":
            return
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def reads_answers(self, methods: Sequence[bytes], *, until_end: bool, quiet: float) -> None:
        """Read until all answers are whole (and the connection has ended), or nothing comes for `quiet` seconds."""
        while self.end == "open":
            if not until_end and is_answered(self.got, methods):
                return
            if not await self.reads(quiet) and self.end == "open":
                return


def answers(got: bytes, methods: Sequence[bytes], end: End) -> tuple[list[Message], bytes]:
    """Return the answers that a client saw and the bytes beyond them; raises Ambiguous."""
    return read_answers(got, methods, is_closed=end == "closed")


def is_answered(got: bytes, methods: Sequence[bytes]) -> bool:
    """Say whether there is a whole final answer for each request."""
    try:
        found, _ = read_answers(got, methods, is_closed=False)
    except Ambiguous:
        return True
    return sum(message.is_whole and (message.status >= 200 or message.status == 101) for message in found) >= len(
        methods
    )


def asks_for_websocket(case: Case) -> bool:
    """Say whether a client asks for a WebSocket by the book, so that its connection may become one."""
    return any(isinstance(piece, bytes) and b"\r\nUpgrade: websocket\r\n" in piece for piece in case.sends)


def methods_of(case: Case) -> list[bytes]:
    """Return the methods of the requests that a client expects answers to."""
    known = [got.method for got in case.want.app]
    return known + [b"GET"] * (len(case.want.statuses) - len(known))


async def play(case: Case, port: int, app: RecordingApp, *, quiet: float) -> Seen:
    """Play a case against the proxy at a port of the loopback address, with `app` behind it."""
    await app.forget(case.answer)
    await asyncio.sleep(GAP_SECONDS)  # proxies learn that their idle connections are gone
    client = _Client(*await asyncio.open_connection("127.0.0.1", port, limit=2**22))
    try:
        await _sends(client, case, app, quiet)
        methods = methods_of(case)
        await client.reads_answers(methods, until_end=case.want.ends or case.want.cut, quiet=quiet)
        if case.answer.later or case.want.tunnel:
            await client.reads(LATER_SECONDS * 3)
        first, end = client.got, client.end
        following = await _asks_next(client, case, quiet)
        return Seen(
            client=first,
            end=end,
            following=following,
            victim=await _asks_as_victim(port, quiet),
            app=tuple(app.recorded),
        )
    finally:
        client.writer.transport.abort()


async def _sends(client: _Client, case: Case, app: RecordingApp, quiet: float) -> None:
    for piece in case.sends:
        match piece:
            case Step.AWAIT_ANSWER:
                if not client.got:
                    await client.reads(quiet)
            case Step.AWAIT_APP:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(app.has_head.wait(), quiet)
            case Step.END:
                with contextlib.suppress(OSError):
                    client.writer.write_eof()
            case Step.PAUSE:
                await client.waits(PAUSE_SECONDS)
            case data:
                assert isinstance(data, bytes)
                await client.sends(data)
                await asyncio.sleep(GAP_SECONDS)


async def _asks_next(client: _Client, case: Case, quiet: float) -> bytes | None:
    """Ask for /next on the case's own connection, once everything before was answered."""
    is_fit = client.end == "open" and Step.END not in case.sends and is_answered(client.got, methods_of(case))
    if not is_fit or asks_for_websocket(case):
        return None
    client.got = b""
    await client.sends(request(target=b"/next"))
    await client.reads_answers([b"GET"], until_end=False, quiet=quiet)
    return client.got


async def _asks_as_victim(port: int, quiet: float) -> bytes:
    """Ask for /victim as another client."""
    victim = _Client(*await asyncio.open_connection("127.0.0.1", port))
    try:
        await victim.sends(request(target=b"/victim"))
        await victim.reads_answers([b"GET"], until_end=False, quiet=quiet)
        return victim.got
    finally:
        victim.writer.transport.abort()
