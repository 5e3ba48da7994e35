"""What an operator says about a user table: where it is, and which query reads it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from adapters.sql import parameters
from gateway.intercept.presets import UnknownPresetError, load_preset, preset_names
from gateway.model import Secret
from gateway.settings import Section, mistake, secret_url, surroundings

LOGIN = "login"
"""The one parameter of the query: the identifier as typed."""

SQLITE = "sqlite:"
PASSWORD_HASH = "password_hash"  # noqa: S105  # the name of a column
COLUMN = re.compile(r"[a-z_][a-z0-9_]*")

@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """The query that finds a user, and the columns of its answer that hold the user's identifiers."""

    text: str
    identifiers: tuple[str, ...]


def _absolute(url: Secret, info: ValidationInfo) -> Secret:
    """Take the relative path of a SQLite file from the configuration file's folder; follow no link yet."""
    text = url.reveal()
    if not text.startswith(SQLITE):
        return url
    place = text.removeprefix(SQLITE).removeprefix("//")
    if not place or "?" in place:
        mistake('must be "sqlite:///absolute/path" or "sqlite:relative/path", without parameters')
    return Secret(f"{SQLITE}//{(surroundings(info).folder / place).absolute()}")


def _known(preset: str) -> str:
    try:
        sql = load_preset(preset).sql
    except UnknownPresetError:
        mistake(f"names no preset; there are: {', '.join(preset_names())}")
    if sql is None:
        mistake("names a preset that knows no user table; write login with a query of your own")
    return preset


def _with_one_parameter(query: str) -> str:
    if parameters.names(query) != {LOGIN}:
        mistake("must be a query with the one parameter :login")
    return query


def _column(name: str) -> str:
    if not COLUMN.fullmatch(name) or name == PASSWORD_HASH:
        mistake("must be a column of the query in lower case, and not the one of the password hash")
    return name


class SqlOptions(Section):
    """Is the part of a `[source.…]` table that the adapter `sql` reads."""

    url: Annotated[Secret, secret_url("postgresql", "postgres", "sqlite"), AfterValidator(_absolute)]
    preset: Annotated[str, AfterValidator(_known)] | None = None
    login: Annotated[str, AfterValidator(_with_one_parameter)] | None = None
    identifiers: tuple[Annotated[str, AfterValidator(_column)], ...] = ()
    connections: Annotated[int, Field(ge=1, le=50)] = 4

    @model_validator(mode="after")
    def _has_one_query(self) -> Self:
        if (self.preset is None) == (self.login is None):
            mistake("needs one query: either preset, or login with one of your own")
        if self.login is not None and not self.identifiers:
            mistake("needs identifiers: the columns of the login query that users may type at a login")
        return self

    @property
    def query(self) -> Query:
        """The operator's query, or the preset's."""
        if self.login is not None:
            return Query(text=self.login, identifiers=self.identifiers)
        sql = load_preset(self.preset or "").sql
        assert sql is not None, "checked when the options were read"
        return Query(text=sql.login, identifiers=self.identifiers or sql.identifiers)

    @property
    def sqlite_file(self) -> Path | None:
        """The file of a SQLite database; None for another database."""
        url = self.url.reveal()
        return Path(url.removeprefix(f"{SQLITE}//")) if url.startswith(SQLITE) else None

