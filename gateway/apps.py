"""From plans to running apps: upstreams, sources, questions, and what an exchange must know of each app.

Part of the composition root: it knows every kind of adapter, so that nobody else has to.
"""

import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from structlog.typing import FilteringBoundLogger

from adapters.base import AdapterMisconfigured, HashSource, PasswordSource
from adapters.form import FormSource
from adapters.sql import SqlOptions, SqlSource
from gateway.accounts.ask import Question
from gateway.accounts.login import SourceRules
from gateway.accounts.passwords import PasswordHasher
from gateway.errors import ConfigurationError
from gateway.http.rewriting import Rewrite
from gateway.identifiers import Comparison
from gateway.intercept.rules import RuleSet
from gateway.intercept.tables import RuleKind
from gateway.plan import FORM, AppPlan
from gateway.proxy.access import Access, Entry, Require
from gateway.proxy.addresses import SYSTEM_AUTHORITIES, Address, Destination, SocketFile, Tls, verifying_context
from gateway.proxy.guarded import DenialStyle, GuardedApp, HandOff
from gateway.proxy.limits import Limits
from gateway.proxy.sites import ANY_HOST, Site
from gateway.proxy.tasks import Tasks
from gateway.proxy.upstream import Upstream
from gateway.settings import AppAddress, AppSection, Settings, SourceSection
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.upstreams import UpstreamTrouble


@dataclass(slots=True)
class Apps:
    """All apps as they run; `questions` are those of every source, for their breakers."""

    sites: list[Site] = field(default_factory=list)
    guarded: dict[str, GuardedApp] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)


class Assembler:
    """Opens sources and puts the apps together; what it opened is closed by `stack`."""

    def __init__(
        self,
        settings: Settings,
        *,
        hasher: PasswordHasher,
        metrics: Metrics,
        limits: Limits,
        tasks: Tasks,
        stack: AsyncExitStack,
        log: FilteringBoundLogger,
    ) -> None:
        self._settings = settings
        self._hasher = hasher
        self._metrics = metrics
        self._limits = limits
        self._tasks = tasks
        self._stack = stack
        self._log = log
        self._shared: dict[str, Question] = {}

    async def run(self, plans: tuple[AppPlan, ...]) -> Apps:
        """Return the apps; raises `ConfigurationError` for a source that cannot be opened as it is configured."""
        apps = Apps()
        for planned in plans:
            section = planned.settings
            upstream = self._upstream(section)
            self._stack.push_async_callback(upstream.close)
            apps.sites.append(Site(name=section.name, hosts=section.hosts, path=section.path, upstream=upstream,
                                   rewrite=_rewrite(section)))
            if planned.rules is not None and section.source is not None:
                source = self._settings.sources[section.source]
                questions = await self._questions(section, source, planned.rules, upstream)
                apps.questions += questions.values()
                apps.guarded[section.name] = self._guarded(section, source, planned.rules, questions)
        return apps

    def _upstream(self, app: AppSection) -> Upstream:
        """Return the app as the data plane knows it."""
        trouble = UpstreamTrouble(app.name, ", ".join(map(str, app.upstream)), count=self._metrics.upstream_error,
                                  log=self._log, clock=time.monotonic)
        return Upstream(*destinations(self._settings, app), limits=self._limits, tasks=self._tasks,
                        clock=time.monotonic, on_error=trouble, on_rest=trouble.rests)

    async def _questions(
        self, app: AppSection, source: SourceSection, rules: RuleSet, upstream: Upstream
    ) -> Mapping[str, Question]:
        """Return the question of each login rule: one for all, or one each where the app is asked itself."""
        logins = [rule for rule in rules.rules if rule.kind is RuleKind.LOGIN]
        if source.adapter != FORM:
            shared = self._shared.get(source.name) or await self._shared_question(source)
            return {rule.name: shared for rule in logins}
        comparison, origin = Comparison(source.compare), self._origin(app)
        return {
            rule.name: self._question(
                source, FormSource(rule, upstream.fetch, origin=origin, prefix=app.path, comparison=comparison)
            )
            for rule in logins
        }

    async def _shared_question(self, source: SourceSection) -> Question:
        assert isinstance(source.options, SqlOptions)
        adapter = SqlSource(source.options, timeout_seconds=source.timeout_seconds)
        try:
            question = self._question(source, await self._stack.enter_async_context(adapter))
        except AdapterMisconfigured as error:
            raise ConfigurationError(self._settings.problem(("source", source.name), str(error))) from None
        self._shared[source.name] = question
        return question

    def _question(self, source: SourceSection, adapter: PasswordSource | HashSource) -> Question:
        return Question(
            source.name,
            adapter,
            self._hasher,
            timeout=source.timeout_seconds,
            clock=time.monotonic,
            observe=self._metrics.source_called,
        )

    def _origin(self, app: AppSection) -> str:
        """Return the origin under which browsers know the app; it may answer under no other."""
        issuer = self._settings.tokens.issuer
        named = next((host for host in app.hosts if host != ANY_HOST), None)
        if named is None:
            return issuer
        parts = urlsplit(issuer)
        return f"{parts.scheme}://{named}" + (f":{parts.port}" if parts.port else "")

    def _guarded(
        self, app: AppSection, source: SourceSection, rules: RuleSet, questions: Mapping[str, Question]
    ) -> GuardedApp:
        entry = _entry(app, rules)
        return GuardedApp(
            name=app.name,
            prefix=app.path,
            rules=rules,
            source=SourceRules(
                name=source.name,
                comparison=Comparison(source.compare),
                follows=app.legacy_changes == "follow",
                names_are_ids=source.adapter == FORM,
            ),
            questions=questions,
            is_own_source=source.adapter == FORM,
            denied=DenialStyle(app.denied_style),
            allowed_origins=frozenset(app.allowed_origins),
            hand_off=HandOff(app.handoff),
            is_told=app.tells_identity,
            entry=entry,
            access=_access(app, rules, entry),
        )


