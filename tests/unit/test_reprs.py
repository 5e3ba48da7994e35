"""No value shows a secret when it is printed, logged by accident or part of a traceback."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass
from itertools import chain
from typing import get_args

import adapters
import gateway
from gateway.model import Secret

TELLING = re.compile(r"password|encoded|held|token|wire|body|cookie|secret|handle|seen")

# These hold the names of fields and cookies, texts of the configuration, numbers, and what the demo prints anyway.
HARMLESS = {"Rule.password", "Rule.old_password", "Rule.new_passwords", "Conditions.set_cookie", "Conditions.body_has",
            "Conditions.body_lacks", "CookieNames.handle", "DemoUser.password", "Rewrite.cookie_domains",
            "Pulled.tokens"}


def values() -> Iterator[type]:
    """Yield every dataclass of the packages."""
    for package in (gateway, adapters):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.rpartition(".")[2] == "__main__" or module.name.startswith("gateway.demo.site"):
                continue
            loaded = importlib.import_module(module.name)
            yield from (kind for kind in vars(loaded).values()
                        if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == module.name)


def is_text(annotation: object) -> bool:
    """Say whether a type is text or bytes, or holds some."""
    if isinstance(annotation, str):
        return re.search(r"\b(?:str|bytes)\b", annotation) is not None
    return annotation in (str, bytes) or any(map(is_text, get_args(annotation)))


def shown(kind: type) -> Iterator[tuple[str, Field[object]]]:
    """Yield the text fields of a dataclass that its repr shows."""
    return ((f"{kind.__name__}.{each.name}", each) for each in fields(kind) if each.repr and is_text(each.type))


def test_values_are_found() -> None:
    """The tests below look at something."""
    assert {"Reply", "Answer", "NewPassword", "Credentials"} <= {kind.__name__ for kind in values()}


def test_no_field_of_a_telling_name_shows_in_a_repr() -> None:
    """What may be a password, a token or a body is a Secret, or left out."""
    telling = {name for name, each in chain.from_iterable(map(shown, values())) if TELLING.search(each.name)}
    assert telling - HARMLESS == set()
    assert telling >= HARMLESS


def test_a_secret_is_no_text() -> None:
    """A Secret may be shown, since it shows nothing."""
    assert not is_text(Secret)
    assert is_text(tuple[str, ...] | None)
