"""Clients that never try anything twice, as a balancer does without retries: every failure counts.

    async with steady_load(port, connections=8) as load:
        ...                              # whatever must not be noticed
    assert load.failures == []

Each keeps its connection until it is told that it closes, and pauses for a while between requests, so that
connections are idle and busy at any moment.
"""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

PATIENCE = 30.0
REQUEST = b"GET /page HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: steady\r\n\r\n"
LONGEST_PAUSE = 0.02


@dataclass(slots=True)
class Load:
    """What came of the requests so far."""

    port: int
    context: ssl.SSLContext | None = None
    answered: int = 0
    closes: int = 0
    failures: list[str] = field(default_factory=list)
    is_over: bool = False

    async def run(self, most: float) -> None:
        """Ask one question after another until it is over."""
        while not self.is_over and self.answered + len(self.failures) < most:
            try:
                await self._use_connection(most)
            except (OSError, asyncio.IncompleteReadError) as error:
                self.failures.append(repr(error))

    async def _use_connection(self, most: float) -> None:
        """Ask on one connection for as long as it lasts."""
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context,
                                                           server_hostname="shop.test" if self.context else None)
        try:
            is_open = True
            while is_open and not self.is_over and self.answered < most:
                writer.write(REQUEST)
                async with asyncio.timeout(PATIENCE):
                    is_open = await self._read_answer(reader)
                await asyncio.sleep(random.uniform(0, LONGEST_PAUSE))
        finally:
            writer.close()

    async def _read_answer(self, reader: asyncio.StreamReader) -> bool:
        """Read an answer, and say whether the connection can be used again."""
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        [length] = [int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")]
        body = await reader.readexactly(length)
        if not head.startswith(b"http/1.1 200 ") or b"GET /page " not in body:
            self.failures.append(head.decode())
        self.answered += 1
        is_last = b"\r\nconnection: close\r\n" in head
        self.closes += is_last
        return not is_last


@asynccontextmanager
async def steady_load(port: int, *, connections: int = 8,
                      context: ssl.SSLContext | None = None) -> AsyncIterator[Load]:
    """Put a load on a port while the block runs."""
    load = Load(port, context)
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(load.run(float("inf")))
        try:
            yield load
        finally:
            load.is_over = True
