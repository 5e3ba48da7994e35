"""`sluicegate`: serve, check, health and demo; the commands on accounts are in `gateway.cli.manage`.

Exit codes: 0 done, 1 could not be done now, 2 the command or the configuration is wrong.
"""

import sys
import urllib.request
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import manage
from gateway.cli.configuration import Config, read_configuration
from gateway.cli.output import complain
from gateway.errors import ConfigurationError, SluicegateError
from gateway.plan import notes

HEALTH_SECONDS = 5

cli = typer.Typer(
    name="sluicegate",
    help="Moves the users of an unchanged application into a new store, one right password at a time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a traceback with local variables would show secrets
)
cli.add_typer(manage.users, name="users", help="Accounts in the store.")
cli.add_typer(manage.keys, name="keys", help="Keys that sign tokens.")
cli.add_typer(manage.migration, name="migration", help="How far the migration is.")


@cli.command()
def serve(config: Config) -> None:
    """Run the gateway until SIGTERM or SIGINT."""
    from gateway.server import serve as run  # other commands start without the data plane

    run(read_configuration(config))


@cli.command()
def check(config: Config) -> None:
    """Read the configuration and say everything that is wrong with it; opens no connection."""
    settings = read_configuration(config)
    print(f"{config}: good; {len(settings.apps)} app(s), {len(settings.sources)} source(s)")
    for note in notes(settings):
        print(f"note: {note}")


@cli.command()
def health(config: Config) -> None:
    """Ask the running gateway whether it is alive; for a container's health check."""
    address = read_configuration(config).private.listen
    url = f"http://{address}/healthz"
    try:
        with urllib.request.urlopen(url, timeout=HEALTH_SECONDS):  # our own listener
            print("ok")
    except OSError:
        complain(f"nothing answers at {url}: is the gateway running?")
        raise typer.Exit(1) from None


@cli.command()
def demo(
    state: Annotated[Path | None, typer.Option(help="Folder to keep the demo in; a temporary one by default.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the gateway; a free one by default.")] = None,
    private_port: Annotated[int | None, typer.Option(help="Port of the private listener.")] = None,
    walk: Annotated[bool, typer.Option(help="Walk through the crossing like a browser, and exit.")] = False,
) -> None:
    """Start a Django site with three users and the gateway before it."""
    try:
        from gateway.demo.run import demo as run  # needs the extra "demo"
    except ImportError as error:
        raise ConfigurationError(f"the demo needs {error.name}: pip install 'sluicegate[demo]'") from None
    raise typer.Exit(run(state=state, port=port, private_port=private_port, walk=walk))


def main() -> None:
    """Run the command line; an error of ours is one clear sentence, never a traceback."""
    try:
        cli()
    except ConfigurationError as error:
        for problem in error.problems:
            complain(str(problem))
        sys.exit(2)
    except SluicegateError as error:
        complain(str(error))
        sys.exit(1)
