"""How rows become values, and text becomes storable. Knows columns, runs no statement."""

import json
import unicodedata
from collections.abc import Iterable

from gateway.model import Account, AccountState, Profile, Secret
from gateway.store.base import Candidate, Credential, PendingChange
from gateway.store.postgres.connection import Record

# To be selected from `accounts a`.
ACCOUNT = """a.id, a.source, a.legacy_id, a.state, a.username, a.email, a.name, a.attributes, a.created_at,
    a.last_login_at, ARRAY(SELECT alias FROM aliases WHERE account_id = a.id ORDER BY alias) AS aliases"""

# To be selected from `accounts a LEFT JOIN credentials c ON c.account_id = a.id`.
PENDING = """
    ARRAY(SELECT p.id FROM pending_changes p WHERE p.account_id = a.id ORDER BY p.number) AS pending_ids,
    ARRAY(SELECT p.held FROM pending_changes p WHERE p.account_id = a.id ORDER BY p.number) AS pending"""
CANDIDATE = f"{ACCOUNT}, c.encoded, c.legacy_seen, {PENDING}"


def account(row: Record) -> Account:
    """Build an account from the columns of ACCOUNT."""
    return Account(
        id=row["id"], source=row["source"], legacy_id=row["legacy_id"], state=AccountState(row["state"]),
        profile=Profile(username=row["username"], email=row["email"], name=row["name"],
                        attributes=json.loads(row["attributes"])),
        aliases=tuple(row["aliases"]), created_at=row["created_at"], last_login_at=row["last_login_at"])


def candidate(row: Record) -> Candidate:
    """Build a candidate from the columns of CANDIDATE; a tombstone has no credential, so an empty one."""
    pending = zip(row["pending_ids"], row["pending"], strict=True)
    return Candidate(
        account=account(row),
        credential=Credential(encoded=Secret(row["encoded"] or ""), legacy_seen=row["legacy_seen"]),
        pending=tuple(PendingChange(id=number, held=held) for number, held in pending))


def storable(text: str) -> str:
    """Return text as PostgreSQL can hold it: U+FFFD for NUL and for lone surrogates, which it refuses."""
    return "".join("\N{REPLACEMENT CHARACTER}" if char == "\0" or "\ud800" <= char <= "\udfff" else char
                   for char in text)


def is_storable(text: str) -> bool:
    """Say whether PostgreSQL can hold this text; what it cannot hold, it does not have."""
    return storable(text) == text


def sought(texts: Iterable[str]) -> str:
    """Return the text that a search looks through or for: one line per name, compared without case."""
    folded = (unicodedata.normalize("NFKC", storable(text)).casefold() for text in texts)
    return "\n".join(" ".join(text.splitlines()) for text in folded)
