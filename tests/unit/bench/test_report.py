import json

import pytest

from tests.bench.machine import Machine
from tests.bench.report import Bar, Report, Section, as_json, markdown, middle, ratio, table

MACHINE = Machine(python="CPython 3.11.2 (PGO)", profile_guided=True, uvloop="0.23.0", kernel="Linux 6.1",
                  processor="A processor", cores=(0, 1))


def report(*bars: Bar, is_whole: bool = True, quick: bool = False, machine: Machine = MACHINE) -> Report:
    section = Section(title="Speed", columns=("proxy", "CPU µs"), rows=[("nginx", 12.84), ("Caddy", None)], bars=bars,
                      notes=["A note."], is_whole=is_whole)
    return Report(machine=machine, rounds=3, quick=quick, sections={"speed": section})


@pytest.mark.parametrize(("value", "verdict"), [
    (1.9, "goal"), (2.0, "goal"), (2.1, "pass"), (3.0, "pass"), (3.1, "MISS"), (None, "not measured"),
])
def test_upper_bars(value: float | None, verdict: str) -> None:
    """A figure meets its goal, its bar, or neither; both bounds belong to what is met."""
    assert Bar(what="full", value=value, bar=3.0, goal=2.0).verdict == verdict


@pytest.mark.parametrize(("value", "verdict"), [(0.9, "pass"), (0.95, "pass"), (0.89, "MISS")])
def test_lower_bars(value: float, verdict: str) -> None:
    """A bar can be one that has to be reached."""
    assert Bar(what="logins", value=value, bar=0.9, at_least=True).verdict == verdict


def test_bars_without_a_goal() -> None:
    """Where there is no goal, the bar is all there is to meet."""
    assert Bar(what="idle", value=0.1, bar=4.0).verdict == "pass"


def test_ratios_need_both_figures() -> None:
    """What is beside nothing has no ratio, and makes nobody look fast."""
    assert ratio(30.0, 12.0) == 2.5
    assert [ratio(None, 12.0), ratio(30.0, None), ratio(30.0, 0.0)] == [None, None, None]


def test_rounds_are_told_by_their_median() -> None:
    """One disturbed round does not count."""
    assert middle([13.0, 99.0, 12.0]) == 13.0
    assert middle([]) is None


def test_tables() -> None:
    """Numbers have three digits that count, large ones all of theirs, and what is missing is empty."""
    assert table(("a", "b"), [("x", 12.846), (41234, 41234.4), (None, 0.0512)]).splitlines() == [
        "| a | b |", "| --- | --- |", "| x | 12.8 |", "| 41,234 | 41,234 |", "|  | 0.0512 |"]


def test_markdown_names_machine_and_verdicts() -> None:
    """The report says on what it was measured, and beside each figure its bar and how it was met."""
    text = markdown(report(Bar(what="idle", value=5.04, bar=4.0, goal=2.0, unit="KiB"),
                           Bar(what="logins", value=None, bar=0.9, at_least=True)))
    assert "CPython 3.11.2 (PGO), uvloop 0.23.0; Linux 6.1; A processor, 2 cores: proxies on 0, load and app" in text
    assert "| nginx | 12.8 |" in text
    assert "* A note." in text
    assert "| idle | 5.04 KiB | ≤ 4 KiB | 2 KiB | MISS |  |" in text
    assert "| logins |  | ≥ 0.9 |  | not measured |  |" in text


def test_markdown_warns() -> None:
    """Figures that are not for comparison say so: those of a quick run, and of a machine with one core."""
    alone = Machine(python="", profile_guided=False, uvloop="", kernel="", processor="", cores=(0,))
    assert "quick run" in markdown(report(quick=True))
    assert "One core only" in markdown(report(machine=alone))
    assert "**" not in markdown(report())


def test_json_holds_the_same() -> None:
    """The figures for machines are those of the table, with their verdicts."""
    told = json.loads(as_json(report(Bar(what="idle", value=5.0, bar=4.0))))
    assert told["machine"]["python"] == "CPython 3.11.2 (PGO)"
    assert told["sections"]["speed"]["rows"] == [{"proxy": "nginx", "CPU µs": 12.84},
                                                 {"proxy": "Caddy", "CPU µs": None}]
    assert [(bar["what"], bar["value"], bar["verdict"]) for bar in told["bars"]] == [("idle", 5.0, "MISS")]


def test_a_report_is_whole_when_everything_was_measured() -> None:
    """A missed bar is a result; a proxy that could not be measured is none."""
    assert report(Bar(what="idle", value=5.0, bar=4.0)).is_whole
    assert not report(is_whole=False).is_whole
