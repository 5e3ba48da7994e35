"""Workers that were started with the same settings, as their supervisor sees them.

Owns their processes: started on sockets that the supervisor keeps, replaced when they die, told to leave. What
they have counted goes into the ledger, which outlives them.
"""

import asyncio
import contextlib
import errno
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from structlog.typing import FilteringBoundLogger

from gateway.errors import ConfigurationError, SluicegateError
from gateway.model import Secret
from gateway.proxy.tasks import Tasks
from gateway.server.channel import Channel, Message
from gateway.server.listeners import Leave
from gateway.server.sockets import Sockets
from gateway.server.worker import SUPERVISORS, Begin
from gateway.telemetry.metrics import WORKER_RESTARTS
from gateway.telemetry.tally import Tally, from_plain, lasting, to_plain, total

FIRST_PAUSE = 0.5  # seconds; a first death costs no pause
LONGEST_PAUSE = 10.0
STEADY_SECONDS = 60.0  # a worker that lived for so long did not die of its start
START_SECONDS = 60.0  # a start takes about one second, and a few when the store is slow or the machine is full
SILENT_SECONDS = 30.0  # a worker reports every second: hashing is not done on its loop, and nothing else takes so long
GLANCES = 10
END_SECONDS = 10.0  # a worker that has closed its end of the channel has nothing left to do
POLL_SECONDS = 0.02
CONFIGURATION_WRONG = 2  # exit code
LIMITS = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM})


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Says for how many seconds a worker may start, and how long one that serves may say nothing."""

    start: float = START_SECONDS
    silent: float = SILENT_SECONDS


PATIENT = Patience()


class Ledger:
    """Knows what all workers have counted, those that have ended included."""

    def __init__(self) -> None:
        self._live: dict[Worker, Tally] = {}
        self._ended: Tally = {}
        self.restarts = 0

    def note(self, worker: "Worker", counted: Tally) -> None:
        """Take a worker's counts in place of its former ones."""
        self._live[worker] = counted

    def close(self, worker: "Worker") -> None:
        """Keep of an ended worker what it counted, and nothing of how it was."""
        self._ended = total((self._ended, lasting(self._live.pop(worker, {}))))

    def sums(self) -> Tally:
        """Return the sums over all workers."""
        return total((self._ended, *self._live.values(), {(WORKER_RESTARTS.name, ()): self.restarts}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Is what the workers of a generation are started with; `text` is the configuration as it was read."""

    configuration: Path
    text: str = field(repr=False)
    store: Secret
    sockets: Sockets

    def begin(self, slot: int) -> Begin:
        """Return the order for the worker of a slot."""
        sockets = self.sockets
        return Begin(text=self.text, store=self.store, public=tuple(one.fileno() for one in sockets.public[slot]),
                     private=tuple(one.fileno() for one in sockets.private) if slot == 0 else ())


class Worker:
    """Is one worker process; made by `start`."""

    def __init__(self, process: subprocess.Popen[bytes], channel: Channel, slot: int,
                 patience: Patience = PATIENT) -> None:
        self._process = process
        self._channel = channel
        self._patience = patience
        self._is_ready = asyncio.Event()
        self.slot = slot
        self._born = time.monotonic()
        self.problems: tuple[str, ...] = ()
        self.is_up = False
        self.has_hung = False

    @classmethod
    async def start(cls, configuration: Path, begin: Begin, slot: int, patience: Patience = PATIENT) -> Self:
        """Start a process and order it to begin; raises `SluicegateError` if the system allows none."""
        try:
            process, channel = await _spawn(configuration, begin)
        except OSError as error:
            advice = ": raise the gateway's limits" if error.errno in LIMITS else ""
            raise SluicegateError(f"a worker cannot be started ({error.strerror}){advice}") from error
        channel.send(begin.to_message())
        return cls(process, channel, slot, patience)

    @property
    def age(self) -> float:
        """For how many seconds it has lived, or has been dead as well."""
        return time.monotonic() - self._born

    def tell(self, order: Leave) -> None:
        """Order it to leave."""
        self._channel.send({"leave": asdict(order)})

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    async def attend(self, ledger: Ledger) -> None:
        """Take in what it says until it has ended; one that hangs is ended."""
        try:
            while (message := await self._hear()) is not None:
                self._take(message, ledger)
        except TimeoutError:
            self.has_hung = True
            self.problems = (f"a worker said nothing for {self._patience.silent:g} s" if self.is_up else
                             f"a worker was not ready within {self._patience.start:g} s",)
            self.kill()
        await self._reap()
        ledger.close(self)
        await self._channel.close()
        self._is_ready.set()

    async def _hear(self) -> Message | None:
        """Return what it says next, None when that is nothing any more; raises `TimeoutError` if it hangs.

        Time is counted in parts, because a part counts once however long this process slept in it: a paused
        container and a suspended machine stop both, and the worker wakes up no later than its supervisor.
        """
        seconds = self._patience.silent if self.is_up else self._patience.start
        for _ in range(GLANCES):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds / GLANCES):
                    return await self._channel.receive()
        raise TimeoutError

    def _take(self, message: Message, ledger: Ledger) -> None:
        if "tally" in message:
            ledger.note(self, from_plain(message["tally"]))
        if "asks" in message:
            self._channel.send({"sums": to_plain(ledger.sums())})
        if "failed" in message:
            self.problems = tuple(message["failed"])
        if "ready" in message:
            self.is_up = True
            self._is_ready.set()

    async def _reap(self) -> None:
        deadline = time.monotonic() + END_SECONDS
        while self._process.poll() is None:
            if time.monotonic() > deadline:
                self.kill()
            await asyncio.sleep(POLL_SECONDS)

    async def wait_until_up(self) -> bool:
        """Wait until it serves or has ended, and say which."""
        await self._is_ready.wait()
        return self.is_up

    def end(self) -> str:
        """Say how it has ended."""
        code = self._process.returncode
        assert code is not None
        return f"exit code {code}" if code >= 0 else f"signal {-code} ({signal.strsignal(-code)})"

    def failure(self) -> SluicegateError:
        """Return why it has not come up."""
        if self._process.returncode == CONFIGURATION_WRONG:
            return ConfigurationError(*self.problems)
        return SluicegateError("\n".join(self.problems) or f"a worker ended before it was ready: {self.end()}")


async def _spawn(configuration: Path, begin: Begin) -> tuple[subprocess.Popen[bytes], Channel]:
    own, theirs = socket.socketpair()
    with theirs:
        channel = await Channel.open(own)
        try:
            return _process(configuration, begin, theirs.fileno()), channel
        except OSError:
            await channel.close()
            raise


def _process(configuration: Path, begin: Begin, descriptor: int) -> subprocess.Popen[bytes]:
    """Start a process in which signals are blocked at first: until it can ignore them, a Ctrl-C must not end it.

    Nothing can come between here, as it could in a coroutine: the mask would be this process's meanwhile, and two
    starts at once would each restore the other's.
    """
    former = signal.pthread_sigmask(signal.SIG_BLOCK, SUPERVISORS)
    try:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-m", "gateway.server.worker", str(configuration), str(descriptor)],
            stdin=subprocess.DEVNULL, pass_fds=(descriptor, *begin.public, *begin.private))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


class Generation:
    """Keeps one worker in each slot until it is told to leave."""

    def __init__(self, terms: Terms, ledger: Ledger, tasks: Tasks, log: FilteringBoundLogger,
                 patience: Patience = PATIENT) -> None:
        self._terms = terms
        self._patience = patience
        self._ledger = ledger
        self._tasks = tasks
        self._log = log
        self._is_open = False
        self._leave: Leave | None = None
        self._left = asyncio.Event()
        self._workers: dict[int, Worker] = {}
        self._keepers: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Start every worker, the first one alone: what keeps it from starting would keep all.

        Raises what it said: `ConfigurationError`, or another `SluicegateError`.
        """
        slots = range(len(self._terms.sockets.public))
        try:
            for some in (slots[:1], slots[1:]):
                await self._open_some(some)
        except SluicegateError:
            self.kill()
            raise
        self._is_open = True

    def leave(self, order: Leave) -> None:
        """Let every worker leave, and replace none."""
        self._leave = order
        self._left.set()
        for worker in self._workers.values():
            worker.tell(order)

    def kill(self) -> None:
        """End every worker at once, and replace none."""
        self._left.set()
        for worker in self._workers.values():
            worker.kill()

    def give_up_opening(self) -> None:
        """Let `open` fail, if it has not come to its end."""
        if not self._is_open:
            self.kill()

    async def ended(self, *, within: float | None = None) -> None:
        """Wait until no worker is left; whoever is not gone `within` so many seconds is ended."""
        if self._keepers:
            _, late = await asyncio.wait(self._keepers, timeout=within)
            if late:
                self.kill()
                await asyncio.wait(late)

    async def _open_some(self, slots: range) -> None:
        workers = [await self._start(slot) for slot in slots]
        for worker in workers:
            if not await worker.wait_until_up():
                raise worker.failure()

    async def _start(self, slot: int) -> Worker:
        worker = await self._place(slot)
        keeper = self._tasks.start(self._keep(worker))
        self._keepers.add(keeper)
        keeper.add_done_callback(self._keepers.discard)
        return worker

    async def _place(self, slot: int) -> Worker:
        """Start a worker in a slot; an order that came meanwhile holds for it too."""
        worker = await Worker.start(self._terms.configuration, self._terms.begin(slot), slot, self._patience)
        self._workers[slot] = worker
        if self._leave is not None:
            worker.tell(self._leave)
        elif self._left.is_set():
            worker.kill()
        return worker

    async def _keep(self, first: Worker) -> None:
        """Attend to a worker, and to each one that takes its place; the first must have come up for that."""
        worker: Worker | None = first
        pause = 0.0
        while worker is not None:
            await worker.attend(self._ledger)
            if self._left.is_set() or not first.is_up:
                self._tell_of_hanging(worker)
                return
            self._ledger.restarts += 1
            pause = 0.0 if worker.age > STEADY_SECONDS else pause
            self._log.error("a worker ended by itself and is replaced", worker=worker.slot, end=worker.end(),
                            reasons=list(worker.problems), pause_seconds=pause)
            worker = await self._successor(worker.slot, pause)
            pause = _longer(pause)

    async def _successor(self, slot: int, pause: float) -> Worker | None:
        """Start a worker in place of another, however often it takes; return None if none is wanted any more."""
        while True:
            await self._rest(pause)
            if self._left.is_set():
                return None
            try:
                return await self._place(slot)
            except SluicegateError as error:
                pause = _longer(pause)
                self._log.error("a worker is not replaced yet", worker=slot, reason=str(error), pause_seconds=pause)

    def _tell_of_hanging(self, worker: Worker) -> None:
        if worker.has_hung and self._leave is not None:  # else its failure, or its replacement, is told
            self._log.error("a leaving worker hung and was ended", worker=worker.slot, reasons=list(worker.problems))

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._left.wait()


def _longer(pause: float) -> float:
    return min(max(pause * 2, FIRST_PAUSE), LONGEST_PAUSE)
