"""Fixtures of the integration tests: one Django site for all of them, and a stage for each."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.model import Secret
from tests.helpers.relay import Relay
from tests.helpers.site import Site
from tests.helpers.stage import Stage, stage


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Is the demo's Django site, served by gunicorn; each test makes people of its own in it."""
    with tempfile.TemporaryDirectory(prefix="sluicegate-site-") as folder:
        site = Site(Path(folder))
        try:
            site.start()
            yield site
        finally:
            site.stop()


@pytest.fixture(params=["sql", "form"])
def kind(request: pytest.FixtureRequest) -> str:
    """Is the kind of source: the site's user table, or the site itself."""
    return str(request.param)


@pytest.fixture
async def scene(site: Site, database: Secret, tmp_path: Path, kind: str) -> AsyncIterator[Stage]:
    """Is a gateway before the site, with an empty store."""
    async with stage(site, database, tmp_path, kind) as set_stage:
        yield set_stage


@pytest.fixture
async def postgres_line(database: Secret) -> AsyncIterator[tuple[Relay, Secret]]:
    """Is a line to the store's server that can be cut, and the store's URL by way of it."""
    parts = urlsplit(database.reveal())
    [sockets] = parse_qs(parts.query)["host"]
    async with Relay(partial(asyncio.open_unix_connection, f"{sockets}/.s.PGSQL.5432")) as relay:
        place = f"{parts.username}:{parts.password}@127.0.0.1:{relay.port}"
        yield relay, Secret(f"postgresql://{place}{parts.path}?sslmode=disable")
