"""What bcrypt cannot hold, and what is not bcrypt."""

import pytest

from gateway.hashing.bcrypt import parse_bcrypt, parse_crypt
from gateway.hashing.scheme import Cost, Match, compare
from gateway.model import Secret

# Vectors of libxcrypt, as in tests/vectors/hashes/bcrypt.json.
PLAIN = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
LONG = "$2y$04$abcdefghijklmnopqrstuuy1YV7t7h7c7YVhr.6nwClpKZBgg9Tjy"
NUL = "$2y$04$abcdefghijklmnopqrstuurVuonhdASGxouTT2vs6aczD1rdQw2kq"
LONG_BEGINNING = "x" * 71 + "ż"


def verify(encoded: str, password: str) -> Match:
    reading = parse_bcrypt(encoded)
    assert reading is not None
    return compare(reading, Secret(password))


@pytest.mark.parametrize(("password", "match"), [
    (LONG_BEGINNING, Match.YES),
    (LONG_BEGINNING + "any other end", Match.YES),
    ("x" * 71 + "ź", Match.YES),  # shares the first byte of ż, the 72nd
    ("x" * 71 + "e", Match.NO),
    ("x" * 71, Match.NO),
])
def test_a_password_is_cut_at_72_bytes(password: str, match: Match) -> None:
    """Whatever follows the 72nd byte is ignored, even within a character, as the legacy system did."""
    assert verify(LONG, password) is match


@pytest.mark.parametrize(("password", "match"), [
    ("before\0after", Match.YES),
    ("before\0", Match.YES),
    ("before", Match.YES),
    ("befor", Match.NO),
    ("\0before", Match.NO),
])
def test_a_password_ends_at_its_first_nul(password: str, match: Match) -> None:
    """A NUL ends a password, as it did for crypt(3) and PHP."""
    assert verify(NUL, password) is match


@pytest.mark.parametrize("ident", ["2a", "2b", "2y"])
def test_the_idents_compute_the_same(ident: str) -> None:
    """Each of the three idents opens for the password."""
    assert verify(PLAIN.replace("2b", ident), "correct horse") is Match.YES


@pytest.mark.parametrize("encoded", [
    PLAIN.replace("2b", "2"), PLAIN.replace("2b", "2x"), PLAIN.replace("2b", "2B"),
    PLAIN.replace("$04$", "$03$"), PLAIN.replace("$04$", "$32$"), PLAIN.replace("$04$", "$4$"),
    PLAIN.replace("tuu", "tuv"),  # bits behind the end of the salt
    PLAIN[:-1], PLAIN + "e", PLAIN + "\n", " " + PLAIN, PLAIN.replace("H/", "H+"), "$2b$04$", "",
])
def test_anything_else_is_not_read(encoded: str) -> None:
    """Another ident, a cost that bcrypt does not have, or a wrong length or letter is not read."""
    assert parse_bcrypt(encoded) is None


def test_the_cost_is_read() -> None:
    """The cost counts key set-ups, two to the power of what is written."""
    reading = parse_bcrypt(PLAIN.replace("$04$", "$12$"))
    assert reading is not None
    assert reading.cost == Cost(rounds=4096)


def test_preparation_comes_before_the_cut() -> None:
    """A prepared password is cut after its preparation, so a digest is never one of a cut password."""
    reading = parse_crypt(LONG, lambda password: password.removeprefix(b"pepper"))
    assert reading is not None
    assert compare(reading, Secret("pepper" + LONG_BEGINNING)) is Match.YES
