"""Named parameters: found where they are, and nowhere else."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adapters.sql.parameters import names, numbered


@pytest.mark.parametrize(
    ("query", "translated"),
    [
        ("SELECT 1 WHERE a = :login", "SELECT 1 WHERE a = $1"),
        ("a=:login OR b=:login", "a=$1 OR b=$1"),
        (":login", "$1"),
        (":login::text", "$1::text"),
        ("x::login", "x::login"),
        ("lower(:login)", "lower($1)"),
        ("':login' = :login", "':login' = $1"),
        ("'it''s :login' = :login", "'it''s :login' = $1"),
        ("'a\\' = :login", "'a\\' = $1"),
        ("E'a\\' :login' = :login", "E'a\\' :login' = $1"),
        ("e'\\\\' || :login", "e'\\\\' || $1"),
        ("type'\\' || :login", "type'\\' || $1"),
        ('":login" = :login', '":login" = $1'),
        ('"a"":login" = :login', '"a"":login" = $1'),
        ("`:login` = :login", "`:login` = $1"),
        ("1 -- :login\n, :login", "1 -- :login\n, $1"),
        ("1 -- it's\n, :login", "1 -- it's\n, $1"),
        ("/* :login */ :login", "/* :login */ $1"),
        ("/* /* :login */ ' :login */ :login", "/* /* :login */ ' :login */ $1"),
        ("/**/:login/**/", "/**/$1/**/"),
        ("$$ :login ' $$ || :login", "$$ :login ' $$ || $1"),
        ("$a$ :login $$ $b$ $a$ || :login", "$a$ :login $$ $b$ $a$ || $1"),
        ("a$b$ = :login", "a$b$ = $1"),
        ("$1 = :login", "$1 = $1"),
        ("a[1:2] = :login", "a[1:2] = $1"),
        ("a := :login", "a := $1"),
        ("'żółw' = :login", "'żółw' = $1"),
        ("żółw = :login", "żółw = $1"),
        ("'unfinished :login", "'unfinished $1"),
        ("/* unfinished :login", "/* unfinished :login"),
        ("", ""),
    ],
)
def test_a_parameter_becomes_a_number_outside_of_text_and_comments(query: str, translated: str) -> None:
    """Strings, names, comments and casts stay as they are, byte by byte."""
    assert numbered(query, "login") == translated


def test_only_the_parameter_of_this_name_is_translated() -> None:
    """Another one is the database's to refuse."""
    assert numbered(":logins :login_ :Login :other :login", "login") == ":logins :login_ :Login :other $1"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (":login", {"login"}), (":a + :b + :a", {"a", "b"}), ("':a' -- :b", set()), ("x::a", set()), (":1", set()),
        ("a :b", {"b"}), (":", set()), (":_x1", {"_x1"}), (":::a", {"a"}),
    ],
)
def test_the_names_of_parameters_are_found(query: str, found: set[str]) -> None:
    """Each once."""
    assert names(query) == found


PIECES = st.sampled_from([
    "a ", "'", "''", '"', "E'", "\\", "--", "\n", "/*", "*/", "$$", "$t$", ":", "::", "`", ":x", "$1", "é", "(", "1",
])


@given(st.lists(PIECES))
def test_everything_else_stays_byte_by_byte(pieces: list[str]) -> None:
    """Whatever the query: undoing the numbers gives the query again."""
    query = "".join(pieces)
    assume("$1" not in query)
    assert numbered(query, "x").replace("$1", ":x") == query


@given(st.text("ab:'\"` \n-/*$\\", max_size=40))
def test_a_finished_string_after_any_beginning_hides_its_parameter(text: str) -> None:
    """A query that has none gets none, and finding them ends for any text."""
    assert "login" not in names("'" + text.replace("'", "''") + " :login '")
    assert numbered(text, "login") == text
