"""The answer of a login query, read as a legacy user. Pure; no message holds a value of a row."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.base import AdapterMisconfigured, LegacyRow
from adapters.sql.options import PASSWORD_HASH
from gateway.model import LegacyUser, Outcome, Profile, Secret

LEGACY_ID = "legacy_id"
REQUIRED = (LEGACY_ID, PASSWORD_HASH)
PROFILE = ("username", "email", "name")
HINDRANCES = {"disabled": Outcome.DISABLED, "locked": Outcome.LOCKED, "must_change": Outcome.MUST_CHANGE}
KNOWN = frozenset({*REQUIRED, *PROFILE, *HINDRANCES})
LONGEST_ID = 255  # characters; keys are numbers, UUIDs or names, and must fit an index of the new store
FALSE_WORDS = frozenset({"", "0", "f", "false", "n", "no", "off"})  # booleans kept as text


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a database gave: the columns' names, and at most two rows, for two are one too many."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


def legacy_row(answer: Answer, identifiers: Sequence[str]) -> LegacyRow | Outcome:
    """Read an answer; raises `AdapterMisconfigured` when its columns are not those of a login query.

    A user without a usable hash is a user all the same: the hash is then empty.
    """
    columns = [column.lower() for column in answer.columns]
    _check(columns, identifiers)
    if len(answer.rows) != 1:
        return Outcome.AMBIGUOUS if answer.rows else Outcome.NOT_FOUND
    row = dict(zip(columns, answer.rows[0], strict=True))
    user = LegacyUser(
        legacy_id=_legacy_id(row[LEGACY_ID]),
        identifiers=tuple(dict.fromkeys(filter(None, (_text(row[column]) for column in identifiers)))),
        profile=_profile(row),
        hindrance=next((bar for column, bar in HINDRANCES.items() if _is_true(row.get(column))), None),
    )
    return LegacyRow(user=user, encoded_hash=Secret(_hash(row[PASSWORD_HASH])))


def _check(columns: Sequence[str], identifiers: Sequence[str]) -> None:
    if missing := [column for column in (*REQUIRED, *identifiers) if column not in columns]:
        raise AdapterMisconfigured(f"the login query returns no column {' and no column '.join(missing)}")
    if doubled := [column for column, times in Counter(columns).items() if times > 1]:
        raise AdapterMisconfigured(f"the login query returns more than one column {' and '.join(doubled)}")


def _profile(row: Mapping[str, object]) -> Profile:
    others = {column: _text(row[column]) for column in row.keys() - KNOWN if row[column] is not None}
    username, email, name = (_text(row.get(column)) for column in PROFILE)
    return Profile(username=username, email=email, name=name, attributes=others)


def _legacy_id(value: object) -> str:
    """Write a primary key as text; a binary one in hex, so that no two keys can look alike."""
    text = value.hex() if isinstance(value, bytes) else "" if value is None else str(value)
    if not text:
        raise AdapterMisconfigured("the login query returns a row whose legacy_id is empty")
    if len(text) > LONGEST_ID or not text.isprintable():
        raise AdapterMisconfigured(f"the login query returns a legacy_id that is no key: longer than {LONGEST_ID} "
                                   "characters, or with control characters")
    return text


def _hash(value: object) -> str:
    """Return a hash as text; bytes that are none are no hash that anything here could verify."""
    try:
        return value.decode() if isinstance(value, bytes) else "" if value is None else str(value)
    except UnicodeDecodeError:
        return ""


def _text(value: object) -> str:
    """Write a value as text. NUL goes: the new store cannot hold it (PostgreSQL 18, 8.3)."""
    if value is None:
        return ""
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return text.replace("\0", "")


def _is_true(value: object) -> bool:
    if isinstance(value, str):
        return value.strip().lower() not in FALSE_WORDS
    return any(value) if isinstance(value, bytes) else bool(value)
