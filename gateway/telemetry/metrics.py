"""Every metric of the gateway: declared here, nowhere else, and counted here.

Owns names, labels, the values that labels may take, and buckets. Knows no store, no socket, no clock:
events are told as they happen, what can only be looked up comes as a `Pulled` with each scrape. Names
of users, identifiers, addresses and URLs are never label values.
"""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from prometheus_client import GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.registry import CollectorRegistry

from gateway.http.fields import SWITCHING_PROTOCOLS
from gateway.model import AccountState, Outcome, Verdict
from gateway.store.base import SourceCount
from gateway.telemetry.series import (
    OTHER,
    Bounded,
    Counts,
    Family,
    Histogram,
    Kind,
    Labels,
    Spread,
    counter,
    gauge,
)
from gateway.telemetry.tally import Tally, shown, tally

FAST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
HASH_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

LOGINS = Family(name="sluicegate_logins_total", kind=Kind.COUNTER, labels=("app", "outcome", "decider"),
                meaning="Login requests, by how each ended and who decided it.")
MIGRATIONS = Family(name="sluicegate_migrations_total", kind=Kind.COUNTER, labels=("source", "way"),
                    meaning="Users who crossed: accounts created from a legacy source.")
PASSWORD_CHANGES = Family(name="sluicegate_password_changes_total", kind=Kind.COUNTER,
                          labels=("app", "outcome"),
                          meaning="Password changes on an app's own page, by how each ended.")
HANDOFFS = Family(name="sluicegate_handoffs_total", kind=Kind.COUNTER, labels=("app", "verdict"),
                  meaning="Logins that the gateway granted, by what the app answered to them.")
THROTTLED = Family(name="sluicegate_throttled_total", kind=Kind.COUNTER, labels=("app", "by"),
                   meaning="Login attempts turned away by the throttle, by the budget that was used up.")
SOURCE_CALLS = Family(name="sluicegate_source_calls_total", kind=Kind.COUNTER, labels=("source", "outcome"),
                      meaning="Questions of the gateway to a legacy source, by answer.")
SOURCE_CALL_SECONDS = Family(name="sluicegate_source_call_seconds", kind=Kind.HISTOGRAM, labels=("source",),
                             meaning="How long a legacy source took to answer.", buckets=FAST_SECONDS)
SOURCE_BREAKER_OPEN = Family(name="sluicegate_source_breaker_open", kind=Kind.GAUGE, labels=("source",),
                             meaning="Workers that leave a legacy source alone because it failed repeatedly.")
HASH_SECONDS_SPENT = Family(name="sluicegate_hash_seconds", kind=Kind.HISTOGRAM, labels=("stage",),
                            meaning="How long password hashing waited for a thread and how long it ran.",
                            buckets=HASH_SECONDS)
HASH_QUEUE_DEPTH = Family(name="sluicegate_hash_queue_depth", kind=Kind.GAUGE, labels=(),
                          meaning="Password hashings that wait for a thread.")
HASH_BUSY = Family(name="sluicegate_hash_busy", kind=Kind.GAUGE, labels=(),
                   meaning="Password hashings that are running.")
PROXIED_REQUESTS = Family(name="sluicegate_proxied_requests_total", kind=Kind.COUNTER,
                          labels=("app", "status_class"),
                          meaning="Requests answered on the public listener, by class of status.")
PROXIED_SECONDS = Family(name="sluicegate_proxied_request_seconds", kind=Kind.HISTOGRAM, labels=("app",),
                         meaning="Time from the request's head to the end of its answer.",
                         buckets=FAST_SECONDS)
REFUSED_CONNECTIONS = Family(name="sluicegate_refused_connections_total", kind=Kind.COUNTER, labels=("reason",),
                             meaning="Connections to the public listener that were closed before HTTP, by reason.")
UPSTREAM_ERRORS = Family(name="sluicegate_upstream_errors_total", kind=Kind.COUNTER, labels=("app", "kind"),
                         meaning="Requests that an app gave no usable answer to, by what went wrong.")
TOKEN_VERIFICATIONS = Family(name="sluicegate_token_verifications_total", kind=Kind.COUNTER, labels=("outcome",),
                             meaning="Access tokens that came with requests, by what became of them.")
