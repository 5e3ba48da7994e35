"""The owner of tasks."""

import asyncio

from gateway.proxy.tasks import Tasks


async def test_a_task_runs_and_is_forgotten() -> None:
    """What was started ends by itself and leaves nothing behind."""
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    tasks = Tasks([].append)
    tasks.start(work())
    assert len(tasks) == 1
    await tasks.close(1.0)
    assert done.is_set()
    assert len(tasks) == 0


async def test_a_failure_is_told_once() -> None:
    """A task that ends in an exception hands it to the callback."""
    failures: list[BaseException] = []
    error = ValueError("x")

    async def work() -> None:
        raise error

    tasks = Tasks(failures.append)
    tasks.start(work())
    await tasks.close(1.0)
    assert failures == [error]


async def test_closing_cancels_what_does_not_end_in_time() -> None:
    """After the grace a task is cancelled, and its end is waited for; that is no failure."""
    failures: list[BaseException] = []
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("ended")

    tasks = Tasks(failures.append)
    tasks.start(work())
    await asyncio.sleep(0)
    await tasks.close(0.0)
    assert ended == ["ended"]
    assert failures == []
    assert len(tasks) == 0


async def test_closing_twice_is_once() -> None:
    """There is nothing left to close."""
    tasks = Tasks([].append)
    await tasks.close(0.0)
    await tasks.close(0.0)
    assert len(tasks) == 0
