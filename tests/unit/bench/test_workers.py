import pytest

from tests.bench.workers import Crew, capacity


def crew(*, micros: float, busiest: float) -> Crew:
    return Crew(requests=1_000_000, wall=10.0, cpu=micros, parts={1: busiest, 2: 1 - busiest})


def test_crew() -> None:
    """A crew's figures are those of all its rounds together."""
    gathered = Crew(requests=1000, wall=2.0, cpu=0.03, parts={1: 0.01, 2: 0.015, 3: 0.0})
    assert gathered.cost == pytest.approx(30.0)
    assert gathered.per_second == 500.0
    assert gathered.busiest == pytest.approx(0.6)


@pytest.mark.parametrize(("micros", "busiest", "times"), [
    (30.0, 0.5, 2.0),  # the same cost, dealt out evenly
    (33.0, 0.5, 1.82),  # a second worker makes each request dearer
    (30.0, 0.625, 1.6),  # the busier one is full when the other is not
])
def test_capacity_of_two_workers(micros: float, busiest: float, times: float) -> None:
    """Two workers answer until the busier one's core is full."""
    one = crew(micros=30.0, busiest=1.0)
    assert capacity(one, crew(micros=micros, busiest=busiest)) == pytest.approx(times, abs=0.01)
