"""Fixtures of the integration tests: one Django site for all of them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.site import Site


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