def destinations(settings: Settings, app: AppSection) -> list[Destination]:
    """Return where an app's addresses lead; raises `ConfigurationError` for a file of no authority."""
    try:
        return [_destination(address, app) for address in app.upstream]
    except OSError:
        place = ("app", settings.apps.index(app), "upstream_ca")
        message = "must be a file that can be read and holds certificates in PEM"
        raise ConfigurationError(settings.problem(place, message)) from None


def _entry(app: AppSection, rules: RuleSet) -> Entry:
    """Return where users come in: the page that is named, or else that of the first login rule."""
    base = app.path.rstrip("/")
    first = next((rule.page for rule in rules.rules if rule.kind is RuleKind.LOGIN), "/")
    return Entry(page=base + (app.login_page or first), next=app.login_next, home=base + app.home)


def _access(app: AppSection, rules: RuleSet, entry: Entry) -> Access | None:
    """Return which of an app's addresses need a session, if any do."""
    if not any(table.require == "session" for table in app.access):
        return None
    return Access([(table.path, Require(table.require)) for table in app.access], prefix=app.path, entry=entry,
                  logins=[rule for rule in rules.rules if rule.kind is RuleKind.LOGIN],
                  parameters=frozenset(app.path_parameters), fold_case=app.fold_case)


def _destination(address: AppAddress, app: AppSection) -> Destination:
    """Return where an address leads; raises OSError for a file of no authority, which an https address needs."""
    if address.path:
        return SocketFile(path=address.path)
    if address.scheme == "http":
        return Address(host=address.host, port=address.port)
    authority = SYSTEM_AUTHORITIES if app.upstream_ca is None else str(app.upstream_ca)
    tls = Tls(context=verifying_context(app.upstream_ca), name=app.upstream_name or address.host, authority=authority)
    return Address(host=address.host, port=address.port, tls=tls)


def _rewrite(app: AppSection) -> Rewrite | None:
    """Return what of an app's answers is put into its clients' words, if there is anything."""
    if not app.rewrite_locations and not app.rewrite_cookie_domains:
        return None
    return Rewrite(locations=app.rewrite_locations, cookie_domains=app.rewrite_cookie_domains)
