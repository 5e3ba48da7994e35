"""What an intercepted exchange must know of its app, and whom it tells what happened."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.accounts.ask import Question
from gateway.accounts.login import SourceRules
from gateway.intercept.rules import Rule, RuleSet
from gateway.proxy.access import Access, Entry
from gateway.proxy.handoff import OwnAnswers


class DenialStyle(StrEnum):
    """Who words a denial: the app, given a wrong password, or the gateway by a plain 401."""

    APP = "app"
    STATUS = "status"


class HandOff(StrEnum):
    """How the app comes to know the user: by its own login, or by what the gateway says of each request."""

    REPLAY = "replay"
    HEADERS = "headers"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedApp:
    """Is one app whose logins are intercepted.

    `questions` has one question for each login rule; `is_own_source` says that they go to the app itself. An
    app that `is_told` gets its users' names with each request. `access` is None where nothing is closed.
    """

    name: str
    prefix: str
    rules: RuleSet
    source: SourceRules
    questions: Mapping[str, Question]
    is_own_source: bool
    denied: DenialStyle
    allowed_origins: frozenset[str]
    hand_off: HandOff
    is_told: bool
    entry: Entry
    access: Access | None

    @property
    def minds(self) -> bool:
        """Whether it makes a difference to this app who sends a request."""
        return self.is_told or self.access is not None

    @property
    def reads_flags(self) -> bool:
        """Whether the gateway must look at the legacy side's flags, since no app does."""
        return self.hand_off is HandOff.HEADERS

    @property
    def any_question(self) -> Question | None:
        """A question to the app's source that knows its users; None if there is none."""
        return next(iter(self.questions.values()), None)

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
