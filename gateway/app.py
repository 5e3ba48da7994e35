"""The composition root: everything that runs, wired once, opened in order and closed in reverse.

Owns start and stop. With `gateway.plan`, `gateway.apps` and `gateway.stores` the only place that knows which
store and which adapters there are.
"""

import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from uuid import uuid4

from aiohttp import web
from structlog.typing import FilteringBoundLogger

from gateway.accounts.adopt import Adopt
from gateway.accounts.change import Change
from gateway.accounts.flags import LegacyFlags
from gateway.accounts.hashpool import HashPool
from gateway.accounts.keyring import Keyring
from gateway.accounts.login import Login
from gateway.accounts.passwords import PasswordHasher
from gateway.accounts.phases import PhaseBook
from gateway.accounts.sessions import SessionKeeper
from gateway.accounts.throttle import Throttle
from gateway.admin.routes import build_admin
from gateway.apps import Apps, Assembler
from gateway.errors import ConfigurationError
from gateway.ops import Operations
from gateway.parts import (
    data_plane_limits,
    encryption_key,
    hash_pool,
    password_hasher,
    private_token,
    secrets_in,
    session_keeper,
)
from gateway.plan import plan
from gateway.proxy.admission import Admission
from gateway.proxy.connections import Connections
from gateway.proxy.exchange import Exchange
from gateway.proxy.forward_auth import ForwardAuth
from gateway.proxy.guard import Guard
from gateway.proxy.ids import RequestIds
from gateway.proxy.peers import Peers
from gateway.proxy.signin import SignIn
from gateway.proxy.sites import Sites
from gateway.proxy.surroundings import Surroundings
from gateway.proxy.tasks import Tasks
from gateway.proxy.wellknown import JWKS_PATH, jwks_handler
from gateway.settings import Settings
from gateway.state import StateFolder
from gateway.store.postgres import PostgresStore
from gateway.telemetry.accesslog import AnswerLog
from gateway.telemetry.metrics import KeyRow, Metrics, Pulled, open_registry
from gateway.telemetry.pulled import count_accounts
from gateway.telemetry.redaction import Redactor
from gateway.telemetry.refusals import RefusedConnections
from gateway.telemetry.tally import Tally
from gateway.telemetry.traffic import Traffic

Share = Callable[[Tally], Awaitable[Tally]]
"""Takes what one worker has counted, and returns the sums over all."""

