"""Single parts from their sections of the settings. Part of the composition root; opens nothing."""

import base64
import secrets
import time
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel

from gateway.accounts.hashpool import HashPool
from gateway.accounts.keyring import Keyring
from gateway.accounts.passwords import PasswordHasher
from gateway.accounts.sessions import SessionKeeper
from gateway.errors import ConfigurationError
from gateway.hashing.argon2 import Argon2id
from gateway.hashing.swapper import Swapper
from gateway.http.parsing import HeadLimits
from gateway.model import Secret
from gateway.proxy.limits import Limits
from gateway.settings import EMBEDDED, HashingSection, LimitsSection, Settings
from gateway.state import ENCRYPTION_KEY, PRIVATE_TOKEN, StateFolder
from gateway.store.base import Sessions
from gateway.telemetry.metrics import Metrics
from gateway.tokens.envelope import KEY_BYTES, KeyEncryptionKey
from gateway.tokens.sessions import Lifetimes

NO_SECRET = Secret(EMBEDDED)  # a word that stands in a URL's place, and that logs must be able to say


def encryption_key(settings: Settings, folder: StateFolder) -> KeyEncryptionKey:
    """Return the key that seals what the store must not read."""
    secret = settings.keys.encryption_key or folder.secret(ENCRYPTION_KEY, _new_encryption_key)
    try:
        return KeyEncryptionKey.parse(secret)
    except ValueError as error:
        raise ConfigurationError(f"keys.encryption_key: {error}") from None


def private_token(settings: Settings, folder: StateFolder) -> Secret:
    """Return the private listener's bearer token."""
    return settings.private.token or folder.secret(PRIVATE_TOKEN, secrets.token_urlsafe)


def _new_encryption_key() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def hash_pool(section: HashingSection, metrics: Metrics) -> HashPool:
    """Return the pool in which passwords are hashed."""
    return HashPool(threads=section.threads, queue=section.queue, clock=time.monotonic, on_job=metrics.hashed)


def password_hasher(section: HashingSection, pool: HashPool, keyring: Keyring) -> PasswordHasher:
    """Return what makes and compares passwords."""
    argon2 = Argon2id(memory_kib=section.memory_kib, passes=section.passes, lanes=section.lanes)
    return PasswordHasher(pool=pool, argon2=argon2, swapper=Swapper(), server_key=keyring.server_key,
                          random=secrets.token_bytes)


def data_plane_limits(section: LimitsSection) -> Limits:
    """Return the data plane's bounds."""
    return Limits(
        head=HeadLimits(head_bytes=section.head_bytes, fields=section.fields,
                        request_line=section.request_line_bytes),
        login_body=section.login_body_bytes,
        head_seconds=section.head_seconds,
        body_seconds=section.login_body_seconds,
        body_grace_seconds=section.body_grace_seconds,
        body_rate=section.body_rate_bytes,
        keep_alive_seconds=section.keep_alive_seconds,
        upstream_connections=section.upstream_connections,
        pool_size=section.upstream_idle,
        pool_seconds=section.upstream_idle_seconds,
        connect_seconds=section.upstream_connect_seconds,
        answer_head_seconds=section.answer_head_seconds,
        answer_stall_seconds=section.answer_stall_seconds,
        send_stall_seconds=section.send_stall_seconds,
        tunnel_idle_seconds=section.tunnel_idle_seconds,
        write_buffer=section.buffer_bytes,
        pipeline=section.pipeline_bytes,
    )


def session_keeper(settings: Settings, store: Sessions, keyring: Keyring) -> SessionKeeper:
    """Return what issues and recognises sessions."""
    section = settings.tokens
    lifetimes = Lifetimes(access=timedelta(minutes=section.access_minutes),
                          session=timedelta(hours=section.session_hours))
    return SessionKeeper(store, keyring, time.time, secrets.token_bytes, section.issuer, lifetimes,
                         told=[app.name for app in settings.apps if app.tells_identity])


def secrets_in(settings: BaseModel) -> Iterator[Secret]:
    """Return every secret of the settings, and of each URL among them its password alone, too."""
    for _, value in settings:
        values = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
        for each in values:
            if isinstance(each, BaseModel):
                yield from secrets_in(each)
            elif isinstance(each, Secret) and each != NO_SECRET:
                yield each
                yield Secret(unquote(urlsplit(each.reveal()).password or ""))
