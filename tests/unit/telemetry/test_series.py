"""Counters and histograms as plain numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry.series import OTHER, Bounded, Counts, Family, Histogram, Kind, Spread, counter, gauge

EVENTS = Family(name="events_total", kind=Kind.COUNTER, labels=("app", "end"), meaning="Events.")
TIMES = Family(name="time_seconds", kind=Kind.HISTOGRAM, labels=("app",), meaning="Times.",
               buckets=(0.1, 1.0))


def counts() -> Counts:
    return Counts(EVENTS, Bounded(["shop"], ["good", "bad"]), [("shop", "good")])


def test_series_start_at_zero() -> None:
    """A series that was named at the start is shown before its first event."""
    assert [(s.labels, s.value) for s in counts().collect().samples] == [({"app": "shop", "end": "good"}, 0)]


def test_events_are_counted_by_their_labels() -> None:
    """Each combination of labels has a number of its own."""
    counted = counts()
    for labels in (("shop", "good"), ("shop", "bad"), ("shop", "good")):
        counted.add(*labels)
    assert {tuple(s.labels.values()): s.value for s in counted.collect().samples} == {
        ("shop", "good"): 2, ("shop", "bad"): 1}


@given(st.lists(st.tuples(st.text(), st.text())))
def test_labels_stay_within_what_was_declared(events: list[tuple[str, str]]) -> None:
    """Whatever a caller sends, the number of series is bounded, and no event is lost."""
    counted = counts()
    for labels in events:
        counted.add(*labels)
    samples = counted.collect().samples
    assert {s.labels["app"] for s in samples} <= {"shop", OTHER}
    assert {s.labels["end"] for s in samples} <= {"good", "bad", OTHER}
    assert sum(s.value for s in samples) == len(events)


def test_a_wrong_number_of_labels_is_an_error() -> None:
    """An observation that leaves out a label does not vanish into another series."""
    with pytest.raises(ValueError, match="argument"):
        counts().add("shop")


@given(st.lists(st.floats(min_value=0, max_value=100)))
def test_a_spread_is_cumulative_and_complete(times: list[float]) -> None:
    """Each bucket holds the events up to its bound, the last one all, and the sum is theirs."""
    spread = Spread((0.1, 1.0))
    for seconds in times:
        spread.add(seconds)
    bounds = (("0.1", 0.1), ("1.0", 1.0), ("+Inf", float("inf")))
    assert spread.cumulative() == [(name, sum(t <= bound for t in times)) for name, bound in bounds]
    assert spread.seconds == pytest.approx(sum(times))


def test_a_bound_belongs_to_its_bucket() -> None:
    """An event that takes exactly as long as a bound is within it, as "le" says."""
    spread = Spread((0.1, 1.0))
    spread.add(0.1)
    assert spread.cumulative()[0] == ("0.1", 1)


def test_a_histogram_shows_buckets_count_and_sum() -> None:
    """Each series has its buckets, their count and their sum."""
    histogram = Histogram(TIMES, Bounded(["shop"]), [("shop",)])
    histogram.add("shop", seconds=0.5)
    shown = {(s.name, s.labels.get("le")): s.value for s in histogram.collect().samples}
    assert shown == {("time_seconds_bucket", "0.1"): 0, ("time_seconds_bucket", "1.0"): 1,
                     ("time_seconds_bucket", "+Inf"): 1, ("time_seconds_count", None): 1,
                     ("time_seconds_sum", None): 0.5}


def test_a_series_that_is_kept_is_the_one_that_is_shown() -> None:
    """A hot path that holds a series counts into the histogram that shows it."""
    histogram = Histogram(TIMES, Bounded(["shop"]), [("shop",)])
    histogram.series("shop").add(0.5)
    assert histogram.series("shop").seconds == 0.5


def test_unknown_series_of_a_histogram_share_one() -> None:
    """Label values that nobody declared make one further series, and no more."""
    histogram = Histogram(TIMES, Bounded(["shop"]), [])
    histogram.add("a", seconds=1)
    histogram.add("b", seconds=2)
    assert histogram.series(OTHER).seconds == 3
    assert {s.labels["app"] for s in histogram.collect().samples} == {OTHER}


def test_families_of_looked_up_numbers() -> None:
    """A counter or a gauge can be made from numbers that somebody else holds."""
    assert counter(EVENTS, {("shop", "good"): 4}).samples[0].value == 4
    size = Family(name="size", kind=Kind.GAUGE, labels=(), meaning="Size.")
    assert gauge(size, {(): 7}).samples[0].value == 7


@pytest.mark.parametrize("wrong", [
    {"name": "events", "kind": Kind.COUNTER},
    {"name": "size_total", "kind": Kind.GAUGE},
    {"name": "time_seconds", "kind": Kind.HISTOGRAM},
    {"name": "size", "kind": Kind.GAUGE, "buckets": (1.0,)},
    {"name": "time_seconds", "kind": Kind.HISTOGRAM, "buckets": (1.0, 0.5)},
])
def test_a_declaration_keeps_the_conventions(wrong: dict[str, object]) -> None:
    """A name that does not fit its kind, or buckets that do not rise, are refused at once."""
    with pytest.raises(ValueError, match="nothing else"):
        Family(labels=(), meaning="Something.", **wrong)  # type: ignore[arg-type]
