"""Whether an address is left alone."""

import pytest

from gateway.proxy.rest import FIRST_REST_SECONDS, LONGEST_REST_SECONDS, Rest


def rested(*, at: float = 0.0) -> Rest:
    rest = Rest()
    assert rest.begin(at)
    return rest


def test_nothing_rests_at_first() -> None:
    """An address that was never tried is tried."""
    assert not Rest().is_on(0.0)


def test_the_first_rest_is_short() -> None:
    """It begins with the failure and ends by itself."""
    rest = rested(at=5.0)
    assert rest.since == 5.0
    assert rest.is_on(5.0 + FIRST_REST_SECONDS - 0.01)
    assert not rest.is_on(5.0 + FIRST_REST_SECONDS)


def test_rests_grow_up_to_a_bound() -> None:
    """Each failed try doubles the next rest, up to half a minute."""
    rest, now, lengths = Rest(), 0.0, []
    for _ in range(7):
        rest.try_again(now, 5.0)
        rest.begin(now)
        begun = now
        while rest.is_on(now):
            now += 0.5
        lengths.append(now - begun)
    assert lengths == [1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_REST_SECONDS, LONGEST_REST_SECONDS]


def test_a_success_ends_it_and_what_it_grew_to() -> None:
    """The next rest is a first one again."""
    rest = rested()
    rest.try_again(1.0, 5.0)
    rest.begin(1.0)
    rest.end()
    assert not rest.is_on(1.5)
    assert rest.begin(10.0)
    assert not rest.is_on(10.0 + FIRST_REST_SECONDS)


@pytest.mark.parametrize("moment", [0.0, 0.5])
def test_of_many_failures_at_once_one_counts(moment: float) -> None:
    """A hundred requests that were refused together make no rest of half a minute."""
    rest = rested()
    for _ in range(100):
        rest.try_again(moment, 5.0)
        assert not rest.begin(moment)
    assert not rest.is_on(FIRST_REST_SECONDS)


def test_one_request_tries_for_all() -> None:
    """While it does, the address rests for the others; a try that never ends gives way to the next."""
    rest = rested()
    assert not rest.is_on(2.0)
    rest.try_again(2.0, 5.0)
    assert rest.is_on(2.0)
    assert rest.is_on(6.9)
    assert rest.since == 2.0
    assert not rest.is_on(7.0)


def test_the_try_that_fails_makes_the_rest_longer() -> None:
    """It counts, although the address rested for everybody else."""
    rest = rested()
    rest.try_again(2.0, 5.0)
    assert rest.begin(3.0)
    assert rest.is_on(4.9)
    assert not rest.is_on(5.0)


def test_an_address_that_never_failed_is_tried_by_everybody() -> None:
    """A connect under way keeps nobody away."""
    rest = Rest()
    rest.try_again(0.0, 5.0)
    assert not rest.is_on(0.0)
