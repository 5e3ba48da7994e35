"""`sluicegate`: serve, check, health and demo; the commands on accounts are in `gateway.cli.manage`.

Exit codes: 0 done, 1 could not be done now, 2 the command or the configuration is wrong.
"""

import sys
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import manage
from gateway.cli.configuration import Config, read_configuration
from gateway.cli.output import complain
from gateway.errors import ConfigurationError, SluicegateError
from gateway.plan import notes

HEALTH_SECONDS = 3.0  # less than the health checks of container engines wait
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # where to ask who listens on every address
MOST_WORKERS = 256
DEMO_PACKAGES = ("django", "gunicorn", "aiosqlite")

Port = partial(typer.Option, min=1, max=65535)

cli = typer.Typer(
    name="sluicegate",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a traceback with local variables would show secrets
)
cli.add_typer(manage.users, name="users", help="Accounts in the store.")
cli.add_typer(manage.keys, name="keys", help="Keys that sign tokens.")
cli.add_typer(manage.migration, name="migration", help="How far the migration is.")


def print_version(is_asked: bool) -> None:
    """Print the version, if that was asked, and exit."""
    if is_asked:
        print(f"sluicegate {version('sluicegate')}")
        raise typer.Exit


@cli.callback()
def options(
    _version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", callback=print_version,
                                           is_eager=True)] = False,
) -> None:
    """Move the users of an unchanged application into a new store, one right password at a time."""


@cli.command()
def serve(
    config: Config,
    workers: Annotated[int, typer.Option(min=1, max=MOST_WORKERS, help="Processes that serve: one for each core that"
                                         " the gateway may fill.")] = 1,
) -> None:
    """Run the gateway until SIGTERM or SIGINT; SIGHUP makes it read its configuration anew."""
    from gateway.server.supervisor import serve as run  # other commands start without the data plane

    run(config, workers)


@cli.command()
def check(config: Config) -> None:
    """Read the configuration and say everything that is wrong with it; opens no connection."""
    from gateway.cli.files import demand_files, file_notes  # other commands start without the data plane

    settings = read_configuration(config)
    demand_files(settings)
    print(f"{config}: good; {len(settings.apps)} app(s), {len(settings.sources)} source(s)")
    for note in (*notes(settings), *file_notes(settings, datetime.now(UTC))):
        print(f"note: {note}")


@cli.command()
def health(config: Config) -> None:
    """Ask the running gateway whether it is alive; for a container's health check."""
    address = read_configuration(config).private.listen
    if not address.port:
        raise ConfigurationError("private.listen has port 0, any free one: name a port so that it can be asked")
    connection = HTTPConnection(EVERYWHERE.get(address.host, address.host), address.port, timeout=HEALTH_SECONDS)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, HTTPException):
        complain(f"nothing answers at {address}: is the gateway running?")
        raise typer.Exit(1) from None
    finally:
        connection.close()
    if status != HTTPStatus.OK:
        complain(f"{address} answers {status}: is it the gateway that listens there?")
        raise typer.Exit(1)
    print("ok")


@cli.command()
def demo(
    state: Annotated[str | None, typer.Option(metavar="FOLDER", help="New or empty folder to keep the demo in, or an"
                                              " earlier demo's; a temporary one by default.")] = None,
    port: Annotated[int | None, Port(help="Port of the gateway; a free one by default.")] = None,
    private_port: Annotated[int | None, Port(help="Port of the private listener; a free one by default.")] = None,
    walk: Annotated[bool, typer.Option("--walk", help="Walk through the crossing like a browser, and exit.")] = False,
) -> None:
    """Start a Django site with three users and the gateway before it, until Ctrl-C."""
    if state == "":
        raise ConfigurationError("--state needs the name of a folder; without the option a temporary one is used")
    missing = [package for package in DEMO_PACKAGES if find_spec(package) is None]
    if missing:
        raise ConfigurationError(f"the demo needs {', '.join(missing)}: pip install 'sluicegate[demo]'")
    from gateway.demo.run import demo as run  # other commands start without it

    raise typer.Exit(run(state=Path(state) if state else None, port=port, private_port=private_port, walk=walk))


def main() -> None:
    """Run the command line; an error of ours is one clear sentence, never a traceback."""
    try:
        cli(prog_name="sluicegate")
    except ConfigurationError as error:
        for problem in error.problems:
            complain(str(problem))
        sys.exit(2)
    except SluicegateError as error:
        complain(str(error))
        sys.exit(1)
