"""What is wrong with a set of rules, all of it at once.

Owns the mistakes that no single key shows: what belongs to which kind, references, paths that no request
can have, two rules that want the same request. Must not know files or lines: a problem names the rule by
its position, and no value is repeated that an operator may have put into the wrong place.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from gateway.errors import RequestRefused
from gateway.http.forms import is_same_field
from gateway.http.target import canonical
from gateway.intercept.tables import ConditionsTable, RuleKind, RuleTable

COMMON_KEYS = frozenset({"name", "kind", "path", "methods", "query"})
REQUIRED_KEYS = {
    RuleKind.LOGIN: ("identifier", "password", "right", "wrong"),
    RuleKind.PASSWORD_CHANGE: ("new_passwords", "right", "wrong", "login"),
    RuleKind.LOGOUT: (),
    RuleKind.BLOCK: (),
}
OPTIONAL_KEYS = {
    RuleKind.LOGIN: frozenset({"fields", "forms", "page", "probe"}),
    RuleKind.PASSWORD_CHANGE: frozenset({"fields", "forms", "old_password"}),
    RuleKind.LOGOUT: frozenset({"fields", "forms", "right"}),
    RuleKind.BLOCK: frozenset(),
}
DEFAULT_METHODS = {
    RuleKind.LOGIN: ("POST",),
    RuleKind.PASSWORD_CHANGE: ("POST",),
    RuleKind.LOGOUT: ("POST",),
    RuleKind.BLOCK: ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"),
}
METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
CONDITIONS = ("right", "wrong", "probe")
VERDICT = ("right", "wrong")

_COOKIE_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleProblem:
    """One mistake: which rule by position, which key, and what is wrong with it."""

    index: int
    key: str
    message: str


class RuleError(ValueError):
    """Names every mistake in a set of rules at once."""

    def __init__(self, *problems: RuleProblem) -> None:
        super().__init__("\n".join(f"rule {each.index}: {each.key}: {each.message}" for each in problems))
        self.problems = problems


def find_problems(tables: Sequence[RuleTable], *, fold_case: bool, judges_logins: bool = True) \
        -> tuple[RuleProblem, ...]:
    """Return every mistake in these rules, in order of the rules.

    Unless the app's answers to logins are judged, login rules need not say what those mean.
    """
    found = [
        RuleProblem(index=index, key=key, message=message)
        for index, table in enumerate(tables)
        for key, message in _own_problems(table, judges_logins=judges_logins)
    ]
    found += _shared_names(tables)
    found += _unknown_logins(tables)
    found += _overlaps(tables, fold_case=fold_case)
    return tuple(sorted(found, key=lambda problem: problem.index))


def methods_of(table: RuleTable) -> frozenset[str]:
    """Return the methods of a rule, declared or by its kind."""
    return frozenset(table.methods or DEFAULT_METHODS[table.kind])


def path_key(path: str, *, fold_case: bool) -> str:
    """Return the canonical form of a rule's path: two that differ in a final slash only share it."""
    return canonical(path.encode("utf-8"), fold_case=fold_case).path


def _own_problems(table: RuleTable, *, judges_logins: bool) -> Iterator[tuple[str, str]]:
    yield from _key_problems(table, judges_logins=judges_logins)
    yield from _path_problems(table)
    yield from _field_problems(table)
    for key in CONDITIONS:
        conditions: ConditionsTable | None = getattr(table, key)
        if conditions is not None:
            yield from _condition_problems(key, conditions)


def _key_problems(table: RuleTable, *, judges_logins: bool) -> Iterator[tuple[str, str]]:
    required = REQUIRED_KEYS[table.kind]
    spared = VERDICT if table.kind is RuleKind.LOGIN and not judges_logins else ()
    for key in required:
        if not getattr(table, key) and key not in spared:
            yield key, f"a {table.kind} rule needs it"
    for key in sorted(table.model_fields_set - COMMON_KEYS - OPTIONAL_KEYS[table.kind] - set(required)):
        yield key, f"a {table.kind} rule has no such key"
    if required and not methods_of(table) <= METHODS_WITH_BODY:
        yield "methods", f"a {table.kind} rule reads a form: POST, PUT or PATCH"


def _path_problems(table: RuleTable) -> Iterator[tuple[str, str]]:
    paths = [("path", table.path)]
    if table.page is not None:
        paths.append(("page", table.page.partition("?")[0]))
    if table.probe is not None:
        paths.append(("probe.path", table.probe.path.partition("?")[0]))
    for key, path in paths:
        if not _is_canonical(path):
            yield key, "is not the canonical form of a path below the app's own"


def _is_canonical(path: str) -> bool:
    if not path.startswith("/") or "?" in path:
        return False
    try:
        return path_key(path, fold_case=False) == (path.removesuffix("/") or "/")
    except RequestRefused:
        return False


def _field_problems(table: RuleTable) -> Iterator[tuple[str, str]]:
    named = [("identifier", table.identifier), ("password", table.password),
             ("old_password", table.old_password), *(("new_passwords", name) for name in table.new_passwords),
             *(("fields", name) for name in table.fields)]
    used = [(key, name) for key, name in named if name is not None]
    for (_, one), (key, other) in combinations(used, 2):
        if is_same_field(one, other):
            yield key, "names a field that this rule names elsewhere, or that an app may take for it"
    for one, other in combinations(table.query, 2):
        if is_same_field(one, other):
            yield "query", "names one parameter twice, as an app may see it"


def _condition_problems(key: str, conditions: ConditionsTable) -> Iterator[tuple[str, str]]:
    if not any(getattr(conditions, name) for name in ConditionsTable.model_fields):
        yield key, "states no condition"
    if conditions.location is not None and conditions.location[0] not in "/*":
        yield f"{key}.location", "is a path, and may hold * for any text"
    if conditions.set_cookie is not None and not _COOKIE_NAME.fullmatch(conditions.set_cookie):
        yield f"{key}.set_cookie", "is the name of a cookie"


def _shared_names(tables: Sequence[RuleTable]) -> Iterator[RuleProblem]:
    counts = Counter(table.name for table in tables)
    for index, table in enumerate(tables):
        if counts[table.name] > 1:
            yield RuleProblem(index=index, key="name", message="another rule has this name")


def _unknown_logins(tables: Sequence[RuleTable]) -> Iterator[RuleProblem]:
    logins = {table.name for table in tables if table.kind is RuleKind.LOGIN}
    for index, table in enumerate(tables):
        if table.login is not None and table.login not in logins:
            yield RuleProblem(index=index, key="login", message="names no login rule of this app")


def _overlaps(tables: Sequence[RuleTable], *, fold_case: bool) -> Iterator[RuleProblem]:
    """Yield the later one of every two rules that could both want one request."""
    sound = [(index, table) for index, table in enumerate(tables) if _is_canonical(table.path)]
    for (_, one), (index, other) in combinations(sound, 2):
        if path_key(one.path, fold_case=fold_case) != path_key(other.path, fold_case=fold_case):
            continue
        if methods_of(one) & methods_of(other) and _may_both(one.query, other.query) \
                and _may_both(one.fields, other.fields):
            yield RuleProblem(index=index, key="path", message="another rule fits the same requests")


def _may_both(one: Mapping[str, Iterable[str]], other: Mapping[str, Iterable[str]]) -> bool:
    """Tell whether one request can have the discriminators of both."""
    return all(set(values) & set(other[name]) for name, values in one.items() if name in other)
