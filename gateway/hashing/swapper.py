"""The table of schemes, and the one who picks a row of it.

Owns the decision which scheme a string is of: by its beginning or its shape, and never by trying one
scheme after another, so that a weak one cannot open what a strong one wrote.
"""

import re
from collections.abc import Sequence

from gateway.hashing import django
from gateway.hashing.argon2 import parse_argon2
from gateway.hashing.bcrypt import parse_bcrypt
from gateway.hashing.scheme import ARGON2_BOUND, BCRYPT_BOUND, PBKDF2_BOUND, SCRYPT_BOUND, Match, Scheme
from gateway.model import Secret

SCHEMES = (
    Scheme(name="argon2", shape=re.compile(r"\$argon2(?:id|i|d)\$"),
           parse=parse_argon2, bound=ARGON2_BOUND),
    Scheme(name="bcrypt", shape=re.compile(r"\$2[aby]\$"),
           parse=parse_bcrypt, bound=BCRYPT_BOUND),
    Scheme(name="django_pbkdf2_sha256", shape=re.compile(r"pbkdf2_sha256\$"),
           parse=django.parse_pbkdf2_sha256, bound=PBKDF2_BOUND),
    Scheme(name="django_pbkdf2_sha1", shape=re.compile(r"pbkdf2_sha1\$"),
           parse=django.parse_pbkdf2_sha1, bound=PBKDF2_BOUND),
    Scheme(name="django_argon2", shape=re.compile(r"argon2\$"),
           parse=django.parse_django_argon2, bound=ARGON2_BOUND),
    Scheme(name="django_bcrypt", shape=re.compile(r"bcrypt\$"),
           parse=django.parse_django_bcrypt, bound=BCRYPT_BOUND),
    Scheme(name="django_bcrypt_sha256", shape=re.compile(r"bcrypt_sha256\$"),
           parse=django.parse_bcrypt_sha256, bound=BCRYPT_BOUND),
    Scheme(name="django_scrypt", shape=re.compile(r"scrypt\$"),
           parse=django.parse_scrypt, bound=SCRYPT_BOUND),
    Scheme(name="django_md5", shape=re.compile(r"md5\$(?!\$)"), parse=django.parse_salted_md5),
    Scheme(name="django_sha1", shape=re.compile(r"sha1\$(?!\$)"), parse=django.parse_salted_sha1),
    Scheme(name="django_unsalted_md5", shape=re.compile(r"md5\$\$|[0-9a-f]{32}\Z"),
           parse=django.parse_unsalted_md5),
    Scheme(name="django_unsalted_sha1", shape=re.compile(r"sha1\$\$"), parse=django.parse_unsalted_sha1),
    Scheme(name="django_unusable", shape=re.compile(r"!"), parse=django.parse_unusable),
)


class Swapper:
    """Verifies any legacy hash by the scheme that it is of."""

    def __init__(self, schemes: Sequence[Scheme] = SCHEMES) -> None:
        self._schemes = schemes

    def identify(self, encoded: str) -> str | None:
        """Return the name of the scheme that a string claims to be of; it may still be malformed."""
        scheme = self._scheme_of(encoded)
        return scheme.name if scheme else None

    def verify(self, encoded: Secret, password: Secret) -> Match:
        """Say what a password is to a legacy hash; a string of no scheme is FOREIGN."""
        scheme = self._scheme_of(encoded.reveal())
        return scheme.verify(encoded.reveal(), password) if scheme else Match.FOREIGN

    def _scheme_of(self, encoded: str) -> Scheme | None:
        return next((scheme for scheme in self._schemes if scheme.identify(encoded)), None)
