"""One process that serves: listeners, signals, and the graceful stop.

The order of a stop: no new connections, running exchanges to their end, then everything that was opened.
"""

import asyncio
import contextlib
import gc
import os
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import uvloop
from aiohttp import web

from gateway.app import GRACE_SECONDS, Gateway, Logs, build
from gateway.errors import ConfigurationError, SluicegateError
from gateway.settings import Address, LogSection, Settings
from gateway.telemetry.accesslog import AccessLog
from gateway.telemetry.logs import configure, loop_trouble
from gateway.telemetry.redaction import Redactor
from gateway.telemetry.sink import LineSink

FLUSH_SECONDS = 1.0
YOUNG_OBJECTS = 50_000  # collections cost time on the data plane, which makes no cycles


def serve(settings: Settings) -> None:
    """Run the gateway until SIGTERM or SIGINT."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold passwords
    with _logs(settings.log) as logs:
        try:
            uvloop.run(_serve(settings, logs))
        except SluicegateError:
            raise
        except Exception as error:  # noqa: BLE001  # the process's outer shell: a foreign text may hold a secret
            logs.operator.error("the gateway ended", exc_info=error)
            sys.exit(1)


async def _serve(settings: Settings, logs: Logs) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: loop_trouble(logs.operator, context))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with build(settings, logs) as gateway, listening(settings, gateway):
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS, 20, 20)
        logs.operator.info("listening", public=str(settings.listen.public), private=str(settings.private.listen))
        flusher = gateway.loops.start(_flush(logs.access))
        await stop.wait()
        logs.operator.info("stopping")
        flusher.cancel()
    logs.operator.info("stopped")


@contextlib.asynccontextmanager
async def listening(settings: Settings, gateway: Gateway) -> AsyncIterator[None]:
    """Serve both listeners; leaving closes them and drains the public one."""
    runner = web.AppRunner(gateway.private, access_log=None)
    await runner.setup()
    try:
        public, private = settings.listen.public, settings.private.listen
        with _taken(public, "listen.public"):
            server = await asyncio.get_running_loop().create_server(gateway.connections, public.host, public.port)
        try:
            with _taken(private, "private.listen"):  # second: whoever finds it ready finds the public one open
                await web.TCPSite(runner, private.host, private.port).start()
            gateway.connections.start()
            yield
        finally:
            server.close()
            await gateway.connections.drain(GRACE_SECONDS)
    finally:
        await runner.cleanup()


@contextlib.contextmanager
def _taken(address: Address, key: str) -> Iterator[None]:
    """Turn a refused bind into one sentence."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"{key}: cannot listen on {address}: {os.strerror(error.errno or 0)}") from None


async def _flush(access: AccessLog) -> None:
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        access.flush()


@contextlib.contextmanager
def _logs(section: LogSection) -> Iterator[Logs]:
    """Open the operator's log on standard error, the access log where the settings say."""
    redactor = Redactor()
    errors = LineSink(sys.stderr.fileno())
    with _access_place(section.access) as descriptor:
        access = AccessLog(LineSink(descriptor), time.time)
        try:
            yield Logs(operator=configure(section.level, redactor=redactor, sink=errors), redactor=redactor,
                       access=access)
        finally:
            access.close()
            errors.close()


@contextlib.contextmanager
def _access_place(place: bool | Path) -> Iterator[int]:  # noqa: FBT001
    if place is True:
        yield sys.stdout.fileno()
        return
    try:
        descriptor = os.open(place or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    except OSError as error:
        raise ConfigurationError(f"log.access: {place} cannot be written: {error.strerror}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)
