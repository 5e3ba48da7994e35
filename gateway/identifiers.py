"""How a typed identifier becomes the alias under which an account is found. Pure."""

import unicodedata
from enum import StrEnum

LONGEST = 255  # code points; names beyond that are nobody's, and an index row stays small

# Control, format (zero-width, bidirectional marks), surrogate, unassigned, line and paragraph separators:
# two names that differ in these look alike to a person (RFC 8264 section 9.12 forbids them in identifiers).
INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})


class Comparison(StrEnum):
    """How a source compares identifiers: byte by byte, or NFKC and case-folded (as RFC 8265 3.3)."""

    EXACT = "exact"
    CASEFOLD = "casefold"


def normalise(identifier: str, comparison: Comparison) -> str | None:
    """Return the alias of an identifier, or None when it can be nobody's."""
    if not 0 < len(identifier) <= LONGEST:
        return None
    if any(unicodedata.category(character) in INVISIBLE for character in identifier):
        return None
    if comparison is Comparison.EXACT:
        return identifier
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", identifier).casefold())
    return folded or None


def aliases(identifiers: tuple[str, ...], comparison: Comparison) -> tuple[str, ...]:
    """Return the distinct aliases of a user's identifiers, in order."""
    found = (normalise(identifier, comparison) for identifier in identifiers)
    return tuple(dict.fromkeys(alias for alias in found if alias is not None))
