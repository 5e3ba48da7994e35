"""What a process and all that it has started cost: CPU seconds and resident memory, as the kernel counts them."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuTime:
    """Is CPU time in seconds: the program's own, and the kernel's on its behalf."""

    user: float
    system: float

    @property
    def whole(self) -> float:
        """Both."""
        return self.user + self.system

    def since(self, before: "CpuTime") -> "CpuTime":
        """Return what was spent between two readings."""
        return CpuTime(user=self.user - before.user, system=self.system - before.system)


def cpu_time(pids: Iterable[int]) -> CpuTime:
    """Return the time of these processes and everything below them, the ended ones included."""
    times = [process.cpu_times() for process in _family(pids)]
    return CpuTime(user=sum(one.user + one.children_user for one in times),
                   system=sum(one.system + one.children_system for one in times))


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return user and system time of these processes and everything below them."""
    return cpu_time(pids).whole


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
