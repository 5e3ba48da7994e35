"""One worker: a whole gateway in a process of its own, on sockets that it was given, as long as it is wanted.

Owns what happens between the supervisor's order to begin and its order to leave. Signals are the supervisor's
business: a terminal's Ctrl-C and a service manager's SIGTERM reach every process, and mean the supervisor. Should
that vanish, this worker leaves as if ordered.
"""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvloop

from gateway.app import Gateway, Logs, build
from gateway.errors import ConfigurationError, SluicegateError
from gateway.model import Secret
from gateway.plan import read_settings
from gateway.proxy.tasks import Tasks
from gateway.server.certificates import server_context
from gateway.server.channel import Channel, Message
from gateway.server.listeners import Leave, Listeners
from gateway.server.process import all_logs, forbid_core_dumps, last_word
from gateway.settings import Settings
from gateway.telemetry.accesslog import AnswerLog
from gateway.telemetry.logs import loop_trouble
from gateway.telemetry.tally import Tally, from_plain, to_plain

REPORT_SECONDS = 1.0  # how old another worker's counts may be in a scrape
SUMS_SECONDS = 1.0  # a supervisor that does not answer for so long is gone, or the machine is
FLUSH_SECONDS = 1.0
YOUNG_OBJECTS = 50_000  # collections cost time on the data plane, which makes no cycles
SUPERVISORS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Is the order to begin: the configuration's text, the store's server, and descriptors of the sockets."""

    text: str
    store: Secret
    public: tuple[int, ...]
    private: tuple[int, ...]

    def to_message(self) -> Message:
        """Return it as it is sent."""
        return {"text": self.text, "store": self.store.reveal(), "public": self.public, "private": self.private}

    @classmethod
    def from_message(cls, message: Message) -> "Begin":
        """Read what `to_message` made."""
        return cls(text=message["text"], store=Secret(message["store"]), public=tuple(message["public"]),
                   private=tuple(message["private"]))


def main() -> None:
    """Work until ordered to leave: `python -m gateway.server.worker CONFIGURATION DESCRIPTOR`."""
    for number in SUPERVISORS:
        signal.signal(number, signal.SIG_IGN)
    forbid_core_dumps()
    _, configuration, descriptor = sys.argv
    sys.exit(uvloop.run(_work(Path(configuration), socket.socket(fileno=int(descriptor)))))


async def _work(configuration: Path, end: socket.socket) -> int:
    """Do what the other end of the channel says; return the exit code."""
    channel = await Channel.open(end)
    try:
        message = await channel.receive()
        if message is not None:
            await _serve(configuration, Begin.from_message(message), channel)
    except ConfigurationError as error:
        channel.send({"failed": [str(problem) for problem in error.problems]})
        return 2
    except SluicegateError as error:
        channel.send({"failed": [str(error)]})
        return 1
    finally:
        await channel.close()
    return 0


async def _serve(configuration: Path, begin: Begin, channel: Channel) -> None:
    settings = read_settings(configuration, os.environ, text=begin.text)
    settings = settings.model_copy(update={"store": settings.store.model_copy(update={"url": begin.store})})
    with all_logs(settings.log) as logs, last_word(logs.operator):
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: loop_trouble(logs.operator, context))
        supervisor = Supervisor(channel, settings)
        context = server_context(settings)
        async with build(settings, logs, share=supervisor.share) as gateway:
            listeners = Listeners(gateway)
            try:
                await listeners.open(settings, context=context, public=_sockets(begin.public),
                                     private=_sockets(begin.private))
                await _run(gateway, listeners, supervisor, logs)
            finally:
                await listeners.close()
        supervisor.report(gateway.tally())


async def _run(gateway: Gateway, listeners: Listeners, supervisor: "Supervisor", logs: Logs) -> None:
    """Serve until an order to leave has been carried out."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
    departure = Departure(listeners, gateway.loops)
    for work in (supervisor.listen(departure.order), _flush(logs.access), _report(gateway, supervisor)):
        gateway.loops.start(work)
    supervisor.ready()
    await departure.done.wait()


class Departure:
    """Carries out orders to leave, each in place of the one before."""

    def __init__(self, listeners: Listeners, tasks: Tasks) -> None:
        self._listeners = listeners
        self._tasks = tasks
        self._leaving: asyncio.Task[None] | None = None
        self.done = asyncio.Event()

    def order(self, leave: Leave) -> None:
        """Begin to leave."""
        if self._leaving is not None:
            self._leaving.cancel()
        self._leaving = self._tasks.start(self._leave(leave))

    async def _leave(self, leave: Leave) -> None:
        await self._listeners.leave(leave)
        self.done.set()


class Supervisor:
    """Is the supervisor as a worker sees it: orders to leave, and the sums over all workers."""

    def __init__(self, channel: Channel, settings: Settings) -> None:
        self._channel = channel
        self._settings = settings
        self._sums: Tally | None = None
        self._answered = asyncio.Event()

    def ready(self) -> None:
        """Say that this worker serves."""
        self._channel.send({"ready": True})

    def report(self, own: Tally) -> None:
        """Tell what was counted here so far."""
        self._channel.send({"tally": to_plain(own)})

    async def share(self, own: Tally) -> Tally:
        """Tell what was counted here and return the sums over all; the last known ones if no answer comes.

        Only sums are shown that the supervisor holds: a worker that dies can take nothing out of them, so
        no counter ever goes back.
        """
        self._answered.clear()
        self._channel.send({"tally": to_plain(own), "asks": True})
        try:
            async with asyncio.timeout(SUMS_SECONDS):
                await self._answered.wait()
        except TimeoutError:
            return own if self._sums is None else self._sums
        return self._sums or own

    async def listen(self, on_order: Callable[[Leave], None]) -> None:
        """Take in what the supervisor says; when it is gone, that is an order to leave."""
        while (message := await self._channel.receive()) is not None:
            if "sums" in message:
                self._sums = from_plain(message["sums"])
                self._answered.set()
            else:
                on_order(Leave(**message["leave"]))
        on_order(Leave(grace=self._settings.listen.drain_seconds))


async def _report(gateway: Gateway, supervisor: Supervisor) -> None:
    while True:
        await asyncio.sleep(REPORT_SECONDS)
        supervisor.report(gateway.tally())


async def _flush(access: AnswerLog) -> None:
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        access.flush()


def _sockets(descriptors: tuple[int, ...]) -> list[socket.socket]:
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]


if __name__ == "__main__":
    main()
