"""The supervisor: `sluicegate serve`. Reads the settings, holds the sockets, keeps the workers, answers signals.

Owns what must outlive a worker: listening sockets, the bundled Postgres, the sums of what was counted. Serves
nothing itself. SIGTERM and SIGINT end everything gracefully; SIGHUP puts workers with new settings in the place
of those with the old.
"""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from gateway.app import SETTLE_SECONDS
from gateway.errors import ConfigurationError, SluicegateError
from gateway.model import Secret
from gateway.parts import encryption_key, private_token
from gateway.plan import read_settings
from gateway.proxy.tasks import Tasks
from gateway.server.certificates import server_context
from gateway.server.generation import Generation, Ledger, Terms
from gateway.server.listeners import Leave
from gateway.server.process import forbid_core_dumps, last_word, operator_log, use_all_descriptors
from gateway.server.sockets import Sockets
from gateway.settings import Settings
from gateway.settings.loading import read_text
from gateway.state import StateFolder
from gateway.stores import running_store

RETIRED_SECONDS = 600.0  # after a reload: a long download or a tunnel goes on so long on the old settings
MARGIN_SECONDS = 3.0  # for a worker's own end, beyond what its clients get


def serve(configuration: Path, workers: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    forbid_core_dumps()
    use_all_descriptors()
    text = read_text(configuration)
    settings = read_settings(configuration, os.environ, text=text)
    server_context(settings)
    with operator_log(settings.log) as (log, _), last_word(log):
        asyncio.run(Supervisor(configuration, workers, log).run(settings, text))


class Supervisor:
    """Runs generations of workers, one after another."""

    _sockets: Sockets

    def __init__(self, configuration: Path, workers: int, log: FilteringBoundLogger) -> None:
        self._configuration = configuration
        self._workers = workers
        self._log = log
        self._ledger = Ledger()
        self._tasks = Tasks(lambda error: log.error("a background task failed", exc_info=error))
        self._generations: list[Generation] = []
        self._called = asyncio.Event()
        self._is_stopping = False
        self._is_reloading = False

    async def run(self, settings: Settings, text: str) -> None:
        """Serve until told to stop; raises a `SluicegateError` when the first workers cannot start."""
        loop = asyncio.get_running_loop()
        for number, call in ((signal.SIGTERM, self._stop), (signal.SIGINT, self._stop), (signal.SIGHUP, self._reload)):
            loop.add_signal_handler(number, call)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._tasks.close, 0)
            self._sockets = await asyncio.to_thread(Sockets.open, settings, self._workers)
            stack.callback(self._close_sockets)
            self._make_secrets(settings)
            store = await stack.enter_async_context(running_store(settings.store, self._tasks))
            await self._serve(settings, text, store)

    async def _serve(self, settings: Settings, text: str, store: Secret) -> None:
        try:
            await self._open(Terms(configuration=self._configuration, text=text, store=store, sockets=self._sockets))
            self._log.info("listening", public=str(settings.listen.public), private=str(settings.private.listen),
                           workers=self._workers)
            while not self._is_stopping:
                await self._called.wait()
                self._called.clear()
                if self._is_reloading:
                    self._is_reloading = False
                    settings = await self._renew(settings, store)
        except SluicegateError:
            if not self._is_stopping:  # else it is what stopping made of a start
                raise
        self._log.info("stopping")
        await self._end(settings)
        self._log.info("stopped")

    async def _open(self, terms: Terms) -> Generation:
        """Start a generation; raises a `SluicegateError` where it cannot come up, or need not any more."""
        if self._is_stopping:
            raise SluicegateError("the gateway is stopping")
        generation = Generation(terms, self._ledger, self._tasks, self._log)
        self._generations.append(generation)
        try:
            await generation.open()
        except SluicegateError:
            await generation.ended()
            self._generations.remove(generation)
            raise
        return generation

    async def _renew(self, former: Settings, store: Secret) -> Settings:
        """Put new workers in the place of the old ones if all is well with the settings; return those that hold."""
        [*_, old] = self._generations
        try:
            text = read_text(self._configuration)
            settings = read_settings(self._configuration, os.environ, text=text)
            server_context(settings)
            refuse_other_store(former, settings)
            self._make_secrets(settings)
            sockets = await asyncio.to_thread(Sockets.open, settings, self._workers, self._sockets)
        except ConfigurationError as error:
            self._log.error("the settings are wrong, so those before stay", problems=list(map(str, error.problems)))
            return former
        try:
            await self._open(Terms(configuration=self._configuration, text=text, sockets=sockets,
                                   store=store if settings.store.is_embedded else settings.store.url))
        except SluicegateError as error:
            sockets.close(but=self._sockets)
            if self._is_stopping:
                return former
            self._log.error("the new workers cannot start, so those before stay", reason=str(error))
            return former
        self._sockets.close(but=sockets)
        self._sockets = sockets
        old.leave(Leave(grace=RETIRED_SECONDS, quiet=settings.limits.keep_alive_seconds, is_stopping=False))
        self._tasks.start(self._see_off(old))
        self._log.info("reloaded", public=str(settings.listen.public), private=str(settings.private.listen))
        return settings

    async def _see_off(self, old: Generation) -> None:
        await old.ended(within=RETIRED_SECONDS + MARGIN_SECONDS)
        self._generations.remove(old)

    async def _end(self, settings: Settings) -> None:
        listen = settings.listen
        order = Leave(delay=listen.drain_delay_seconds, grace=listen.drain_seconds)
        self._sockets.close()  # else connections would go on to queue in them when the workers' own are closed
        for generation in self._generations:
            generation.leave(order)
        limit = order.delay + order.grace + SETTLE_SECONDS + MARGIN_SECONDS
        await asyncio.gather(*(generation.ended(within=limit) for generation in self._generations))

    def _make_secrets(self, settings: Settings) -> None:
        """Make what is missing in the state folder before workers look for it there, all at once."""
        folder = StateFolder(settings.store.state, self._log.info)
        encryption_key(settings, folder)
        private_token(settings, folder)

    def _close_sockets(self) -> None:
        self._sockets.close()

    def _stop(self) -> None:
        self._is_stopping = True
        self._called.set()
        for generation in self._generations:
            generation.give_up_opening()

    def _reload(self) -> None:
        self._is_reloading = True
        self._called.set()


def refuse_other_store(former: Settings, settings: Settings) -> None:
    """Raise `ConfigurationError` where only a restart can follow the settings: the bundled server is one process."""
    before, now = former.store, settings.store
    if before.is_embedded != now.is_embedded:
        sentence = 'cannot change from or to "embedded" without a restart'
        raise ConfigurationError(settings.problem(("store", "url"), sentence))
    if now.is_embedded and before.state != now.state:
        raise ConfigurationError(settings.problem(("store", "state"), "cannot change without a restart"))
