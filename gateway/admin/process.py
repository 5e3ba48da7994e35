"""The process itself, for those who watch it: `/healthz`, `/readyz`, `/metrics`."""

from collections.abc import Mapping
from typing import Protocol

from aiohttp import web

Reply = tuple[int, Mapping[str, str], bytes]


class Operations(Protocol):
    """What the process says about itself: status, fields, body."""

    def health(self) -> Reply:
        """Answer that the process is alive."""

    async def readiness(self) -> Reply:
        """Answer whether requests may be sent here."""

    async def metrics(self, accept: str) -> Reply:
        """Answer with all metrics, in a format that `accept` allows."""


class Process:
    """Passes the process's own answers on."""

    __slots__ = ("_operations",)

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def health(self, _request: web.Request) -> web.Response:
        """Say that the process is alive."""
        return _response(self._operations.health())

    async def readiness(self, _request: web.Request) -> web.Response:
        """Say whether requests may be sent here."""
        return _response(await self._operations.readiness())

    async def metrics(self, request: web.Request) -> web.Response:
        """Show all metrics."""
        return _response(await self._operations.metrics(request.headers.get("Accept", "")))


def _response(reply: Reply) -> web.Response:
    status, fields, body = reply
    return web.Response(status=status, headers=fields, body=body)
