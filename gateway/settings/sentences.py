"""What is wrong with a value, in our own words: pydantic's repeat the value, which may be a secret.

Owns the translation of validation errors. Knows models, not files or lines.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.settings.positions import Path
from gateway.settings.values import MISTAKE

USELESS = "has a value that cannot be used here"
LIST = 'must be a list, such as ["…"]'
TABLE = "must be a table"
WHOLE_NUMBER = "must be a whole number"

SENTENCES: Mapping[str, str] = {  # by pydantic's error type; what is filled in comes from our models
    "missing": "is missing",
    "string_type": "must be text in quotes",
    "int_type": WHOLE_NUMBER,
    "int_parsing": WHOLE_NUMBER,
    "int_from_float": WHOLE_NUMBER,
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false, without quotes",
    "bool_parsing": "must be true or false, without quotes",
    "tuple_type": LIST,
    "list_type": LIST,
    "frozen_set_type": LIST,
    "set_type": LIST,
    "model_type": TABLE,
    "dict_type": TABLE,
    "mapping_type": TABLE,
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must have {min_length} or more characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have at most {max_length} entries",
}


def mistakes(
    error: ValidationError, model: type[BaseModel], also_known: Sequence[str] = ()
) -> Iterator[tuple[Path, str]]:
    """Yield where each mistake is, seen from the model, and what is wrong; never a value.

    `also_known` are keys of the outermost table that another model reads.
    """
    for detail in error.errors(include_url=False):
        path = detail["loc"]
        if detail["type"] == "extra_forbidden":
            known = keys_at(model, path[:-1]) + (tuple(also_known) if len(path) == 1 else ())
            yield path, unknown_key(str(path[-1]), known)
        else:
            yield path, _sentence(detail)


def unknown_key(key: str, known: Sequence[str]) -> str:
    """Say that a key means nothing here, and which ones do."""
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean {close[0]}?" if close else ";"
    return f"is not known here{hint} known are {', '.join(sorted(known))}"


def keys_of(model: type[BaseModel]) -> dict[str, object]:
    """Return the keys of a model's table with the annotation of each."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def models_in(annotation: object) -> tuple[type[BaseModel], ...]:
    """Return the models that an annotation is made of, in the order in which they are named."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    return tuple(model for part in get_args(annotation) for model in models_in(part))


def keys_at(model: type[BaseModel], path: Path) -> tuple[str, ...]:
    """Return the keys of the table at a path below a model's own."""
    models: tuple[type[BaseModel], ...] = (model,)
    for step in path:
        inner = tuple(found for each in models for found in models_in(keys_of(each).get(str(step))))
        models = inner or models  # an index, or the tag of a union, stays where it is
    return tuple(key for each in models for key in keys_of(each))


def _sentence(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    if detail["type"] == MISTAKE:
        return str(context["sentence"])
    if detail["type"] == "value_error":
        return _own_words(str(context["error"]), detail["input"])
    template = SENTENCES.get(detail["type"])
    return template.format_map({key: _plain(value) for key, value in context.items()}) if template else USELESS


def _plain(bound: object) -> object:
    """Write the bound of a number as a person would: 3600 rather than 3600.0."""
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


def _own_words(message: str, value: object) -> str:
    """Pass on what a validator said, unless it repeats the value (as the standard library's errors do)."""
    return USELESS if isinstance(value, str) and value and value in message else message
