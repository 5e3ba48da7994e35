"""Fixtures of the integration tests: one Django site for all of them, and a stage for each."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.model import Secret
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
