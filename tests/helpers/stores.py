"""The implementations of the store, as one type."""

from gateway.store.postgres import PostgresStore
from tests.helpers.memory_store import MemoryStore

Store = PostgresStore | MemoryStore
