"""What supervisor and worker tell each other: lines of JSON over an inherited socket pair.

Owns the framing alone. Secrets may pass here, where neither a command line nor an environment shows them.
"""

import asyncio
import json
import socket
from typing import Any, Self

LONGEST_MESSAGE = 64 * 1024 * 1024  # a configuration, or the counts of very many apps

Message = dict[str, Any]


class Channel:
    """Sends and receives messages at one end of a socket pair, which becomes its own."""

    __slots__ = ("_reader", "_writer")

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, end: socket.socket) -> Self:
        """Take over one end."""
        return cls(*await asyncio.open_unix_connection(sock=end, limit=LONGEST_MESSAGE))

    def send(self, message: Message) -> None:
        """Send a message; to an end that is closed it is lost."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    async def receive(self) -> Message | None:
        """Return the next message, None once the other end is closed."""
        try:
            line = await self._reader.readline()
        except OSError:
            return None
        if not line.endswith(b"\n"):
            return None
        message: Message = json.loads(line)
        return message

    async def close(self) -> None:
        """Send what still waits, and close."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:  # the other end went first
            return
