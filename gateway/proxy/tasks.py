"""The tasks of one worker, and the only place that starts one.

Owns every task from its start to its end: a reference (a task that nobody holds may be collected while it
runs), what becomes of its exception, and the stop. Knows nothing of what the tasks do.
"""

import asyncio
from collections.abc import Callable, Coroutine


class Tasks:
    """Starts tasks and answers for them until `close`.

    `on_failure` is called with the exception of a task that ended in one; it must not raise.
    """

    __slots__ = ("_on_failure", "_running")

    def __init__(self, on_failure: Callable[[BaseException], None]) -> None:
        self._on_failure = on_failure
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run `work` beside everything else; the running loop is its loop."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self, grace: float) -> None:
        """Give the running tasks `grace` seconds to end, then cancel them and wait for their end."""
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._on_failure(error)
