"""The store on PostgreSQL: one class per protocol of `gateway.store.base`, one pool under all of them."""

from gateway.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
