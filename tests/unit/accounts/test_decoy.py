"""The wrong password that the app is shown in the typed one's place."""

import string
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounts.decoy import BEYOND_ASCII, decoy
from gateway.model import Secret

SIGNS = "!#$%&*+-./:;=?@^_~"


def make(password: str, seed: int = 1) -> str:
    return decoy(Secret(password), Random(seed).choice).reveal()


@given(password=st.text(min_size=1), seed=st.integers(0, 99))
def test_it_is_as_long_and_never_the_typed_one(password: str, seed: int) -> None:
    """Whatever was typed, as many characters come out, and not the same ones."""
    made = make(password, seed)
    assert len(made) == len(password)
    assert made != password


@pytest.mark.parametrize(("typed", "alphabet"), [
    ("a", string.ascii_lowercase),
    ("Z", string.ascii_uppercase),
    ("0", string.digits),
    ("!", SIGNS),
    (" ", SIGNS),
    ("\x00", SIGNS),
    ("ż", BEYOND_ASCII),
    ("漢", BEYOND_ASCII),
    ("\U0001f600", BEYOND_ASCII),
    ("\ud800", BEYOND_ASCII),
])
def test_each_character_keeps_its_class(typed: str, alphabet: str) -> None:
    """An app's own rules of passwords see the same letters, digits and signs in the same places."""
    assert set(make(typed * 200)) <= set(alphabet)
    assert len(set(make(typed * 200))) > 5


@pytest.mark.parametrize("typed", ["Zażółć-15€", "p&b=100%+ bob", "a\r\nb"])
def test_it_can_be_sent_in_any_form(typed: str) -> None:
    """It holds no control character and no lone surrogate, which a form could not carry."""
    assert make(typed).isprintable()
    assert make(typed).encode()


def test_it_says_nothing_of_the_typed_one_but_classes() -> None:
    """Two passwords of the same classes, the same randomness: the same decoy."""
    assert make("hunter2!") == make("abcdef7?")


def test_an_unlucky_draw_is_drawn_again() -> None:
    """The typed password itself is never given to the app as the wrong one."""
    draws = iter("abac")
    assert decoy(Secret("ab"), lambda _: next(draws)).reveal() == "ac"


def test_an_empty_password_stays_empty() -> None:
    """There is nothing to put in its place."""
    assert make("") == ""
