"""pydantic's errors in our own words: every kind that our models can cause, and never a value."""

from enum import StrEnum
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from gateway.settings.positions import Path
from gateway.settings.sentences import USELESS, keys_at, keys_of, mistakes, models_in, unknown_key
from gateway.settings.values import Section, mistake

MARK = "hunter2-Pa55"


class Kind(StrEnum):
    LOGIN = "login"
    BLOCK = "block"


class Inner(Section):
    status: tuple[int, ...] = ()
    text: Annotated[str, Field(min_length=2, max_length=4)] = "ok"


class Outer(Section):
    name: str
    count: Annotated[int, Field(ge=1, le=9)] = 1
    more: Annotated[int, Field(gt=1, lt=9)] = 2
    ratio: float = 0.5
    is_on: bool = False
    word: Literal["yes", "no"] = "no"
    kind: Kind = Kind.LOGIN
    names: Annotated[tuple[str, ...], Field(min_length=1, max_length=2)] = ("a",)
    inner: Inner | None = None
    inners: tuple[Inner, ...] = ()
    choices: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    renamed: int = Field(default=1, alias="called")

    @field_validator("name")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if value == "int":
            int(value)
        if value == "own":
            raise ValueError("must be better")
        if value == "mistake":
            mistake("is a mistake")
        assert value != "assertion", MARK
        return value

    @model_validator(mode="after")
    def _agrees(self) -> "Outer":
        if self.count == self.more:
            raise ValueError("count and more are equal")
        return self


def told(**table: object) -> list[tuple[Path, str]]:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"name": "x", **table})
    return list(mistakes(caught.value, Outer))


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("name", 7, "must be text in quotes"),
        ("name", "int", USELESS),
        ("name", "own", "must be better"),
        ("name", "mistake", "is a mistake"),
        ("name", "assertion", USELESS),
        ("count", MARK, "must be a whole number"),
        ("count", 1.5, "must be a whole number"),
        ("count", True, "must be a whole number"),
        ("count", 0, "must be at least 1"),
        ("count", 10, "must be at most 9"),
        ("more", 1, "must be more than 1"),
        ("more", 9, "must be less than 9"),
        ("ratio", MARK, "must be a number"),
        ("ratio", float("inf"), "must be a finite number"),
        ("ratio", float("nan"), "must be a finite number"),
        ("is_on", MARK, "must be true or false, without quotes"),
        ("is_on", 1, "must be true or false, without quotes"),
        ("word", MARK, "must be 'yes' or 'no'"),
        ("names", MARK, 'must be a list, such as ["…"]'),
        ("names", (), "must have 1 or more entries"),
        ("names", ("a", "b", "c"), "must have at most 2 entries"),
        ("inner", MARK, "must be a table"),
        ("inners", {"a": MARK}, 'must be a list, such as ["…"]'),
        ("choices", MARK, "must be a table"),
        ("called", MARK, "must be a whole number"),
    ],
)
def test_every_kind_of_mistake_has_a_sentence(key: str, value: object, sentence: str) -> None:
    """It names what must be, and not what is."""
    assert told(**{key: value}) == [((key,), sentence)]


def test_deeper_mistakes_have_deeper_places() -> None:
    """Elements are counted from 0."""
    found = told(inner={"status": (200, MARK), "text": "x"}, inners=({"text": "yes"}, {"text": "12345"}))
    assert found == [
        (("inner", "status", 1), "must be a whole number"),
        (("inner", "text"), "must have 2 or more characters"),
        (("inners", 1, "text"), "must have at most 4 characters"),
    ]


def test_a_mistake_of_a_whole_table_stands_at_the_table() -> None:
    """What a validator of ours says about several keys is passed on."""
    assert told(count=3, more=3) == [((), "count and more are equal")]


def test_a_missing_key_is_named() -> None:
    """At its own place, though nothing stands there."""
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({})
    assert list(mistakes(caught.value, Outer)) == [(("name",), "is missing")]


def test_an_unknown_key_is_told_its_neighbours() -> None:
    """The nearest known one first; keys that another model reads are known, too."""
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"name": "x", "conut": MARK, "adaptr": 1})
    found = dict(mistakes(caught.value, Outer, also_known=("adapter",)))
    assert found[("conut",)].startswith("is not known here; did you mean count? known are adapter, called, choices,")
    assert "did you mean adapter?" in found[("adaptr",)]
    assert MARK not in str(found)


@pytest.mark.parametrize("table", [{"inner": {"sttus": 1}}, {"inners": ({"sttus": 1},)}])
def test_an_unknown_key_below_is_told_the_neighbours_there(table: dict[str, object]) -> None:
    """Not those of the table around it."""
    [(path, sentence)] = told(**table)
    assert path[-1] == "sttus"
    assert sentence == "is not known here; did you mean status? known are status, text"


def test_a_key_unlike_any_other_gets_no_guess() -> None:
    """Only the list."""
    assert unknown_key("zzz", ("b", "a")) == "is not known here; known are a, b"


def test_keys_are_named_as_in_the_file() -> None:
    """By the alias where there is one."""
    assert "called" in keys_of(Outer)
    assert "renamed" not in keys_of(Outer)
    assert keys_at(Outer, ("inners", 3)) == ("status", "text")
    assert keys_at(Outer, ()) == tuple(keys_of(Outer))


def test_models_are_found_in_any_annotation() -> None:
    """However they are wrapped."""
    assert models_in(Outer.model_fields["inner"].annotation) == (Inner,)
    assert models_in(dict[str, tuple[Inner, ...] | None]) == (Inner,)
    assert models_in(str) == models_in(None) == ()


def test_an_error_of_a_kind_that_nobody_foresaw_has_a_sentence_too() -> None:
    """Rather a useless one than pydantic's, which shows the value."""

    class Other(BaseModel):
        place: Annotated[str, Field(pattern="^a$")]

    with pytest.raises(ValidationError) as caught:
        Other.model_validate({"place": MARK})
    assert list(mistakes(caught.value, Other)) == [(("place",), USELESS)]
