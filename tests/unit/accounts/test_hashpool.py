"""How much is hashed at once, who waits, and who is sent away."""

import asyncio
import os
import random
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from gateway.accounts.hashpool import NICE, HashPool, stand_back, usable_cores
from gateway.errors import Overloaded

PATIENCE = 10
"""Seconds after which a test that hangs fails."""


@dataclass(slots=True)
class Clock:
    """Seconds that pass only when a test says so."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Ledger:
    """What the pool told about its jobs."""

    jobs: list[tuple[float, float]] = field(default_factory=list)

    def __call__(self, wait: float, run: float) -> None:
        self.jobs.append((wait, run))


class Gate:
    """A job that says when it runs, and runs until it is let go."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._running = asyncio.Event()
        self._let_go = threading.Event()
        self.ran_in: threading.Thread | None = None

    def __call__(self) -> str:
        self.ran_in = threading.current_thread()
        self._loop.call_soon_threadsafe(self._running.set)
        assert self._let_go.wait(PATIENCE)
        return "done"

    async def runs(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self._running.wait()

    def let_go(self) -> None:
        self._let_go.set()


def pool(*, threads: int = 1, queue: int = 4, clock: Callable[[], float] | None = None,
         on_job: Callable[[float, float], None] | None = None) -> HashPool:
    return HashPool(threads=threads, queue=queue, clock=clock or Clock(), on_job=on_job or Ledger())


async def turn() -> None:
    """Let every task that can go on do so once."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_job_gives_its_result() -> None:
    """A job runs in a thread of the pool and its result comes back."""
    async with pool() as hashing:
        thread = await hashing.run(threading.current_thread)
    assert thread is not threading.current_thread()
    assert thread.name.startswith("hash")


async def test_a_jobs_error_is_its_callers() -> None:
    """What a job raises reaches its caller, and the thread is free again."""
    async with pool(queue=0) as hashing:
        with pytest.raises(ZeroDivisionError):
            await hashing.run(lambda: 1 // 0)
        assert (hashing.busy, hashing.depth) == (0, 0)
        assert await hashing.run(lambda: 1) == 1


async def test_the_queue_is_bounded() -> None:
    """Who comes when all threads are busy and the queue is full is sent away at once; the others are not."""
    running, ran = Gate(), []
    async with pool(queue=1) as hashing, asyncio.TaskGroup() as group:
        first = group.create_task(hashing.run(running))
        await running.runs()
        second = group.create_task(hashing.run(lambda: "second"))
        await turn()
        assert (hashing.busy, hashing.depth) == (1, 1)
        with pytest.raises(Overloaded, match="queue is full"):
            await hashing.run(lambda: ran.append("third"))
        running.let_go()
        assert await first == "done"
        assert await second == "second"
        assert await hashing.run(lambda: "fourth") == "fourth"
        assert (hashing.busy, hashing.depth) == (0, 0)
    assert ran == []


async def test_no_queue_is_none() -> None:
    """With a queue of zero a job is taken only by a free thread."""
    running = Gate()
    async with pool(queue=0) as hashing, asyncio.TaskGroup() as group:
        group.create_task(hashing.run(running))
        await running.runs()
        with pytest.raises(Overloaded):
            await hashing.run(lambda: None)
        running.let_go()


async def test_threads_are_bounded() -> None:
    """No more jobs run at once than there are threads, and the next begins when one ends."""
    gates = [Gate() for _ in range(3)]
    async with pool(threads=2) as hashing, asyncio.TaskGroup() as group:
        for gate in gates:
            group.create_task(hashing.run(gate))
        await gates[0].runs()
        await gates[1].runs()
        assert (hashing.busy, hashing.depth) == (2, 1)
        assert gates[2].ran_in is None
        gates[0].let_go()
        await gates[2].runs()
        assert (hashing.busy, hashing.depth) == (2, 0)
        assert gates[2].ran_in is gates[0].ran_in
        gates[1].let_go()
        gates[2].let_go()


async def test_first_come_first_served() -> None:
    """Jobs run in the order in which they came."""
    gate, order = Gate(), []
    async with pool(queue=9) as hashing, asyncio.TaskGroup() as group:
        group.create_task(hashing.run(gate))
        for number in range(9):
            group.create_task(hashing.run(lambda number=number: order.append(number)))
        await gate.runs()
        gate.let_go()
    assert order == list(range(9))


async def test_waiting_and_running_are_timed() -> None:
    """Each job that ended is told with the seconds that it waited and ran."""
    clock, ledger, first, second = Clock(), Ledger(), Gate(), Gate()
    async with pool(clock=clock, on_job=ledger) as hashing, asyncio.TaskGroup() as group:
        group.create_task(hashing.run(first))
        await first.runs()
        clock.now = 1.0
        group.create_task(hashing.run(second))
        await turn()
        clock.now = 3.0
        first.let_go()
        await second.runs()
        clock.now = 7.0
        second.let_go()
    assert ledger.jobs == [(0.0, 3.0), (2.0, 4.0)]


async def test_who_leaves_the_queue_gives_up_the_place() -> None:
    """A caller cancelled while waiting is not counted any more, and the job is never run."""
    gate, ran, ledger = Gate(), [], Ledger()
    async with pool(queue=1, on_job=ledger) as hashing, asyncio.TaskGroup() as group:
        group.create_task(hashing.run(gate))
        await gate.runs()
        waiting = group.create_task(hashing.run(lambda: ran.append("cancelled")))
        await turn()
        waiting.cancel()
        await turn()
        assert (hashing.busy, hashing.depth) == (1, 0)
        group.create_task(hashing.run(lambda: ran.append("next")))
        gate.let_go()
    assert ran == ["next"]
    assert len(ledger.jobs) == 2


async def test_a_running_job_keeps_its_thread() -> None:
    """A caller cancelled later goes at once, but the job counts as busy until it ends."""
    gate, ledger = Gate(), Ledger()
    async with pool(queue=0, on_job=ledger) as hashing, asyncio.TaskGroup() as group:
        caller = group.create_task(hashing.run(gate))
        await gate.runs()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert (hashing.busy, ledger.jobs) == (1, [])
        with pytest.raises(Overloaded):
            await hashing.run(lambda: None)
        gate.let_go()
    assert (hashing.busy, ledger.jobs) == (0, [(0.0, 0.0)])


async def test_an_unheard_error_is_nobodys() -> None:
    """A job that fails after its caller has gone disturbs nothing."""
    gate, heard = Gate(), []
    loop = asyncio.get_running_loop()
    usual = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: heard.append(context))

    def failing() -> None:
        gate()
        raise ValueError("too late")

    async with pool() as hashing, asyncio.TaskGroup() as group:
        caller = group.create_task(hashing.run(failing))
        await gate.runs()
        caller.cancel()
        await turn()
        gate.let_go()
    del caller
    loop.set_exception_handler(usual)
    assert heard == []


async def test_closing_waits_for_what_runs() -> None:
    """Closing lasts until the running job has ended and been told; those who wait are sent away."""
    gate, ledger = Gate(), Ledger()
    hashing = pool(on_job=ledger)
    async with asyncio.TaskGroup() as group:
        await hashing.__aenter__()
        running = group.create_task(hashing.run(gate))
        await gate.runs()
        waiting = [group.create_task(refused(hashing)) for _ in range(2)]
        await turn()
        closing = group.create_task(hashing.close())
        await turn()
        assert not closing.done()
        gate.let_go()
        await closing
        assert await running == "done"
        assert [await one for one in waiting] == [True, True]
    assert (hashing.busy, hashing.depth, len(ledger.jobs)) == (0, 0, 1)
    assert gate.ran_in is not None
    assert not gate.ran_in.is_alive()


async def refused(hashing: HashPool) -> bool:
    try:
        await hashing.run(lambda: None)
    except Overloaded:
        return True
    return False


async def test_a_pool_that_is_not_open_takes_nothing() -> None:
    """Before it is opened and after it was closed, a pool sends everyone away; closing twice is nothing."""
    hashing = pool()
    await hashing.close()
    assert await refused(hashing)
    async with hashing:
        assert not await refused(hashing)
    await hashing.close()
    assert await refused(hashing)
    assert (hashing.busy, hashing.depth) == (0, 0)


async def test_a_lack_of_threads_is_not_for_ever() -> None:
    """A thread that the system does not give sends its caller away, and costs the pool no place."""
    async with pool(queue=0) as hashing:
        usual = threading.Thread.start
        threading.Thread.start = no_thread  # type: ignore[method-assign]  # as the system refuses one
        try:
            assert await refused(hashing)
        finally:
            threading.Thread.start = usual  # type: ignore[method-assign]
        assert hashing.busy == 0
        assert await hashing.run(lambda: "served") == "served"


def no_thread(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("seed", range(5))
async def test_no_place_is_ever_lost(seed: int) -> None:
    """Whoever is cancelled at whatever moment, all threads are free in the end."""
    dice = random.Random(seed)
    async with pool(threads=2, queue=20) as hashing:
        async with asyncio.TaskGroup() as group:
            for _ in range(60):
                tasks = [group.create_task(refused(hashing)) for _ in range(dice.randrange(6))]
                for _ in range(dice.randrange(4)):
                    await asyncio.sleep(0)
                for task in tasks:
                    if dice.random() < 0.5:
                        task.cancel()
        gates = [Gate(), Gate()]
        async with asyncio.TaskGroup() as group:
            for gate in gates:
                group.create_task(hashing.run(gate))
            await gates[0].runs()
            await gates[1].runs()
            assert (hashing.busy, hashing.depth) == (2, 0)
            for gate in gates:
                gate.let_go()
    assert (hashing.busy, hashing.depth) == (0, 0)


async def test_there_is_a_thread_for_each_core() -> None:
    """By default as many jobs run at once as the process may use cores."""
    gates = [Gate() for _ in range(usable_cores() + 1)]
    async with HashPool(queue=1, clock=Clock(), on_job=Ledger()) as hashing, asyncio.TaskGroup() as group:
        for gate in gates:
            group.create_task(hashing.run(gate))
        for gate in gates[:-1]:
            await gate.runs()
        assert (hashing.busy, hashing.depth) == (usable_cores(), 1)
        for gate in gates:
            gate.let_go()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a priority per thread")
async def test_hashing_stands_back() -> None:
    """The pool's threads have a lower priority than the event loop's, which keeps its own."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    async with pool() as hashing:
        within = await hashing.run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    assert within == min(19, before + NICE)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_standing_back_ends_at_the_lowest() -> None:
    """A thread that stands back again and again stays at the lowest priority, without an error."""
    found: list[int] = []

    def thrice() -> None:
        for _ in range(3):
            stand_back()
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    thread = threading.Thread(target=thrice)
    thread.start()
    thread.join(PATIENCE)
    assert found == ([19] if sys.platform == "linux" else [os.getpriority(os.PRIO_PROCESS, 0)])
