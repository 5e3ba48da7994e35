"""How far the migration has come: `/api/migration`."""

from aiohttp import web

from gateway.admin.shapes import migration_json
from gateway.store.base import Management, Phases


class Migration:
    """Answers from the store's phases and counts."""

    __slots__ = ("_phases", "_store")

    def __init__(self, store: Management, phases: Phases) -> None:
        self._store = store
        self._phases = phases

    async def show(self, _request: web.Request) -> web.Response:
        """Show each source's phase and its accounts by state."""
        phases, counts = await self._phases.all(), await self._store.counts()
        return web.json_response({"sources": migration_json(phases, counts)})
