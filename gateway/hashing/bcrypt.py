"""bcrypt in the encoding of crypt(3): $2a$, $2b$, $2y$.

Owns what legacy systems did with passwords that bcrypt cannot hold. The three idents compute the same for
every password here; they name bugs that were mended elsewhere.
"""

import re
from collections.abc import Callable

import bcrypt

from gateway.hashing.scheme import Cost, Reading

# 16 bytes of salt end in a character of which two bits count; 23 bytes of digest follow.
CRYPT = re.compile(r"(?P<setting>\$2[aby]\$(?P<cost>0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{21}[.Oeu])"
                   r"(?P<digest>[./A-Za-z0-9]{31})")

KEY = 72
"""Bytes that bcrypt takes; whatever follows was ignored by every implementation until bcrypt 5 refused it."""


def parse_bcrypt(encoded: str) -> Reading | None:
    """Read a crypt(3) string; a password ends at its first NUL, as it did for PHP and every C program."""
    return parse_crypt(encoded, lambda password: password.partition(b"\0")[0])


def parse_crypt(encoded: str, prepare: Callable[[bytes], bytes]) -> Reading | None:
    """Read a crypt(3) string whose password goes through `prepare` before it is cut to what bcrypt takes."""
    match = CRYPT.fullmatch(encoded)
    if match is None:
        return None
    setting = match["setting"].encode()

    def derive(password: bytes) -> bytes:
        return bcrypt.hashpw(prepare(password)[:KEY], setting)[len(setting):]

    cost = Cost(rounds=2 ** int(match["cost"]))
    return Reading(cost=cost, derive=derive, expected=match["digest"].encode())
