"""Whole gateways for tests, configured by a real file: one within the test, one as a process.

    configuration = configure(folder, store=database, upstream=site.port, legacy=site.database)
    async with running_gateway(configuration) as gateway:
        Browser(gateway.url) …              # real sockets; the store is looked into past the gateway
    async with GatewayProcess(configuration) as process:
        process.kill()                      # `python -m gateway serve`: for signals, kill -9 and the shell
        await process.start()

`configure` names an app "shop" for any host, before the given port, with the preset `django` and the source
"people"; `app` and `rest` add lines to its table and to the file. Both gateways serve on ports that are free
when the configuration is made, and keep them over restarts.
"""

import asyncio
import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Self

import psutil
import structlog

from gateway.app import Logs, build
from gateway.demo.scene import free_ports
from gateway.model import Secret
from gateway.plan import read_settings
from gateway.server.listeners import listening
from gateway.settings import Settings
from gateway.telemetry.accesslog import AccessLog
from gateway.telemetry.logs import Redaction
from gateway.telemetry.redaction import Redactor
from gateway.telemetry.sink import LineSink
from tests.helpers.browser import Browser, Page

APP = "shop"
SOURCE = "people"
TOKEN = "the-operators-token-of-the-tests"
ROOT = Path(__file__).parents[2]
READY_SECONDS = 60.0
STOP_SECONDS = 15.0

FILE = """
[listen]
public = "127.0.0.1:{public}"
{listen}
[private]
listen = "127.0.0.1:{private}"
token = "env:TEST_TOKEN"

[store]
url = "env:TEST_STORE"

[keys]
encryption_key = "env:TEST_KEY"

[tokens]
issuer = "http://127.0.0.1:{public}"

[limits]
{limits}

[[app]]
name = "{app_name}"
hosts = ["{host}"]
upstream = "http://127.0.0.1:{upstream}"
source = "{source_name}"
{app}

{rest}

[source.{source_name}]
{source}
"""
PRESET = 'preset = "django"'
FORM = 'adapter = "form"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Is a configuration file, and the environment with its secrets."""

    file: Path
    environ: Mapping[str, str] = field(repr=False)
    public_port: int
    private_port: int

    @property
    def url(self) -> str:
        """The address of the public listener."""
        return f"http://127.0.0.1:{self.public_port}"

    @property
    def private_url(self) -> str:
        """The address of the private listener."""
        return f"http://127.0.0.1:{self.private_port}"

    def settings(self) -> Settings:
        """Read the file, as the command line does."""
        return read_settings(self.file, self.environ)


def configure(folder: Path, *, store: Secret, upstream: int, legacy: Path | None, app: str = PRESET, rest: str = "",
              source: str = "", host: str = "*", limits: str = "denial_seconds = 0", listen: str = "") -> Configuration:
    """Write a configuration for one gateway.

    `legacy` is the site's SQLite file for the source `sql`, None for the source `form`. `source` adds lines
    to the source's table, `listen` to the listener's. Denials take no longer than they must, unless `limits`
    says otherwise.
    """
    public, private = free_ports(2)
    kind = FORM if legacy is None else f'adapter = "sql"\npreset = "django"\nurl = "sqlite:{legacy}"'
    file = folder / f"gateway-{public}.toml"
    file.write_text(FILE.format(public=public, private=private, upstream=upstream, app_name=APP, host=host,
                                source_name=SOURCE, app=app, rest=rest, limits=limits, source=f"{kind}\n{source}",
                                listen=listen))
    environ = {"TEST_TOKEN": TOKEN, "TEST_STORE": store.reveal(), "TEST_KEY": base64.b64encode(bytes(32)).decode()}
    return Configuration(file=file, environ=MappingProxyType(environ), public_port=public, private_port=private)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningGateway:
    """Is a gateway that listens; `log` holds the operator's log so far, one JSON object a line."""

    url: str
    private_url: str
    log: list[str]
    access_log: Path

    async def ask(self, path: str) -> Page:
        """Ask the private listener."""
        return await Browser(self.private_url).get(path, ("Authorization", f"Bearer {TOKEN}"))


