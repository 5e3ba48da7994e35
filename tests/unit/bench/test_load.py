from dataclasses import replace

import pytest

from tests.bench.fleet import CannotMeasure
from tests.bench.load import Load, read_report

SAID = """Running 1s test @ http://127.0.0.1:1/
  1 threads and 32 connections
LOAD {"requests": 2000, "microseconds": 1000000, "bytes": 2500000, "p50": 400, "p99": 1500, "errors": 0}
"""
GOOD = Load(requests=2000, seconds=1.0, bytes=2_500_000, p50=0.0004, p99=0.0015, errors=0)


def test_report_of_wrk() -> None:
    """What the script prints among wrk's own words is read, in seconds."""
    assert read_report(SAID) == GOOD
    assert GOOD.per_second == 2000.0


def test_wrk_that_fails() -> None:
    """Without the script's line there is no figure, but wrk's complaint."""
    with pytest.raises(CannotMeasure, match="unable to connect"):
        read_report("", "unable to connect to 127.0.0.1:1\n")


@pytest.mark.parametrize(("load", "trouble"), [
    (GOOD, ""),
    (replace(GOOD, requests=0, bytes=0), "no answers"),
    (replace(GOOD, errors=3), "3 errors"),
    (replace(GOOD, bytes=2000 * 300), "some answers were not the app's"),
])
def test_trouble(load: Load, trouble: str) -> None:
    """An error, and an answer that is too small to be the app's, such as a redirect, spoils a measurement."""
    assert load.trouble == trouble
