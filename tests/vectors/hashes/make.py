"""Makes argon2.json, bcrypt.json and django.json by other programs than ours.

Run it in the development environment: `python tests/vectors/hashes/make.py`. It takes OpenSSL's Argon2
(through the cryptography package), libargon2 (argon2-cffi), libxcrypt's bcrypt (through Perl's crypt, a C
string as in PHP), the bcrypt package, and Django's own hashers. Salts are fixed: a second run changes
nothing, unless a maker changed.
"""

import subprocess
from importlib.metadata import version

import argon2
import bcrypt
import django
from argon2.low_level import Type, hash_secret
from cases import PASSWORDS, vector, write
from cryptography.hazmat.primitives.kdf import argon2 as openssl
from django.conf import settings
from django.contrib.auth import hashers

SALT = b"sixteen bytes ok"
BCRYPT_SALT = "abcdefghijklmnopqrstuu"
DJANGO_SALT = "seasalt2seasalt2seasal"
PERL = r'print crypt(pack("H*", $ARGV[0]), $ARGV[1])'


def argon2_vectors() -> list[dict[str, str]]:
    maker = f"OpenSSL, by cryptography {version('cryptography')}"
    found = []
    for kind in (openssl.Argon2id, openssl.Argon2i, openssl.Argon2d):
        for case, password in PASSWORDS.items():
            kdf = kind(salt=SALT, length=32, iterations=2, lanes=2, memory_cost=64)
            encoded = kdf.derive_phc_encoded(password.encode())
            found.append(vector("argon2", case, encoded, maker))
    maker = f"libargon2, by argon2-cffi {version('argon2-cffi')}"
    old = hash_secret(PASSWORDS["plain"].encode(), SALT, 3, 32, 1, 24, Type.I, version=16).decode()
    found.append(vector("argon2", "plain", old, maker))
    unversioned = old.replace("$v=16", "")
    found.append(vector("argon2", "plain", unversioned, f"{maker}; v=16 left out, as before 2016"))
    default = argon2.PasswordHasher().hash(PASSWORDS["plain"], salt=SALT)
    return [*found, vector("argon2", "default", default, maker)]


def bcrypt_vectors() -> list[dict[str, str]]:
    found = []
    for ident in ("2a", "2b", "2y"):
        for case, password in PASSWORDS.items():
            encoded = subprocess.run(
                ["perl", "-e", PERL, password.encode().hex(), f"${ident}$04${BCRYPT_SALT}"],
                check=True, capture_output=True, text=True).stdout
            found.append(vector("bcrypt", case, encoded, "libxcrypt 4, by Perl's crypt"))
    default = bcrypt.hashpw(PASSWORDS["plain"].encode(), f"$2b$12${BCRYPT_SALT}".encode()).decode()
    return [*found, vector("bcrypt", "default", default, f"bcrypt {version('bcrypt')}")]


class SmallArgon2(hashers.Argon2PasswordHasher):
    time_cost = 1
    memory_cost = 64
    parallelism = 2


def django_vectors() -> list[dict[str, str]]:
    bcrypt_salt = f"$2b$04${BCRYPT_SALT}".encode()
    cheap = {
        "django_pbkdf2_sha256": (hashers.PBKDF2PasswordHasher, DJANGO_SALT, 100),
        "django_pbkdf2_sha1": (hashers.PBKDF2SHA1PasswordHasher, DJANGO_SALT, 100),
        "django_argon2": (SmallArgon2, DJANGO_SALT),
        "django_bcrypt_sha256": (hashers.BCryptSHA256PasswordHasher, bcrypt_salt),
        "django_scrypt": (hashers.ScryptPasswordHasher, DJANGO_SALT, 16, 8, 2),
        "django_md5": (hashers.MD5PasswordHasher, DJANGO_SALT),
    }
    default = {
        "django_pbkdf2_sha256": (hashers.PBKDF2PasswordHasher, DJANGO_SALT),
        "django_pbkdf2_sha1": (hashers.PBKDF2SHA1PasswordHasher, DJANGO_SALT),
        "django_argon2": (hashers.Argon2PasswordHasher, DJANGO_SALT),
        "django_bcrypt_sha256": (hashers.BCryptSHA256PasswordHasher, bcrypt_salt.replace(b"$04$", b"$12$")),
        "django_scrypt": (hashers.ScryptPasswordHasher, DJANGO_SALT),
    }
    maker = f"Django {django.__version__}"
    found = [vector(scheme, case, hasher().encode(password, *arguments), maker)
             for scheme, (hasher, *arguments) in cheap.items() for case, password in PASSWORDS.items()]
    found += [vector(scheme, "default", hasher().encode(PASSWORDS["plain"], *arguments), maker)
              for scheme, (hasher, *arguments) in default.items()]
    salted = hashers.PBKDF2PasswordHasher().encode(PASSWORDS["plain"], "sól morska", 100)
    return [*found, vector("django_pbkdf2_sha256", "plain", salted, f"{maker}, with a salt beyond ASCII")]


if __name__ == "__main__":
    settings.configure()
    write("argon2.json", argon2_vectors())
    write("bcrypt.json", bcrypt_vectors())
    write("django.json", django_vectors())
