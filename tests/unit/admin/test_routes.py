"""The table of the private listener's paths."""

from gateway.admin.routes import ROUTES


def test_only_health_is_open() -> None:
    """A new path needs the token unless this test is changed with it."""
    assert {route.path for route in ROUTES if not route.needs_token} == {"/healthz", "/readyz"}


def test_no_path_is_there_twice() -> None:
    """The first row would win silently."""
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)
