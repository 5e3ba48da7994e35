"""What commands print: tables for people, JSON for machines, one sentence for what went wrong."""

import json
import sys
from collections.abc import Mapping, Sequence

Row = Mapping[str, object]


def show(rows: Sequence[Row], *, as_json: bool, empty: str) -> None:
    """Print rows with the same keys, as a table with those keys as headings, or as a JSON array."""
    if as_json:
        print(json.dumps(list(rows), ensure_ascii=False, indent=2))
    elif rows:
        print("\n".join(table(rows)))
    else:
        print(empty)


def show_one(row: Row, *, as_json: bool) -> None:
    """Print one thing: a line for each of its properties, or a JSON object."""
    if as_json:
        print(json.dumps(row, ensure_ascii=False, indent=2))
        return
    width = max(map(len, row))
    for key, value in row.items():
        print(f"{key:<{width}}  {_plain(value)}")


def table(rows: Sequence[Row]) -> list[str]:
    """Return the lines of a table, columns as wide as their widest cell."""
    cells = [[heading.upper() for heading in rows[0]], *([_plain(cell) for cell in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in cells]


def complain(message: str) -> None:
    """Say on standard error what went wrong."""
    print(message, file=sys.stderr)


def _plain(value: object) -> str:
    """Return a value for a person's eyes; control characters of a stored name must not steer a terminal."""
    text = "-" if value in (None, "", (), []) else str(value)
    return "".join(character if character.isprintable() else "�" for character in text)
