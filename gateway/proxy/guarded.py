"""What an intercepted exchange must know of its app, and whom it tells what happened."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.accounts.ask import Question
from gateway.accounts.login import SourceRules
from gateway.intercept.rules import Rule, RuleSet
from gateway.proxy.handoff import OwnAnswers


class DenialStyle(StrEnum):
    """Who words a denial: the app, given a wrong password, or the gateway by a plain 401."""

    APP = "app"
    STATUS = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedApp:
    """Is one app whose logins are intercepted.

    `questions` has one question for each login rule; `is_own_source` says that they go to the app itself.
    """

    name: str
    prefix: str
    rules: RuleSet
    source: SourceRules
    questions: Mapping[str, Question]
    is_own_source: bool
    denied: DenialStyle
    allowed_origins: frozenset[str]

    def question_for(self, rule: Rule) -> Question | None:
        """Return the question that confirms what was typed at a rule; None when no login rule can."""
        login = self.rules.login_for(rule)
        return self.questions.get(login.name) if login else None

    @property
    def own(self) -> OwnAnswers:
        """The gateway's own answers to this app's requests."""
        return OwnAnswers(allowed_origins=self.allowed_origins)


class Events(Protocol):
    """Is told what happened, once for each event; it must neither wait nor raise."""

    def login(self, app: str, outcome: str, decider: str) -> None:
        """A login ended: granted, denied, shown, throttled, refused or unavailable."""

    def migrated(self, source: str, way: str) -> None:
        """A user became an account."""

    def handed_off(self, app: str, verdict: str) -> None:
        """The app's answer to a forwarded login was judged."""

    def throttled(self, app: str, by: str) -> None:
        """A login was refused because a budget was used up."""

    def password_changed(self, app: str, outcome: str) -> None:
        """A password change was settled."""
