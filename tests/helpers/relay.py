"""A TCP relay before a real server: its line can be cut, restored, and held so that nothing comes through."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Relay:
    """Listens on a free port of the loopback address; `port` stays the same over `cut` and `restore`."""

    def __init__(self, connect: Connect) -> None:
        self.port = 0
        self._connect = connect
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._flows.set()
        await self.restore()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._flows.set()
        await self.cut()

    async def restore(self) -> None:
        """Listen (again)."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Listen no more and end every connection."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        if self._server is not None:
            await self._server.wait_closed()
        self._server = None

    def hold(self) -> None:
        """Accept connections and let nothing through."""
        self._flows.clear()

    def let_go(self) -> None:
        """Let everything through that was held."""
        self._flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await self._connect()
        self._writers |= {writer, far_writer}
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, far_writer))
                tasks.create_task(self._pump(far_reader, writer))
        finally:
            self._writers -= {writer, far_writer}
            writer.close()
            far_writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        except (ConnectionError, RuntimeError):
            writer.transport.abort()
