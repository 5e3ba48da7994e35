"""What workers have counted, as numbers that can be sent, added up and shown instead of a worker's own.

Owns the one sum over all workers. Pure. Works on Prometheus samples: the counts of a histogram's buckets add
up as counters do, so nothing here knows a metric by name.
"""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.core import Metric
from prometheus_client.samples import Sample

Series = tuple[str, tuple[tuple[str, str], ...]]
"""A sample's name and its labels."""

Tally = Mapping[Series, float]

LASTING = ("_total", "_bucket", "_count", "_sum")  # names of samples that only grow: they outlive their worker


def tally(families: Iterable[Metric]) -> Tally:
    """Return what the samples of these families say; a series at 0 adds nothing."""
    return {_series(sample): sample.value for family in families for sample in family.samples if sample.value}


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum, over all series that any tally has."""
    sums: dict[Series, float] = {}
    for one in tallies:
        for series, value in one.items():
            sums[series] = sums.get(series, 0) + value
    return sums


def lasting(whole: Tally) -> Tally:
    """Return what stays true when its worker has ended: events that were counted, no gauges."""
    return {series: value for series, value in whole.items() if series[0].endswith(LASTING)}


def shown(family: Metric, sums: Tally) -> Metric:
    """Return a family with the values of `sums`, also of series that it does not have itself."""
    own = [_series(sample) for sample in family.samples]
    names, known = {name for name, _ in own}, set(own)
    foreign = [series for series in sums if series[0] in names and series not in known]
    replaced = Metric(family.name, family.documentation, family.type, family.unit)
    replaced.samples = [Sample(name, dict(labels), sums.get((name, labels), 0)) for name, labels in (*own, *foreign)]
    return replaced


def to_plain(whole: Tally) -> Sequence[object]:
    """Return a tally as JSON can carry it; `from_plain` reads it."""
    return [(name, labels, value) for (name, labels), value in whole.items()]


def from_plain(plain: Iterable[tuple[str, Iterable[tuple[str, str]], float]]) -> Tally:
    """Read what `to_plain` made, after its way through JSON."""
    return {(name, tuple((key, text) for key, text in labels)): value for name, labels, value in plain}


def _series(sample: Sample) -> Series:
    return sample.name, tuple(sample.labels.items())
