"""What the supervisor keeps of its workers' counts."""

from gateway.server.generation import Ledger

REQUESTS = ("requests_total", ())
BUSY = ("busy", ())
RESTARTS = ("sluicegate_worker_restarts_total", ())


def test_the_counts_of_the_dead_stay() -> None:
    """Each worker's latest counts are in the sums; of those who have ended the counters, not the gauges."""
    ledger = Ledger()
    one, other = object(), object()
    ledger.note(one, {REQUESTS: 1, BUSY: 1})
    ledger.note(one, {REQUESTS: 3, BUSY: 2})
    ledger.note(other, {REQUESTS: 10, BUSY: 5})
    assert ledger.sums() == {REQUESTS: 13, BUSY: 7, RESTARTS: 0}
    ledger.close(one)
    ledger.restarts += 1
    assert ledger.sums() == {REQUESTS: 13, BUSY: 5, RESTARTS: 1}
    ledger.note(one, {REQUESTS: 1})
    ledger.close(other)
    assert ledger.sums() == {REQUESTS: 14, RESTARTS: 1}


def test_a_worker_that_never_counted_leaves_nothing() -> None:
    """It may die before its first word."""
    ledger = Ledger()
    ledger.close(object())
    assert ledger.sums() == {RESTARTS: 0}
