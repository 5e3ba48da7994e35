"""What an operator may say about a user table, and what is refused with a sentence."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.sql import SqlOptions
from adapters.sql.parameters import names
from gateway.model import Secret
from gateway.settings import Surroundings

QUERY = "SELECT 1 AS legacy_id, 2 AS password_hash, :login AS username"
OWN = {"login": QUERY, "identifiers": ("username",)}


def options(**table: object) -> SqlOptions:
    around = Surroundings(environ={"URL": "postgresql://u:hunter2@db/x"}, folder=Path("/etc/gate"))
    return SqlOptions.model_validate({"url": "sqlite:users.db", **table}, context=around)


def refusals(**table: object) -> list[tuple[tuple[str | int, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        options(**table)
    return [(error["loc"], error["msg"]) for error in caught.value.errors()]


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:users.db", "/etc/gate/users.db"), ("sqlite:sub/my users.db", "/etc/gate/sub/my users.db"),
        ("sqlite:///srv/users.db", "/srv/users.db"), ("sqlite:/srv/users.db", "/srv/users.db"),
        ("sqlite:///srv/50%25.db", "/srv/50%25.db"), ("sqlite:///srv/#1.db", "/srv/#1.db"),
    ],
)
def test_a_file_is_taken_from_the_configurations_folder(url: str, file: str) -> None:
    """Unless its path is whole; the path is taken as it is written."""
    assert options(url=url, **OWN).sqlite_file == Path(file)


def test_a_link_is_not_followed_when_it_is_read(tmp_path: Path) -> None:
    """It may lead elsewhere by the time of a question."""
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert options(url=f"sqlite://{tmp_path}/link", **OWN).sqlite_file == tmp_path / "link"


@pytest.mark.parametrize("url", ["sqlite:", "sqlite://", "sqlite:users.db?mode=rwc", "sqlite:///srv/users.db?immutable=1"])
def test_a_file_has_a_path_and_no_parameters(url: str) -> None:
    """How it is opened is the adapter's business."""
    [(place, sentence)] = refusals(url=url, **OWN)
    assert place == ("url",)
    assert sentence.startswith('must be "sqlite:///absolute/path"')


def test_a_server_is_not_a_file() -> None:
    """Its URL stays as it is."""
    found = options(url="env:URL", **OWN)
    assert found.sqlite_file is None
    assert found.url == Secret("postgresql://u:hunter2@db/x")
    assert "hunter2" not in repr(found)


def test_a_preset_brings_query_and_identifiers() -> None:
    """Other identifiers may be named instead."""
    query = options(preset="django").query
    assert names(query.text) == {"login"}
    assert query.identifiers == ("username",)
    assert options(preset="django", identifiers=("username", "email")).query.identifiers == ("username", "email")


def test_a_query_of_ones_own_is_taken_as_it_is() -> None:
    """With the identifiers that it needs."""
    query = options(**OWN).query
    assert (query.text, query.identifiers) == (QUERY, ("username",))


@pytest.mark.parametrize(
    ("table", "place", "sentence"),
    [
        ({}, (), "needs one query: either preset, or login with one of your own"),
        ({"preset": "django", **OWN}, (), "needs one query: either preset, or login with one of your own"),
        ({"login": QUERY}, (), "needs identifiers: the columns of the login query that users may type at a login"),
        ({"preset": "djagno"}, ("preset",), "names no preset; there are: django"),
        ({**OWN, "login": "SELECT 1"}, ("login",), "must be a query with the one parameter :login"),
        ({**OWN, "login": "SELECT ':login'"}, ("login",), "must be a query with the one parameter :login"),
        ({**OWN, "login": ":login :other"}, ("login",), "must be a query with the one parameter :login"),
        ({**OWN, "login": ":Login"}, ("login",), "must be a query with the one parameter :login"),
        ({**OWN, "identifiers": ("password_hash",)}, ("identifiers", 0),
         "must be a column of the query in lower case, and not the one of the password hash"),
        ({**OWN, "identifiers": ("username", "E-Mail")}, ("identifiers", 1),
         "must be a column of the query in lower case, and not the one of the password hash"),
    ],
)
def test_what_is_no_query_is_refused(table: dict[str, object], place: tuple[str | int, ...], sentence: str) -> None:
    """At its own key where one key is at fault."""
    assert refusals(**table) == [(place, sentence)]


@pytest.mark.parametrize("connections", [0, 51, 1.5, "4"])
def test_the_pool_is_small(connections: object) -> None:
    """A legacy database has other work to do."""
    assert [place for place, _ in refusals(connections=connections, **OWN)] == [("connections",)]


def test_an_unknown_key_is_refused() -> None:
    """Such as a driver's own setting."""
    assert [place for place, _ in refusals(pool_size=4, **OWN)] == [("pool_size",)]
