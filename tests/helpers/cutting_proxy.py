"""Stands between a store and its server and cuts the line at a COMMIT, before or after the server sees it."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from gateway.model import Secret

SOCKET = ".s.PGSQL.5432"


class Cut(Enum):
    """When the line breaks."""

    BEFORE = "the server never hears of the commit"
    AFTER = "the commit is done, its answer is lost"


async def nothing() -> None:
    """Is what happens at a cut unless a test wants more."""


class CuttingProxy:
    """Passes bytes on until `arm` was called; the next COMMIT is then cut, once."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._cut: Cut | None = None
        self._meanwhile: Callable[[], Awaitable[object]] = nothing

    def arm(self, cut: Cut, meanwhile: Callable[[], Awaitable[object]] = nothing) -> None:
        """Cut at the next COMMIT; `meanwhile` runs before the client learns of it."""
        self._cut, self._meanwhile = cut, meanwhile

    @property
    def has_cut(self) -> bool:
        return self._cut is None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(self._server)
        back = asyncio.get_running_loop().create_task(_pass(server_reader, writer))
        try:
            while data := await reader.read(65536):
                if b"COMMIT;" in data and self._cut is not None:
                    back.cancel()
                    await asyncio.wait([back])
                    await self._break(data, server_reader, server_writer)
                    break
                server_writer.write(data)
        finally:
            back.cancel()
            for end in (writer, server_writer):
                end.transport.abort()

    async def _break(self, data: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cut, self._cut = self._cut, None
        if cut is Cut.AFTER:
            writer.write(data)
            await reader.read(1)
        else:
            writer.transport.abort()
        await self._meanwhile()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


@asynccontextmanager
async def cutting_proxy(url: Secret) -> AsyncIterator[tuple[CuttingProxy, Secret]]:
    """Stand before the server of this URL; hands out the proxy and the URL that leads through it."""
    folder = parse_qs(urlsplit(url.reveal()).query)["host"][0]
    proxy = CuttingProxy(f"{folder}/{SOCKET}")
    with tempfile.TemporaryDirectory(prefix="cut-") as own:
        server = await asyncio.start_unix_server(proxy.serve, Path(own) / SOCKET)
        try:
            yield proxy, Secret(url.reveal().replace(quote(folder, safe=""), quote(own, safe="")))
        finally:
            server.close()
