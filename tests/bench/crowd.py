"""People who log in again and again, as fast as they are answered."""

import threading
import time
from types import TracebackType
from typing import Self

from tests.bench.fleet import CannotMeasure
from tests.bench.gateway import PEOPLE, name_of, session_of
from tests.bench.wire import Wire

ENOUGH_SECONDS = 60.0


class Crowd:
    """Is one connection and one thread for each of the people; nobody waits for anybody else."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stop = threading.Event()
        self._counts = [0] * PEOPLE
        self._troubles: list[str] = []
        self._threads = [threading.Thread(target=self._one, args=(number,), daemon=True) for number in range(PEOPLE)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(ENOUGH_SECONDS)

    @property
    def logins(self) -> int:
        """How many were right so far; raises `CannotMeasure` when one was not."""
        if self._troubles:
            raise CannotMeasure(self._troubles[0])
        return sum(self._counts)

    def rate(self, seconds: float) -> float:
        """Watch for so long, and return the logins per second."""
        before, began = self.logins, time.monotonic()
        time.sleep(seconds)
        return (self.logins - before) / (time.monotonic() - began)

    def _one(self, number: int) -> None:
        try:
            with Wire(self._port) as wire:
                while not self._stop.is_set():
                    session_of(wire, self._port, name_of(number))
                    self._counts[number] += 1
        except (CannotMeasure, OSError) as error:
            self._troubles.append(f"login of {name_of(number)}: {error}")
