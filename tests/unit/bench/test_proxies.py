from dataclasses import replace

from tests.bench.gateway import FULL, PLAIN
from tests.bench.peers import GUARDED, PASSING
from tests.bench.proxies import Tally, section

COSTS = {PLAIN: 24.0, FULL: 30.0, "nginx": 12.0, "Traefik": 100.0}


def tallies(**troubles: str) -> dict[str, Tally]:
    names = (PLAIN, FULL, *PASSING, *GUARDED)
    whole = {name: Tally(micros=[COSTS.get(name, 200.0)] * 3, system=[9.0] * 3, per_second=[1.0] * 3, p99=[1.0] * 3)
             for name in names}
    return whole | {name: replace(whole[name], trouble=trouble) for name, trouble in troubles.items()}


def test_proxies_are_compared_by_cpu() -> None:
    """The table goes from the cheapest to the dearest, each beside nginx, and the bars are ratios of ours."""
    found = section(tallies(), {FULL: "a note"})
    assert [(row[0], row[2]) for row in found.rows[:3]] == [("nginx", 1.0), (PLAIN, 2.0), (FULL, 2.5)]
    assert found.rows[2][-1] == "a note"
    assert [bar.value for bar in found.bars[:2]] == [2.5, 2.0]
    assert [bar.value for bar in found.bars if bar.what.endswith("Traefik")] == [0.3]
    assert found.is_whole


def test_wrong_answers_fail_a_row() -> None:
    """A proxy whose answers were wrong has no cost, stands last, and nobody is compared with it."""
    found = section(tallies(nginx="3 errors"), {})
    assert [row[0] for row in found.rows][-1] == "nginx"
    assert found.rows[-1][1:3] == (None, None)
    assert found.rows[-1][-1] == "3 errors"
    assert [bar.verdict for bar in found.bars[:2]] == ["not measured", "not measured"]
    assert not found.is_whole
