"""Which of an app's addresses need a session, and where a browser without one is sent.

Owns the table of prefixes and the demand that every reading of an address is looked at: an app that decodes
once more than we do must not show what is closed here. Must not know who is known.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from gateway.http.target import canonical, canonical_path, query_pairs
from gateway.intercept.checks import path_key
from gateway.intercept.rules import Rule

# Beyond these signs, at doubled slashes and at dots that begin or end a segment, an address may be read otherwise.
_CHANGEABLE = rb"[^/0-9A-Za-z_~!$&'*,=@+.-]|//|/\.|\.[./]|\.\Z"

# A browser takes a second slash or a backslash for the beginning of a host, and drops blanks and controls first.
_is_local = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*+").fullmatch

_FORM_SAFE = "/-._~"  # within a parameter's value
_TARGET_SAFE = "/?:@!$&'()*+,;=-._~%#[]"  # within a whole reference: only what is not ASCII is escaped


class Require(StrEnum):
    """What a request must have to reach the app."""

    SESSION = "session"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Is where a user comes in: the login page, the parameter that names the way back, and the page after it.

    `page` and `home` are whole local addresses, with the app's own path before them. An empty `next` names none.
    """

    page: str
    next: str
    home: str

    def login(self, target: bytes) -> str:
        """Return the address of the login page for somebody who wanted `target`."""
        wanted = target.decode("latin-1")
        if not self.next or not _is_local(wanted):
            return self.page
        sign = "&" if "?" in self.page else "?"
        back = quote(wanted.encode("latin-1"), safe=_FORM_SAFE)
        return f"{self.page}{sign}{quote(self.next)}={back}"

    def after_login(self, fields: Sequence[str], query: bytes) -> str:
        """Return where a login leads: to the local address that the form or else the query names, or home.

        Whatever is doubled or leads elsewhere counts for nothing.
        """
        if not self.next:
            return self.home
        named = list(fields) or [value for name, value in query_pairs(query) if name == self.next]
        wanted = named[0] if len(named) == 1 else ""
        return quote(wanted, safe=_TARGET_SAFE) if _is_local(wanted) else self.home


class Access:
    """Is the access table of one app; the longest prefix wins, and nothing is required where none fits.

    `rules` are prefixes below the app's own `prefix`. The address of a login rule stays open, and each login page
    under its own query. Where discriminators tell logins from other requests, the address is the whole app's: then
    only its login page stays open.
    """

    __slots__ = ("_back", "_base", "_changeable", "_fold_case", "_open", "_page_paths", "_pages", "_parameters",
                 "_prefixes")

    def __init__(self, rules: Iterable[tuple[str, Require]], *, prefix: str, logins: Iterable[Rule], entry: Entry,
                 parameters: frozenset[str], fold_case: bool) -> None:
        self._fold_case = fold_case
        self._parameters = parameters
        self._back = entry.next
        self._base = self._key(prefix).rstrip("/")
        longest_first = sorted(((self._key(path).rstrip("/"), require) for path, require in rules),
                               key=lambda rule: -len(rule[0]))
        self._prefixes = tuple((f"{self._base}{path}/", require is Require.SESSION) for path, require in longest_first)
        self._changeable = re.compile(_CHANGEABLE + (rb"|[A-Z]" if fold_case else b"")).search
        logins = tuple(logins)
        self._open = frozenset(self._key(self._base + rule.path) for rule in logins if not (rule.query or rule.fields))
        pages = [entry.page, *(self._base + rule.page for rule in logins)]
        self._pages = frozenset(self._page(*page.partition("?")[::2]) for page in pages)
        self._page_paths = frozenset(path for path, _ in self._pages)

    def needs_session(self, target: bytes, *, is_reading: bool) -> bool:
        """Tell whether a request to `target` (origin-form) needs a session under any of its readings.

        `is_reading` says that it is a GET or HEAD without a body: a page is opened to nothing else, for a field
        of a body may choose another one. Raises `RequestRefused` (400) for an address with too many readings.
        """
        if target == b"*":
            return self._is_closed("/")
        path, _, query = target.partition(b"?")
        if self._changeable(path) is None:
            readings = frozenset((path.decode("ascii"),))
        else:
            readings = canonical(target, parameters=self._parameters, fold_case=self._fold_case).readings
        closed = [reading for reading in readings if self._is_closed(reading)]
        return bool(closed) and not (is_reading and self._are_pages(closed, query))

    def _is_closed(self, path: str) -> bool:
        """Tell whether one reading of a path needs a session, but for pages; what is not below the app's path does."""
        slashed = path.rstrip("/") + "/"
        if not self._is_below(slashed):
            return True
        needs = next((needs for prefix, needs in self._prefixes if slashed.startswith(prefix)), False)
        return needs and (slashed[:-1] or "/") not in self._open

    def _is_below(self, path: str) -> bool:
        return path.startswith(self._base + "/")

    def _are_pages(self, closed: Iterable[str], query: bytes) -> bool:
        """Tell whether all these readings are login pages; the query is parsed once, and for the path of one alone."""
        if not all(self._is_below(reading + "/") for reading in closed):
            return False
        paths = {canonical_path(reading, fold_case=self._fold_case) for reading in closed}
        if not paths <= self._page_paths:
            return False
        pairs = self._telling(query)
        return all((path, pairs) in self._pages for path in paths)

    def _page(self, path: str, query: str) -> tuple[str, tuple[tuple[str, str], ...]]:
        return self._key(path), self._telling(query.encode("latin-1"))

    def _telling(self, query: bytes) -> tuple[tuple[str, str], ...]:
        """Return what makes a page one and not another; the way back that it is given does not."""
        return tuple(sorted(pair for pair in query_pairs(query) if pair[0] != self._back))

    def _key(self, path: str) -> str:
        return path_key(path, fold_case=self._fold_case)
