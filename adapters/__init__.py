"""The legacy user stores that Sluicegate can ask: a literal table of kinds.

A kind is what `adapter = "…"` names in a `[source.…]` table: the model that reads the rest of the table, and
the class that asks. How a source is made from both is the composition root's business, which alone imports
this; adapters do not know one another.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from adapters.base import HashSource, PasswordSource
from adapters.form import FormOptions, FormSource
from adapters.sql import SqlOptions, SqlSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What stands behind one adapter's name."""

    options: type[BaseModel]
    source: type[PasswordSource] | type[HashSource]


ADAPTERS: Mapping[str, Kind] = {
    "form": Kind(options=FormOptions, source=FormSource),
    "sql": Kind(options=SqlOptions, source=SqlSource),
}
