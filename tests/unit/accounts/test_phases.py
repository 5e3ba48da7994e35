"""The phase of each source is known without I/O, and as the store has it."""

import pytest

from gateway.accounts.phases import PhaseBook
from gateway.errors import StoreUnavailable
from gateway.model import Phase
from tests.helpers.memory_store import MemoryPhases

MIGRATE, COMPLETE = Phase.MIGRATE, Phase.COMPLETE


async def test_the_configured_phase_is_written_where_there_is_none() -> None:
    """The file gives the first value."""
    store = MemoryPhases()
    book = PhaseBook(store, {"shop": MIGRATE, "wiki": COMPLETE})
    await book.load()
    assert (book.of("shop"), book.of("wiki")) == (MIGRATE, COMPLETE)
    assert await store.all() == {"shop": MIGRATE, "wiki": COMPLETE}


async def test_the_stores_phase_stands_against_the_file() -> None:
    """What an operator changed survives a restart with the old file."""
    store = MemoryPhases()
    await store.ensure("shop", COMPLETE)
    book = PhaseBook(store, {"shop": MIGRATE})
    await book.load()
    assert book.of("shop") is COMPLETE


@pytest.mark.parametrize(("topic", "known"), [
    ("phase", COMPLETE),
    ("resync", COMPLETE),
    ("session", MIGRATE),
    ("account", MIGRATE),
    ("keys", MIGRATE),
])
async def test_a_notice_of_a_phase_is_read_at_once(topic: str, known: Phase) -> None:
    """A change, or something that may have been missed, makes it read again; other notices do not."""
    store = MemoryPhases()
    book = PhaseBook(store, {"shop": MIGRATE})
    await book.load()
    await store.change("shop", COMPLETE, actor="cli")
    await book.on_notice(topic, "shop")
    assert book.of("shop") is known


async def test_without_the_store_the_last_known_phase_stands_and_the_notice_is_owed() -> None:
    """The error goes to whoever listens, which will say it again."""
    store = MemoryPhases()
    book = PhaseBook(store, {"shop": MIGRATE})
    await book.load()
    store.is_down = True
    with pytest.raises(StoreUnavailable):
        await book.on_notice("phase", "shop")
    assert book.of("shop") is MIGRATE


async def test_a_source_that_is_not_configured_has_no_phase() -> None:
    """A mistyped name is a mistake of ours, and no phase is assumed."""
    book = PhaseBook(MemoryPhases(), {"shop": MIGRATE})
    await book.load()
    with pytest.raises(KeyError):
        book.of("shpo")
