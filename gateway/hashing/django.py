"""Every encoding that Django 1.x to 5 writes by itself, except crypt(3)'s DES (gone with Django 5.0).

Owns Django's framing only: `algorithm$…$digest`. Like Django it compares the digest's text, so that a
string which Django would not have written is not taken for one that it did. Source: the hashers of
django.contrib.auth 4.2 and 5.2, whose strings are in tests/vectors/hashes.
"""

import base64
import hashlib
import re

from gateway.errors import Overloaded
from gateway.hashing.argon2 import parse_argon2
from gateway.hashing.bcrypt import parse_crypt
from gateway.hashing.scheme import Cost, Reading

NUMBER = r"[1-9][0-9]*"
SALT = r"(?P<salt>[^$]+)"

PBKDF2_SHA256 = re.compile(rf"pbkdf2_sha256\$(?P<rounds>{NUMBER})\${SALT}\$(?P<digest>[A-Za-z0-9+/]{{43}}=)")
PBKDF2_SHA1 = re.compile(rf"pbkdf2_sha1\$(?P<rounds>{NUMBER})\${SALT}\$(?P<digest>[A-Za-z0-9+/]{{27}}=)")
SCRYPT = re.compile(rf"scrypt\$(?P<n>{NUMBER})\${SALT}\$(?P<r>{NUMBER})\$(?P<p>{NUMBER})"
                    r"\$(?P<digest>[A-Za-z0-9+/]{86}==)")
SALTED_MD5 = re.compile(rf"md5\${SALT}\$(?P<digest>[0-9a-f]{{32}})")
SALTED_SHA1 = re.compile(rf"sha1\${SALT}\$(?P<digest>[0-9a-f]{{40}})")
UNSALTED_MD5 = re.compile(r"(?:md5\$\$)?(?P<digest>[0-9a-f]{32})")
UNSALTED_SHA1 = re.compile(r"sha1\$\$(?P<digest>[0-9a-f]{40})")

SCRYPT_DIGEST = 64
"""Bytes that Django takes of scrypt."""
SCRYPT_BLOCK = 128
"""Bytes of memory per unit of r (RFC 7914 section 2)."""


def parse_pbkdf2_sha256(encoded: str) -> Reading | None:
    """Read `pbkdf2_sha256$iterations$salt$base64`, Django's default."""
    return _pbkdf2(PBKDF2_SHA256.fullmatch(encoded), "sha256")


def parse_pbkdf2_sha1(encoded: str) -> Reading | None:
    """Read `pbkdf2_sha1$iterations$salt$base64`."""
    return _pbkdf2(PBKDF2_SHA1.fullmatch(encoded), "sha1")


def parse_scrypt(encoded: str) -> Reading | None:
    """Read `scrypt$N$salt$r$p$base64`."""
    match = SCRYPT.fullmatch(encoded)
    salt = _salt(match)
    if match is None or salt is None:
        return None
    n, r, p = int(match["n"]), int(match["r"]), int(match["p"])
    # RFC 7914 section 2: N is a power of two, more than 1 and less than 2^(128 r / 8).
    if n < 2 or n & (n - 1) or n.bit_length() > 16 * r:
        return None
    room = SCRYPT_BLOCK * r * (n + p + 2)

    def derive(password: bytes) -> bytes:
        try:
            digest = hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=room, dklen=SCRYPT_DIGEST)
        except (MemoryError, ValueError) as error:  # OpenSSL's own "no memory" arrives as a ValueError
            raise Overloaded("there is no memory for scrypt") from error
        return base64.b64encode(digest)

    # The table has N blocks, but each lane keeps one as well, and lanes may outnumber it.
    cost = Cost(memory_kib=SCRYPT_BLOCK * r * max(n, p) // 1024, lanes=p)
    return Reading(cost=cost, derive=derive, expected=match["digest"].encode())


def parse_django_argon2(encoded: str) -> Reading | None:
    """Read `argon2` and a PHC string behind it."""
    return parse_argon2(encoded.removeprefix("argon2"))


def parse_django_bcrypt(encoded: str) -> Reading | None:
    """Read `bcrypt$` and a crypt(3) string; Django gave the bcrypt package the password with its NULs."""
    return parse_crypt(encoded.removeprefix("bcrypt$"), lambda password: password)


def parse_bcrypt_sha256(encoded: str) -> Reading | None:
    """Read `bcrypt_sha256$` and a crypt(3) string of the password's SHA-256 in hexadecimal."""
    return parse_crypt(encoded.removeprefix("bcrypt_sha256$"),
                       lambda password: hashlib.sha256(password).hexdigest().encode())


def parse_salted_md5(encoded: str) -> Reading | None:
    """Read `md5$salt$hexadecimal`."""
    return _digest(SALTED_MD5.fullmatch(encoded), "md5")


def parse_salted_sha1(encoded: str) -> Reading | None:
    """Read `sha1$salt$hexadecimal` (until Django 5.0)."""
    return _digest(SALTED_SHA1.fullmatch(encoded), "sha1")


def parse_unsalted_md5(encoded: str) -> Reading | None:
    """Read 32 hexadecimal digits, bare or behind `md5$$` (until Django 5.0)."""
    return _digest(UNSALTED_MD5.fullmatch(encoded), "md5")


def parse_unsalted_sha1(encoded: str) -> Reading | None:
    """Read `sha1$$hexadecimal` (until Django 5.0)."""
    return _digest(UNSALTED_SHA1.fullmatch(encoded), "sha1")


def parse_unusable(encoded: str) -> Reading:
    """Read `!…`: Django's word for a user without a password. Nothing that is derived ever equals it."""
    return Reading(derive=lambda _: b"", expected=encoded[:1].encode())


def _pbkdf2(match: re.Match[str] | None, algorithm: str) -> Reading | None:
    salt = _salt(match)
    if match is None or salt is None:
        return None
    rounds = int(match["rounds"])

    def derive(password: bytes) -> bytes:
        return base64.b64encode(hashlib.pbkdf2_hmac(algorithm, password, salt, rounds))

    return Reading(cost=Cost(rounds=rounds), derive=derive, expected=match["digest"].encode())


def _digest(match: re.Match[str] | None, algorithm: str) -> Reading | None:
    salt = _salt(match)
    if match is None or salt is None:
        return None

    def derive(password: bytes) -> bytes:
        return hashlib.new(algorithm, salt + password, usedforsecurity=False).hexdigest().encode()

    return Reading(derive=derive, expected=match["digest"].encode())


def _salt(match: re.Match[str] | None) -> bytes | None:
    """Return the salt's UTF-8, empty for an encoding without one, None where there is no such salt."""
    if match is None:
        return None
    try:
        return match.groupdict().get("salt", "").encode()
    except UnicodeEncodeError:
        return None
