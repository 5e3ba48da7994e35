"""The bundled PostgreSQL server: found, initialised, started, watched and stopped.

Owns one sub-folder `postgres` of a state folder, and a short temporary folder for the socket. Knows
nothing of what is stored: it hands out a URL.
"""

from gateway.store.embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
