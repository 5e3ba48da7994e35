"""Named parameters in SQL text: where they are, and how they become numbered ones. Pure.

Tells `:login` from what only looks like it: `'a:b'`, `"a:b"`, `-- :b`, `/* :b */`, `$$ :b $$`, `x::text`.
Lexical rules after PostgreSQL 18, "4.1 Lexical Structure"; SQLite's are the same where they differ in
nothing but backquotes. Unfinished strings and comments are the database's to refuse.
"""

import re
from collections.abc import Iterator

TOKEN = re.compile(
    r"""
      [eE]'(?:\\.|''|[^'\\])*'                        # with backslash escapes
    | '(?:''|[^'])*' | "(?:""|[^"])*" | `(?:``|[^`])*`
    | --[^\n]*
    | \$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?\$(?P=tag)\$
    | [A-Za-z_][\w$]*                                 # a word, whole: its end is no string's beginning
    | ::
    | :(?P<name>[A-Za-z_]\w*)
    | /\*                                             # its end is found by counting: they nest
    | .
    """,
    re.VERBOSE | re.DOTALL,
)
COMMENT_MARK = re.compile(r"/\*|\*/")


def names(query: str) -> set[str]:
    """Return the names of the parameters in a query."""
    return {match["name"] for match in _parameters(query)}


def numbered(query: str, name: str) -> str:
    """Return the query with every parameter of this name written as `$1`."""
    parts: list[str] = []
    end = 0
    for match in _parameters(query):
        if match["name"] == name:
            parts += [query[end : match.start()], "$1"]
            end = match.end()
    return "".join(parts) + query[end:]


def _parameters(query: str) -> Iterator[re.Match[str]]:
    at = 0
    while match := TOKEN.match(query, at):
        at = match.end()
        if match["name"]:
            yield match
        elif match[0] == "/*":
            at = _comment_end(query, at)


def _comment_end(query: str, at: int) -> int:
    """Return where a comment ends that has just begun."""
    depth = 1
    for mark in COMMENT_MARK.finditer(query, at):
        depth += 1 if mark[0] == "/*" else -1
        if not depth:
            return mark.end()
    return len(query)
