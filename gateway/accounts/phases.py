"""The phase of each source in memory, as the store has it."""

from collections.abc import Mapping

from gateway.model import Phase
from gateway.store.base import Phases


class PhaseBook:
    """Answers "which phase?" without I/O; a notice makes it read the store again."""

    __slots__ = ("_first", "_known", "_store")

    def __init__(self, store: Phases, first: Mapping[str, Phase]) -> None:
        self._store = store
        self._first = first
        self._known: dict[str, Phase] = dict(first)

    async def load(self) -> None:
        """Read each configured source's phase, written as the configured one where there is none."""
        for source, first in self._first.items():
            self._known[source] = await self._store.ensure(source, first)

    async def on_notice(self, topic: str, _value: str) -> None:
        """Read again after a change, or after something may have been missed."""
        if topic in ("phase", "resync"):
            self._known.update(await self._store.all())

    def of(self, source: str) -> Phase:
        """Return the phase of a configured source."""
        return self._known[source]
