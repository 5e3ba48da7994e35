"""Where commands find their configuration."""

import os
from pathlib import Path
from typing import Annotated

import typer

from gateway.plan import read_settings
from gateway.settings import Settings

Config = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="SLUICEGATE_CONFIG", help="The configuration file (TOML)."),
]


def read_configuration(path: Path) -> Settings:
    """Return the settings, everything checked that can be; raises `ConfigurationError`."""
    return read_settings(path, os.environ)
