"""How connections to PostgreSQL are protected, and what becomes of the driver's errors."""

import ssl

import asyncpg
import pytest

from adapters.base import AdapterMisconfigured, AdapterUnavailable
from adapters.sql.postgres import _translated, tls
from gateway.model import Outcome

MARK = "hunter2-Pa55"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@127.0.0.1/x", "postgresql://localhost:5433/x", "postgresql://[::1]:5432/x", "postgresql://[::1]/x",
        "postgresql://127.0.0.2,localhost/x", "postgresql:///x?host=/run/postgresql", "postgresql://u@/x?host=/tmp",
        "postgresql://%2Frun%2Fpostgresql/x", "postgres://localhost/x",
    ],
)
def test_what_never_leaves_the_machine_needs_no_tls(url: str) -> None:
    """Loopback addresses and sockets."""
    assert tls(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db.shop.test/x", "postgresql://u:p@10.0.0.1:5432/x", "postgresql://localhost,db.shop.test/x",
        "postgresql://localhost.shop.test/x", "postgresql://[2001:db8::1]/x", "postgresql:///x?host=db.shop.test",
        "postgresql://u:127.0.0.1@db/x", "postgresql://db/x?application_name=localhost", "postgresql://0.0.0.0/x",
    ],
)
def test_what_leaves_the_machine_is_verified(url: str) -> None:
    """Certificate and host name, against the system's authorities."""
    context = tls(url)
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("mode", ["disable", "require", "verify-full"])
def test_the_url_may_say_otherwise(mode: str) -> None:
    """Then the driver does what it says."""
    assert tls(f"postgresql://db.shop.test/x?sslmode={mode}") is None


@pytest.mark.parametrize("key", ["sslrootcert", "sslcert"])
def test_an_authority_of_ones_own_is_used_to_the_full(key: str) -> None:
    """Naming one is no reason to check less."""
    assert tls(f"postgresql://db.shop.test/x?{key}=/etc/ca.pem") == "verify-full"


@pytest.mark.parametrize("url", ["postgresql:///x", "postgresql://u:p@/x", "postgresql://", "postgresql:x"])
def test_a_url_names_its_host(url: str) -> None:
    """Otherwise the environment would choose it, with another protection than it seems."""
    with pytest.raises(AdapterMisconfigured, match="must name a host"):
        tls(url)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TimeoutError(MARK), Outcome.TIMEOUT), (asyncpg.QueryCanceledError(MARK), Outcome.TIMEOUT),
        (ConnectionRefusedError(MARK), Outcome.UNAVAILABLE), (OSError(MARK), Outcome.UNAVAILABLE),
        (asyncpg.ConnectionDoesNotExistError(MARK), Outcome.UNAVAILABLE),
        (asyncpg.InterfaceError(MARK), Outcome.UNAVAILABLE),
        (asyncpg.CannotConnectNowError(MARK), Outcome.UNAVAILABLE),
        (asyncpg.AdminShutdownError(MARK), Outcome.UNAVAILABLE),
        (asyncpg.TooManyConnectionsError(MARK), Outcome.UNAVAILABLE),
        (asyncpg.DiskFullError(MARK), Outcome.UNAVAILABLE),
        (asyncpg.DeadlockDetectedError(MARK), Outcome.UNAVAILABLE),
        (asyncpg.PostgresIOError(MARK), Outcome.UNAVAILABLE),
        (asyncpg.InternalServerError(MARK), Outcome.UNAVAILABLE),
        (ssl.SSLError(1, MARK), Outcome.UNAVAILABLE),
        (asyncpg.InternalClientError(MARK), Outcome.PROTOCOL_ERROR),
        (asyncpg.exceptions.ProtocolError(MARK), Outcome.PROTOCOL_ERROR),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_outage_is_an_outage(error: Exception, outcome: Outcome) -> None:
    """Told without the driver's words."""
    with pytest.raises(AdapterUnavailable) as caught, _translated():
        raise error
    assert caught.value.outcome is outcome
    assert MARK not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (asyncpg.UndefinedTableError(MARK), "SQLSTATE 42P01"),
        (asyncpg.PostgresSyntaxError(MARK), "SQLSTATE 42601"),
        (asyncpg.InsufficientPrivilegeError(MARK), "SQLSTATE 42501"),
        (asyncpg.DivisionByZeroError(MARK), "SQLSTATE 22012"),
        (asyncpg.ReadOnlySQLTransactionError(MARK), "SQLSTATE 25006"),
        (asyncpg.InvalidPasswordError(MARK), "user, password or database"),
        (asyncpg.InvalidAuthorizationSpecificationError(MARK), "user, password or database"),
        (asyncpg.InvalidCatalogNameError(MARK), "user, password or database"),
        (ssl.SSLCertVerificationError(1, MARK), "certificate cannot be verified"),
        (asyncpg.exceptions.ClientConfigurationError(MARK), "url is not understood"),
        (ValueError(MARK), "url is not understood"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_mistake_is_the_operators(error: Exception, words: str) -> None:
    """Told with what to look at, and without values."""
    with pytest.raises(AdapterMisconfigured, match=words) as caught, _translated():
        raise error
    assert MARK not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_mistake_of_our_own_is_not_hidden() -> None:
    """Only what the driver may raise is translated."""
    with pytest.raises(KeyError), _translated():
        raise KeyError(MARK)
