"""The legacy user stores that Sluicegate can ask: a literal table of kinds.

A kind is what `adapter = "…"` names in a `[source.…]` table; beside it stands the model that reads the rest
of the table. How a source is made from it is the composition root's business, which alone imports this;
adapters do not know one another.
"""

from collections.abc import Mapping

from pydantic import BaseModel

from adapters.form import FormOptions
from adapters.sql import SqlOptions

ADAPTERS: Mapping[str, type[BaseModel]] = {
    "form": FormOptions,
    "sql": SqlOptions,
}
