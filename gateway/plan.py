"""From a configuration file to settings and rules: everything that can be wrong without opening anything.

`sluicegate check` ends here; `gateway.app` goes on from here. Mistakes are reported all at once, with places.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters import ADAPTERS
from gateway.errors import ConfigurationError
from gateway.http.forms import FormKind
from gateway.intercept.checks import RuleError, RuleProblem
from gateway.intercept.presets import UnknownPresetError, load_preset, preset_names
from gateway.intercept.rules import RuleSet, compile_rules
from gateway.intercept.tables import RuleKind, RuleTable
from gateway.settings import AppSection, Settings, SourceSection, load
from gateway.tokens.envelope import KeyEncryptionKey

FORM = "form"

Mistake = tuple[tuple[str | int, ...], str]
"""A place below the app's table, and a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPlan:
    """One app with its compiled rules; `rules` is None for plain pass-through."""

    settings: AppSection
    rules: RuleSet | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What became of an app's rules, and every mistake in them."""

    rules: RuleSet | None
    mistakes: tuple[Mistake, ...] = ()


def read_settings(path: Path, environ: Mapping[str, str], *, text: str | None = None) -> Settings:
    """Read a configuration file, or its `text`; raises `ConfigurationError` with every mistake in it."""
    settings = load(path, environ, ADAPTERS, RuleTable, lambda app, source: draft(app, source).mistakes, text=text)
    if settings.keys.encryption_key is not None:
        try:
            KeyEncryptionKey.parse(settings.keys.encryption_key)
        except ValueError as error:
            raise ConfigurationError(settings.problem(("keys", "encryption_key"), str(error))) from None
    return settings


def plan(settings: Settings) -> tuple[AppPlan, ...]:
    """Compile the rules of every app of settings that were read by `read_settings`."""
    return tuple(
        AppPlan(settings=app, rules=draft(app, settings.sources.get(app.source or "")).rules)
        for app in settings.apps
    )


def notes(settings: Settings) -> Iterator[str]:
    """Say what an operator should know of settings that are right."""
    if settings.listen.certificate is not None and settings.tokens.issuer.startswith("http:"):
        yield ("listen.certificate is set, and tokens.issuer begins with http:// all the same: cookies are not Secure "
               "and have no prefix __Host-; write https://")
    for app in settings.apps:
        source = settings.sources.get(app.source or "")
        if source is not None and source.adapter == FORM:
            yield (f"app {app.name}: a form shows no primary key, so a user is known by the name typed at the login; "
                   "somebody with two names becomes two accounts")
        if source is not None and not any(table.require == "session" for table in app.access):
            yield (f"app {app.name}: blocking an account ends its gateway sessions, not the app's own; that it ends "
                   'access to the app needs [[app.access]] with require = "session"')


def draft(app: AppSection, source: SourceSection | None) -> Draft:
    """Compile the rules of one app: those of its preset, then its own."""
    try:
        preset = load_preset(app.preset).rules if app.preset is not None else ()
    except UnknownPresetError:
        return _failed(("preset",), f"there is no such preset; there are: {', '.join(preset_names())}")
    tables = [*preset, *(rule for rule in app.rules if isinstance(rule, RuleTable))]
    if app.source is None:
        return _failed(("rule",), "rules need a source: name one, or leave them out") if tables else Draft(rules=None)
    try:
        rules = compile_rules(tables, parameters=frozenset(app.path_parameters), fold_case=app.fold_case,
                              judges_logins=app.handoff == "replay" or (source is not None and source.adapter == FORM))
    except RuleError as error:
        mistakes = ((_place(problem, len(preset)), problem.message) for problem in error.problems)
        return Draft(rules=None, mistakes=tuple(mistakes))
    mistakes_here = tuple((("source",), message) for message in _mistakes(app, source, rules))
    return Draft(rules=rules, mistakes=mistakes_here)


def _mistakes(app: AppSection, source: SourceSection | None, rules: RuleSet) -> Iterator[str]:
    """Say what is missing between an app's rules and its source."""
    logins = [rule for rule in rules.rules if rule.kind is RuleKind.LOGIN]
    if not logins:
        yield "the app has a source and no login rule: nobody would ever cross"
    if rules.lacks_password_change() and app.password_change is None:
        yield 'the app has a login rule and no password_change rule: add one, or say password_change = "none"'
    if source is None or source.adapter != FORM:
        return
    for rule in logins:
        if not rules.can_confirm(rule):
            yield f"the source is the app's own form, but the rule {rule.name} has no probe to confirm a login"
        if FormKind.URLENCODED not in rule.forms:
            yield f"the source is the app's own form, so the rule {rule.name} must allow the form urlencoded"


def _place(problem: RuleProblem, from_preset: int) -> tuple[str | int, ...]:
    if problem.index < from_preset:
        return ("preset",)
    return ("rule", problem.index - from_preset, *problem.key.split("."))


def _failed(place: tuple[str, ...], message: str) -> Draft:
    return Draft(rules=None, mistakes=((place, message),))
