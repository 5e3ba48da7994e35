"""How far the migration has come: `/api/migration`."""

from collections.abc import Mapping, Sequence

from aiohttp import web

from gateway.model import AccountState, Phase
from gateway.store.base import Management, Phases, SourceCount


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


def migration_json(phases: Mapping[str, Phase],
                   counts: Sequence[SourceCount]) -> Sequence[Mapping[str, object]]:
    """Return every source by name. One that has accounts and no phase is in no configuration any more."""
    by_source = {source: dict.fromkeys(AccountState, 0) for source in phases}
    for row in counts:
        by_source.setdefault(row.source, dict.fromkeys(AccountState, 0))[row.state] += row.accounts
    return [{"source": source, "phase": phases.get(source), "accounts": by_source[source]}
            for source in sorted(by_source)]