class _Lines:
    """Is the end of structlog's chain: finished lines are kept."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def msg(self, line: str) -> None:
        self.kept.append(line)

    debug = info = warning = error = critical = msg


@asynccontextmanager
async def running_gateway(configuration: Configuration) -> AsyncIterator[RunningGateway]:
    """Run a gateway on the test's own loop, until the block is left."""
    settings = configuration.settings()
    redactor, lines = Redactor(), _Lines()
    operator = structlog.wrap_logger(
        lines,
        processors=[Redaction(redactor), structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(0), context_class=dict,
    )
    path = configuration.file.with_suffix(".access.log")
    with path.open("ab") as written:
        access = AccessLog(LineSink(written.fileno()), time.time)
        logs = Logs(operator=operator, redactor=redactor, access=access)
        async with build(settings, logs) as gateway, listening(settings, gateway):
            yield RunningGateway(url=configuration.url, private_url=configuration.private_url, log=lines.kept,
                                 access_log=path)
        access.close()


class GatewayProcess:
    """Is a gateway as operators run it. Its words are in `log`, whatever became of it.

    `within` is the beginning of a command that ends by running another one in its place.
    """

    def __init__(self, configuration: Configuration, *, within: Sequence[str] = (), workers: int = 1) -> None:
        self.configuration = configuration
        self.command = (sys.executable, "-m", "gateway", "serve", "--config", str(configuration.file),
                        "--workers", str(workers))
        self._within = within
        self.url = configuration.url
        self.private_url = configuration.private_url
        self._file = configuration.file.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.kill()

    @property
    def log(self) -> str:
        """Everything that this gateway and those before it wrote, access log included."""
        return self._file.read_text(errors="replace")

    @property
    def pid(self) -> int:
        """The running process: the supervisor."""
        assert self._process is not None
        return self._process.pid

    @property
    def workers(self) -> list[int]:
        """Its workers, the oldest first."""
        found = []
        for child in psutil.Process(self.pid).children():
            with contextlib.suppress(psutil.Error):  # it may end while it is looked at
                if "gateway.server.worker" in child.cmdline():  # a zombie has none
                    found.append((child.create_time(), child.pid))
        return [pid for _, pid in sorted(found)]

    def events(self, event: str) -> list[dict[str, object]]:
        """Return the lines of the operator's log that say this."""
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == event]

    async def start(self, **environ: str) -> None:
        """Start (again), with more environment if need be, and wait until it is ready."""
        command = [*self._within, *self.command]
        whole = {**os.environ, **self.configuration.environ, **environ}
        with self._file.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=whole, stdin=subprocess.DEVNULL, stdout=log,
                                             stderr=log, start_new_session=True)
        async with asyncio.timeout(READY_SECONDS):
            while not await asyncio.to_thread(self._is_ready):
                assert self._process.poll() is None, self.log
                await asyncio.sleep(0.05)

    async def stop(self) -> int:
        """Stop it gracefully and return its exit code."""
        assert self._process is not None
        self._process.terminate()
        return await self.ended()

    async def ended(self) -> int:
        """Wait until it has ended by itself and return its exit code; negative for a signal."""
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, STOP_SECONDS)

    def kill(self) -> None:
        """End it as kill -9 does, and take leave of what is left; does no harm to a process that has ended."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # its workers are of the same group
            self._process.wait(STOP_SECONDS)

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError, urllib.error.URLError), \
                urllib.request.urlopen(f"{self.private_url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
        return False


@asynccontextmanager
async def serving(configuration: Configuration, *, workers: int = 1) -> AsyncIterator[GatewayProcess]:
    """Run a gateway as a process, every worker of it, until the block is left."""
    async with GatewayProcess(configuration, workers=workers) as gateway:
        async with asyncio.timeout(READY_SECONDS):
            while not gateway.events("listening"):
                await asyncio.sleep(0.02)
        yield gateway
