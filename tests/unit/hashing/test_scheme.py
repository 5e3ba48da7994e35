"""The order of work that every scheme shares."""

import re

import pytest

from gateway.hashing.scheme import MAX_ENCODED, Cost, Match, Reading, Scheme, compare, utf8
from gateway.model import Secret

SURROGATE = Secret("pass\ud800word")


def never(_: bytes) -> bytes:
    raise AssertionError("work was done")


def scheme(reading: Reading | None, *, bound: Cost = Cost()) -> Scheme:  # noqa: B008  # frozen
    return Scheme(name="toy", shape=re.compile(r"toy\$"), parse=lambda _: reading, bound=bound)


REVERSED = Reading(derive=lambda password: password[::-1], expected=b"terces")


def test_the_right_password_is_right() -> None:
    """A password whose derivation is what was expected is right, any other is not."""
    assert scheme(REVERSED).verify("toy$", Secret("secret")) is Match.YES
    assert scheme(REVERSED).verify("toy$", Secret("Secret")) is Match.NO


def test_a_malformed_string_is_foreign() -> None:
    """What the scheme cannot read is foreign, whatever the password."""
    assert scheme(None).verify("toy$", Secret("secret")) is Match.FOREIGN
    assert scheme(None).verify("toy$", SURROGATE) is Match.FOREIGN


def test_another_schemes_string_is_foreign() -> None:
    """A string that does not have the scheme's shape is not read at all."""
    assert scheme(REVERSED).verify("yot$", Secret("secret")) is Match.FOREIGN
    assert scheme(REVERSED).verify(" toy$", Secret("secret")) is Match.FOREIGN


@pytest.mark.parametrize("cost", [Cost(rounds=11), Cost(memory_kib=21), Cost(lanes=4)])
def test_a_dear_string_is_foreign(cost: Cost) -> None:
    """A string beyond the bound in one respect is foreign, and nothing is derived."""
    dear = Reading(cost=cost, derive=never, expected=b"")
    bounded = scheme(dear, bound=Cost(rounds=10, memory_kib=20, lanes=3))
    assert bounded.verify("toy$", Secret("x")) is Match.FOREIGN


def test_a_long_string_is_not_even_read() -> None:
    """A string of more than 1024 characters is foreign; one of 1024 is read."""
    toy = scheme(REVERSED)
    assert toy.read("toy$".ljust(MAX_ENCODED, "x")) is REVERSED
    assert toy.read("toy$".ljust(MAX_ENCODED + 1, "x")) is None
    assert toy.verify("toy$" + "x" * MAX_ENCODED, Secret("secret")) is Match.FOREIGN


@pytest.mark.parametrize(("cost", "within"), [
    (Cost(rounds=10, memory_kib=20, lanes=3), True),
    (Cost(), True),
    (Cost(rounds=11, memory_kib=20, lanes=3), False),
    (Cost(rounds=10, memory_kib=21, lanes=3), False),
    (Cost(rounds=10, memory_kib=20, lanes=4), False),
])
def test_a_cost_is_within_a_bound_in_every_respect(cost: Cost, within: bool) -> None:
    """One respect above the bound is enough to be beyond it."""
    assert cost.is_within(Cost(rounds=10, memory_kib=20, lanes=3)) is within


def test_an_unencodable_password_is_wrong_without_work() -> None:
    """A lone surrogate makes a password wrong before anything is derived."""
    assert compare(Reading(derive=never, expected=b""), SURROGATE) is Match.NO


def test_passwords_are_exact_utf8() -> None:
    """A password is hashed as its exact UTF-8, neither normalised nor trimmed."""
    assert utf8(Secret("żół-15€ ")) == b"\xc5\xbc\xc3\xb3\xc5\x82-15\xe2\x82\xac "
    assert utf8(Secret("z\u0307\0")) == b"z\xcc\x87\0"
    assert utf8(SURROGATE) is None


def test_a_reading_shows_no_hash() -> None:
    """The repr of a reading holds its cost, not what it expects."""
    assert "terces" not in repr(REVERSED)
    assert "rounds=1" in repr(REVERSED)
