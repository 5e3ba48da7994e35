"""From figures to the report: bars and how they were met, Markdown for people, JSON for machines."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median

from tests.bench.machine import Machine

Cell = str | float | int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Is a figure beside its bar and its goal; `at_least` turns both around. No value: it could not be measured."""

    what: str
    value: float | None
    bar: float
    goal: float | None = None
    unit: str = ""
    at_least: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        """`goal`, `pass`, `MISS` or `not measured`."""
        if self.value is None:
            return "not measured"
        if self.goal is not None and self._meets(self.value, self.goal):
            return "goal"
        return "pass" if self._meets(self.value, self.bar) else "MISS"

    def shown(self, figure: float | None) -> str:
        """Return a figure as the table shows it."""
        return "" if figure is None else f"{figure:.3g}{' ' if self.unit else ''}{self.unit}"

    def _meets(self, value: float, bar: float) -> bool:
        return value >= bar if self.at_least else value <= bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Is one measurement: a table, the bars that it decides, and what a reader has to know."""

    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    bars: Sequence[Bar] = ()
    notes: Sequence[str] = ()
    is_whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Is a whole run."""

    machine: Machine
    rounds: int
    quick: bool
    sections: Mapping[str, Section] = field(default_factory=dict)

    @property
    def bars(self) -> list[Bar]:
        """Every bar in order."""
        return [bar for section in self.sections.values() for bar in section.bars]

    @property
    def is_whole(self) -> bool:
        """Whether everything that was asked for could be measured; a bar may be missed all the same."""
        return all(section.is_whole for section in self.sections.values())


def ratio(figure: float | None, to: float | None) -> float | None:
    """Return how many times another figure one is, if there are both."""
    return figure / to if figure is not None and to else None


def middle(figures: Sequence[float]) -> float | None:
    """Return the median, or None of nothing."""
    return median(figures) if figures else None


def markdown(report: Report) -> str:
    """Return the report for people."""
    parts = ["# Sluicegate beside its peers", *setting(report)]
    for section in report.sections.values():
        parts += [f"## {section.title}", table(section.columns, section.rows) if section.rows else "",
                  "\n".join(f"* {note}" for note in section.notes)]
    if report.bars:
        rows = [(bar.what, bar.shown(bar.value), ("≥ " if bar.at_least else "≤ ") + bar.shown(bar.bar),
                 bar.shown(bar.goal), bar.verdict, bar.note) for bar in report.bars]
        parts += ["## Bars", table(("what", "measured", "bar", "goal", "verdict", "note"), rows)]
    return "\n\n".join(filter(None, parts)) + "\n"


def setting(report: Report) -> list[str]:
    """Return the sentences on what was measured on what."""
    machine = report.machine
    cores = f"{len(machine.cores)} cores: proxies on {machine.proxy[0]}, load and app on {machine.load[0]}"
    sentences = [f"{machine.python}, uvloop {machine.uvloop}; {machine.kernel}; {machine.processor}, {cores}.",
                 f"Proxies in interleaved rounds ({report.rounds}), medians."]
    if report.quick:
        sentences.append("**A quick run: it shows that everything works, its figures are not for comparison.**")
    if machine.proxy == machine.load:
        sentences.append("**One core only: proxy, load and app take it from one another.**")
    return sentences


def table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Return a Markdown table; numbers have three digits that count."""
    lines = [columns, ["---"] * len(columns), *([cell(one) for one in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: Cell) -> str:
    """Return a table cell."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else value


def as_json(report: Report) -> str:
    """Return the report for machines."""
    return json.dumps({
        "machine": asdict(report.machine), "rounds": report.rounds, "quick": report.quick,
        "sections": {name: {"title": section.title, "is_whole": section.is_whole, "notes": list(section.notes),
                            "rows": [dict(zip(section.columns, row, strict=True)) for row in section.rows]}
                     for name, section in report.sections.items()},
        "bars": [{**asdict(bar), "verdict": bar.verdict} for bar in report.bars],
    }, indent=2) + "\n"
