"""A source that fails again and again is left alone for a while."""

from gateway.accounts.breaker import FAILURES, REST_SECONDS, Breaker
from tests.helpers.memory_store import Clock


def opened() -> tuple[Breaker, Clock]:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        breaker.failed()
    return breaker, clock


def test_a_new_breaker_lets_through() -> None:
    """Nothing has failed yet."""
    breaker = Breaker(Clock())
    assert not breaker.is_open
    assert breaker.lets_through()


def test_fewer_failures_than_that_do_not_open_it() -> None:
    """A hiccup is none of its business."""
    breaker = Breaker(Clock())
    for _ in range(FAILURES - 1):
        breaker.failed()
    assert not breaker.is_open
    assert breaker.lets_through()


def test_failures_in_a_row_open_it() -> None:
    """Nobody waits for a source that is away."""
    breaker, clock = opened()
    assert breaker.is_open
    assert not breaker.lets_through()
    clock.advance(REST_SECONDS - 0.01)
    assert not breaker.lets_through()


def test_an_answer_between_failures_starts_the_count_anew() -> None:
    """Only failures in a row count."""
    breaker = Breaker(Clock())
    for _ in range(2):
        for _ in range(FAILURES - 1):
            breaker.failed()
        assert breaker.lets_through()
        breaker.answered()


def test_after_its_rest_one_question_goes_through() -> None:
    """Half-open: one finds out for all, and one more with each rest that brings no news."""
    breaker, clock = opened()
    clock.advance(REST_SECONDS)
    assert breaker.is_open
    assert [breaker.lets_through() for _ in range(3)] == [True, False, False]
    clock.advance(REST_SECONDS)
    assert breaker.lets_through()


def test_an_answer_closes_it_for_all() -> None:
    """A source that is back is asked by everybody at once."""
    breaker, clock = opened()
    clock.advance(REST_SECONDS)
    breaker.lets_through()
    breaker.answered()
    assert not breaker.is_open
    assert [breaker.lets_through() for _ in range(3)] == [True] * 3


def test_a_failed_try_is_followed_by_another_rest() -> None:
    """The rest counts from the failure, however long the try took."""
    breaker, clock = opened()
    clock.advance(REST_SECONDS)
    breaker.lets_through()
    clock.advance(REST_SECONDS / 2)
    breaker.failed()
    clock.advance(REST_SECONDS - 0.01)
    assert not breaker.lets_through()
    clock.advance(0.01)
    assert breaker.lets_through()


def test_an_answer_that_was_long_under_way_closes_it_too() -> None:
    """Whatever the question was asked for, the source is there."""
    breaker, _ = opened()
    breaker.answered()
    assert breaker.lets_through()
