"""One intercepted exchange: the slow, readable path.

Owns the way from a matched request to its kind's handling, the password change and the logout; a login's
own steps are in `gateway.proxy.signin`. Outcomes are observed here, once.
"""

from collections.abc import Mapping
from typing import assert_never

from structlog.typing import FilteringBoundLogger

from gateway.accounts.change import Begun, Change, ChangeEnd
from gateway.accounts.phases import PhaseBook
from gateway.accounts.sessions import Fields, SessionKeeper
from gateway.errors import (
    AppUnavailable,
    LegacyUnavailable,
    Overloaded,
    RequestRefused,
    SluicegateError,
    StoreUnavailable,
)
from gateway.intercept import extract
from gateway.intercept.origin import check_origin
from gateway.intercept.rules import Match, Rule
from gateway.intercept.tables import RuleKind
from gateway.intercept.verdict import judge
from gateway.model import Phase, Verdict
from gateway.proxy.admission import Admission
from gateway.proxy.guarded import Events, GuardedApp, HandOff
from gateway.proxy.handoff import forward, lines, redirect, relay
from gateway.proxy.limits import JUDGED_BYTES
from gateway.proxy.signin import SignIn
from gateway.proxy.steps import Ask, Pass, Reply, WholeRequest
from gateway.store.base import Management

BROKE_DOWN = 500  # the first status of an app that broke down

BREAKDOWNS: Mapping[type[SluicegateError], tuple[str, str]] = {
    RequestRefused: ("refused", "gateway"),
    Overloaded: ("overloaded", "gateway"),
    StoreUnavailable: ("unavailable", "store"),
    LegacyUnavailable: ("unavailable", "legacy"),
    AppUnavailable: ("unavailable", "app"),
}
"""How a login that ended in an error counts: outcome and decider. Each kind stands for its own kinds, too."""


class Exchange:
    """Answers requests that a rule matched."""

    def __init__(
        self,
        *,
        sign_in: SignIn,
        change: Change,
        sessions: SessionKeeper,
        admission: Admission,
        management: Management,
        phases: PhaseBook,
        events: Events,
        log: FilteringBoundLogger,
    ) -> None:
        self._sign_in = sign_in
        self._change = change
        self._sessions = sessions
        self._admission = admission
        self._management = management
        self._phases = phases
        self._events = events
        self._log = log

    async def run(self, app: GuardedApp, match: Match, request: WholeRequest) -> Reply:
        """Answer one request; an error becomes an answer that a listed foreign origin may read, too."""
        try:
            return await self._run(app, match, request)
        except SluicegateError as error:
            self._observe_breakdown(app, match, request, error)
            return app.own.breakdown(request, error)

    async def _run(self, app: GuardedApp, match: Match, request: WholeRequest) -> Reply:
        found = extract.extract(match, request.head, request.body)
        if found is None:
            return await self._pass_on(app, request)
        if not isinstance(found, extract.Logout):  # a link on another site may lead there, if the app lets it
            check_origin(request.head, allowed=app.allowed_origins)
        match found:
            case extract.Login():
                return await self._sign_in.run(app, request, found)
            case extract.Change():
                return await self._change_password(app, request, found)
            case extract.Logout():
                return await self._sign_out(app, request, found.rule)
            case other:
                assert_never(other)

    async def _admitted(self, app: GuardedApp, request: WholeRequest) -> Pass | Reply:
        """Say whether a request that is no login may pass, and with what; also this waits for the store."""
        step = self._admission.examine(app, request.head, request.client)
        return await step.decide() if isinstance(step, Ask) else step

    async def _pass_on(self, app: GuardedApp, request: WholeRequest) -> Reply:
        """Treat a request that only looked like one of ours as any other."""
        admitted = await self._admitted(app, request)
        if isinstance(admitted, Reply):
            return admitted
        answer = await forward(request, request.body, admitted.to_app)
        return relay(request, answer, admitted.to_client)

    async def _change_password(self, app: GuardedApp, request: WholeRequest, typed: extract.Change) -> Reply:
        """Forward the change; follow it into the store once the legacy side confirms it."""
        if typed.change is None:
            return await self._pass_on(app, request)
        admitted = await self._admitted(app, request)
        if isinstance(admitted, Reply):
            return admitted
        session = await self._sessions.current(app.name, request.head.cookie)
        account = await self._management.get(session.account_id) if session else None
        question = app.question_for(typed.rule)
        if session is None or account is None or question is None:
            return await self._unnamed_change(app, request)
        begun = await self._change.begin(account, typed.change.new_password)
        try:
            answer = await forward(request, request.body, admitted.to_app)
        except AppUnavailable:  # it may have happened all the same
            self._changed(app, request, begun, await self._change.confirm(begun, question, session_id=session.id))
            raise
        is_right = judge(typed.rule, answer, JUDGED_BYTES) is Verdict.RIGHT
        if is_right or answer.status >= BROKE_DOWN:  # which may have come after the change, as no answer may
            end = await self._change.confirm(begun, question, session_id=session.id)
        else:
            end = await self._change.drop(begun)
        self._changed(app, request, begun, end)
        return relay(request, answer)

    async def _unnamed_change(self, app: GuardedApp, request: WholeRequest) -> Reply:
        """Leave a change of nobody whom the gateway knows to the app: the next login follows it.

        Unless nothing is followed any more: then its owner could never log in again.
        """
        if self._phases.of(app.source.name) is Phase.COMPLETE:
            return app.own.plain(request, 401, "Please sign in again before you change your password.")
        return await self._pass_on(app, request)

    def _changed(self, app: GuardedApp, request: WholeRequest, begun: Begun, end: ChangeEnd) -> None:
        self._events.password_changed(app.name, end)
        self._log.info("password change", app=app.name, outcome=str(end), account=str(begun.account.id),
                       request_id=request.request_id.decode())

    async def _sign_out(self, app: GuardedApp, request: WholeRequest, rule: Rule) -> Reply:
        """Forward the logout; the gateway's session ends when the app's has. An app without one is not asked."""
        if app.hand_off is HandOff.HEADERS:
            return redirect(app.entry.page, lines(await self._sessions.end(
                app.name, request.head.cookie, reason="logout")))
        admitted = await self._admitted(app, request)
        if isinstance(admitted, Reply):
            return admitted
        answer = await forward(request, request.body, admitted.to_app)
        if judge(rule, answer, JUDGED_BYTES) is not Verdict.RIGHT:
            return relay(request, answer)
        return relay(request, answer, lines(await self._ended(app, request)))

    async def _ended(self, app: GuardedApp, request: WholeRequest) -> Fields:
        """End the gateway's session; without the store its row lives on, but this browser forgets it."""
        try:
            return await self._sessions.end(app.name, request.head.cookie, reason="logout")
        except StoreUnavailable as error:  # the app's session is over, so a 503 would tell a lie
            self._log.warning("a session outlives its logout", app=app.name, reason=str(error),
                              request_id=request.request_id.decode())
            return self._sessions.cleared(app.name)

    def _observe_breakdown(self, app: GuardedApp, match: Match, request: WholeRequest, error: SluicegateError) -> None:
        """Count a login that could not be decided or was refused; log why, in our own words."""
        if any(rule.kind is RuleKind.LOGIN for rule in match.rules):
            outcome, decider = next(end for kind, end in BREAKDOWNS.items() if isinstance(error, kind))
            self._events.login(app.name, outcome, decider)
        self._log.warning("exchange failed", app=app.name, status=error.status, error=type(error).__name__,
                          reason=str(error), request_id=request.request_id.decode())
