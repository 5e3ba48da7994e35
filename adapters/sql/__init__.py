"""The legacy user table in a database: shows a user's hash by one query, in PostgreSQL or SQLite.

Owns the query, its answer as a `LegacyRow`, and one file per database. Never sees a password or verifies a
hash, and writes nothing: each question is a read-only one.
"""

from adapters.sql.options import SqlOptions
from adapters.sql.source import SqlSource

__all__ = ["SqlOptions", "SqlSource"]
