"""What an operator says about a user table: where it is, and which query reads it."""

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

Column = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$")]


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


class SqlOptions(Section):
    """Is the part of a `[source.…]` table that the adapter `sql` reads."""

    url: Annotated[Secret, secret_url("postgresql", "postgres", "sqlite"), AfterValidator(_absolute)]
    preset: str | None = None
    login: str | None = None
    identifiers: tuple[Column, ...] = ()
    connections: Annotated[int, Field(ge=1, le=50)] = 4

    @model_validator(mode="after")
    def _has_one_query(self) -> Self:
        if (self.preset is None) == (self.login is None):
            mistake("needs a query: either preset, or login with one of your own")
        if self.login is not None and parameters.names(self.login) != {LOGIN}:
            mistake("login must be a query with the one parameter :login")
        if self.login is not None and not self.identifiers:
            mistake("identifiers must list the columns of the query that users may type at a login")
        if PASSWORD_HASH in self.identifiers:
            mistake("identifiers must not hold the column of the password hash")
        if self.preset is not None:
            _preset_query(self.preset)
        return self

    @property
    def query(self) -> Query:
        """The operator's query, or the preset's."""
        if self.login is not None:
            return Query(text=self.login, identifiers=self.identifiers)
        query = _preset_query(self.preset or "")
        return Query(text=query.text, identifiers=self.identifiers or query.identifiers)

    @property
    def sqlite_file(self) -> Path | None:
        """The file of a SQLite database; None for another database."""
        url = self.url.reveal()
        return Path(url.removeprefix(f"{SQLITE}//")) if url.startswith(SQLITE) else None


def _preset_query(name: str) -> Query:
    try:
        sql = load_preset(name).sql
    except UnknownPresetError:
        mistake(f"preset must be one of {', '.join(preset_names())}")
    if sql is None:
        mistake("preset knows no user table; write login with a query of your own")
    return Query(text=sql.login, identifiers=sql.identifiers)
