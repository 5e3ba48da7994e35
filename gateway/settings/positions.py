"""On which line of a TOML text each key stands. Pure.

The standard library's parser gives no positions, so this walks the text a second time. It is handed only
text that the parser accepted: it owns no validation, and it reads no value but to find where it ends.
"""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping

from gateway.errors import Problem

Path = tuple[str | int, ...]
"""A key as seen from the root: table names, and the index in an array."""

BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
SPACE = re.compile(r"[ \t]*")
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
SCALAR = re.compile(r"[^,\]}#\n]*")  # a number, a date, a boolean: none of them holds these
STRINGS = {  # the longer quotes first: the opening three are also the opening one
    '"""': re.compile(r'"""(?:\\.|[^\\])*?"""(?:"{0,2}(?!"))', re.DOTALL),
    "'''": re.compile(r"'''.*?'''(?:'{0,2}(?!'))", re.DOTALL),
    '"': re.compile(r'"(?:\\.|[^"\\])*"'),
    "'": re.compile(r"'[^']*'"),
}


def index_lines(text: str) -> Mapping[Path, int]:
    """Return the line (from 1) of every key, table and array element of a valid TOML text.

    A table that only dotted keys or deeper headers imply stands where it is first named; an array of
    tables where its first table stands.
    """
    return _Walk(text.replace("\r\n", "\n")).lines


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """Return the line of a path, or of the nearest table around it that is written down, or 1."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def dotted(path: Path) -> str:
    """Write a path as an operator reads it: `app[0].rule[1].path`, `source.shop-users.url`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def problem(file: str, lines: Mapping[Path, int], path: Path, message: str) -> Problem:
    """Return a mistake at a path, with its line."""
    return Problem(file=file, line=line_of(lines, path), key=dotted(path), message=message)


class _Walk:
    """One walk over one text; what it finds is in `lines` when the constructor returns."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._starts = [match.end() for match in re.finditer("\n", text)]
        self._at = 0
        self._tables: dict[Path, int] = {}  # arrays of tables: how many so far
        self._document()

    def _document(self) -> None:
        table: Path = ()
        while self._more():
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)

    def _more(self) -> bool:
        self._skip(BLANK)
        return self._at < len(self._text)

    def _header(self) -> Path:
        is_array = self._text.startswith("[[", self._at)
        start = self._at
        self._at += 2 if is_array else 1
        *outer, last = self._key()
        self._skip(SPACE)
        self._at += 2 if is_array else 1
        path = (*self._resolve(outer), last)
        if is_array:
            self._note(path, start)
            path = (*path, self._tables.get(path, 0))
            self._tables[path[:-1]] = self._tables.get(path[:-1], 0) + 1
        self._note_all(path, start)
        self.lines[path] = self._line(start)  # its own header outranks one that merely implied it
        return path

    def _resolve(self, names: list[str]) -> Path:
        """Follow a header's names; one that names an array of tables means its latest table."""
        path: Path = ()
        for name in names:
            path = (*path, name)
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
        return path

    def _pair(self, table: Path) -> None:
        start = self._at
        path = (*table, *self._key())
        self._skip(SPACE)
        self._at += 1  # the equals sign
        self._skip(SPACE)
        self._note_all(path, start)
        self._value(path)

    def _key(self) -> list[str]:
        """Read a dotted key."""
        names = [self._name()]
        self._skip(SPACE)
        while self._text.startswith(".", self._at):
            self._at += 1
            names.append(self._name())
            self._skip(SPACE)
        return names

    def _name(self) -> str:
        self._skip(SPACE)
        start = self._at
        if not self._quoted():
            self._skip(BARE_KEY)
            return self._text[start : self._at]
        name = tomllib.loads(f"name = {self._text[start : self._at]}")["name"]
        assert isinstance(name, str)
        return name

    def _value(self, path: Path) -> None:
        opening = self._text[self._at : self._at + 1]
        if opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline_table(path)
        elif not self._quoted():
            self._skip(SCALAR)

    def _array(self, path: Path) -> None:
        self._at += 1
        position = 0
        while not self._closed("]"):
            self._note((*path, position), self._at)
            self._value((*path, position))
            position += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while not self._closed("}"):
            self._pair(path)

    def _closed(self, closing: str) -> bool:
        """Skip blanks and a comma; say whether the bracket closes here, and step over it if it does."""
        self._skip(BLANK)
        if self._text.startswith(",", self._at):
            self._at += 1
            self._skip(BLANK)
        if not self._text.startswith(closing, self._at):
            return False
        self._at += 1
        return True

    def _quoted(self) -> bool:
        """Step over a string if one begins here."""
        for quotes, string in STRINGS.items():
            if self._text.startswith(quotes, self._at):
                self._skip(string)
                return True
        return False

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        assert match is not None, "the text is valid TOML"
        self._at = match.end()

    def _note_all(self, path: Path, at: int) -> None:
        for length in range(1, len(path) + 1):
            self._note(path[:length], at)

    def _note(self, path: Path, at: int) -> None:
        self.lines.setdefault(path, self._line(at))

    def _line(self, at: int) -> int:
        return bisect_right(self._starts, at) + 1
