"""Fixtures for every test: a real store, and nothing that a test did not ask for."""

from collections.abc import AsyncIterator

import pytest

from gateway.model import Secret
from gateway.store.postgres import PostgresStore
from tests.helpers.postgres import PostgresServer


@pytest.fixture(scope="session")
async def postgres_server() -> AsyncIterator[PostgresServer]:
    """Is one embedded server for the whole session."""
    server = PostgresServer()
    try:
        await server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
async def database(postgres_server: PostgresServer) -> AsyncIterator[Secret]:
    """Is the URL of a fresh database with the schema and no rows."""
    async with postgres_server.database() as url:
        yield url


@pytest.fixture
async def store(database: Secret) -> AsyncIterator[PostgresStore]:
    """Is an open store on a fresh database."""
    async with PostgresStore.open(database) as opened:
        yield opened
