"""What commands print: tables for people, JSON for machines, one sentence for what went wrong."""

import json
import sys
from collections.abc import Mapping, Sequence

Row = Mapping[str, object]


def print_json(value: object) -> None:
    """Print a value for machines, in ASCII: no stored name can steer a terminal that it passes through."""
    print(json.dumps(value, indent=2))


def print_table(rows: Sequence[Row], *, empty: str) -> None:
    """Print rows with the same keys under those keys as headings, or say that there are none."""
    print("\n".join(table(rows)) if rows else empty)


def print_properties(row: Row) -> None:
    """Print one thing: a line for each of its properties."""
    width = max(map(len, row))
    for key, value in row.items():
        print(f"{key:<{width}}  {plain(value)}")


def table(rows: Sequence[Row]) -> list[str]:
    """Return the lines of a table, columns as wide as their widest cell."""
    cells = [[_heading(key) for key in rows[0]], *([plain(cell) for cell in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in cells]


def plain(value: object) -> str:
    """Return a value for a person's eyes; control characters of a stored name must not steer a terminal."""
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value)) or "-"
    text = "-" if value in (None, "") else str(value)
    return "".join(character if character.isprintable() else "�" for character in text)


def complain(message: str) -> None:
    """Say on standard error what went wrong."""
    print(message, file=sys.stderr)


def _heading(key: str) -> str:
    return key.upper().replace("_", " ")
