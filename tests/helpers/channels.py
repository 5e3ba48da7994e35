"""A channel whose other end is the test: nothing is opened for it."""

import asyncio
import json
from typing import cast

from gateway.server.channel import Channel, Message


class _Written:
    """Stands in for a stream's writer."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.data += data

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    async def wait_closed(self) -> None:
        raise BrokenPipeError


class Line:
    """Is both directions of one channel; must be made where a loop runs."""

    def __init__(self, *, limit: int = 2 ** 16) -> None:
        self.reader = asyncio.StreamReader(limit=limit)
        self._written = _Written()
        self.channel = Channel(self.reader, cast("asyncio.StreamWriter", self._written))

    def hear(self, message: Message) -> None:
        """Let a message come in."""
        self.reader.feed_data(json.dumps(message).encode() + b"\n")

    def end(self) -> None:
        """Let the other end close."""
        self.reader.feed_eof()

    def sent(self) -> list[Message]:
        """Return what was sent so far."""
        return [json.loads(line) for line in self._written.data.splitlines()]
