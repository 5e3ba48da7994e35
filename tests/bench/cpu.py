"""What a process and all that it has started cost: CPU seconds and resident memory, as the kernel counts them."""

import contextlib
from collections.abc import Iterable, Iterator

import psutil


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return user and system time of these processes and everything below them, the ended ones included."""
    return sum(sum(process.cpu_times()[:4]) for process in _family(pids))


def own_seconds(pid: int) -> float:
    """Return user and system time of one process."""
    return float(sum(psutil.Process(pid).cpu_times()[:2]))


def resident_bytes(pids: Iterable[int]) -> int:
    """Return the resident memory of these processes and everything below them."""
    return sum(process.memory_info().rss for process in _family(pids))


def children(pid: int) -> list[int]:
    """Return the processes that one has started itself."""
    return [child.pid for child in psutil.Process(pid).children()]


def _family(pids: Iterable[int]) -> Iterator[psutil.Process]:
    for pid in pids:
        head = psutil.Process(pid)
        yield head
        for process in head.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.status()  # it may have ended since; its time is then its parent's
                yield process
