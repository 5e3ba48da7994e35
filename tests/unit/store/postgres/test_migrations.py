"""Tests of gateway.store.postgres.migrations: the numbered files."""

from importlib.resources import files
from pathlib import Path

import pytest

from gateway.store.postgres.migrations import read_steps


def write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text(f"-- {name}", "utf-8")
    return folder


def test_steps_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """The name's first four digits decide, and other files are no steps."""
    steps = read_steps(write(tmp_path, "0002_b.sql", "0001_a.sql", "0003_c.sql", "README.md"))
    assert [(step.number, step.name, step.sql) for step in steps] == [
        (1, "0001_a.sql", "-- 0001_a.sql"), (2, "0002_b.sql", "-- 0002_b.sql"), (3, "0003_c.sql", "-- 0003_c.sql")]


@pytest.mark.parametrize("names", [("0002_b.sql",), ("0001_a.sql", "0003_c.sql"), ("0001_a.sql", "0001_b.sql")])
def test_a_gap_or_a_number_given_twice_is_a_mistake(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Two branches that each added a step are found out before a database is."""
    with pytest.raises(AssertionError, match="misnumbered"):
        read_steps(write(tmp_path, *names))


def test_the_programs_own_steps_are_numbered_and_say_what_they_are() -> None:
    """Every file of the schema opens with a comment."""
    steps = read_steps(files("gateway.store") / "schema")
    assert steps
    assert all(step.sql.startswith("-- ") for step in steps)
