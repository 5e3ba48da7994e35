"""One frozen model per section of the configuration file; config/sluicegate.toml says what settings mean.

Owns names, kinds, bounds and defaults. Knows nothing of the components that read them, and no adapter or
rule by name: their models come in as arguments of `load`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, InstanceOf

from gateway.errors import Problem
from gateway.identifiers import Comparison
from gateway.model import Phase, Secret
from gateway.settings import positions
from gateway.settings.secrets import FilePath, FolderPath, SecretText, secret_url
from gateway.settings.values import (
    Address,
    AppPath,
    CookieDomains,
    Host,
    ListenAddress,
    LogPlace,
    Network,
    Origin,
    Page,
    Parameter,
    PeerName,
    Seconds,
    Section,
    Slug,
    Upstreams,
    one_of,
)

EMBEDDED = "embedded"
"""The store's address that means the bundled PostgreSQL server."""

STATE_FOLDER = "sluicegate-state"  # beside the configuration file
KIB = 1024


class ListenSection(Section):
    """Is the public listener."""

    public: ListenAddress = Address(host="127.0.0.1", port=8080)
    trusted_proxies: tuple[Network, ...] = ()
    proxy_protocol: bool = False
    certificate: FilePath | None = None
    key: FilePath | None = None
    drain_delay_seconds: Annotated[float, Field(ge=0, le=600)] = 0
    drain_seconds: Seconds = 3.0  # for clients: a login that has begun takes one


class PrivateSection(Section):
    """Is the listener of operators: health, metrics, the management API."""

    listen: ListenAddress = Address(host="127.0.0.1", port=8081)
    token: SecretText | None = None


class StoreSection(Section):
    """Is the new user store."""

    url: Annotated[Secret, secret_url("postgresql", "postgres", word=EMBEDDED)] = Field(
        default_factory=lambda: Secret(EMBEDDED)
    )
    state: FolderPath = Field(default=STATE_FOLDER, validate_default=True)

    @property
    def is_embedded(self) -> bool:
        """Whether the bundled server is the store, and missing secrets are made in the state folder."""
        return self.url == Secret(EMBEDDED)


class KeysSection(Section):
    """Is what lies outside the store so that its secrets can lie inside."""

    encryption_key: SecretText | None = None


class TokensSection(Section):
    """Is what the gateway issues, and for how long."""

    issuer: Origin
    access_minutes: Annotated[int, Field(ge=1, le=15)] = 15
    session_hours: Annotated[int, Field(ge=1, le=720)] = 24  # a working day and its night


class AccessTable(Section):
    """Is what requests below a path need, which is below the app's own."""

    path: AppPath
    require: Literal["session", "nothing"]


class AppSection(Section):
    """Is one application behind the gateway; `rules` are instances of the rule model given to `load`.

    `denied` and `identity` depend on the hand-off where they are not set: `denied_style`, `tells_identity`.
    """

    name: Slug
    hosts: Annotated[tuple[Host, ...], Field(min_length=1)]
    path: AppPath = "/"
    upstream: Upstreams
    upstream_ca: FilePath | None = None
    upstream_name: PeerName | None = None
    rewrite_locations: tuple[Origin, ...] = ()
    rewrite_cookie_domains: CookieDomains = Field(default_factory=dict)
    source: Slug | None = None
    preset: Slug | None = None
    password_change: Literal["none"] | None = None
    legacy_changes: Literal["follow", "ignore"] = "follow"
    handoff: Literal["replay", "headers"] = "replay"
    denied: Literal["app", "status"] | None = None
    identity: bool | None = None
    login_page: Page | None = None
    login_next: Parameter | Literal[""] = "next"
    home: Page = "/"
    allowed_origins: tuple[Origin, ...] = ()
    fold_case: bool = False
    path_parameters: tuple[Parameter, ...] = ()
    access: tuple[AccessTable, ...] = ()
    rules: tuple[InstanceOf[BaseModel], ...] = Field(default=(), alias="rule")

    @property
    def denied_style(self) -> Literal["app", "status"]:
        """Who words a denial; an app that has no login of its own cannot."""
        return self.denied or ("app" if self.handoff == "replay" else "status")

    @property
    def tells_identity(self) -> bool:
        """Whether the app is told who its users are."""
        return self.handoff == "headers" if self.identity is None else self.identity


class SourceSection(Section):
    """Is one legacy user store; `options` is an instance of its adapter's own model."""

    name: str
    adapter: str
    phase: Annotated[Phase, one_of(Phase)] = Phase.MIGRATE
    compare: Annotated[Comparison, one_of(Comparison)] = Comparison.EXACT
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0
    options: InstanceOf[BaseModel]


class HashingSection(Section):
    """Is the cost of new password hashes (argon2id), and how many are worked on or wait at once."""

    memory_kib: Annotated[int, Field(ge=19456, le=65536)] = 19456
    passes: Annotated[int, Field(ge=2, le=3)] = 2
    lanes: Annotated[int, Field(ge=1, le=4)] = 1
    threads: Annotated[int, Field(ge=1, le=64)] | None = None  # one for each core
    queue: Annotated[int, Field(ge=1, le=10_000)] = 128


DaySeconds = Annotated[float, Field(gt=0, le=86400)]  # for what may rightly be silent for hours


class LimitsSection(Section):
    """Is how much and how long the data plane bears from either side."""

    head_bytes: Annotated[int, Field(ge=4 * KIB, le=256 * KIB)] = 32 * KIB
    fields: Annotated[int, Field(ge=10, le=1000)] = 100
    request_line_bytes: Annotated[int, Field(ge=KIB, le=64 * KIB)] = 8 * KIB
    login_body_bytes: Annotated[int, Field(ge=KIB, le=1024 * KIB)] = 64 * KIB
    buffer_bytes: Annotated[int, Field(ge=16 * KIB, le=16 * 1024 * KIB)] = 256 * KIB
    pipeline_bytes: Annotated[int, Field(ge=KIB, le=1024 * KIB)] = 64 * KIB
    head_seconds: Seconds = 20.0
    login_body_seconds: Seconds = 20.0
    body_grace_seconds: Seconds = 10.0
    body_rate_bytes: Annotated[int, Field(ge=1, le=1024 * KIB)] = KIB
    send_stall_seconds: Seconds = 60.0
    keep_alive_seconds: Seconds = 75.0
    upstream_connections: Annotated[int, Field(ge=1, le=65536)] = 1024
    upstream_idle: Annotated[int, Field(ge=0, le=65536)] = 64
    upstream_idle_seconds: Seconds = 60.0
    upstream_connect_seconds: Seconds = 5.0
    answer_head_seconds: Seconds = 60.0
    answer_stall_seconds: DaySeconds = 300.0
    tunnel_idle_seconds: DaySeconds = 300.0
    denial_seconds: Annotated[float, Field(ge=0, le=10)] = 0.5


class LogSection(Section):
    """Is what is logged and where; standard output unless a file is named."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    access: LogPlace = True


class Settings(Section):
    """Is the whole configuration: one section per component, every secret resolved."""

    listen: ListenSection
    private: PrivateSection
    store: StoreSection
    keys: KeysSection
    tokens: TokensSection
    apps: tuple[AppSection, ...]
    sources: Mapping[str, SourceSection]
    hashing: HashingSection
    limits: LimitsSection
    log: LogSection
    file: Path
    lines: Annotated[Mapping[positions.Path, int], Field(repr=False)]

    def problem(self, path: positions.Path, message: str) -> Problem:
        """Return a mistake that was found later, with its place: `path` such as `("app", 0, "preset")`."""
        return positions.problem(str(self.file), self.lines, path, message)
