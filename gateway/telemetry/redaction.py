"""What a log may show of a value. Everything that is logged passes here first.

Owns three rules. By name: a field that is called like a secret is masked whatever it holds. By type: a
`Secret` is masked, and an object that is no plain value shows its type alone, because its repr may hold
anything. By text: the process's own secrets are masked wherever they occur. Exceptions show their types
and places; only texts of our own errors are known to hold no values.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import islice
from pathlib import PurePath
from traceback import walk_tb
from types import TracebackType
from urllib.parse import quote, quote_plus
from uuid import UUID

from adapters.base import AdapterError
from gateway.errors import SluicegateError
from gateway.model import Secret

MASK = "***"
SEARCHED_LENGTH = 6  # a shorter secret is masked where it stands alone; within texts it would mask words
DEPTH = 4  # values nested deeper show their type only
ITEMS = 50  # of a collection, or of a traceback's frames from the inside
CAUSES = 8  # of a chain of exceptions

_names_a_secret = re.compile(
    r"passw|passphrase|pwd|secret|token|cookie|authorization|credential|hash|encoded|private_?key"
    r"|encryption_?key|api_?key|assertion|dsn|session_?key|sessionid|csrf",
    re.IGNORECASE,
).search

Shown = str | int | float | bool | None | list["Shown"] | dict[str, "Shown"]
"""A value as JSON has it, with nothing in it that must not be seen."""


class Redactor:
    """Turns values into what a log may show. `know` tells it the process's own secrets."""

    __slots__ = ("_alone", "_find")

    def __init__(self, *secrets: Secret) -> None:
        self._alone: frozenset[str] = frozenset()
        self._find: re.Pattern[str] | None = None
        self.know(*secrets)

    def __repr__(self) -> str:
        return "Redactor(***)"

    def know(self, *secrets: Secret) -> None:
        """Mask these secrets from now on, in whatever they are logged with."""
        self._alone |= {form for secret in secrets if secret for form in _forms(secret.reveal())}
        long = (text for text in self._alone if len(text) >= SEARCHED_LENGTH)
        pattern = "|".join(map(re.escape, sorted(long, key=len, reverse=True)))  # a longer form comes first
        self._find = re.compile(pattern) if pattern else None

    def text(self, text: str) -> str:
        """Return the text with every known secret masked."""
        if text in self._alone:
            return MASK
        return self._find.sub(MASK, text) if self._find else text

    def fields(self, fields: Mapping[str, object], depth: int = DEPTH) -> dict[str, Shown]:
        """Return fields by name: those that are called like a secret are masked."""
        return {self.text(str(name)): MASK if _names_a_secret(str(name)) else self.value(value, depth)
                for name, value in islice(fields.items(), ITEMS)}

    def value(self, value: object, depth: int = DEPTH) -> Shown:
        """Return one value as a log may show it."""
        match value:
            case None | bool() | int() | float():
                return value
            case str():
                return self.text(str(value))
            case Secret():
                return MASK
            case bytes():
                return self.text(value.decode("utf-8", "backslashreplace"))
            case UUID() | date() | timedelta() | PurePath():
                return self.text(str(value))
            case BaseException():
                return self.error(value)
            case Mapping() if depth:
                return self.fields(value, depth - 1)
            case list() | tuple() | set() | frozenset() if depth:
                return [self.value(item, depth - 1) for item in islice(value, ITEMS)]
            case _:
                return f"<{type(value).__qualname__}>"

    def error(self, error: BaseException) -> Shown:
        """Return what an exception is and where it rose, then what caused it, outermost first."""
        chain: list[Shown] = [self._link(link) for link in islice(_chain(error), CAUSES)]
        return chain[0] if len(chain) == 1 else chain

    def _link(self, error: BaseException) -> Shown:
        link: dict[str, Shown] = {"type": f"{type(error).__module__}.{type(error).__qualname__}"}
        if isinstance(error, SluicegateError | AdapterError):
            link["says"] = self.text(str(error))
        if isinstance(error, BaseExceptionGroup):
            link["errors"] = [self._link(inner) for inner in islice(error.exceptions, ITEMS)]
        return link | {"at": list(_places(error.__traceback__))}


def _forms(secret: str) -> Iterable[str]:
    """Return a secret as it may stand in a text: plain, in a URL, in a JSON string."""
    encoded = secret.encode("utf-8", "surrogatepass")
    return (secret, quote(encoded), quote(encoded, safe=""), quote_plus(encoded), json.dumps(secret)[1:-1])


def _chain(error: BaseException) -> Iterable[BaseException]:
    """Return an exception and its causes, as a traceback would show them."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _places(traceback: TracebackType | None) -> Sequence[str]:
    """Return "module:line function" for each frame, innermost last. Never a source line or a value."""
    frames = [f"{frame.f_globals.get('__name__', '?')}:{line} {frame.f_code.co_qualname}"
              for frame, line in walk_tb(traceback)]
    return frames[-ITEMS:]
