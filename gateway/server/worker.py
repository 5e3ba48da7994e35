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
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

import uvloop

from gateway.app import Gateway, Logs, build
from gateway.errors import ConfigurationError, RequestRefused, SluicegateError
from gateway.model import Secret
from gateway.plan import read_settings
from gateway.proxy.tasks import Tasks
from gateway.server.certificates import server_context
from gateway.server.channel import Channel, Message
from gateway.server.listeners import Leave, Listeners
from gateway.server.process import all_logs, forbid_core_dumps, last_word, use_all_descriptors
from gateway.telemetry.accesslog import AnswerLog
from gateway.telemetry.logs import loop_trouble
from gateway.telemetry.tally import Tally, from_plain, to_plain

REPORT_SECONDS = 1.0  # how old another worker's counts may be in a scrape
SUMS_SECONDS = 1.0  # a supervisor that does not answer for so long is gone, or the machine is
SUMS_UNKNOWN = "The supervisor has not told this worker the sums over all yet. Try again."
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
    use_all_descriptors()
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
        uplink = Uplink(channel, settings.listen.drain_seconds)
        context = server_context(settings)
        async with build(settings, logs, share=uplink.share) as gateway:
            listeners = Listeners(gateway)
            departure = Departure(listeners.leave)
            try:
                await listeners.open(settings, context=context, public=_sockets(begin.public),
                                     private=_sockets(begin.private))
                await _run(gateway, departure, uplink, logs)
            finally:
                await listeners.close()
                await departure.close()
        uplink.report(gateway.tally())


async def _run(gateway: Gateway, departure: "Departure", uplink: "Uplink", logs: Logs) -> None:
    """Serve until an order to leave has been carried out."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
    for work in (uplink.listen(departure.order), _flush(logs.access), _report(gateway, uplink)):
        departure.accompany(work)
    uplink.ready()
    await departure.wait()


class Departure:
    """Knows when this worker ends: once an order to leave is carried out, each in place of the one before.

    Or once a work has failed without which it must not go on: deaf, it would never leave; silent, it would be killed.
    """

    def __init__(self, leave: Callable[[Leave], Awaitable[None]]) -> None:
        self._carry_out = leave
        self._tasks = Tasks(self._fail)
        self._leaving: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._is_due = asyncio.Event()

    def accompany(self, work: Coroutine[object, object, None]) -> None:
        """Run a work until this worker ends, which it does if the work fails."""
        self._tasks.start(work)

    def order(self, leave: Leave) -> None:
        """Begin to leave."""
        if self._leaving is not None:
            self._leaving.cancel()
        self._leaving = self._tasks.start(self._leave(leave))

    async def wait(self) -> None:
        """Wait for the end; raises what has failed, if that is the reason."""
        await self._is_due.wait()
        if self._failure is not None:
            raise self._failure

    async def close(self) -> None:
        """End every work."""
        await self._tasks.close(0)

    async def _leave(self, leave: Leave) -> None:
        await self._carry_out(leave)
        self._is_due.set()

    def _fail(self, error: BaseException) -> None:
        self._failure = error
        self._is_due.set()


class Uplink:
    """Is a worker's line to its supervisor: orders to leave come down, counts go up, the sums over all come back."""

    def __init__(self, channel: Channel, drain_seconds: float) -> None:
        self._channel = channel
        self._drain_seconds = drain_seconds
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
        no counter ever goes back. Raises `RequestRefused` (503) while none are known.
        """
        self._answered.clear()
        self._channel.send({"tally": to_plain(own), "asks": True})
        try:
            async with asyncio.timeout(SUMS_SECONDS):
                await self._answered.wait()
        except TimeoutError:
            if self._sums is None:
                raise RequestRefused(503, SUMS_UNKNOWN, retry_after=1) from None
        assert self._sums is not None
        return self._sums

    async def listen(self, on_order: Callable[[Leave], None]) -> None:
        """Take in what the supervisor says; when it is gone, that is an order to leave."""
        while (message := await self._channel.receive()) is not None:
            if "sums" in message:
                self._sums = from_plain(message["sums"])
                self._answered.set()
            else:
                on_order(Leave(**message["leave"]))
        on_order(Leave(grace=self._drain_seconds))


async def _report(gateway: Gateway, uplink: Uplink) -> None:
    while True:
        await asyncio.sleep(REPORT_SECONDS)
        uplink.report(gateway.tally())


async def _flush(access: AnswerLog) -> None:
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        access.flush()


def _sockets(descriptors: tuple[int, ...]) -> list[socket.socket]:
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]


if __name__ == "__main__":
    main()
