"""A wrong password that looks like the typed one, so that the app refuses a denied login in its own words.

Pure; the random source comes in as an argument.
"""

import string
from collections.abc import Callable

from gateway.model import Secret

ALPHABETS = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "!#$%&*+-./:;=?@^_~", "ąćęłńóśźż")
BEYOND_ASCII = ALPHABETS[-1]  # two bytes each in UTF-8, like most letters that people type there


def decoy(password: Secret, choose: Callable[[str], str]) -> Secret:
    """Return random characters of the typed ones' classes and number, never the typed password.

    `choose` picks one character of a string (`secrets.choice`). An empty password stays empty.
    """
    alphabets = [_alphabet(character) for character in password.reveal()]
    made = password
    while alphabets and made == password:
        made = Secret("".join(choose(alphabet) for alphabet in alphabets))
    return made


def _alphabet(character: str) -> str:
    own = (alphabet for alphabet in ALPHABETS if character in alphabet)
    fallback = ALPHABETS[3] if character.isascii() else BEYOND_ASCII
    return next(own, fallback)
