"""What a typed name is worth: the alias under which an account is found, or nothing."""

import sys
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.identifiers import LONGEST, LONGEST_TYPED, Comparison, aliases, normalise

EXACT, CASEFOLD = Comparison.EXACT, Comparison.CASEFOLD
UNSEEN = ("ZERO WIDTH", "VARIATION SELECTOR", "GRAPHEME JOINER", "VOWEL INHERENT", "HANGUL FILLER",
          "HANGUL CHOSEONG FILLER", "HANGUL JUNGSEONG FILLER", "HALFWIDTH HANGUL FILLER")
EVERY = [chr(number) for number in range(sys.maxunicode + 1)]

comparisons = st.sampled_from(Comparison)
names = st.text(max_size=40) | st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"]), max_size=40)


def is_unseen(character: str) -> bool:
    """Say whether a person sees nothing of a character, by the words of Unicode's own names and categories."""
    name = unicodedata.name(character, "")
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} or any(word in name for word in UNSEEN)


@given(name=names, comparison=comparisons)
def test_an_alias_is_its_own_alias(name: str, comparison: Comparison) -> None:
    """Normalising is idempotent: what was stored is found."""
    alias = normalise(name, comparison)
    if alias is not None:
        assert normalise(alias, comparison) == alias


@pytest.mark.parametrize("comparison", Comparison)
def test_every_single_character_is_its_own_alias(comparison: Comparison) -> None:
    """Idempotent over the whole of Unicode, and whatever comes out is visible."""
    found = {alias for character in EVERY if (alias := normalise(f"a{character}b", comparison)) is not None}
    assert len(found) > 100_000
    for alias in found:
        assert normalise(alias, comparison) == alias
        assert not any(map(is_unseen, alias))


@given(before=names, after=names, unseen=st.sampled_from([char for char in EVERY if is_unseen(char)]),
       comparison=comparisons)
def test_no_name_holds_what_nobody_sees(before: str, after: str, unseen: str, comparison: Comparison) -> None:
    """Control, zero-width and filling characters inside a name make it nobody's."""
    assert normalise(f"a{before}{unseen}{after}a", comparison) is None


@given(name=names, comparison=comparisons)
def test_an_alias_is_short_stripped_and_in_compatibility_form(name: str, comparison: Comparison) -> None:
    """However a name was typed: an index takes it, and an app that strips and composes reads it alike."""
    alias = normalise(name, comparison)
    if alias is not None:
        assert 0 < len(alias) <= LONGEST
        assert alias == alias.strip() == unicodedata.normalize("NFKC", alias)


@given(name=names, comparison=comparisons, blanks=st.text(st.sampled_from(" \t\r\n\u00a0\u3000"), max_size=4))
def test_blanks_around_a_name_do_not_count(name: str, comparison: Comparison, blanks: str) -> None:
    """A phone appends one, an application strips it."""
    assert normalise(f"{blanks}{name}{blanks}", comparison) == normalise(name, comparison)


@given(name=names)
def test_folding_forgets_case_and_composition(name: str) -> None:
    """Under `casefold` a name is found however its letters were typed."""
    assert normalise(unicodedata.normalize("NFD", name), CASEFOLD) == normalise(name, CASEFOLD)
    alias = normalise(name, CASEFOLD)
    if alias is not None:
        assert normalise(alias.upper(), CASEFOLD) == normalise(alias.upper().casefold(), CASEFOLD)


@pytest.mark.parametrize(("typed", "exact", "folded"), [
    ("alice", "alice", "alice"),
    ("Alice", "Alice", "alice"),
    ("ALICE@Shop.test", "ALICE@Shop.test", "alice@shop.test"),
    ("ａlice", "alice", "alice"),
    ("Straße", "Straße", "strasse"),
    ("Ⅷ", "VIII", "viii"),
    ("ﬁsh", "fish", "fish"),
    ("Za\u0301", "Zá", "zá"),
    ("ΣΊΣΥΦΟΣ", "ΣΊΣΥΦΟΣ", "σίσυφοσ"),
    ("a b", "a b", "a b"),
    ("' OR '1'='1", "' OR '1'='1", "' or '1'='1"),
    ("a" * 255, "a" * 255, "a" * 255),
    (" " * 300 + "a", "a", "a"),
])
def test_case_counts_or_does_not(typed: str, exact: str, folded: str) -> None:
    """`exact` keeps case, `casefold` folds it; compatibility forms count under neither."""
    assert normalise(typed, EXACT) == exact
    assert normalise(typed, CASEFOLD) == folded


@pytest.mark.parametrize("typed", [
    "", " ", "\t\n", "a" * 256, "\ufdfa" * 200, "al\0ice", "al\x7fice", "al\u00adice", "al\u200bice", "al\u200dice",
    "al\u202eice", "al\u2060ice", "al\ufeffice", "al\u034fice", "al\u3164ice", "al\uffa0ice", "alice\ufe0f",
    "al\ud800ice", "al\u2028ice", "al\uffffice", "al\U000e0100ice", "al\nice",
])
@pytest.mark.parametrize("comparison", Comparison)
def test_a_name_can_be_nobodys(typed: str, comparison: Comparison) -> None:
    """Empty, too long (as typed or in its compatibility form), or with something in it that nobody sees."""
    assert normalise(typed, comparison) is None


@pytest.mark.parametrize("comparison", Comparison)
def test_the_longest_name_is_found_as_it_decomposes_too(comparison: Comparison) -> None:
    """The bound of what is typed cuts off no name: four code points at most become one, and a name has that many."""
    assert max(len(unicodedata.normalize("NFD", character)) for character in EVERY) == LONGEST_TYPED // LONGEST
    longest = "\u1f67" * LONGEST
    assert normalise(unicodedata.normalize("NFD", longest), comparison) == longest
    widest = unicodedata.normalize("NFD", "\u1fa7" * LONGEST)
    assert len(widest) == LONGEST_TYPED
    assert normalise(widest, EXACT) == "\u1fa7" * LONGEST
    assert normalise(widest + "\u0301", comparison) is None


class Untouched(str):
    """A name at whose characters nobody may look."""

    __slots__ = ()

    def strip(self, _characters: str | None = None, /) -> "Untouched":
        return self

    def __iter__(self) -> Iterator[str]:
        raise AssertionError


@pytest.mark.parametrize("comparison", Comparison)
def test_what_is_far_too_long_is_not_even_looked_at(comparison: Comparison) -> None:
    """Marks in a wrong order would take seconds to sort; the length alone refuses them, up to its edge."""
    marks = "\u0301" * (LONGEST_TYPED // 2) + "\u0316" * (LONGEST_TYPED // 2)
    assert normalise(Untouched(marks + "a"), comparison) is None
    with pytest.raises(AssertionError):
        normalise(Untouched(marks), comparison)


def test_aliases_are_distinct_and_in_order() -> None:
    """The names of a profile, without those that can be nobody's or are the same."""
    identifiers = ("Alice", "alice@Shop.test", "", "ALICE", "al\0ice", "alice@shop.test ")
    assert aliases(identifiers, CASEFOLD) == ("alice", "alice@shop.test")
    assert aliases(identifiers, EXACT) == ("Alice", "alice@Shop.test", "ALICE", "alice@shop.test")
    assert aliases((), EXACT) == ()
