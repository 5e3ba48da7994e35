"""Makes django-4.2.json: what Django 5.1 and bcrypt 5 do not write any more.

Run it in an environment of its own: `pip install "django==4.2.*" "bcrypt==4.3.*"`, then
`python -W ignore tests/vectors/hashes/make_django42.py`. bcrypt 4 still cut a password at 72 bytes.
"""

import bcrypt
import django
from cases import PASSWORDS, vector, write
from django.conf import settings
from django.contrib.auth import hashers

SALT = "seasalt2seasalt2seasal"
BCRYPT_SALT = b"abcdefghijklmnopqrstuu"


def vectors() -> list[dict[str, str]]:
    maker = f"Django {django.__version__}"
    cheap = {
        "django_sha1": (hashers.SHA1PasswordHasher, SALT),
        "django_unsalted_sha1": (hashers.UnsaltedSHA1PasswordHasher, ""),
        "django_unsalted_md5": (hashers.UnsaltedMD5PasswordHasher, ""),
        "django_bcrypt": (hashers.BCryptPasswordHasher, b"$2b$04$" + BCRYPT_SALT),
    }
    found = [vector(scheme, case, hasher().encode(password, salt), maker)
             for scheme, (hasher, salt) in cheap.items() for case, password in PASSWORDS.items()]
    for one in found:
        if one["scheme"] == "django_bcrypt":
            one["made_by"] += f" with bcrypt {bcrypt.__version__}"
    prefixed = "md5$$" + hashers.UnsaltedMD5PasswordHasher().encode(PASSWORDS["plain"], "")
    if not hashers.check_password(PASSWORDS["plain"], prefixed):
        raise SystemExit("Django does not take md5$$ any more")
    return [*found, vector("django_unsalted_md5", "plain", prefixed, f"{maker}, which accepts the prefix")]


if __name__ == "__main__":
    settings.configure(PASSWORD_HASHERS=["django.contrib.auth.hashers.UnsaltedMD5PasswordHasher"])
    write("django-4.2.json", vectors())
