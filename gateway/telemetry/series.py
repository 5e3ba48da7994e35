"""Counters and histograms as plain numbers, turned into Prometheus families when they are asked for.

A client library's counter costs a microsecond and a lock per event; a dictionary costs a tenth of that.
Knows nothing of what is counted: the declarations are in `gateway.telemetry.metrics`. One event loop
writes and reads, so there are no locks.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

OTHER = "other"
"""Stands for a label value that nobody declared: a caller's slip may cost a detail, never memory."""


class Kind(StrEnum):
    """What a family's numbers mean."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Is the declaration of one metric; `buckets` are upper bounds in seconds, for histograms only."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if (self.kind is Kind.COUNTER) != self.name.endswith("_total"):
            raise ValueError(f"{self.name}: a counter, and nothing else, ends in _total")
        is_rising = list(self.buckets) == sorted(set(self.buckets))
        if (self.kind is Kind.HISTOGRAM) != bool(self.buckets) or not is_rising:
            raise ValueError(f"{self.name}: a histogram, and nothing else, has rising buckets")


Labels = tuple[str, ...]


class Bounded:
    """Keeps every label within the values declared for it; others become `OTHER`."""

    __slots__ = ("_allowed",)

    def __init__(self, *allowed: Collection[str]) -> None:
        self._allowed = tuple(frozenset(values) for values in allowed)

    def fit(self, labels: Labels) -> Labels:
        """Return the labels, each unknown value replaced."""
        return tuple(value if value in known else OTHER
                     for value, known in zip(labels, self._allowed, strict=True))


class Counts:
    """Counts events by label values. The series of `start` exist from the first moment, at 0."""

    __slots__ = ("_bounded", "_family", "_values")

    def __init__(self, family: Family, bounded: Bounded, start: Iterable[Labels]) -> None:
        self._family = family
        self._bounded = bounded
        self._values: dict[Labels, int] = dict.fromkeys(start, 0)

    def add(self, *labels: str) -> None:
        """Count one event."""
        if labels not in self._values:
            labels = self._bounded.fit(labels)
        self._values[labels] = self._values.get(labels, 0) + 1

    def collect(self) -> Metric:
        """Return the family as it stands now."""
        return counter(self._family, self._values)


class Spread:
    """Is how long the events of one series took: counts by bucket, and the sum in seconds."""

    __slots__ = ("_bounds", "_counts", "_seconds")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one event. A bucket's bound belongs to it ("le")."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._seconds += seconds

    @property
    def seconds(self) -> float:
        """The sum of all events."""
        return self._seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """Return (upper bound, events up to it), the last one being +Inf: all."""
        bounds = (*map(_bound, self._bounds), "+Inf")
        return list(zip(bounds, accumulate(self._counts), strict=True))


class Histogram:
    """Spreads durations by label values. The series of `start` exist from the first moment."""

    __slots__ = ("_bounded", "_family", "_spreads")

    def __init__(self, family: Family, bounded: Bounded, start: Iterable[Labels]) -> None:
        self._family = family
        self._bounded = bounded
        self._spreads = {labels: Spread(family.buckets) for labels in start}

    def add(self, *labels: str, seconds: float) -> None:
        """Count one event that took so long."""
        self.series(*labels).add(seconds)

    def series(self, *labels: str) -> Spread:
        """Return one series, for a hot path to keep."""
        found = self._spreads.get(labels)
        if found is None:
            found = self._spreads.setdefault(self._bounded.fit(labels), Spread(self._family.buckets))
        return found

    def collect(self) -> Metric:
        """Return the family as it stands now."""
        family = HistogramMetricFamily(self._family.name, self._family.meaning, labels=self._family.labels)
        for labels, spread in self._spreads.items():
            family.add_metric(labels, spread.cumulative(), spread.seconds)
        return family


def counter(family: Family, values: Mapping[Labels, float]) -> Metric:
    """Return a counter family with these series."""
    metric = CounterMetricFamily(family.name, family.meaning, labels=family.labels)
    for labels, value in values.items():
        metric.add_metric(labels, value)
    return metric


def gauge(family: Family, values: Mapping[Labels, float]) -> Metric:
    """Return a gauge family with these series."""
    metric = GaugeMetricFamily(family.name, family.meaning, labels=family.labels)
    for labels, value in values.items():
        metric.add_metric(labels, value)
    return metric


def _bound(seconds: float) -> str:
    return repr(float(seconds))
