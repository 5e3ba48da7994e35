"""The state machine of connections: programs that once broke it, and a few new ones."""

import json
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.connections import SEEDS, play, smaller

PROGRAMS = 40  # two seconds; `python -m tests.fuzz.connections` plays on


@pytest.mark.parametrize("path", sorted(SEEDS.glob("connections-*.json")), ids=lambda path: path.stem)
def test_what_once_broke_holds(path: Path) -> None:
    """Every program that was kept."""
    assert play(json.loads(path.read_text(encoding="ascii")))[1] is None


@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_programs_break_nothing(seed: int) -> None:
    """Any order of events: see tests.fuzz.connections for what holds after each."""
    assert play(Random(seed))[1] is None


def test_a_program_repeats_itself() -> None:
    """Its decisions are all that it depends on, or nothing could be replayed or made smaller."""
    made, broken = play(Random(7))
    assert broken is None
    assert play(made) == (made, None)
    assert smaller([1, 2, 3], 0.0) == [1, 2, 3]
