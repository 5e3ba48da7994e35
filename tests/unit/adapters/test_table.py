"""The table of adapters: what each row must be for the settings and the use cases."""

import pytest
from pydantic import BaseModel, ValidationError

from adapters import ADAPTERS, Kind
from adapters.base import HashSource, PasswordSource
from gateway.settings.loading import COMMON
from gateway.settings.sentences import keys_of

KINDS = pytest.mark.parametrize("kind", ADAPTERS.values(), ids=ADAPTERS)


def test_the_kinds_are_those_that_the_reference_names() -> None:
    """`adapter = "…"` is one of these."""
    assert set(ADAPTERS) == {"form", "sql"}


@KINDS
def test_a_source_shows_hashes_or_takes_passwords(kind: Kind) -> None:
    """Never both: who verifies would be undecided."""
    assert issubclass(kind.source, PasswordSource) is not issubclass(kind.source, HashSource)


@KINDS
def test_options_are_frozen_and_strict_about_keys(kind: Kind) -> None:
    """An unknown key in a source's table is a mistake, whatever its adapter."""
    assert issubclass(kind.options, BaseModel)
    assert kind.options.model_config.get("frozen") is True
    with pytest.raises(ValidationError):
        kind.options.model_validate({"no_such_key": 1})


@KINDS
def test_options_leave_the_common_keys_alone(kind: Kind) -> None:
    """A key with two readers would mean two things."""
    assert not {*COMMON, "name", "options"} & set(keys_of(kind.options))