SETTLE_SECONDS = 1.0  # for what goes on without its client; an app that still has not answered, will not


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """Where the process's words go: the operator's log with its redactor, and the access log."""

    operator: FilteringBoundLogger
    redactor: Redactor
    access: AnswerLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway that is ready to listen: the public protocol factory and the private application.

    `loops` owns what runs as long as the process does. `on_refused` is told of connections that are closed before
    HTTP. `tally` returns what was counted here so far.
    """

    connections: Connections
    private: web.Application
    operations: Operations
    peers: Peers
    loops: Tasks
    on_refused: RefusedConnections
    tally: Callable[[], Tally]


async def alone(own: Tally) -> Tally:
    """Return the sums over all workers where there is but one."""
    return own


@asynccontextmanager
async def build(settings: Settings, logs: Logs, *, share: Share = alone) -> AsyncIterator[Gateway]:
    """Open every part of a gateway and yield it; leaving closes all of them.

    `settings.store.url` is a server's; `share` gives this worker's counts for the sums over all. Raises
    `ConfigurationError` or `StoreUnavailable` with one sentence when a part cannot be opened.
    """
    logs.redactor.know(*secrets_in(settings))
    plans = plan(settings)
    folder = StateFolder(settings.store.state, logs.operator.info)
    metrics = Metrics(registry := open_registry(), apps=[app.name for app in settings.apps],
                      sources=list(settings.sources), version=version("sluicegate"))
    loops, tasks = (Tasks(partial(_task_failed, logs.operator)) for _ in range(2))
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(PostgresStore.open(settings.store.url))
        keyring = Keyring(store.keys, encryption_key(settings, folder), time.time, secrets.token_bytes)
        await keyring.load()
        phases = PhaseBook(store.phases, {name: source.phase for name, source in settings.sources.items()})
        await phases.load()
        stack.push_async_callback(loops.close, 0)
        pool = await stack.enter_async_context(hash_pool(settings.hashing, metrics))
        hasher = password_hasher(settings.hashing, pool, keyring)
        limits = data_plane_limits(settings.limits)
        apps = await Assembler(settings, hasher=hasher, metrics=metrics, limits=limits, tasks=loops,
                               stack=stack, log=logs.operator).run(plans)
        stack.push_async_callback(tasks.close, SETTLE_SECONDS)  # what has begun runs to its end
        sessions = session_keeper(settings, store.sessions, keyring)
        flags = LegacyFlags(store.management, phases)
        admission = Admission(sessions, flags, time.time)
        exchange = _exchange(settings, store, keyring, sessions, admission, flags, hasher, phases, metrics, tasks, logs)
        sites = Sites(apps.sites)
        guard = Guard(apps.guarded, exchange, admission, ForwardAuth(sites, apps.guarded, admission), events=metrics,
                      own_paths={JWKS_PATH: jwks_handler(keyring)}, body_limit=limits.login_body)
        loops.start(store.notices.listen(partial(_on_notice, sessions, phases, logs.operator)))
        here = partial(_seen_here, pool, apps, sessions, logs)
        operations = Operations(registry, pull=partial(_pull, metrics, store, keyring, here, share),
                                probes={"store": store.ping})
        peers = Peers(trusted=settings.listen.trusted_proxies,
                      scheme=b"http" if settings.listen.certificate is None else b"https")
        token = private_token(settings, folder)
        logs.redactor.know(token)
        yield Gateway(
            connections=Connections(Surroundings(
                sites=sites,
                interceptor=guard,
                traffic=Traffic(metrics, logs.access),
                limits=limits,
                peers=peers,
                tasks=tasks,
                request_ids=RequestIds(os.urandom),
                clock=time.monotonic,
                on_crash=partial(_request_crashed, logs.operator),
            )),
            private=build_admin(host=settings.private.listen.host, token=token, operations=operations,
                                users=store.management, phases=store.phases),
            operations=operations,
            peers=peers,
            loops=loops,
            on_refused=RefusedConnections(count=metrics.connection_refused, log=logs.operator, clock=time.monotonic),
            tally=lambda: metrics.tally(here()),
        )


def _exchange(settings: Settings, store: PostgresStore, keyring: Keyring, sessions: SessionKeeper,
              admission: Admission, flags: LegacyFlags, hasher: PasswordHasher, phases: PhaseBook, metrics: Metrics,
              tasks: Tasks, logs: Logs) -> Exchange:
    """Wire the intercepted exchanges."""
    adopt = Adopt(store.accounts, hasher, uuid4)
    sign_in = SignIn(
        login=Login(store.accounts, store.passwords, store.changes, hasher, phases, adopt),
        accounts=store.accounts,
        passwords=store.passwords,
        sessions=sessions,
        throttle=Throttle(store.throttle, keyring, secrets.token_bytes),
        flags=flags,
        events=metrics,
        tasks=tasks,
        clock=time.monotonic,
        denial_seconds=settings.limits.denial_seconds,
        log=logs.operator,
    )
    return Exchange(sign_in=sign_in, change=Change(store.accounts, store.changes, hasher),
                    sessions=sessions, admission=admission, management=store.management, phases=phases,
                    events=metrics, log=logs.operator)


async def _on_notice(sessions: SessionKeeper, phases: PhaseBook, log: FilteringBoundLogger, topic: str,
                     value: str) -> None:
    """Take in a change made elsewhere; keys that this version cannot read leave the former ones in use."""
    try:
        await sessions.on_notice(topic, value)
    except ConfigurationError as error:
        log.error("the store's new keys cannot be used", reason=str(error))
    await phases.on_notice(topic, value)


def _seen_here(pool: HashPool, apps: Apps, sessions: SessionKeeper, logs: Logs) -> Pulled:
    """Look at what this worker's metrics cannot count themselves."""
    return Pulled(
        hash_queue_depth=pool.depth,
        hash_busy=pool.busy,
        open_breakers=frozenset(question.source for question in apps.questions if question.breaker.is_open),
        resting={site.name: site.upstream.resting for site in apps.sites},
        access_log_dropped=logs.access.dropped,
        tokens=dict(sessions.counts),
    )


async def _pull(metrics: Metrics, store: PostgresStore, keyring: Keyring, here: Callable[[], Pulled],
                share: Share) -> None:
    """Look up the rest: in the store, and with the other workers.

    The tally is taken last: one that waited for the store would take the place of a newer one that was reported since.
    """
    accounts = await count_accounts(store.management)
    now, seen = time.time(), here()
    metrics.pull(replace(
        seen,
        accounts=accounts,
        keys=[KeyRow(kid=key.kid, state=key.state, algorithm=key.algorithm,
                     age=now - key.created_at.timestamp()) for key in keyring.stored],
        sums=await share(metrics.tally(seen)),
    ))


def _task_failed(log: FilteringBoundLogger, error: BaseException) -> None:
    log.error("a background task failed", exc_info=error)


def _request_crashed(log: FilteringBoundLogger, error: Exception, request_id: bytes) -> None:
    log.error("a request crashed", request_id=request_id.decode(), exc_info=error)
