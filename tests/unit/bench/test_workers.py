import pytest

from tests.bench.load import Load
from tests.bench.workers import Crew, capacity


def crew(*, micros: float, busiest: float) -> Crew:
    load = Load(requests=1_000_000, seconds=10.0, bytes=0, p50=0.0, p99=0.0, errors=0)
    return Crew(load=load, seconds=micros, busiest=busiest)


@pytest.mark.parametrize(("micros", "busiest", "times"), [
    (30.0, 0.5, 2.0),  # the same cost, dealt out evenly
    (33.0, 0.5, 1.82),  # a second worker makes each request dearer
    (30.0, 0.625, 1.6),  # the busier one is full when the other is not
])
def test_capacity_of_two_workers(micros: float, busiest: float, times: float) -> None:
    """Two workers answer until the busier one's core is full."""
    one = crew(micros=30.0, busiest=1.0)
    assert one.cost == 30.0
    assert capacity(one, crew(micros=micros, busiest=busiest)) == pytest.approx(times, abs=0.01)
