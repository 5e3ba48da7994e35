"""An app that answers with what it got, keeps connections open, and waits where a test wants it to.

    async with echo_app() as app:
        ...                              # any request is answered with its own head, as text
        await app.arrived.wait()         # GET /held is here …
        app.release.set()                # … and is answered now
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

HELD = b"/held"


class EchoApp:
    """Is the app: where it listens, and the one request that is held."""

    def __init__(self) -> None:
        self.port = 0
        self.arrived = asyncio.Event()
        self.release = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests, which have no bodies."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.split(b" ", 2)[1] == HELD:
                    self.arrived.set()
                    await self.release.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b"
                             % (len(head), head))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def echo_app() -> AsyncIterator[EchoApp]:
    """Serve until the block is left."""
    app = EchoApp()
    server = await asyncio.start_server(app.serve, "127.0.0.1", 0)
    app.port = server.sockets[0].getsockname()[1]
    try:
        yield app
    finally:
        app.release.set()
        server.close()