UPSTREAM_RESTING = Family(name="sluicegate_upstream_resting", kind=Kind.GAUGE, labels=("app",),
                          meaning="Addresses of an app that are left alone because they accept no connection, "
                                  "each counted once for each worker.")
ACCESS_LOG_DROPPED = Family(name="sluicegate_access_log_dropped_total", kind=Kind.COUNTER, labels=(),
                            meaning="Access log lines lost because nobody read the log fast enough.")
WORKER_RESTARTS = Family(name="sluicegate_worker_restarts_total", kind=Kind.COUNTER, labels=(),
                         meaning="Worker processes that ended by themselves and were replaced.")
STORE_UP = Family(name="sluicegate_store_up", kind=Kind.GAUGE, labels=(),
                  meaning="Whether the store answered this scrape; without it there are no account numbers.")
ACCOUNTS = Family(name="sluicegate_accounts", kind=Kind.GAUGE, labels=("source", "state"),
                  meaning="Accounts in the store.")
SIGNING_KEY = Family(name="sluicegate_signing_key", kind=Kind.GAUGE, labels=("kid", "state", "algorithm"),
                     meaning="1 for each token signing key that this process knows.")
SIGNING_KEY_AGE = Family(name="sluicegate_signing_key_age_seconds", kind=Kind.GAUGE, labels=("kid", "state"),
                         meaning="Time since a signing key was made.")
BUILD_INFO = Family(name="sluicegate_build_info", kind=Kind.GAUGE, labels=("version", "python"),
                    meaning="1, with the versions that are running.")

FAMILIES = (
    LOGINS, MIGRATIONS, PASSWORD_CHANGES, HANDOFFS, THROTTLED, SOURCE_CALLS, SOURCE_CALL_SECONDS,
    SOURCE_BREAKER_OPEN, HASH_SECONDS_SPENT, HASH_QUEUE_DEPTH, HASH_BUSY, PROXIED_REQUESTS, PROXIED_SECONDS,
    REFUSED_CONNECTIONS, UPSTREAM_ERRORS, UPSTREAM_RESTING, TOKEN_VERIFICATIONS, ACCESS_LOG_DROPPED, WORKER_RESTARTS,
    STORE_UP, ACCOUNTS, SIGNING_KEY, SIGNING_KEY_AGE, BUILD_INFO,
)

SUMMED_GAUGES = frozenset({SOURCE_BREAKER_OPEN.name, UPSTREAM_RESTING.name, HASH_QUEUE_DEPTH.name, HASH_BUSY.name})
"""Gauges of one worker each; the others are the same for all."""

NO_APP = "-"
"""The `app` of a request that no app serves (421, or refused before its Host was known)."""

LOGIN_ENDS: Mapping[str, tuple[str, ...]] = {
    "granted": ("store", "legacy"),
    "denied": ("store", "legacy"),
    "shown": ("app",),
    "refused": ("gateway",),
    "throttled": ("throttle",),
    "unavailable": ("store", "legacy", "app"),
    "overloaded": ("gateway",),
}
"""How a login may end, and who may have decided it so."""

