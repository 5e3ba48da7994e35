"""Commands on what is in the store: users, keys, migration. They work beside a running gateway."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar
from uuid import UUID

import typer

from gateway.cli.configuration import Config, read_configuration
from gateway.cli.output import complain, show, show_one
from gateway.model import Account, AccountState, Phase
from gateway.settings import Settings
from gateway.store.postgres import PostgresStore
from gateway.stores import opened_store

PAGE = 100
ACTOR = "cli"

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
AccountId = Annotated[UUID, typer.Argument(help="The account's id, as `users list` shows it.")]
T = TypeVar("T")

users = typer.Typer(no_args_is_help=True)
keys = typer.Typer(no_args_is_help=True)
migration = typer.Typer(no_args_is_help=True)


@users.command("list")
def users_list(
    config: Config,
    query: Annotated[str, typer.Option("--query", "-q", help="Part of a name, e-mail or identifier.")] = "",
    state: Annotated[AccountState | None, typer.Option(help="Only accounts in this state.")] = None,
    after: Annotated[UUID | None, typer.Option(help="Go on after this id.")] = None,
    as_json: Json = False,
) -> None:
    """List accounts, a hundred at a time."""
    found = _with_store(config, lambda store, _: store.management.search(text=query, state=state, after=after,
                                                                         limit=PAGE))
    show([_line(account) for account in found], as_json=as_json, empty="no accounts")
    if len(found) == PAGE and not as_json:
        complain(f"there may be more: --after {found[-1].id}")


@users.command("show")
def users_show(config: Config, account: AccountId, as_json: Json = False) -> None:
    """Show one account."""
    found = _found(_with_store(config, lambda store, _: store.management.get(account)))
    show_one({**_line(found), "name": found.profile.name, "aliases": ", ".join(found.aliases),
              "created": found.created_at.isoformat(timespec="seconds"), **found.profile.attributes},
             as_json=as_json)


@users.command("block")
def users_block(config: Config, account: AccountId) -> None:
    """Block an account: its logins are denied, its sessions end."""
    _set_state(config, account, AccountState.BLOCKED)


@users.command("unblock")
def users_unblock(config: Config, account: AccountId) -> None:
    """Let a blocked account log in again."""
    _set_state(config, account, AccountState.ACTIVE)


@users.command("delete")
def users_delete(
    config: Config,
    account: AccountId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete an account for good: a tombstone stays, so that it never comes back by itself."""
    if not yes:
        typer.confirm(f"Delete {account}? It cannot be undone", abort=True)
    _set_state(config, account, AccountState.DELETED)


@keys.command("list")
def keys_list(config: Config, as_json: Json = False) -> None:
    """List signing keys; the private parts stay where they are."""
    found = _with_store(config, lambda store, _: store.keys.all())
    show([{"kid": key.kid, "algorithm": key.algorithm, "state": key.state,
           "created": key.created_at.isoformat(timespec="seconds"),
           "activated": key.activated_at.isoformat(timespec="seconds") if key.activated_at else None}
          for key in found], as_json=as_json, empty="no keys yet: the gateway makes them at its first start")


@migration.command("status")
def migration_status(config: Config, as_json: Json = False) -> None:
    """Show each source's phase and its accounts by state."""
    show(_with_store(config, _status), as_json=as_json, empty="no sources")


@migration.command("phase")
def migration_phase(
    config: Config,
    source: Annotated[str, typer.Argument(help="The source's name in the configuration.")],
    phase: Annotated[Phase, typer.Argument(help="Its new phase.")],
) -> None:
    """Change a source's phase; every running gateway follows within a second."""
    if not _with_store(config, lambda store, _: store.phases.change(source, phase, actor=ACTOR)):
        complain(f"the store knows no source {source!r}; the gateway must have run with it once")
        raise typer.Exit(2)
    print(f"{source}: {phase}")


async def _status(store: PostgresStore, settings: Settings) -> list[dict[str, object]]:
    phases = await store.phases.all()
    counts = {(count.source, count.state): count.accounts for count in await store.management.counts()}
    names = sorted({*settings.sources, *phases})
    return [{"source": name, "phase": phases.get(name, "not started"),
             **{state.value: counts.get((name, state), 0) for state in AccountState}} for name in names]


def _set_state(config: Config, account: UUID, state: AccountState) -> None:
    found = _found(_with_store(config, lambda store, _: store.management.set_state(account, state, actor=ACTOR)))
    if found.state is not state:
        complain(f"{account} is deleted, and stays so")
        raise typer.Exit(1)
    print(f"{account}: {state}")


def _found(account: Account | None) -> Account:
    if account is None:
        complain("there is no such account")
        raise typer.Exit(1)
    return account


def _line(account: Account) -> dict[str, object]:
    last = account.last_login_at
    return {"id": str(account.id), "username": account.profile.username, "email": account.profile.email,
            "source": account.source, "legacy_id": account.legacy_id, "state": account.state,
            "last_login": last.isoformat(timespec="seconds") if last else None}


def _with_store(config: Config, work: Callable[[PostgresStore, Settings], Awaitable[T]]) -> T:
    """Run one piece of work on the store that the configuration names."""
    settings = read_configuration(config)

    async def run() -> T:
        async with opened_store(settings.store) as store:
            return await work(store, settings)

    return asyncio.run(run())
