"""Where commands find their configuration."""

import os
from pathlib import Path
from typing import Annotated

import typer

from gateway.intercept.tables import RuleTable
from gateway.plan import plan, source_options
from gateway.settings import Settings, load

Config = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="SLUICEGATE_CONFIG", help="The configuration file (TOML)."),
]


def read_configuration(path: Path) -> Settings:
    """Return the settings, everything checked that can be; raises `ConfigurationError`."""
    settings = load(path, os.environ, source_options(), RuleTable)
    plan(settings)
    return settings