DECIDERS = sorted({decider for deciders in LOGIN_ENDS.values() for decider in deciders})
WAYS = ("login",)
CHANGE_ENDS = ("promoted", "dropped", "pending")
VERDICTS = (*Verdict, "unanswered")
BUDGETS = ("account", "address")
STAGES = ("wait", "run")
STATUS_CLASSES = (OTHER, "1xx", "2xx", "3xx", "4xx", "5xx")  # by the status's first digit
TOKEN_OUTCOMES = ("cached", "verified", "refused", "over_budget")
CONNECTION_REFUSALS = ("preamble", "untrusted", "tls")
UPSTREAM_ERROR_KINDS = ("connect", "tls", "exhausted", "timeout", "protocol", "lost", "busy")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """One signing key as a scrape shows it; `age` in seconds."""

    kid: str
    state: str
    algorithm: str
    age: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What can only be looked up, at the time of one scrape.

    `accounts` is None when the store did not answer. `open_breakers` names sources, `resting` counts addresses
    by app. `sums` are over all workers, this one included; None where this process is the only one. `tokens` are
    by `TOKEN_OUTCOMES`.
    """

    accounts: Sequence[SourceCount] | None = None
    hash_queue_depth: int = 0
    hash_busy: int = 0
    open_breakers: frozenset[str] = frozenset()
    resting: Mapping[str, int] = field(default_factory=dict)
    keys: Sequence[KeyRow] = field(default_factory=tuple)
    sums: Tally | None = None
    access_log_dropped: int = 0
    tokens: Mapping[str, int] = field(default_factory=dict)


def open_registry() -> CollectorRegistry:
    """Return a registry that shows the process itself: memory, CPU, descriptors, the interpreter."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class SiteTraffic:
    """Is the traffic of one app, as plain numbers."""

    __slots__ = ("by_class", "spread")

    def __init__(self, spread: Spread) -> None:
        self.by_class = [0] * len(STATUS_CLASSES)
        self.spread = spread

    def add(self, status: int, seconds: float) -> None:
        """Count one answer. An app may send statuses that no RFC knows; this never fails.

        What a WebSocket lasted (101) is no time that anybody waited.
        """
        self.by_class[status // 100 if 100 <= status < 600 else 0] += 1
        if status != SWITCHING_PROTOCOLS:
            self.spread.add(seconds)


class Metrics:
    """Counts what happens, and shows it to `registry` as a collector.

    The series of the configured apps and sources exist from the start at 0, so that `rate()` sees the
    first event. A label value that is not declared above is counted as "other".
    """

    def __init__(self, registry: CollectorRegistry, *, apps: Iterable[str], sources: Iterable[str],
                 version: str) -> None:
        self._apps, self._sources, self._version = tuple(apps), tuple(sources), version
        apps, sources = self._apps, self._sources
        ends = [(app, outcome, decider) for app in apps
                for outcome, deciders in LOGIN_ENDS.items() for decider in deciders]
        self._logins = Counts(LOGINS, Bounded(apps, LOGIN_ENDS, DECIDERS), ends)
        self._migrations = _counts(MIGRATIONS, sources, WAYS)
        self._changes = _counts(PASSWORD_CHANGES, apps, CHANGE_ENDS)
        self._handoffs = _counts(HANDOFFS, apps, VERDICTS)
        self._throttled = _counts(THROTTLED, apps, BUDGETS)
        self._source_calls = _counts(SOURCE_CALLS, sources, tuple(Outcome))
        self._source_seconds = _histogram(SOURCE_CALL_SECONDS, sources)
        self._hash_seconds = _histogram(HASH_SECONDS_SPENT, STAGES)
        self._refused_connections = _counts(REFUSED_CONNECTIONS, CONNECTION_REFUSALS)
        self._upstream_errors = _counts(UPSTREAM_ERRORS, apps, UPSTREAM_ERROR_KINDS)
        self._proxied_seconds = _histogram(PROXIED_SECONDS, (*apps, NO_APP))
        self._traffic = {app: SiteTraffic(self._proxied_seconds.series(app)) for app in (*apps, NO_APP)}
        self._pulled = Pulled()
        registry.register(self)

    @staticmethod
    def names() -> tuple[str, ...]:
        """Return the name of every declared metric."""
        return tuple(family.name for family in FAMILIES)

    def login(self, app: str, outcome: str, decider: str) -> None:
        """Count a login; `LOGIN_ENDS` lists the values."""
        self._logins.add(app, outcome, decider)

    def migrated(self, source: str, way: str) -> None:
        """Count a user who crossed."""
        self._migrations.add(source, way)

    def source_called(self, source: str, outcome: str, seconds: float) -> None:
        """Count a question to a legacy source; the outcome is a `gateway.model.Outcome`."""
        self._source_calls.add(source, outcome)
        self._source_seconds.add(source, seconds=seconds)

    def hashed(self, wait: float, run: float) -> None:
        """Count one run of the hash pool: seconds in the queue, seconds on a thread."""
        self._hash_seconds.add("wait", seconds=wait)
        self._hash_seconds.add("run", seconds=run)

    def handed_off(self, app: str, verdict: str) -> None:
        """Count an app's answer to a granted login: a `Verdict`, or "unanswered"."""
        self._handoffs.add(app, verdict)

    def throttled(self, app: str, by: str) -> None:
        """Count an attempt turned away because the budget of its account or address was used up."""
        self._throttled.add(app, by)

    def password_changed(self, app: str, outcome: str) -> None:
        """Count a password change on an app's page; `CHANGE_ENDS` lists the values."""
        self._changes.add(app, outcome)

    def proxied(self, app: str, status: int, seconds: float) -> None:
        """Count an answer on the public listener; an app that is not configured counts as `NO_APP`."""
        (self._traffic.get(app) or self._traffic[NO_APP]).add(status, seconds)

    def connection_refused(self, reason: str) -> None:
        """Count a connection that was closed before HTTP; `CONNECTION_REFUSALS` lists the values."""
        self._refused_connections.add(reason)

    def upstream_error(self, app: str, kind: str) -> None:
        """Count a request that an app gave no usable answer to; `UPSTREAM_ERROR_KINDS` lists the values."""
        self._upstream_errors.add(app, kind)

    def pull(self, pulled: Pulled) -> None:
        """Take what was looked up for the scrape that follows."""
        self._pulled = pulled

    def describe(self) -> Iterable[Metric]:
        """Return no family: the registry need not collect in order to register."""
        return ()

    def tally(self, here: Pulled) -> Tally:
        """Return what this worker adds to the sums over all; `here` is what was looked up for it."""
        return tally(family for family in self._families(here) if _adds_up(family))

    def collect(self) -> Iterable[Metric]:
        """Return every family as it stands now, or stood when the sums were made."""
        sums = self._pulled.sums
        for family in self._families(self._pulled):
            yield shown(family, sums) if sums is not None and _adds_up(family) else family

    def _families(self, pulled: Pulled) -> Iterable[Metric]:
        yield from (series.collect() for series in (
            self._logins, self._migrations, self._changes, self._handoffs, self._throttled,
            self._source_calls, self._source_seconds, self._hash_seconds, self._refused_connections,
            self._upstream_errors, self._proxied_seconds))
        yield counter(PROXIED_REQUESTS, {
            (app, status_class): count for app, traffic in self._traffic.items()
            for status_class, count in zip(STATUS_CLASSES, traffic.by_class, strict=True)})
        yield gauge(BUILD_INFO, {(self._version, platform.python_version()): 1})
        yield counter(WORKER_RESTARTS, {(): 0})  # the supervisor adds them to the sums
        yield from self._collect_pulled(pulled)

    def _collect_pulled(self, pulled: Pulled) -> Iterable[Metric]:
        open_breakers: dict[Labels, float] = {(source,): source in pulled.open_breakers for source in self._sources}
        yield gauge(SOURCE_BREAKER_OPEN, open_breakers)
        yield gauge(UPSTREAM_RESTING, {(app,): pulled.resting.get(app, 0) for app in self._apps})
        yield gauge(HASH_QUEUE_DEPTH, {(): pulled.hash_queue_depth})
        yield gauge(HASH_BUSY, {(): pulled.hash_busy})
        yield counter(TOKEN_VERIFICATIONS, {(outcome,): pulled.tokens.get(outcome, 0) for outcome in TOKEN_OUTCOMES})
        yield counter(ACCESS_LOG_DROPPED, {(): pulled.access_log_dropped})
        yield gauge(STORE_UP, {(): pulled.accounts is not None})
        yield gauge(SIGNING_KEY, {(key.kid, key.state, key.algorithm): 1 for key in pulled.keys})
        yield gauge(SIGNING_KEY_AGE, {(key.kid, key.state): key.age for key in pulled.keys})
        if pulled.accounts is not None:
            yield gauge(ACCOUNTS, self._account_numbers(pulled.accounts))

    def _account_numbers(self, counted: Sequence[SourceCount]) -> dict[Labels, float]:
        """Return a number for each source and state, also those of which there are no accounts."""
        numbers: dict[Labels, float] = dict.fromkeys(product(self._sources, AccountState), 0)
        return numbers | {(row.source, row.state): row.accounts for row in counted}


def _adds_up(family: Metric) -> bool:
    """Say whether the sum of all workers is what a reader of this metric wants to know."""
    return family.type in ("counter", "histogram") or family.name in SUMMED_GAUGES


def _counts(family: Family, *allowed: Sequence[str]) -> Counts:
    return Counts(family, Bounded(*allowed), product(*allowed))


def _histogram(family: Family, *allowed: Sequence[str]) -> Histogram:
    return Histogram(family, Bounded(*allowed), product(*allowed))
