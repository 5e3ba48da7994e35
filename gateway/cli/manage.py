"""Commands on what is in the store: users, keys, migration. They work beside a running gateway.

With `--json` they print what the private listener answers, in the same shape.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar
from uuid import UUID

import typer

from gateway.admin.shapes import account_json, migration_json, page_json, timestamp
from gateway.cli.configuration import Config, read_configuration
from gateway.cli.output import complain, plain, print_json, print_properties, print_table
from gateway.model import Account, AccountState, Phase
from gateway.settings import Settings
from gateway.store.base import StoredKey
from gateway.store.postgres import PostgresStore
from gateway.stores import opened_store

PAGE = 100
ACTOR = "cli"
COLUMNS = ("id", "username", "email", "source", "legacy_id", "state", "last_login_at")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
AccountId = Annotated[UUID, typer.Argument(help="The account's id, as `sluicegate users list` shows it.")]
T = TypeVar("T")

users = typer.Typer(no_args_is_help=True)
keys = typer.Typer(no_args_is_help=True)
migration = typer.Typer(no_args_is_help=True)


@users.command("list")
def users_list(
    config: Config,
    query: Annotated[str, typer.Option("--query", "-q", help="Text that a name, e-mail or identifier holds.")] = "",
    state: Annotated[AccountState | None, typer.Option(help="Only accounts in this state.")] = None,
    after: Annotated[UUID | None, typer.Option(help="Go on after the account with this id.")] = None,
    as_json: Json = False,
) -> None:
    """List accounts, a hundred at a time."""
    found = _with_store(config, lambda store, _: store.management.search(text=query, state=state, after=after,
                                                                         limit=PAGE + 1))
    page = page_json(found, PAGE)
    if as_json:
        print_json(page)
        return
    rows = [account_json(account) for account in found[:PAGE]]
    print_table([{column: row[column] for column in COLUMNS} for row in rows], empty="no accounts")
    if page["next"]:
        complain(f"there are more: --after {page['next']}")


@users.command("show")
def users_show(config: Config, account: AccountId, as_json: Json = False) -> None:
    """Show one account."""
    found = account_json(_found(_with_store(config, lambda store, _: store.management.get(account))))
    (print_json if as_json else print_properties)(found)


@users.command("block")
def users_block(config: Config, account: AccountId) -> None:
    """Block an account: its logins are denied, its sessions end within a second."""
    _set_state(config, account, AccountState.BLOCKED)


@users.command("unblock")
def users_unblock(config: Config, account: AccountId) -> None:
    """Let a blocked account log in again."""
    _set_state(config, account, AccountState.ACTIVE)


@users.command("delete")
def users_delete(
    config: Config,
    account: AccountId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete an account for good; a tombstone stays, so that it does not come back at the next login."""
    if not yes:
        _ask_to_delete(_found(_with_store(config, lambda store, _: store.management.get(account))))
    _set_state(config, account, AccountState.DELETED)


@keys.command("list")
def keys_list(config: Config, as_json: Json = False) -> None:
    """List the keys that sign tokens; their private parts stay in the store."""
    rows = [_key_json(key) for key in _with_store(config, lambda store, _: store.keys.all())]
    if as_json:
        print_json({"keys": rows})
    else:
        print_table(rows, empty="no keys yet: the gateway makes them at its first start")


@migration.command("status")
def migration_status(config: Config, as_json: Json = False) -> None:
    """Show each source's phase and its accounts by state."""
    rows = _with_store(config, _status)
    if as_json:
        print_json({"sources": rows})
    else:
        print_table([_flat(row) for row in rows], empty="no sources yet: the gateway knows them from its first start")


@migration.command("phase")
def migration_phase(
    config: Config,
    source: Annotated[str, typer.Argument(help="The source's name in the configuration.")],
    phase: Annotated[Phase, typer.Argument(help="Its new phase.")],
) -> None:
    """Change a source's phase; every running gateway follows within a second."""
    if not _with_store(config, lambda store, _: store.phases.change(source, phase, actor=ACTOR)):
        complain(f"the store knows no source {plain(source)}; the gateway must have run with it once")
        raise typer.Exit(2)
    print(f"{source}: {phase}")


async def _status(store: PostgresStore, _: Settings) -> list[dict[str, object]]:
    return [dict(row) for row in migration_json(await store.phases.all(), await store.management.counts())]


def _flat(row: dict[str, object]) -> dict[str, object]:
    """Return a source as a line of a table: each state is a column."""
    accounts = row.pop("accounts")
    assert isinstance(accounts, dict)
    return row | accounts


def _key_json(key: StoredKey) -> dict[str, object]:
    return {"kid": key.kid, "algorithm": key.algorithm, "state": key.state, "created_at": timestamp(key.created_at),
            "activated_at": timestamp(key.activated_at) if key.activated_at else None}


def _set_state(config: Config, account: UUID, state: AccountState) -> None:
    async def change(store: PostgresStore, _: Settings) -> tuple[Account | None, Account | None]:
        return await store.management.get(account), await store.management.set_state(account, state, actor=ACTOR)

    before, after = map(_found, _with_store(config, change))
    if after.state is not state:
        complain(f"{account} is deleted, and stays so")
        raise typer.Exit(1)
    print(f"{account}: {'already ' if before.state is state else ''}{state}")


def _ask_to_delete(account: Account) -> None:
    """Go on only after a yes in a terminal."""
    name = f"{plain(account.profile.username or account.profile.email)} ({account.id})"
    if not sys.stdin.isatty():
        complain(f"nobody can be asked here whether to delete {name}: give --yes")
        raise typer.Exit(2)
    print(f"Delete {name}? It cannot be undone [y/N]: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        complain("nothing is deleted")
        raise typer.Exit(1)


def _found(account: Account | None) -> Account:
    if account is None:
        complain("there is no such account; `sluicegate users list` shows all")
        raise typer.Exit(1)
    return account


def _with_store(config: Config, work: Callable[[PostgresStore, Settings], Awaitable[T]]) -> T:
    """Run one piece of work on the store that the configuration names."""
    settings = read_configuration(config)

    async def run() -> T:
        async with opened_store(settings.store) as store:
            return await work(store, settings)

    return asyncio.run(run())
