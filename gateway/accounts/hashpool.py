"""The only place where hashing meets asyncio: few threads, a bounded queue, a low priority.

Owns how much hashing goes on at once and the count of who waits. One hash costs as much as many hundred
proxied requests, so it never runs on the event loop, never takes the CPU from it, and whoever comes when
the queue is full is told to come back. It does not know what a job computes. All state belongs to the
event loop; the threads only run jobs.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar

from gateway.errors import Overloaded

T = TypeVar("T")

NICE = 10
"""Steps that a hashing thread stands back: where CPU is short it gets a tenth of the event loop's share."""
LOWEST = 19


class HashPool:
    """Runs jobs in threads of its own, in the order in which they came.

    `threads` defaults to the number of cores, `queue` bounds those who wait, `clock` counts seconds, and
    `on_job(wait, run)` hears of each job that ended, in seconds, on the event loop.
    """

    def __init__(self, *, threads: int | None = None, queue: int, clock: Callable[[], float],
                 on_job: Callable[[float, float], None]) -> None:
        self._threads = usable_cores() if threads is None else threads
        self._queue = queue
        self._clock = clock
        self._on_job = on_job
        self._free = asyncio.Semaphore(self._threads)
        self._executor: ThreadPoolExecutor | None = None
        self._depth = 0
        self._busy = 0

    async def __aenter__(self) -> Self:
        self._executor = ThreadPoolExecutor(self._threads, "hash", initializer=stand_back)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        await self.close()

    @property
    def depth(self) -> int:
        """How many jobs wait for a thread."""
        return self._depth

    @property
    def busy(self) -> int:
        """How many jobs run, those included whose caller has gone."""
        return self._busy

    async def run(self, job: Callable[[], T]) -> T:
        """Return what the job returns; raises what it raises, and `Overloaded` when the queue is full.

        Cancelled while it waits, the job is never run. Cancelled later, it runs to its end, unheard,
        and keeps its thread until then.
        """
        if self._free.locked() and self._depth >= self._queue:
            raise Overloaded("the hash queue is full")
        came = self._clock()
        self._depth += 1
        try:
            await self._free.acquire()
        finally:
            self._depth -= 1
        if self._executor is None:
            self._free.release()
            raise Overloaded("the hash pool is closed")
        return await asyncio.shield(self._started(self._executor, job, came))

    def _started(self, executor: ThreadPoolExecutor, job: Callable[[], T], came: float) -> asyncio.Future[T]:
        began = self._clock()
        try:
            running = asyncio.get_running_loop().run_in_executor(executor, job)
        except RuntimeError as error:  # the system has no thread left to give
            self._free.release()
            raise Overloaded("no thread can be started") from error
        self._busy += 1

        def ended(done: asyncio.Future[T]) -> None:
            done.exception()  # else asyncio logs, traceback and all, what a caller who left did not fetch
            self._busy -= 1
            self._free.release()
            self._on_job(began - came, self._clock() - began)

        running.add_done_callback(ended)
        return running

    async def close(self) -> None:
        """Wait for the jobs that run; those that wait, and all who come later, get `Overloaded`."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        for _ in range(self._threads):
            await self._free.acquire()
        for _ in range(self._threads):
            self._free.release()
        executor.shutdown()  # at once: its threads are idle


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def stand_back() -> None:
    """Lower the scheduling priority of the calling thread: Linux has one per thread, others do not."""
    if sys.platform != "linux":
        return
    nice = min(LOWEST, os.getpriority(os.PRIO_PROCESS, 0) + NICE)
    with suppress(OSError):  # a sandbox may forbid it; hashing goes on at the usual priority
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
