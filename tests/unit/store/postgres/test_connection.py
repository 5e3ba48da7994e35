"""Tests of gateway.store.postgres.connection: addresses and the border for foreign errors."""

import asyncpg
import pytest

from gateway.errors import ConfigurationError, StoreUnavailable
from gateway.model import Secret
from gateway.store.postgres.connection import BREAKDOWNS, Address, translated

PASSWORD = "pa55word"


@pytest.mark.parametrize(("url", "name"), [
    ("postgresql://db.test/gateway", "db.test"),
    ("postgres://user:pa55word@db.test:5433/gateway?sslmode=require", "db.test:5433"),
    ("postgresql://user:pa55word@one.test:5432,two.test:5432/gateway", "one.test:5432,two.test:5432"),
    ("postgresql://user:p%40%2F%23@[::1]:5432/gateway", "[::1]:5432"),
    ("postgresql://user:pa55word@/gateway?host=%2Ftmp%2Fpg&sslmode=disable", "/tmp/pg"),
    ("postgresql:///gateway", "the default address"),
    ("postgresql://user@", "the default address"),
])
def test_an_address_is_named_without_user_and_password(url: str, name: str) -> None:
    """Messages name hosts or the socket folder."""
    assert Address.parse(Secret(url)).name == name


@pytest.mark.parametrize("url", [
    "", "pa55word", "mysql://user:pa55word@db.test/gateway", "postgresql:/user:pa55word@db.test",
    "postgresql://user:pa55@word@db.test/gateway", "postgresql://user:pa55/word@db.test/gateway",
    "postgresql://user:pa55?word@db.test/gateway", "postgresql://user:pa55#word@db.test/gateway",
    "postgresql://user:pa55word@db.test:port/gateway", "postgresql://user:pa55word@[db.test/gateway",
    "postgresql://user:pa55word@db.test/gateway#fragment", "postgresql://user:pa55 word@db.test/gateway",
])
def test_a_url_with_two_readings_is_refused_without_quoting_it(url: str) -> None:
    """A password with a bare special character must not end up as a host in a message."""
    with pytest.raises(ConfigurationError) as refusal:
        Address.parse(Secret(url))
    assert "pa55" not in str(refusal.value)
    assert "postgresql://user:password@host/database" in str(refusal.value)


def test_an_address_does_not_show_its_url() -> None:
    """Its repr is fit for a log."""
    assert PASSWORD not in repr(Address.parse(Secret(f"postgresql://user:{PASSWORD}@db.test/gateway")))


@pytest.mark.parametrize("kind", [kind for kind, _ in BREAKDOWNS])
def test_every_breakdown_becomes_store_unavailable(kind: type[Exception]) -> None:
    """Nobody above the store sees an error of asyncpg's or of the system's."""
    with pytest.raises(StoreUnavailable, match=r"^the store at db\.test ") as raised, translated("db.test"):
        raise kind("whatever it says")
    assert isinstance(raised.value.__cause__, kind)
    assert raised.value.status == 503


@pytest.mark.parametrize(("error", "said"), [
    (asyncpg.DiskFullError("x"), "has no space left on its disk"),
    (asyncpg.OutOfMemoryError("x"), "is out of resources"),
    (asyncpg.TooManyConnectionsError("x"), "has no connection left"),
    (asyncpg.InvalidPasswordError("x"), "refused the user name or the password"),
    (asyncpg.CannotConnectNowError("x"), "is starting or stopping"),
    (asyncpg.ReadOnlySQLTransactionError("x"), "takes no writes"),
    (asyncpg.DeadlockDetectedError("x"), "could not finish a transaction"),
    (asyncpg.ConnectionDoesNotExistError("x"), "closed the connection"),
    (TimeoutError(), "did not answer in time"),
    (ConnectionRefusedError(), "cannot be reached"),
])
def test_the_sentence_says_what_is_the_matter(error: Exception, said: str) -> None:
    """The particular cause is named, not the family it belongs to."""
    with pytest.raises(StoreUnavailable) as raised, translated("db.test"):
        raise error
    assert str(raised.value) == f"the store at db.test {said}"


def test_no_breakdown_stands_behind_a_more_general_one() -> None:
    """The table is read from the top, so each kind must be reachable."""
    kinds = [kind for kind, _ in BREAKDOWNS]
    hidden = [later for place, earlier in enumerate(kinds) for later in kinds[place + 1:] if issubclass(later, earlier)]
    assert hidden == []


def test_a_programming_error_passes_without_the_row_it_quotes() -> None:
    """PostgreSQL quotes the failing row, with the encoded password in it, as the error's detail."""
    mistake = asyncpg.NotNullViolationError("null value in column")
    mistake.detail = f"Failing row contains ({PASSWORD})."
    with pytest.raises(asyncpg.NotNullViolationError) as raised, translated("db.test"):
        raise mistake
    assert PASSWORD not in str(raised.value)


def test_an_error_of_the_program_is_not_taken_for_a_breakdown() -> None:
    """A KeyError in a transaction stays a KeyError."""
    with pytest.raises(KeyError), translated("db.test"):
        raise KeyError("column")
