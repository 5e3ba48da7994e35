"""The composition root: everything that runs, wired once, opened in order and closed in reverse.

Owns start and stop. With `gateway.plan`, `gateway.apps` and `gateway.stores` the only place that knows which
store and which adapters there are.
"""

import base64
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from uuid import uuid4

from aiohttp import web
from prometheus_client.registry import CollectorRegistry
from structlog.typing import FilteringBoundLogger

from gateway.accounts.adopt import Adopt
from gateway.accounts.change import Change
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
from gateway.hashing.argon2 import Argon2id
from gateway.hashing.swapper import Swapper
from gateway.http.head import HeadLimits
from gateway.model import Secret
from gateway.ops import Operations
from gateway.plan import plan
from gateway.proxy.connections import Connections
from gateway.proxy.exchange import Exchange
from gateway.proxy.guard import Guard
from gateway.proxy.ids import RequestIds
from gateway.proxy.limits import Limits
from gateway.proxy.peers import Peers
from gateway.proxy.signin import SignIn
from gateway.proxy.sites import Sites
from gateway.proxy.surroundings import Surroundings
from gateway.proxy.tasks import Tasks
from gateway.proxy.wellknown import JWKS_PATH, jwks_handler
from gateway.settings import HashingSection, LimitsSection, Settings, TokensSection
from gateway.state import ENCRYPTION_KEY, PRIVATE_TOKEN, StateFolder
from gateway.store.postgres import PostgresStore
from gateway.stores import running_store
from gateway.telemetry.accesslog import AccessLog
from gateway.telemetry.metrics import KeyRow, Metrics, Pulled
from gateway.telemetry.pulled import count_accounts
from gateway.telemetry.redaction import Redactor
from gateway.telemetry.traffic import Traffic
from gateway.tokens.envelope import KEY_BYTES, KeyEncryptionKey
from gateway.tokens.sessions import Lifetimes


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """Where the process's words go: the operator's log with its redactor, and the access log."""

    operator: FilteringBoundLogger
    redactor: Redactor
    access: AccessLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway that is ready to listen: the public protocol factory and the private application."""

    connections: Connections
    private: web.Application
    tasks: Tasks


@asynccontextmanager
async def build(settings: Settings, logs: Logs) -> AsyncIterator[Gateway]:
    """Open every part of a gateway and yield it; leaving closes all of them.

    Raises `ConfigurationError` or `StoreUnavailable` with one sentence when a part cannot be opened.
    """
    plans = plan(settings)
    async with AsyncExitStack() as stack:
        tasks = Tasks(partial(_task_failed, logs.operator))
        stack.push_async_callback(tasks.close, 0)
        store = await stack.enter_async_context(running_store(settings.store, tasks))
        metrics = Metrics(
            registry := CollectorRegistry(),
            apps=[app.name for app in settings.apps],
            sources=list(settings.sources),
            version=version("sluicegate"),
        )
        keyring = Keyring(store.keys, _encryption_key(settings, logs), time.time, secrets.token_bytes)
        await keyring.load()
        pool = await stack.enter_async_context(_hash_pool(settings.hashing, metrics))
        hasher = _hasher(settings.hashing, pool, keyring)
        limits = _limits(settings.limits)
        assembler = Assembler(settings, hasher=hasher, metrics=metrics, limits=limits, tasks=tasks, stack=stack)
        apps = await assembler.run(plans)
        phases = PhaseBook(store.phases, {name: source.phase for name, source in settings.sources.items()})
        await phases.load()
        sessions = SessionKeeper(store.sessions, keyring, time.time, secrets.token_bytes,
                                 settings.tokens.issuer, _lifetimes(settings.tokens))
        sign_in = SignIn(
            login=Login(store.accounts, store.passwords, store.changes, hasher, phases,
                        Adopt(store.accounts, hasher, uuid4)),
            accounts=store.accounts,
            passwords=store.passwords,
            sessions=sessions,
            throttle=Throttle(store.throttle, keyring, secrets.token_bytes),
            events=metrics,
            tasks=tasks,
            log=logs.operator,
        )
        exchange = Exchange(sign_in=sign_in, change=Change(store.changes, hasher), sessions=sessions,
                            management=store.management, events=metrics, log=logs.operator)
        guard = Guard(apps.guarded, exchange, sessions, own_paths={JWKS_PATH: jwks_handler(keyring)},
                      body_limit=limits.login_body)
        connections = Connections(Surroundings(
            sites=Sites(apps.sites),
            interceptor=guard,
            traffic=Traffic(metrics, logs.access),
            limits=limits,
            peers=Peers(trusted=settings.listen.trusted_proxies, scheme=b"http"),
            tasks=tasks,
            request_ids=RequestIds(os.urandom),
            clock=time.monotonic,
            on_crash=partial(_request_crashed, logs.operator),
        ))

        async def on_notice(topic: str, value: str) -> None:
            await sessions.on_notice(topic, value)
            await phases.on_notice(topic, value)

        tasks.start(store.notices.listen(on_notice))
        operations = Operations(registry, pull=partial(_pull, metrics, store, keyring, pool, apps, logs),
                                probes={"store": store.ping})
        private = build_admin(host=settings.private.listen.host, token=_private_token(settings, logs),
                              operations=operations, users=store.management, phases=store.phases)
        yield Gateway(connections=connections, private=private, tasks=tasks)


async def _pull(metrics: Metrics, store: PostgresStore, keyring: Keyring, pool: HashPool, apps: Apps,
                logs: Logs) -> None:
    """Look up what the metrics cannot count themselves."""
    now = time.time()
    metrics.pull(Pulled(
        accounts=await count_accounts(store.management),
        hash_queue_depth=pool.depth,
        hash_busy=pool.busy,
        open_breakers=frozenset(question.source for question in apps.questions if question.breaker.is_open),
        keys=[KeyRow(kid=key.kid, state=key.state, algorithm=key.algorithm,
                     age=now - key.created_at.timestamp()) for key in keyring.stored],
        access_log_dropped=logs.access.dropped,
    ))


def _encryption_key(settings: Settings, logs: Logs) -> KeyEncryptionKey:
    secret = settings.keys.encryption_key or _made(settings, logs, ENCRYPTION_KEY, _new_encryption_key)
    try:
        return KeyEncryptionKey.parse(secret)
    except ValueError as error:
        raise ConfigurationError(f"keys.encryption_key: {error}") from None


def _private_token(settings: Settings, logs: Logs) -> Secret:
    token = settings.private.token or _made(settings, logs, PRIVATE_TOKEN, secrets.token_urlsafe)
    logs.redactor.know(token)
    return token


def _made(settings: Settings, logs: Logs, name: str, make: Callable[[], str]) -> Secret:
    """Return a secret of the state folder, made at the first start."""
    return StateFolder(settings.store.state, logs.operator.info).secret(name, make)


def _new_encryption_key() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _hash_pool(section: HashingSection, metrics: Metrics) -> HashPool:
    return HashPool(threads=section.threads, queue=section.queue, clock=time.monotonic, on_job=metrics.hashed)


def _hasher(section: HashingSection, pool: HashPool, keyring: Keyring) -> PasswordHasher:
    argon2 = Argon2id(memory_kib=section.memory_kib, passes=section.passes, lanes=section.lanes)
    return PasswordHasher(pool=pool, argon2=argon2, swapper=Swapper(), server_key=keyring.server_key,
                          random=secrets.token_bytes)


def _limits(section: LimitsSection) -> Limits:
    return Limits(
        head=HeadLimits(head_bytes=section.head_bytes, fields=section.fields,
                        request_line=section.request_line_bytes),
        login_body=section.login_body_bytes,
        head_seconds=section.head_seconds,
        body_seconds=section.login_body_seconds,
        keep_alive_seconds=section.keep_alive_seconds,
        connect_seconds=section.upstream_connect_seconds,
        answer_head_seconds=section.answer_head_seconds,
    )


def _lifetimes(section: TokensSection) -> Lifetimes:
    return Lifetimes(access=timedelta(minutes=section.access_minutes),
                     session=timedelta(hours=section.session_hours))


def _task_failed(log: FilteringBoundLogger, error: BaseException) -> None:
    log.error("a background task failed", exc_info=error)


def _request_crashed(log: FilteringBoundLogger, error: Exception, request_id: bytes) -> None:
    log.error("a request crashed", request_id=request_id.decode(), exc_info=error)
