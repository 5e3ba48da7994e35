"""Each breakdown says whose fault it is by its status, and whether it is worth coming back."""

import pytest

from gateway.errors import (
    AppUnavailable,
    ConfigurationError,
    LegacyUnavailable,
    Overloaded,
    Problem,
    RequestRefused,
    SluicegateError,
    StoreUnavailable,
)


@pytest.mark.parametrize(("error", "status", "comes_back"), [
    (RequestRefused(415, "A form was expected."), 415, False),
    (AppUnavailable("refused"), 502, False),
    (AppUnavailable("too slow", status=504), 504, False),
    (LegacyUnavailable("away"), 503, True),
    (StoreUnavailable("away"), 503, True),
    (Overloaded("full"), 503, True),
    (SluicegateError("ours"), 500, False),
])
def test_each_error_has_its_status_and_says_whether_to_come_back(
    error: SluicegateError, status: int, *, comes_back: bool
) -> None:
    """An outage of ours or of the legacy side is 503 with Retry-After, and never a 4xx: it is no wrong password."""
    assert error.status == status
    assert (error.retry_after is not None) is comes_back
    assert isinstance(error, SluicegateError)


def test_a_configuration_error_names_every_mistake_with_its_place() -> None:
    """All at once, one a line, each as editors and CI read it."""
    first = Problem(file="gate.toml", line=3, key="app[0].name", message="is missing")
    error = ConfigurationError(first, "keys.encryption_key: cannot be read")
    assert str(error) == "gate.toml:3: app[0].name: is missing\nkeys.encryption_key: cannot be read"
    assert error.problems == (first, "keys.encryption_key: cannot be read")


def test_a_refusal_has_a_reason_for_the_client() -> None:
    """The reason is the error's text."""
    refused = RequestRefused(400, "A field of this form occurs twice.")
    assert refused.reason == "A field of this form occurs twice."
    assert str(refused) == "A field of this form occurs twice."
