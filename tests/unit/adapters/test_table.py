"""The table of adapters: what each row must be for the settings and the use cases."""

import pytest
from pydantic import BaseModel, ValidationError

from adapters import ADAPTERS
from gateway.settings.loading import COMMON
from gateway.settings.sentences import keys_of

KINDS = pytest.mark.parametrize("options", ADAPTERS.values(), ids=ADAPTERS)


def test_the_kinds_are_those_that_the_reference_names() -> None:
    """`adapter = "…"` is one of these."""
    assert set(ADAPTERS) == {"form", "sql"}


@KINDS
def test_options_are_frozen_and_strict_about_keys(options: type[BaseModel]) -> None:
    """An unknown key in a source's table is a mistake, whatever its adapter."""
    assert issubclass(options, BaseModel)
    assert options.model_config.get("frozen") is True
    with pytest.raises(ValidationError):
        options.model_validate({"no_such_key": 1})


@KINDS
def test_options_leave_the_common_keys_alone(options: type[BaseModel]) -> None:
    """A key with two readers would mean two things."""
    assert not {*COMMON, "name", "options"} & set(keys_of(options))
