"""Reads a configuration file: all of it, or every mistake in it at once.

Owns the way from text to `Settings`. Reads the file and the secret files it refers to; opens nothing else.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar, cast

from pydantic import BaseModel, ValidationError

from gateway.errors import ConfigurationError, Problem
from gateway.settings import positions
from gateway.settings.checks import Table, mistakes_between, table_of
from gateway.settings.secrets import Surroundings
from gateway.settings.sections import (
    AppSection,
    HashingSection,
    KeysSection,
    LimitsSection,
    ListenSection,
    LogSection,
    PrivateSection,
    Settings,
    SourceSection,
    StoreSection,
    TokensSection,
)
from gateway.settings.sentences import keys_of, mistakes, models_in, unknown_key
from gateway.settings.values import NO_SLUG, SLUG, Section

Model = TypeVar("Model", bound=BaseModel)
Examine = Callable[[AppSection, SourceSection | None], Iterable[tuple[positions.Path, str]]]
"""Tells what is wrong with an app that was read, beside its source: where, seen from its table, and what."""

SECTIONS: Mapping[str, type[BaseModel]] = {
    "listen": ListenSection,
    "private": PrivateSection,
    "store": StoreSection,
    "keys": KeysSection,
    "tokens": TokensSection,
    "hashing": HashingSection,
    "limits": LimitsSection,
    "log": LogSection,
}
COMMON = tuple(key for key in keys_of(SourceSection) if key not in ("name", "options"))
"""The keys that every source has, whatever its adapter."""

PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def _no_further(_app: AppSection, _source: SourceSection | None) -> Iterable[tuple[positions.Path, str]]:
    return ()


def load(
    path: Path,
    environ: Mapping[str, str],
    source_options: Mapping[str, type[BaseModel]],
    rule_model: type[BaseModel],
    examine: Examine = _no_further,
    *,
    text: str | None = None,
) -> Settings:
    """Read a configuration file, with its secrets resolved; `text` is its content where that was read before.

    `source_options` gives each adapter's own model, `rule_model` reads an `[[app.rule]]` table; arrays reach
    them as tuples. `examine` looks for further mistakes in each app that could be read. Raises
    `ConfigurationError`: a syntax error alone, all other mistakes together.
    """
    text = read_text(path) if text is None else text
    root = _parse(path, text)
    surroundings = Surroundings(environ=environ, folder=path.absolute().parent)
    reader = _Reader(str(path), positions.index_lines(text), surroundings)
    sections = reader.sections(root)
    sources = reader.sources(root.get("source", {}), source_options)
    apps = reader.apps(root.get("app", ()), rule_model)
    for place, message in mistakes_between(root):
        reader.report(place, message)
    reader.examine(apps, sources, examine)
    if reader.problems:
        raise ConfigurationError(*sorted(reader.problems, key=lambda problem: problem.line))
    found = {"apps": apps, "sources": sources, "file": path, "lines": reader.lines}
    return Settings.model_validate({**sections, **found})


def every_setting(
    source_options: Mapping[str, type[BaseModel]], rule_model: type[BaseModel]
) -> tuple[str, ...]:
    """Return every key that a configuration file may hold: `listen.public`, `app.rule.path`, `source.url`."""
    tables = {name: keys_of(model) for name, model in SECTIONS.items()}
    tables["app"] = keys_of(AppSection) | {"rule": rule_model}
    tables["source"] = dict.fromkeys(COMMON)
    for options in source_options.values():
        tables["source"] |= keys_of(options)
    return tuple(dict.fromkeys(key for name, table in tables.items() for key in _keys_below(name, table)))


def _keys_below(prefix: str, table: Mapping[str, object]) -> Iterator[str]:
    for key, annotation in table.items():
        models = models_in(annotation)
        if not models:
            yield f"{prefix}.{key}"
        for model in models:
            yield from _keys_below(f"{prefix}.{key}", keys_of(model))


class _Reader:
    """Reads the tables of one file and collects what is wrong with them."""

    def __init__(self, file: str, lines: Mapping[positions.Path, int], surroundings: Surroundings) -> None:
        self.lines = lines
        self.problems: list[Problem] = []
        self._file = file
        self._surroundings = surroundings

    def report(self, path: positions.Path, message: str) -> None:
        self.problems.append(positions.problem(self._file, self.lines, path, message))

    def sections(self, root: Table) -> dict[str, BaseModel | None]:
        """Read the sections that a file has once each."""
        known = (*SECTIONS, "app", "source")
        for key in root:
            if key not in known:
                self.report((key,), unknown_key(key, known))
        return {name: self._table(model, root.get(name, {}), (name,)) for name, model in SECTIONS.items()}

    def apps(self, value: object, rule_model: type[BaseModel]) -> tuple[AppSection | None, ...]:
        """Read the `[[app]]` tables."""
        if not isinstance(value, tuple):
            self.report(("app",), "must be written as [[app]], once for each app")
            return ()
        return tuple(self._app(("app", index), app, rule_model) for index, app in enumerate(value))

    def _app(self, path: positions.Path, app: object, rule_model: type[BaseModel]) -> AppSection | None:
        rules = table_of(app).get("rule", ())
        if not isinstance(rules, tuple):
            self.report((*path, "rule"), "must be written as [[app.rule]], once for each rule")
            rules = ()
        read = [self._table(rule_model, rule, (*path, "rule", index)) for index, rule in enumerate(rules)]
        if not isinstance(app, Mapping):
            return self._table(AppSection, app, path)
        found = self._table(AppSection, {**app, "rule": tuple(filter(None, read))}, path)
        return None if None in read else found  # an app without one of its rules is another app

    def examine(
        self,
        apps: tuple[AppSection | None, ...],
        sources: Mapping[str, SourceSection | None],
        examine: Examine,
    ) -> None:
        """Let each app that could be read be looked at further."""
        for index, app in enumerate(apps):
            for place, message in examine(app, sources.get(app.source or "")) if app else ():
                self.report(("app", index, *place), message)

    def sources(
        self, value: object, options: Mapping[str, type[BaseModel]]
    ) -> dict[str, SourceSection | None]:
        """Read the `[source.NAME]` tables, each by its adapter's own model and the common one."""
        if not isinstance(value, Mapping):
            self.report(("source",), "must be written as [source.NAME], once for each source")
            return {}
        return {name: self._source(name, source, options) for name, source in value.items()}

    def _source(
        self, name: str, source: object, options: Mapping[str, type[BaseModel]]
    ) -> SourceSection | None:
        path = ("source", name)
        if not isinstance(source, Mapping):
            return self._table(SourceSection, source, path)
        if not SLUG.fullmatch(name):
            self.report(path, NO_SLUG)
        common = {key: value for key, value in source.items() if key in COMMON}
        own = {key: value for key, value in source.items() if key not in COMMON}
        adapter, read = source.get("adapter"), None
        if isinstance(adapter, str) and adapter in options:
            read = self._table(options[adapter], own, path, also_known=COMMON)
        else:
            kinds = " or ".join(f'"{kind}"' for kind in options)
            self.report((*path, "adapter"), f"must be {kinds}")
        ready = {"name": name, "adapter": str(adapter), "options": read or Section()}
        return self._table(SourceSection, {**common, **ready}, path)

    def _table(
        self, model: type[Model], table: object, path: positions.Path, also_known: Sequence[str] = ()
    ) -> Model | None:
        """Read one table by its model; report what is wrong and return None."""
        try:
            return model.model_validate(table, context=self._surroundings)
        except ValidationError as error:
            for place, message in mistakes(error, model, also_known):
                self.report((*path, *place), message)
            return None


def read_text(path: Path) -> str:
    """Return a configuration file's content; raises `ConfigurationError`."""
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors begin a file with a byte order mark
    except OSError as error:
        raise ConfigurationError(f"{path}: this file cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        _refuse(path, line, "is not UTF-8 text")


def _parse(path: Path, text: str) -> Table:
    try:
        return cast("Table", _frozen(tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        place = PLACE.search(str(error))
        line = int(place[1]) if place and place[1] else text.count("\n") + 1
        _refuse(path, line, f"is not TOML: {PLACE.sub('', str(error))}")
    except (ValueError, RecursionError):  # a number of thousands of digits; thousands of brackets
        _refuse(path, 1, "is not TOML that can be read: a number is too long, or brackets are too deep")


def _refuse(path: Path, line: int, message: str) -> NoReturn:
    raise ConfigurationError(Problem(file=str(path), line=line, key="syntax", message=message)) from None


def _frozen(value: object) -> object:
    """Make every array a tuple, as the frozen models hold them."""
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
