"""Django's framing, and what Django itself would not have written."""

import hashlib

import pytest

from gateway.hashing import django
from gateway.hashing.scheme import Cost, Match, Reading, compare
from gateway.model import Secret

PBKDF2_SHA256 = "pbkdf2_sha256$100$salt$" + "A" * 43 + "="
PBKDF2_SHA1 = "pbkdf2_sha1$100$salt$" + "A" * 27 + "="
SCRYPT = "scrypt$16$salt$8$2$" + "A" * 86 + "=="
MD5 = "3cb4e732631f47e6eb961f34554b7cde"
SHA1 = "2f9e53523b62abc141a2b4d6019d23cba835dbd0"


def cost(reading: Reading | None) -> Cost:
    assert reading is not None
    return reading.cost


@pytest.mark.parametrize("encoded", [
    PBKDF2_SHA256.replace("100", "0100"),
    PBKDF2_SHA256.replace("100", "0"),
    PBKDF2_SHA256.replace("100", "+100"),
    PBKDF2_SHA256.replace("100", "1_00"),
    PBKDF2_SHA256.replace("100", "١٠٠"),
    PBKDF2_SHA256.replace("salt", ""),
    PBKDF2_SHA256.replace("salt", "sa$lt"),
    PBKDF2_SHA256.replace("salt", "sa\ud800lt"),
    PBKDF2_SHA256.replace("=", ""),
    PBKDF2_SHA256.replace("AA", "-_", 1),
    PBKDF2_SHA256 + "\n",
    PBKDF2_SHA1,
])
def test_no_other_pbkdf2_string_is_read(encoded: str) -> None:
    """A number, salt or digest that Django itself would not have written is not read."""
    assert django.parse_pbkdf2_sha256(PBKDF2_SHA256) is not None
    assert django.parse_pbkdf2_sha256(encoded) is None


def test_pbkdf2_costs_its_iterations() -> None:
    """The iterations are the cost, for both digests."""
    assert cost(django.parse_pbkdf2_sha256(PBKDF2_SHA256)) == Cost(rounds=100)
    assert cost(django.parse_pbkdf2_sha1(PBKDF2_SHA1.replace("100", "7"))) == Cost(rounds=7)


@pytest.mark.parametrize(("n", "r", "p", "expected"), [
    (16384, 8, 5, Cost(memory_kib=16 * 1024, lanes=5)),
    (2**18, 8, 1, Cost(memory_kib=256 * 1024)),
    (2, 2**20, 16, Cost(memory_kib=2 * 1024 * 1024, lanes=16)),
])
def test_scrypt_costs_its_memory(n: int, r: int, p: int, expected: Cost) -> None:
    """The cost is 128 N r bytes, and the lanes' own where they outnumber N."""
    assert cost(django.parse_scrypt(f"scrypt${n}$salt${r}${p}$" + "A" * 86 + "==")) == expected


@pytest.mark.parametrize(("n", "r"), [(1, 8), (3, 8), (16385, 8), (2**16, 1), (2**32, 2)])
def test_scrypt_has_numbers_that_cannot_be(n: int, r: int) -> None:
    """An N that is no power of two, or too great for its r, is not read (RFC 7914 section 2)."""
    assert django.parse_scrypt(f"scrypt${n}$salt${r}$1$" + "A" * 86 + "==") is None


@pytest.mark.parametrize(("n", "r", "p"), [(2, 1, 1), (2**15, 1, 16), (2, 64, 16), (4, 1, 16)])
def test_scrypt_computes_whatever_it_reads(n: int, r: int, p: int) -> None:
    """Every combination that is read is one that OpenSSL computes, within the memory that it is given."""
    reading = django.parse_scrypt(f"scrypt${n}$salt${r}${p}$" + "A" * 86 + "==")
    assert reading is not None
    assert compare(reading, Secret("x")) is Match.NO


@pytest.mark.parametrize("encoded", [
    SCRYPT.replace("$salt", ""), SCRYPT.replace("$8$", "$08$"), SCRYPT.replace("==", "="), SCRYPT + "$",
    SCRYPT.replace("salt", "\udfff"),
])
def test_no_other_scrypt_string_is_read(encoded: str) -> None:
    """A scrypt string has five fields, each as Django prints it."""
    assert django.parse_scrypt(SCRYPT) is not None
    assert django.parse_scrypt(encoded) is None


def test_salt_comes_before_the_password() -> None:
    """The salted digests are of salt and password together, both in UTF-8."""
    digest = hashlib.sha1("sólhasło€".encode()).hexdigest()
    reading = django.parse_salted_sha1(f"sha1$sól${digest}")
    assert reading is not None
    assert compare(reading, Secret("hasło€")) is Match.YES
    assert compare(reading, Secret("lhasło€")) is Match.NO


@pytest.mark.parametrize("encoded", [MD5, "md5$$" + MD5])
def test_an_unsalted_md5_has_two_forms(encoded: str) -> None:
    """Bare digits and those behind an empty salt are one scheme, as in Django."""
    reading = django.parse_unsalted_md5(encoded)
    assert reading is not None
    assert compare(reading, Secret("correct horse")) is Match.YES


@pytest.mark.parametrize("encoded", [
    MD5.upper(), MD5[1:], MD5 + "\n", "md5$" + MD5, "md5$$" + MD5.upper(), "md5$$",
])
def test_no_other_unsalted_md5_is_read(encoded: str) -> None:
    """Django writes exactly 32 small hexadecimal digits."""
    assert django.parse_unsalted_md5(encoded) is None


def test_an_unsalted_sha1_has_one_form() -> None:
    """Forty digits stand behind an empty salt, and a salted string is not one of these."""
    reading = django.parse_unsalted_sha1("sha1$$" + SHA1)
    assert reading is not None
    assert compare(reading, Secret("correct horse")) is Match.YES
    assert django.parse_unsalted_sha1("sha1$salt$" + SHA1) is None
    assert django.parse_salted_sha1("sha1$$" + SHA1) is None
    assert django.parse_salted_md5("md5$$" + MD5) is None


def test_sha256_lets_bcrypt_take_long_passwords() -> None:
    """Behind bcrypt_sha256$ two passwords with the same 72 bytes are two passwords."""
    # Made by Django 5.2 for 72 times "x" and "a", as make.py makes its like.
    encoded = "bcrypt_sha256$$2b$04$abcdefghijklmnopqrstuuc23dbv28GCB0gJvWCuemXkjU7SdsgJi"
    reading = django.parse_bcrypt_sha256(encoded)
    assert reading is not None
    assert compare(reading, Secret("x" * 72 + "a")) is Match.YES
    assert compare(reading, Secret("x" * 72 + "b")) is Match.NO


@pytest.mark.parametrize("encoded", ["!", "!" + "a" * 40, "!$2b$04$abc"])
def test_an_unusable_password_is_nobodys(encoded: str) -> None:
    """No password is right for a user whom Django gave none, the string itself and the empty one included."""
    for password in ("", "!", encoded):
        assert compare(django.parse_unusable(encoded), Secret(password)) is Match.NO
