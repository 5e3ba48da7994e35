"""How a typed identifier becomes the alias under which an account is found. Pure."""

import unicodedata
from enum import StrEnum

LONGEST = 255  # code points; names beyond that are nobody's, and an index row stays small

# NFKC makes one code point of four at most (U+1FA7): what is longer than this has no alias within `LONGEST`. It must
# not even be normalised, for the time that takes grows as the square of a run of marks in a wrong order.
LONGEST_TYPED = 4 * LONGEST

# Control, format (zero-width, bidirectional marks), surrogate, unassigned, line and paragraph separators:
# two names that differ in these look alike to a person (RFC 8264 section 9.12 forbids them in identifiers).
INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})

# Marks and letters that show nothing either: joiners, fillers and variation selectors
# (Default_Ignorable_Code_Point in Unicode's DerivedCoreProperties.txt, without the categories above).
BLANK = frozenset(map(chr, (
    0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x180E), 0x180F, 0x3164, *range(0xFE00, 0xFE10), 0xFFA0,
    *range(0xE0100, 0xE01F0))))


class Comparison(StrEnum):
    """How a source compares identifiers: case counts, or it does not (NFKC casefold, as RFC 8265 3.3).

    Either way blanks around a name do not count, nor do compatibility forms (NFKC): applications strip and
    normalise what is typed, and a name that the app takes for another's must find that other's account.
    """

    EXACT = "exact"
    CASEFOLD = "casefold"


def normalise(identifier: str, comparison: Comparison) -> str | None:
    """Return the alias of an identifier, or None when it can be nobody's."""
    typed = identifier.strip()
    if len(typed) > LONGEST_TYPED:
        return None
    if any(character in BLANK or unicodedata.category(character) in INVISIBLE for character in typed):
        return None
    alias = unicodedata.normalize("NFKC", typed)
    if comparison is Comparison.CASEFOLD:
        alias = unicodedata.normalize("NFKC", alias.casefold())
    alias = alias.strip()  # the compatibility form of some signs begins with a blank
    return alias if 0 < len(alias) <= LONGEST else None


def aliases(identifiers: tuple[str, ...], comparison: Comparison) -> tuple[str, ...]:
    """Return the distinct aliases of a user's identifiers, in order."""
    found = (normalise(identifier, comparison) for identifier in identifiers)
    return tuple(dict.fromkeys(alias for alias in found if alias is not None))
