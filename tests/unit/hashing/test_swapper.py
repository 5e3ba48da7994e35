"""Who verifies what."""

import re

import pytest

from gateway.hashing.scheme import Match, Reading, Scheme
from gateway.hashing.swapper import Swapper
from gateway.model import Secret


@pytest.mark.parametrize(("encoded", "name"), [
    ("$argon2id$v=19$m=1", "argon2"),
    ("$argon2i$", "argon2"),
    ("$argon2d$", "argon2"),
    ("argon2$argon2id$", "django_argon2"),
    ("$2a$", "bcrypt"),
    ("$2b$", "bcrypt"),
    ("$2y$", "bcrypt"),
    ("bcrypt$$2b$", "django_bcrypt"),
    ("bcrypt_sha256$$2b$", "django_bcrypt_sha256"),
    ("pbkdf2_sha256$1", "django_pbkdf2_sha256"),
    ("pbkdf2_sha1$1", "django_pbkdf2_sha1"),
    ("scrypt$1", "django_scrypt"),
    ("md5$salt$", "django_md5"),
    ("md5$$", "django_unsalted_md5"),
    ("0" * 32, "django_unsalted_md5"),
    ("sha1$salt$", "django_sha1"),
    ("sha1$$", "django_unsalted_sha1"),
    ("!", "django_unusable"),
])
def test_a_string_is_known_by_its_beginning(encoded: str, name: str) -> None:
    """The beginning says which scheme a string claims to be of, however it goes on."""
    assert Swapper().identify(encoded) == name


@pytest.mark.parametrize("encoded", [
    "", " ", "secret", "0" * 31, "0" * 33, "0" * 32 + "\n", "$1$salt$", "$6$salt$", "$P$B", "{SSHA}x",
    "$2$04$", "$2x$04$", "scrypt:32768:8:1$", "pbkdf2:sha256:1$", "pbkdf2_sha512$", "crypt$$",
    "PBKDF2_SHA256$", " !", "$argon2$", "\ud800",
])
def test_a_string_of_no_scheme_is_foreign(encoded: str) -> None:
    """What no scheme claims is foreign: not even a plain text password equal to it is right."""
    assert Swapper().identify(encoded) is None
    assert Swapper().verify(Secret(encoded), Secret(encoded)) is Match.FOREIGN


def parse_never(encoded: str) -> Reading | None:
    raise AssertionError("another scheme's string was tried")


def test_no_scheme_tries_anothers_string() -> None:
    """A malformed string of one scheme is never handed to the next."""
    swapper = Swapper([
        Scheme(name="before", shape=re.compile("b"), parse=parse_never),
        Scheme(name="mine", shape=re.compile("m"), parse=lambda _: None),
        Scheme(name="after", shape=re.compile("a"), parse=parse_never),
    ])
    assert swapper.verify(Secret("mab"), Secret("x")) is Match.FOREIGN


def test_a_claimed_string_is_verified_by_its_scheme() -> None:
    """The scheme that claims a string says what the password is to it."""
    swapper = Swapper([Scheme(name="mine", shape=re.compile("m"), parse=lambda encoded: Reading(
        derive=lambda password: b"m" + password, expected=encoded.encode()))])
    assert swapper.verify(Secret("msecret"), Secret("secret")) is Match.YES
    assert swapper.verify(Secret("msecret"), Secret("")) is Match.NO
