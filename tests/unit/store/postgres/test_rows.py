"""Tests of gateway.store.postgres.rows: text that PostgreSQL can hold and search."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.postgres.rows import is_storable, sought, storable

ANY_TEXT = st.text(st.characters())


@given(ANY_TEXT)
def test_storable_text_is_what_postgresql_takes(text: str) -> None:
    """It has no NUL, is UTF-8, is as long as it was, and storing it twice changes nothing."""
    stored = storable(text)
    assert "\0" not in stored
    assert stored.encode("utf-8").decode("utf-8") == stored
    assert len(stored) == len(text)
    assert storable(stored) == stored
    assert is_storable(text) == (stored == text)


@pytest.mark.parametrize("text", ["", "alice", "Zażółć gęślą", "𝔸 🙂", "\x01\x7f￾"])
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Only NUL and lone surrogates are touched."""
    assert storable(text) == text
    assert is_storable(text)


@pytest.mark.parametrize(("kept", "asked"), [
    ("Zażółć", "ŻÓŁ"), ("STRASSE", "straße"), ("Ａlice", "alice"), ("alice@Shop.TEST", "@shop"), ("Ωmega", "ωM"),
])
def test_case_and_width_do_not_matter(kept: str, asked: str) -> None:
    """The comparison is that of aliases: NFKC and case folding."""
    assert sought((asked,)) in sought(("before", kept, "after"))


@given(st.text(st.characters(), min_size=1), st.text(st.characters(), min_size=1))
def test_each_name_is_one_line(one: str, other: str) -> None:
    """Whatever line breaks a name holds, a search cannot reach from one name into the next."""
    assert sought((one, other)).count("\n") == 1
    assert "\n" not in sought((one,))
