"""From settings to rules: everything about the apps that can be wrong without opening anything.

`sluicegate check` ends here; `gateway.app` goes on from here. Reports all mistakes at once, with their places.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from adapters import ADAPTERS
from gateway.errors import ConfigurationError, Problem
from gateway.intercept.checks import RuleError, RuleProblem
from gateway.intercept.presets import UnknownPresetError, load_preset, preset_names
from gateway.intercept.rules import RuleSet, compile_rules
from gateway.intercept.tables import RuleKind, RuleTable
from gateway.settings import AppSection, Settings

FORM = "form"
Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPlan:
    """One app with its compiled rules; `rules` is None for plain pass-through."""

    settings: AppSection
    rules: RuleSet | None


def source_options() -> Mapping[str, type[BaseModel]]:
    """Return each adapter's own model of settings."""
    return {kind: adapter.options for kind, adapter in ADAPTERS.items()}


def plan(settings: Settings) -> tuple[AppPlan, ...]:
    """Compile the rules of every app; raises `ConfigurationError` with all mistakes."""
    problems: list[Problem] = []
    plans = []
    for index, app in enumerate(settings.apps):
        drafter = _Drafter(settings, app, index)
        plans.append(AppPlan(settings=app, rules=drafter.rules()))
        problems += drafter.problems
    if problems:
        raise ConfigurationError(*problems)
    return tuple(plans)


class _Drafter:
    """Compiles one app and collects what is wrong with it."""

    def __init__(self, settings: Settings, app: AppSection, index: int) -> None:
        self.problems: list[Problem] = []
        self._settings = settings
        self._app = app
        self._place: Place = ("app", index)

    def rules(self) -> RuleSet | None:
        """Return the app's rules, or None where it has none or they are wrong."""
        presets = self._preset_rules()
        own = [rule for rule in self._app.rules if isinstance(rule, RuleTable)]
        if self._app.source is None:
            if presets or own:
                self._report(("source",), "rules need a source: name one, or leave the rules out")
            return None
        try:
            rules = compile_rules(
                [*presets, *own],
                parameters=frozenset(self._app.path_parameters),
                fold_case=self._app.fold_case,
            )
        except RuleError as error:
            for problem in error.problems:
                self._report(self._rule_place(problem, len(presets)), problem.message)
            return None
        for message in self._mistakes(rules):
            self._report(("source",), message)
        return rules

    def _preset_rules(self) -> Sequence[RuleTable]:
        if self._app.preset is None:
            return ()
        try:
            return load_preset(self._app.preset).rules
        except UnknownPresetError:
            self._report(("preset",), f"there is no such preset; there are: {', '.join(preset_names())}")
            return ()

    def _mistakes(self, rules: RuleSet) -> Iterator[str]:
        logins = [rule for rule in rules.rules if rule.kind is RuleKind.LOGIN]
        if not logins:
            yield "the app has a source and no login rule: nobody would ever cross"
        if rules.lacks_password_change() and self._app.password_change is None:
            yield 'the app has a login rule and no password_change rule: add one, or say password_change = "none"'
        for rule in rules.rules:
            if rule.kind is RuleKind.PASSWORD_CHANGE and rules.login_for(rule) is None:
                yield f"the rule {rule.name} does not say by which login rule a new password is confirmed"
        source = self._settings.sources.get(self._app.source or "")
        if source is None or source.adapter != FORM:
            return
        for rule in logins:
            if not rules.can_confirm(rule):
                yield f"the source is the app's own form, but the rule {rule.name} has no probe to confirm a login"

    def _rule_place(self, problem: RuleProblem, from_preset: int) -> Place:
        if problem.index < from_preset:
            return ("preset",)
        return ("rule", problem.index - from_preset, *problem.key.split("."))

    def _report(self, place: Place, message: str) -> None:
        self.problems.append(self._settings.problem((*self._place, *place), message))
