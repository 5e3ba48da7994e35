"""Accounts and sources as operators see them in JSON, on the private listener and on the command line.

Passwords, hashes and sessions are not in it, nor are a profile's attributes: what those hold, the operator's
own query decides. Knows no web framework, so that a command starts quickly.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from gateway.model import Account, AccountState, Phase
from gateway.store.base import SourceCount


def account_json(account: Account) -> Mapping[str, object]:
    """Return an account as operators see it."""
    return {
        "id": str(account.id),
        "source": account.source,
        "legacy_id": account.legacy_id,
        "state": account.state.value,
        "username": account.profile.username,
        "email": account.profile.email,
        "name": account.profile.name,
        "aliases": list(account.aliases),
        "created_at": timestamp(account.created_at),
        "last_login_at": timestamp(account.last_login_at) if account.last_login_at else None,
    }


def page_json(found: Sequence[Account], limit: int) -> Mapping[str, object]:
    """Return a page of accounts, of which one more than `limit` were looked for, and where the next one begins."""
    page = found[:limit]
    return {"users": [account_json(account) for account in page],
            "next": str(page[-1].id) if len(found) > limit else None}


def migration_json(phases: Mapping[str, Phase],
                   counts: Sequence[SourceCount]) -> Sequence[Mapping[str, object]]:
    """Return every source by name. One that has accounts and no phase is in no configuration any more."""
    by_source = {source: dict.fromkeys(AccountState, 0) for source in phases}
    for row in counts:
        by_source.setdefault(row.source, dict.fromkeys(AccountState, 0))[row.state] += row.accounts
    return [{"source": source, "phase": phases.get(source), "accounts": by_source[source]}
            for source in sorted(by_source)]


def timestamp(moment: datetime) -> str:
    """Return a time as RFC 3339 has it, in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
