"""Rows as legacy users: what becomes of each column, and which answers are none."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from adapters.base import AdapterMisconfigured, LegacyRow
from adapters.sql.rows import Answer, legacy_row
from gateway.model import Outcome, Profile

IDENTIFIERS = ("username", "email")
ROW = {"legacy_id": 7, "password_hash": "md5$x$y", "username": "alice", "email": "a@shop.test"}


def answer(*rows: dict[str, object]) -> Answer:
    return Answer(columns=list(rows[0]), rows=[tuple(row.values()) for row in rows])


def read(**columns: object) -> LegacyRow:
    row = legacy_row(answer({**ROW, **columns}), IDENTIFIERS)
    assert isinstance(row, LegacyRow)
    return row


def test_a_row_becomes_a_user_and_a_hash() -> None:
    """Nothing is lost, everything is text."""
    row = read(name="Alice", phone=12, since=datetime(2020, 1, 2, tzinfo=UTC), empty=None)
    assert row.user.legacy_id == "7"
    assert row.user.identifiers == ("alice", "a@shop.test")
    assert row.user.profile == Profile(
        username="alice",
        email="a@shop.test",
        name="Alice",
        attributes={"phone": "12", "since": "2020-01-02 00:00:00+00:00"},
    )
    assert row.user.hindrance is None
    assert row.encoded_hash.reveal() == "md5$x$y"


def test_no_row_is_nobody_and_two_are_too_many() -> None:
    """Neither of two is preferred, even when they are the same."""
    assert legacy_row(Answer(columns=list(ROW), rows=[]), IDENTIFIERS) is Outcome.NOT_FOUND
    assert legacy_row(answer(ROW, ROW), IDENTIFIERS) is Outcome.AMBIGUOUS


@pytest.mark.parametrize(
    ("value", "legacy_id"),
    [
        (1, "1"),
        ("a1", "a1"),
        (" 1", " 1"),
        (Decimal("10.0"), "10.0"),
        (0, "0"),
        (b"1", "31"),
        (b"\xff\x00", "ff00"),
        (UUID("00000000-0000-0000-0000-00000000000a"), "00000000-0000-0000-0000-00000000000a"),
    ],
)
def test_a_primary_key_is_written_so_that_no_two_look_alike(value: object, legacy_id: str) -> None:
    """It is the user's identity, for good."""
    assert read(legacy_id=value).user.legacy_id == legacy_id


@pytest.mark.parametrize("value", [None, "", b""])
def test_a_row_without_a_primary_key_is_a_mistake_of_the_query(value: object) -> None:
    """An outer join the wrong way round, for one."""
    with pytest.raises(AdapterMisconfigured, match="legacy_id is empty"):
        read(legacy_id=value)


@pytest.mark.parametrize("column", ["legacy_id", "password_hash", "username", "email"])
def test_a_missing_column_is_named(column: str) -> None:
    """Even when nobody was found, so that the first question tells."""
    columns = [name for name in ROW if name != column]
    with pytest.raises(AdapterMisconfigured, match=f"^the login query returns no column {column}$"):
        legacy_row(Answer(columns=columns, rows=[]), IDENTIFIERS)


def test_all_missing_columns_are_named() -> None:
    """At once."""
    with pytest.raises(AdapterMisconfigured, match="no column legacy_id and no column password_hash and no"):
        legacy_row(Answer(columns=["username"], rows=[]), IDENTIFIERS)


def test_a_column_that_comes_twice_is_a_mistake() -> None:
    """Which of two ids would be the user's?"""
    columns = [*ROW, "EMAIL"]
    with pytest.raises(AdapterMisconfigured, match="more than one column email"):
        legacy_row(Answer(columns=columns, rows=[]), IDENTIFIERS)


def test_the_case_of_a_column_does_not_count() -> None:
    """Databases write it as they like."""
    upper = Answer(columns=[name.upper() for name in ROW], rows=[tuple(ROW.values())])
    assert legacy_row(upper, IDENTIFIERS) == legacy_row(answer(ROW), IDENTIFIERS)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(None, ""), ("", ""), ("!x", "!x"), (b"md5$x$y", "md5$x$y"), (b"\xff\xfe", ""), (5, "5")],
)
def test_a_user_without_a_usable_hash_is_a_user(value: object, encoded: str) -> None:
    """Whether anything can verify it is not decided here."""
    assert read(password_hash=value).encoded_hash.reveal() == encoded


def test_a_hash_shows_in_no_repr() -> None:
    """Rows end up in tracebacks."""
    assert "md5" not in repr(read())


@pytest.mark.parametrize(
    ("username", "email", "identifiers"),
    [
        ("alice", None, ("alice",)),
        ("", "a@shop.test", ("a@shop.test",)),
        (None, None, ()),
        ("a", "a", ("a",)),
        ("al\0ice", "", ("alice",)), (b"alice", "x", ("alice", "x")), (b"\xff", "x", ("\ufffd", "x")),
    ],
)
def test_identifiers_are_the_names_that_there_are(
    username: object, email: object, identifiers: tuple[str, ...]
) -> None:
    """Each once; NUL, which the new store cannot hold, is left out."""
    assert read(username=username, email=email).user.identifiers == identifiers


@pytest.mark.parametrize(
    ("columns", "hindrance"),
    [
        ({"disabled": True}, Outcome.DISABLED),
        ({"locked": 1}, Outcome.LOCKED),
        ({"must_change": "t"}, Outcome.MUST_CHANGE),
        ({"disabled": False, "locked": 0, "must_change": None}, None),
        ({"disabled": True, "locked": True}, Outcome.DISABLED),
        ({"locked": True, "must_change": True}, Outcome.LOCKED),
        ({"disabled": "N"}, None),
        ({"disabled": " false "}, None),
        ({"disabled": "0"}, None),
        ({"disabled": ""}, None),
        ({"disabled": "off"}, None),
        ({"disabled": "Y"}, Outcome.DISABLED),
        ({"disabled": b"\x00"}, None), ({"disabled": b"\x01"}, Outcome.DISABLED), ({"disabled": b""}, None),
        ({"disabled": -1}, Outcome.DISABLED),
        ({"disabled": datetime(2020, 1, 1, tzinfo=UTC)}, Outcome.DISABLED),
    ],
)
def test_a_flag_that_is_true_keeps_a_user_from_crossing(columns: dict[str, object], hindrance: Outcome | None) -> None:
    """Whatever the database keeps booleans as; of several the heaviest."""
    user = read(**columns).user
    assert user.hindrance is hindrance
    assert user.profile.attributes == {}


@pytest.mark.parametrize("value", ["x" * 256, "7\0", "7\n", "\ud800"])
def test_what_cannot_be_a_key_is_a_mistake_of_the_query(value: object) -> None:
    """The new store could not keep it, or could not tell it from another."""
    with pytest.raises(AdapterMisconfigured, match="no key"):
        read(legacy_id=value)
