"""Which requests are authentication: the rules of one app, and the match of a request against them.

Owns the Rule and everything that is decided from a request's first line. Fields of a body are
`gateway.intercept.extract`'s, answers are `gateway.intercept.verdict`'s business. Not matching a login
would let an old password through to the app, so what an app may take for a rule's address matches or is
refused, whatever it is spelled like.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.errors import RequestRefused
from gateway.http.forms import FormKind, is_same_field
from gateway.http.target import CanonicalTarget, canonical, query_pairs
from gateway.intercept.checks import RuleError, find_problems, methods_of, path_key
from gateway.intercept.tables import ConditionsTable, ProbeTable, RuleKind, RuleTable
from gateway.intercept.verdict import Conditions

LOGGED_OUT = frozenset({200, 204, 302, 303})  # a farewell page, nothing, or a way on
READING_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS"})
TAKES_PASSWORDS = frozenset({RuleKind.LOGIN, RuleKind.PASSWORD_CHANGE})

# Whatever some application may read otherwise than it is written: unusual signs, doubled slashes, dots at
# either end of a segment. A path without these has one reading.
_CHANGEABLE = rb"[^/0-9A-Za-z_~!$&'*,=@+.-]|//|/\.|\.[./]|\.\Z"

# What follows the name of a script is PATH_INFO to CGI and its heirs: `/login.php/x` runs `/login.php`.
_SCRIPT = re.compile(r"\.(?:php|aspx?|jsp|do|cgi)\Z", re.IGNORECASE)

_BROKEN_NAME = re.compile(rb"(?:\A|&)[^=&]*%(?![0-9A-Fa-f]{2})")  # `%u0070assword` is a password to ASP.NET


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A GET of `path`, query included, whose answer meets `conditions` in a logged-in session only."""

    path: str
    conditions: Conditions


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Describes one kind of authentication request of an app.

    `path`, `page` and `probe.path` are below the app's prefix. `query` and `fields` hold the values of
    discriminators, "" standing for an absent one. `identifier` and `password` are empty in all but login
    rules, `new_passwords` and `login` (the login rule that can confirm a new password) in all but
    password_change rules; `old_password` is empty where the app asks for none.
    """

    name: str
    kind: RuleKind
    methods: frozenset[bytes]
    path: str
    query: Mapping[str, frozenset[str]] = field(default_factory=dict)
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    forms: frozenset[FormKind] = frozenset(FormKind)
    identifier: str = ""
    password: str = ""
    old_password: str = ""
    new_passwords: tuple[str, ...] = ()
    right: Conditions | None = None
    wrong: Conditions | None = None
    page: str = ""
    probe: Probe | None = None
    login: str = ""

    @property
    def password_fields(self) -> tuple[str, ...]:
        """Return the names of the fields that hold a password."""
        return tuple(filter(None, (self.password, self.old_password, *self.new_passwords)))

    def fits_query(self, pairs: Sequence[tuple[str, str]]) -> bool:
        """Tell whether a query has this rule's discriminators; raises `RequestRefused` for a doubled or odd one."""
        return all(is_listed(discriminator(pairs, name), values) for name, values in self.query.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Holds the rules that a request's first line fits; which of them it is, the body's fields decide."""

    rules: tuple[Rule, ...]
    query: tuple[tuple[str, str], ...] = field(repr=False, default=())


class RuleSet:
    """Is the rules of one app, ready for matching. Made by `compile_rules`; it never changes."""

    __slots__ = ("_by_path", "_changeable", "_fold_case", "_keys", "_parameters", "_scripts", "rules")

    def __init__(self, rules: Iterable[Rule], *, parameters: frozenset[str], fold_case: bool) -> None:
        self.rules = tuple(rules)
        self._parameters = parameters
        self._fold_case = fold_case
        self._by_path: dict[str, tuple[Rule, ...]] = {}
        for rule in self.rules:
            key = path_key(rule.path, fold_case=fold_case)
            self._by_path[key] = (*self._by_path.get(key, ()), rule)
        self._keys = frozenset(key.rstrip("/").encode("utf-8") for key in self._by_path)
        # Below a front controller, whose rules have discriminators, lives the whole app: it must stay open.
        self._scripts = tuple(key for key, rules in self._by_path.items()
                              if _SCRIPT.search(key) and not any(rule.query or rule.fields for rule in rules))
        below_script = (b"|" + re.escape(f"{key}/".encode()) for key in self._scripts)
        self._changeable = re.compile(_CHANGEABLE + (rb"|[A-Z]" if fold_case else b"") + b"".join(below_script))

    def match(self, method: bytes, target: bytes, prefix: str = "/", *, has_body: bool = False) -> Match | None:
        """Return what rules a request to `target` (origin-form) may be for, or None for none.

        `prefix` is the app's own path. Called for every request: the usual target costs one search and
        one look-up. Raises `RequestRefused`: 400 for an address of a rule in another form than the plain
        one, doubled discriminators, a password in a query, or a body where a password is typed and the
        method has none; 403 for a blocked address; 405.
        """
        if not self.rules:
            return None
        path = target.partition(b"?")[0]
        if self._changeable.search(path) is None and _below(path, prefix.encode()) not in self._keys:
            return None
        return self._match_slowly(method, target, prefix, has_body=has_body)

    def can_confirm(self, rule: Rule) -> bool:
        """Tell whether a login of the gateway's own can confirm what was typed at a request of this rule."""
        login = self.login_for(rule)
        return login is not None and bool(login.page) and login.probe is not None

    def login_for(self, rule: Rule) -> Rule | None:
        """Return the login rule that confirms a login (itself) or a password change (the one it names)."""
        if rule.kind is RuleKind.LOGIN:
            return rule
        return next((each for each in self.rules if each.name == rule.login), None)

    def lacks_password_change(self) -> bool:
        """Tell whether passwords are taken here but changed where nobody sees it."""
        kinds = {rule.kind for rule in self.rules}
        return RuleKind.LOGIN in kinds and RuleKind.PASSWORD_CHANGE not in kinds

    def _match_slowly(self, method: bytes, target: bytes, prefix: str, *, has_body: bool) -> Match | None:
        found = canonical(target, parameters=self._parameters, fold_case=self._fold_case)
        base = path_key(prefix, fold_case=self._fold_case).rstrip("/")
        readings = {_relative(reading, base) for reading in found.readings}
        if not any(reading in self._by_path for reading in readings):
            self._demand_no_path_info(method, readings, has_body=has_body)
            return None
        rules = self._by_path.get(_relative(found.path, base), ())
        if not rules or not found.is_plain:
            raise RequestRefused(400, "This address must be written in its plain form.")
        if _BROKEN_NAME.search(found.query):
            raise RequestRefused(400, "The query has a broken percent escape.")
        # Some apps parse whatever body comes, others take the method from a field of it.
        if has_body and method in READING_METHODS and any(rule.kind in TAKES_PASSWORDS for rule in rules):
            raise RequestRefused(400, "A request of this method has no body here.")
        return self._decide(method, found, rules)

    def _demand_no_path_info(self, method: bytes, readings: Iterable[str], *, has_body: bool) -> None:
        """Refuse what a script of a rule would answer under a longer path."""
        hides_form = has_body and method in READING_METHODS
        for script in self._scripts:
            is_below = any(reading.startswith(script + "/") for reading in readings)
            if is_below and (hides_form or any(method in rule.methods for rule in self._by_path[script])):
                raise RequestRefused(400, "This address must be written in its plain form.")

    def _decide(self, method: bytes, found: CanonicalTarget, rules: tuple[Rule, ...]) -> Match | None:
        if b";" in found.query and any(rule.query for rule in rules):
            raise RequestRefused(400, "A semicolon may part the fields of this query.")  # it did, to older servers
        pairs = tuple(query_pairs(found.query))
        fitting = tuple(rule for rule in rules if rule.fits_query(pairs))
        mine = tuple(rule for rule in fitting if method in rule.methods)
        if mine:
            _demand_allowed(mine, re.sub(rb";[^/]*", b"", found.raw_path))
            return Match(rules=mine, query=pairs)
        _demand_harmless(method, pairs, rules, is_ours=bool(fitting))
        return None


def discriminator(pairs: Sequence[tuple[str, str]], name: str) -> str:
    """Return the value of the one field or parameter of this name, "" for none.

    Raises `RequestRefused` (400) when a framework may see another one, or another name.
    """
    found = [(other, value) for other, value in pairs if is_same_field(other, name)]
    if not found:
        return ""
    if len(found) > 1 or found[0][0] != name:
        raise RequestRefused(400, "A field of this request occurs twice.")
    return found[0][1]


def is_listed(value: str, values: Iterable[str]) -> bool:
    """Tell whether a discriminator has one of a rule's values.

    Raises `RequestRefused` (400) for one that an app may take for such a value: in other case, or with blanks.
    """
    if value in values:
        return True
    if _loosely(value) in map(_loosely, values):
        raise RequestRefused(400, "A field of this request must be written in its plain form.")
    return False


def compile_rules(tables: Sequence[RuleTable], *, parameters: frozenset[str] = frozenset(),
                  fold_case: bool = False, judges_logins: bool = True) -> RuleSet:
    """Return the rules of one app, in order.

    `parameters` are the path parameters that the app declares as plain (`jsessionid`); `fold_case` says
    that its paths ignore case, `judges_logins` that its answers to logins are looked at, so that a login rule
    must say what they mean. Raises `gateway.intercept.checks.RuleError` with every mistake.
    """
    problems = find_problems(tables, fold_case=fold_case, judges_logins=judges_logins)
    if problems:
        raise RuleError(*problems)
    return RuleSet(map(_rule, tables), parameters=parameters, fold_case=fold_case)


def _loosely(value: str) -> str:
    """Return a value as an app may compare it: without case, without blanks and NULs around it."""
    return value.replace("\0", " ").strip().casefold()


def _below(path: bytes, prefix: bytes) -> bytes:
    """Return a path's key below the app's prefix; what is not below it has the key of no rule."""
    base = prefix.rstrip(b"/")
    if not base:
        return path.rstrip(b"/")
    return path[len(base):].rstrip(b"/") if path.startswith(base) else b"?"


def _relative(path: str, base: str) -> str:
    """Return a canonical path below the app's prefix; what is not below it has the path of no rule."""
    if path == base:
        return "/"
    return path[len(base):] if path.startswith(base + "/") else ""


def _demand_harmless(method: bytes, pairs: Sequence[tuple[str, str]], rules: Sequence[Rule], *,
                     is_ours: bool) -> None:
    """Refuse a request that is for no rule of its path and may log in nevertheless."""
    passwords = [name for rule in rules for name in rule.password_fields]
    if any(is_same_field(name, password) for name, _ in pairs for password in passwords):
        raise RequestRefused(400, "A password does not belong into an address.")
    if is_ours and method not in READING_METHODS:
        allow = READING_METHODS.union(*(rule.methods for rule in rules))
        raise RequestRefused(405, "This address does not know the method.", allow=allow)


def _demand_allowed(rules: Sequence[Rule], raw_path: bytes) -> None:
    if any(rule.kind is RuleKind.BLOCK for rule in rules):
        raise RequestRefused(403, "This address is closed.")
    # Some apps take the path with and without its final slash for the same, others redirect. A logout is
    # watched either way: nobody gains by it.
    has_slash = raw_path.endswith(b"/")
    if any(rule.path.endswith("/") != has_slash and rule.kind is not RuleKind.LOGOUT for rule in rules):
        raise RequestRefused(400, "This address must be written in its plain form.")


def _rule(table: RuleTable) -> Rule:
    return Rule(
        name=table.name,
        kind=table.kind,
        methods=frozenset(method.encode("ascii") for method in methods_of(table)),
        path=table.path,
        query={name: frozenset(values) for name, values in table.query.items()},
        fields={name: frozenset(values) for name, values in table.fields.items()},
        forms=frozenset(map(FormKind, table.forms)),
        identifier=table.identifier or "",
        password=table.password or "",
        old_password=table.old_password or "",
        new_passwords=table.new_passwords,
        right=_right(table),
        wrong=_conditions(table.wrong) if table.wrong else None,
        page=(table.page or table.path) if table.kind is RuleKind.LOGIN else "",
        probe=_probe(table.probe) if table.probe else None,
        login=table.login or "",
    )


def _right(table: RuleTable) -> Conditions | None:
    if table.right is not None:
        return _conditions(table.right)
    return Conditions(status=LOGGED_OUT) if table.kind is RuleKind.LOGOUT else None


def _conditions(table: ConditionsTable) -> Conditions:
    return Conditions(status=frozenset(table.status), location=table.location, set_cookie=table.set_cookie,
                      body_has=table.body_has, body_lacks=table.body_lacks)


def _probe(table: ProbeTable) -> Probe:
    return Probe(path=table.path, conditions=_conditions(table))
