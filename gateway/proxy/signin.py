"""One intercepted login, from the typed fields to the answer that the browser gets.

The order is fixed: turn, throttle, decision, hand-off, answer. A gateway session is issued only after a
granted decision and the app's own `right` in the same exchange.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from structlog.typing import FilteringBoundLogger

from gateway.accounts.decision import Decision, Denied, Granted, MustAsk, Reason, Shown, Way
from gateway.accounts.decoy import decoy
from gateway.accounts.flags import LegacyFlags
from gateway.accounts.login import Login
from gateway.accounts.sessions import Fields, SessionKeeper
from gateway.accounts.throttle import Attempt, Reservation, Throttle, Wait
from gateway.accounts.turns import Turns
from gateway.errors import AppUnavailable, LegacyUnavailable, Overloaded, SluicegateError, StoreUnavailable
from gateway.http.answer import Answer
from gateway.identifiers import LONGEST, Comparison, normalise
from gateway.intercept import extract
from gateway.intercept.verdict import judge
from gateway.model import Account, Outcome, Verdict
from gateway.proxy.guarded import DenialStyle, Events, GuardedApp, HandOff
from gateway.proxy.handoff import forward, lines, relay
from gateway.proxy.limits import JUDGED_BYTES
from gateway.proxy.steps import Reply, WholeRequest
from gateway.proxy.tasks import Tasks
from gateway.store.base import Accounts, Passwords

UNEXAMINED = frozenset({429, *range(500, 600)})  # the app looked at no password: no attempt
FINAL = frozenset({Reason.BLOCKED, Reason.PREVIOUS_PASSWORD})  # even where the app itself said yes
STORE, LEGACY, APP = "store", "legacy", "app"  # who decided


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """One login as it came: the app, the request, what was typed, and the name under which it is counted.

    Case never counts there: whoever varies it in a name that an app folds would have a budget for each variant.
    """

    app: GuardedApp
    request: WholeRequest
    login: extract.Login
    counted: str
    came: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A decision, who made it, and the app's answer where the browser's request went first."""

    decision: Decision
    decider: str
    answer: Answer | None = None


