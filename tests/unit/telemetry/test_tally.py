"""The sums over all workers."""

import json

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.registry import CollectorRegistry

from gateway.telemetry.metrics import Metrics, Pulled
from gateway.telemetry.tally import Tally, from_plain, lasting, shown, tally, to_plain, total

series = st.tuples(st.sampled_from(["a_total", "b_bucket", "c_depth"]),
                   st.tuples(st.tuples(st.just("app"), st.text(max_size=3))))
tallies = st.dictionaries(series, st.integers(min_value=1, max_value=1000), max_size=5)


def worker(registry: CollectorRegistry | None = None) -> Metrics:
    return Metrics(registry or CollectorRegistry(), apps=["shop", "wiki"], sources=["people"], version="1")


@given(tallies)
def test_a_tally_survives_its_way(one: Tally) -> None:
    """What is sent as JSON is what was meant."""
    assert from_plain(json.loads(json.dumps(to_plain(one)))) == one


@given(st.lists(tallies, max_size=4))
def test_the_sum_is_of_every_series(several: list[Tally]) -> None:
    """Whatever any of them has, in whichever order."""
    summed = total(several)
    assert summed == total(reversed(several))
    assert set(summed) == {series for one in several for series in one}
    assert sum(summed.values()) == sum(sum(one.values()) for one in several)


@given(tallies)
def test_gauges_end_with_their_worker(one: Tally) -> None:
    """Events that were counted stay."""
    assert {name for name, _ in lasting(one)} == {name for name, _ in one} - {"c_depth"}


def test_a_scrape_shows_the_sums() -> None:
    """Of two workers that counted different things: counters, buckets, gauges of work; the rest is one's own."""
    registry = CollectorRegistry()
    mine, other = worker(registry), worker()
    mine.proxied("shop", 200, 0.002)
    other.proxied("shop", 200, 0.002)
    other.proxied("wiki", 404, 3.0)
    other.source_called("people", "a-new-outcome", 0.1)
    mine.pull(Pulled(hash_busy=1, sums=total([
        mine.tally(Pulled(hash_busy=1)), other.tally(Pulled(hash_busy=2, open_breakers=frozenset({"people"})))])))
    value = registry.get_sample_value
    shop = {"app": "shop"}
    assert value("sluicegate_proxied_requests_total", {**shop, "status_class": "2xx"}) == 2
    assert value("sluicegate_proxied_requests_total", {"app": "wiki", "status_class": "4xx"}) == 1
    assert value("sluicegate_proxied_requests_total", {**shop, "status_class": "4xx"}) == 0
    assert value("sluicegate_proxied_request_seconds_bucket", {**shop, "le": "0.001"}) == 0
    assert value("sluicegate_proxied_request_seconds_bucket", {**shop, "le": "0.0025"}) == 2
    assert value("sluicegate_proxied_request_seconds_count", shop) == 2
    assert value("sluicegate_source_calls_total", {"source": "people", "outcome": "other"}) == 1
    assert value("sluicegate_hash_busy") == 3
    assert value("sluicegate_source_breaker_open", {"source": "people"}) == 1
    assert value("sluicegate_build_info", {"version": "1", "python": _python(registry)}) == 1


def _python(registry: CollectorRegistry) -> str:
    [sample] = next(metric for metric in registry.collect() if metric.name == "sluicegate_build_info").samples
    return sample.labels["python"]


def test_buckets_stay_in_order() -> None:
    """Also of a series that only another worker has: readers expect rising bounds."""
    mine, other = worker(), worker()
    other.source_called("people", "right", 0.2)
    [family] = [family for family in mine.collect() if family.name == "sluicegate_source_call_seconds"]
    bounds = [sample.labels["le"] for sample in shown(family, tally(other.collect())).samples if "le" in sample.labels]
    assert bounds == [sample.labels["le"] for sample in family.samples if "le" in sample.labels]
