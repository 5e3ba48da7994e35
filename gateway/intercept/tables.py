"""The shapes in which rules are written down: `[[app.rule]]` tables and the files of config/presets.

Owns names, types and defaults of the keys. What the keys mean together is `gateway.intercept.checks`'
and `gateway.intercept.rules`' business.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class RuleKind(StrEnum):
    """What kind of authentication request a rule describes."""

    LOGIN = "login"
    LOGOUT = "logout"
    PASSWORD_CHANGE = "password_change"  # noqa: S105  # a kind of request, not a password
    BLOCK = "block"


Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], Field(strict=False)]  # TOML has lists only
Choices = dict[Text, Annotated[tuple[str, ...], Field(strict=False, min_length=1)]]
Statuses = Annotated[tuple[Annotated[int, Field(ge=200, le=599)], ...], Field(strict=False)]
Methods = Annotated[tuple[Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], ...],
                    Field(strict=False)]
Forms = Annotated[tuple[Literal["urlencoded", "multipart"], ...], Field(strict=False, min_length=1)]


class Table(BaseModel):
    """Is a frozen table; an unknown key in it is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class ConditionsTable(Table):
    """What an answer must be, all of it: at least one condition."""

    status: Statuses = ()
    location: Text | None = None
    set_cookie: Text | None = None
    body_has: Text | None = None
    body_lacks: Text | None = None


class ProbeTable(ConditionsTable):
    """A GET that shows whether a session is logged in: its path, and what the answer then is."""

    path: Text


class RuleTable(Table):
    """One kind of authentication request of an app.

    `methods` defaults to POST, for block to every one. `query` and `fields` list the values that a
    discriminator may have, "" standing for an absent one. `page` is the login page that a clean room
    GETs, by default the rule's own path.
    """

    name: Text
    kind: Annotated[RuleKind, Field(strict=False)]
    path: Text
    methods: Methods = ()
    query: Choices = {}
    fields: Choices = {}
    forms: Forms = ("urlencoded", "multipart")
    identifier: Text | None = None
    password: Text | None = None
    old_password: Text | None = None
    new_passwords: Texts = ()
    right: ConditionsTable | None = None
    wrong: ConditionsTable | None = None
    page: Text | None = None
    probe: ProbeTable | None = None
    login: Text | None = None


class SqlPreset(Table):
    """The built-in query of a preset, for the adapter `sql`.

    `login` has the one parameter `:login` and returns legacy_id, password_hash, username, email, name
    and disabled. `identifiers` are those of these columns by which the app lets its users log in.
    """

    login: Text
    identifiers: Texts


class PresetTable(Table):
    """A whole file of config/presets."""

    rule: Annotated[tuple[RuleTable, ...], Field(strict=False, min_length=1)]
    sql: SqlPreset | None = None
