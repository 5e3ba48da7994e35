"""Workers that were started with the same settings, as their supervisor sees them.

Owns their processes: started on sockets that the supervisor keeps, replaced when they die, told to leave. What
they have counted goes into the ledger, which outlives them.
"""

import asyncio
import signal
import socket
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from structlog.typing import FilteringBoundLogger

from gateway.errors import ConfigurationError, SluicegateError
from gateway.model import Secret
from gateway.proxy.tasks import Tasks
from gateway.server.channel import Channel
from gateway.server.listeners import Leave
from gateway.server.sockets import Sockets
from gateway.server.worker import SUPERVISORS, Begin
from gateway.telemetry.metrics import WORKER_RESTARTS
from gateway.telemetry.tally import Tally, from_plain, lasting, to_plain, total

FIRST_PAUSE = 0.5  # seconds; a first death costs no pause
LONGEST_PAUSE = 10.0
STEADY_SECONDS = 60.0  # a worker that lived for so long did not die of its start
CONFIGURATION_WRONG = 2  # exit code


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
class Plan:
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

    def __init__(self, process: asyncio.subprocess.Process, channel: Channel, slot: int) -> None:
        self._process = process
        self._channel = channel
        self._is_ready = asyncio.Event()
        self.slot = slot
        self._born = time.monotonic()
        self.problems: tuple[str, ...] = ()
        self.is_up = False

    @classmethod
    async def start(cls, configuration: Path, begin: Begin, slot: int) -> Self:
        """Start a process and order it to begin.

        Signals are blocked in it from its first moment: until it can ignore them, a Ctrl-C must not end it.
        """
        own, theirs = socket.socketpair()
        former = signal.pthread_sigmask(signal.SIG_BLOCK, SUPERVISORS)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "gateway.server.worker", str(configuration), str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL, pass_fds=(theirs.fileno(), *begin.public, *begin.private))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, former)
            theirs.close()
        channel = await Channel.open(own)
        channel.send(begin.to_message())
        return cls(process, channel, slot)

    @property
    def age(self) -> float:
        """For how many seconds it has lived, or has been dead as well."""
        return time.monotonic() - self._born

    def tell(self, order: Leave) -> None:
        """Order it to leave."""
        self._channel.send({"leave": asdict(order)})

    def kill(self) -> None:
        """End it at once."""
        if self._process.returncode is None:
            self._process.kill()

    async def attend(self, ledger: Ledger) -> None:
        """Take in what it says until it has ended."""
        while (message := await self._channel.receive()) is not None:
            if "tally" in message:
                ledger.note(self, from_plain(message["tally"]))
            if "asks" in message:
                self._channel.send({"sums": to_plain(ledger.sums())})
            if "failed" in message:
                self.problems = tuple(message["failed"])
            if "ready" in message:
                self.is_up = True
                self._is_ready.set()
        await self._process.wait()
        ledger.close(self)
        await self._channel.close()
        self._is_ready.set()

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


class Generation:
    """Keeps one worker in each slot until it is told to leave."""

    def __init__(self, plan: Plan, ledger: Ledger, tasks: Tasks, log: FilteringBoundLogger) -> None:
        self.plan = plan
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
        slots = range(len(self.plan.sockets.public))
        for some in (slots[:1], slots[1:]):
            workers = [await self._start(slot) for slot in some]
            for worker in workers:
                if not await worker.wait_until_up():
                    self.kill()
                    raise worker.failure()
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

    async def _start(self, slot: int) -> Worker:
        worker = await Worker.start(self.plan.configuration, self.plan.begin(slot), slot)
        self._workers[slot] = worker
        keeper = self._tasks.start(self._keep(worker))
        self._keepers.add(keeper)
        keeper.add_done_callback(self._keepers.discard)
        return worker

    async def _keep(self, worker: Worker) -> None:
        """Attend to a worker, and to each one that takes its place."""
        pause = 0.0
        while True:
            await worker.attend(self._ledger)
            if self._left.is_set() or not (worker.is_up or self._is_open):
                return
            self._ledger.restarts += 1
            pause = 0.0 if worker.age > STEADY_SECONDS else pause
            self._log.error("a worker ended by itself and is replaced", worker=worker.slot, end=worker.end(),
                            reasons=list(worker.problems), pause_seconds=pause)
            await self._rest(pause)
            pause = min(max(pause * 2, FIRST_PAUSE), LONGEST_PAUSE)
            worker = await Worker.start(self.plan.configuration, self.plan.begin(worker.slot), worker.slot)
            self._workers[worker.slot] = worker
            if self._leave is not None:
                worker.tell(self._leave)
            elif self._left.is_set():
                worker.kill()

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._left.wait()
        except TimeoutError:
            return
