"""The presets that come with the gateway: rules and queries for well-known applications.

Owns where they lie and how they are read. A preset is only rules: what it says, an operator can write.
"""

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from gateway.intercept.tables import PresetTable, RuleTable, SqlPreset

SUFFIX = ".toml"


class UnknownPresetError(LookupError):
    """Says that no preset has this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What is known of one application: its rules, and the query that reads its user table."""

    name: str
    rules: tuple[RuleTable, ...]
    sql: SqlPreset | None


def preset_names() -> list[str]:
    """Return the names of all presets, sorted."""
    names = [file.name for file in _folder().iterdir()]
    return sorted(name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))


def load_preset(name: str) -> Preset:
    """Return a preset by its name; raises `UnknownPresetError`."""
    if name not in preset_names():
        raise UnknownPresetError("no preset has this name")
    table = PresetTable.model_validate(tomllib.loads((_folder() / f"{name}{SUFFIX}").read_text("utf-8")))
    return Preset(name=name, rules=table.rule, sql=table.sql)


def _folder() -> Traversable:
    return files("gateway") / "config" / "presets"
