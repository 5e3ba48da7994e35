"""The command line: `sluicegate`."""

from gateway.cli.main import main

__all__ = ["main"]