class SignIn:
    """Runs logins; all waiting for stores, sources, hashing and the app happens below.

    `denial_seconds` is the least time of a denial that the gateway words itself.
    """

    def __init__(
        self,
        *,
        login: Login,
        accounts: Accounts,
        passwords: Passwords,
        sessions: SessionKeeper,
        throttle: Throttle,
        flags: LegacyFlags,
        events: Events,
        tasks: Tasks,
        clock: Callable[[], float],
        denial_seconds: float,
        log: FilteringBoundLogger,
    ) -> None:
        self._login = login
        self._accounts = accounts
        self._passwords = passwords
        self._sessions = sessions
        self._throttle = throttle
        self._flags = flags
        self._events = events
        self._tasks = tasks
        self._clock = clock
        self._denial_seconds = denial_seconds
        self._log = log
        self._turns = Turns()
        self._has_warned = False

    async def run(self, app: GuardedApp, request: WholeRequest, login: extract.Login) -> Reply:
        """Answer one login."""
        identifier = login.credentials.identifier
        counted = normalise(identifier, Comparison.CASEFOLD) or identifier[:LONGEST]  # it is a key that we keep
        typed = Typed(app=app, request=request, login=login, counted=counted, came=self._clock())
        async with self._turns.of((app.source.name, counted)):
            reservation = await self._throttle.reserve(self._attempt(typed))
            if isinstance(reservation, Wait):
                return self._throttled(typed, reservation)
            heard = await self._decided(typed, reservation)
        match heard.decision:
            case Granted() as granted:
                return await self._hand_over(typed, granted, heard.answer)
            case Denied() as denied:
                reply = await self._deny(typed, denied, heard.answer)
                self._end(typed, "denied", heard.decider, reason=denied.reason)
                return reply
            case Shown() as shown:
                return await self._show(typed, shown, heard.answer, reservation)
            case other:
                assert_never(other)

    def _attempt(self, typed: Typed) -> Attempt:
        """Say whose budget this login draws on."""
        app, client = typed.app, typed.request.client
        address = client.payer(typed.request.head)
        if address is None and not self._has_warned:
            self._has_warned = True
            self._log.warning("the throttle by address is off for requests through a proxy that is not named in "
                              "listen.trusted_proxies", peer=client.peer)
        return Attempt(
            source=app.source.name,
            identifier=typed.counted,
            address=address,
            device=self._sessions.device(app.name, typed.request.head.cookie),
        )

    async def _decided(self, typed: Typed, reservation: Reservation) -> Heard:
        """Decide, and settle the reserved attempt; what nobody could tell was no attempt."""
        try:
            heard = await self._decide(typed)
            if isinstance(heard.decision, Granted):
                if heard.decision.way is Way.ADOPTED:  # committed, whatever becomes of this login
                    self._events.migrated(typed.app.source.name, "login")
                await reservation.succeeded()
        except SluicegateError:
            with contextlib.suppress(StoreUnavailable):
                await reservation.refund()
            raise
        if isinstance(heard.decision, Denied):
            reservation.failed()
        return heard

    async def _decide(self, typed: Typed) -> Heard:
        app, credentials = typed.app, typed.login.credentials
        decision = await self._login.look_up(app.source, credentials)
        if not isinstance(decision, MustAsk):
            return Heard(decision=decision, decider=STORE)
        if app.is_own_source and not decision.was_held and app.hand_off is HandOff.REPLAY:
            return await self._ask_app(typed, decision)
        question = app.questions[typed.login.rule.name]
        decision = await self._login.ask(app.source, credentials, decision, question)
        return Heard(decision=decision, decider=LEGACY)

    async def _ask_app(self, typed: Typed, must: MustAsk) -> Heard:
        """The app is its own source: the browser's request first, as a hint; then our own question."""
        app = typed.app
        answer = await forward(typed.request, typed.request.body)
        hint = _judged(typed, answer)
        if hint is not Verdict.RIGHT and must.candidate is None:
            await self._login.spend(typed.login.credentials)  # as much as for somebody with an account
        if hint is Verdict.WRONG:
            return Heard(decision=Denied(reason=Reason.WRONG_PASSWORD), decider=LEGACY, answer=answer)
        if hint is Verdict.UNKNOWN:
            return Heard(decision=Shown(outcome=Outcome.PROTOCOL_ERROR), decider=APP, answer=answer)
        question = app.questions[typed.login.rule.name]
        try:
            decision = await self._login.ask(app.source, typed.login.credentials, must, question)
        except (LegacyUnavailable, Overloaded):
            return Heard(decision=Shown(outcome=Outcome.UNAVAILABLE), decider=APP, answer=answer)
        if isinstance(decision, Denied) and decision.reason not in FINAL:
            decision = Denied(reason=Reason.UNCONFIRMED)
        return Heard(decision=decision, decider=LEGACY, answer=answer)

    async def _hand_over(self, typed: Typed, granted: Granted, answer: Answer | None) -> Reply:
        """The password is right: the app must say so too, then the gateway session begins."""
        app, request = typed.app, typed.request
        if app.hand_off is HandOff.HEADERS:
            return await self._let_in(typed, granted)
        if answer is None:
            answer = await self._replayed(typed)
        verdict = _judged(typed, answer)
        self._events.handed_off(app.name, verdict)
        if verdict is not Verdict.RIGHT:  # drift, or no right to enter: the app's word is shown, nothing more
            await self._accounts.drifted(granted.account.id, app=app.name, verdict=verdict)
            self._end(typed, "shown", APP, reason=verdict, account=granted.account)
            return relay(request, answer)
        fields = await self._begin_session(typed, granted)
        if fields is None:
            return await self._deny(typed, Denied(reason=Reason.BLOCKED), answer)
        if self._login.follows(app.source):
            self._tasks.start(self._note_rehash(typed, granted))
        return relay(request, answer, lines(fields))

    async def _let_in(self, typed: Typed, granted: Granted) -> Reply:
        """The password is right, and no app has another word: the gateway answers the login itself."""
        app, request = typed.app, typed.request
        if granted.way is Way.STORE:  # else the legacy side has just let the user in
            hindrance = await self._flags.of(app.source.name, app.questions[typed.login.rule.name], granted.account)
            if hindrance is not None:
                self._end(typed, "denied", LEGACY, reason=hindrance, account=granted.account)
                return await self._deny(typed, Denied(reason=Reason.UNCONFIRMED), None)
        fields = await self._begin_session(typed, granted)
        if fields is None:
            return await self._deny(typed, Denied(reason=Reason.BLOCKED), None)
        target = request.head.target.partition(b"?")[2]
        form = typed.login.form.values(app.entry.next) if app.entry.next else ()
        return app.own.welcome(request, app.entry.after_login(form, target), lines(fields))

    async def _begin_session(self, typed: Typed, granted: Granted) -> Fields | None:
        """Open the session of a granted login; None for an account that was blocked in this very moment."""
        app = typed.app
        await self._forget(typed)
        issued = await self._sessions.issue(granted.account, app.name, proven=granted.encoded)
        if issued is None:
            self._end(typed, "denied", STORE, reason=Reason.BLOCKED, account=granted.account)
            return None
        await self._accounts.logged_in(granted.account.id)
        decider = STORE if granted.way is Way.STORE else LEGACY
        self._end(typed, "granted", decider, reason=granted.way, account=granted.account)
        return (*issued.fields, self._device(typed))

    async def _replayed(self, typed: Typed) -> Answer:
        try:
            return await forward(typed.request, typed.request.body)
        except AppUnavailable:
            self._events.handed_off(typed.app.name, "unanswered")
            raise

    async def _deny(self, typed: Typed, denied: Denied, answer: Answer | None) -> Reply:
        """Refuse as the app itself would: it is given a wrong password that looks like the typed one."""
        reply = await self._denial(typed, denied, answer)
        await asyncio.sleep(typed.came + self._denial_seconds - self._clock())  # its time tells nothing
        return reply

    async def _denial(self, typed: Typed, denied: Denied, answer: Answer | None) -> Reply:
        app, request = typed.app, typed.request
        if answer is not None and denied.reason not in FINAL:
            return await self._pass_on(typed, answer)
        if answer is None and app.denied is DenialStyle.APP:
            wrong = decoy(typed.login.credentials.password, secrets.choice)
            answer = await forward(request, extract.substitute_password(typed.login, wrong))
            if _judged(typed, answer) is not Verdict.RIGHT:
                return relay(request, answer)
        return app.own.plain(request, 401, "The user name or the password is not right.")

    async def _show(self, typed: Typed, shown: Shown, answer: Answer | None, reservation: Reservation) -> Reply:
        """The gateway decides nothing: the request goes on as typed, and nothing is stored.

        Where no app has a login of its own, nobody is let in without a decision.
        """
        if typed.app.hand_off is HandOff.HEADERS:
            reservation.failed()
            self._end(typed, "denied", LEGACY, reason=shown.outcome)
            return await self._deny(typed, Denied(reason=Reason.UNCONFIRMED), answer)
        try:
            if answer is None:
                answer = await forward(typed.request, typed.request.body)
            if _judged(typed, answer) is not Verdict.RIGHT and answer.status not in UNEXAMINED:
                reservation.failed()  # also what no rule describes: a client may choose the app's words
        finally:
            with contextlib.suppress(StoreUnavailable):
                await reservation.refund()
        self._end(typed, "shown", APP, reason=shown.outcome)
        return await self._pass_on(typed, answer)

    async def _pass_on(self, typed: Typed, answer: Answer) -> Reply:
        """Relay an answer that opens no session here; where the app said yes, an old one must not outlive it."""
        fields = await self._forget(typed) if _judged(typed, answer) is Verdict.RIGHT else ()
        return relay(typed.request, answer, lines(fields))

    async def _forget(self, typed: Typed) -> Fields:
        """End the session that this browser had before, and return what clears its cookies."""
        app = typed.app
        try:
            return await self._sessions.end(app.name, typed.request.head.cookie, reason="another login")
        except StoreUnavailable:
            return self._sessions.cleared(app.name)

    def _throttled(self, typed: Typed, wait: Wait) -> Reply:
        self._events.throttled(typed.app.name, wait.budget)
        self._end(typed, "throttled", "throttle", reason=wait.budget)
        return typed.app.own.plain(
            typed.request, 429, "Too many failed attempts. Please wait.", retry_after=wait.seconds
        )

    def _device(self, typed: Typed) -> tuple[bytes, bytes]:
        """Return the cookie that gives this browser a throttle budget of its own."""
        token = self._throttle.device_token(typed.app.source.name, typed.counted)
        return self._sessions.device_field(typed.app.name, token)

    async def _note_rehash(self, typed: Typed, granted: Granted) -> None:
        """Note the hash that the app may have written at this login; without it only time is lost."""
        credentials = typed.login.credentials
        question = typed.app.questions[typed.login.rule.name]
        with contextlib.suppress(LegacyUnavailable, StoreUnavailable, Overloaded):
            seen = await question.seen_hash(
                credentials.identifier, credentials.password, known=granted.legacy_seen
            )
            if seen is not None:
                await self._passwords.note_seen(granted.account.id, encoded=granted.encoded, legacy_seen=seen)

    def _end(self, typed: Typed, outcome: str, decider: str, *, reason: str, account: Account | None = None) -> None:
        """Observe the login's end, once. The typed identifier is not logged: it may be a password."""
        self._events.login(typed.app.name, outcome, decider)
        self._log.info(
            "login",
            app=typed.app.name,
            rule=typed.login.rule.name,
            outcome=outcome,
            decider=decider,
            reason=str(reason),
            account=str(account.id) if account else None,
            request_id=typed.request.request_id.decode(),
        )


def _judged(typed: Typed, answer: Answer) -> Verdict:
    return judge(typed.login.rule, answer, JUDGED_BYTES)
