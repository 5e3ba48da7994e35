"""What is told of an app that gives no usable answer: each time a number, now and then a line.

Owns the sentences and how often they are said. Must not know how an app is reached, nor what a client is told.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from structlog.typing import FilteringBoundLogger

QUIET_SECONDS = 10.0  # a dead app fails every request: one line tells enough, and a full log tells nothing

REASONS: Mapping[str, str] = MappingProxyType({
    "connect": "it accepts no connection: see that it runs, and that the app's upstream leads there",
    "tls": "it does not prove to be the app: see what is said of its addresses",
    "exhausted": "the gateway has no descriptor or memory left for a connection: raise LimitNOFILE",
    "busy": "it has as many connections as it may have: see what keeps it, or raise limits.upstream_connections",
    "timeout": "it does not answer in time: see what keeps it, or give it more of limits.answer_head_seconds",
    "protocol": "its answer is no HTTP that can be passed on: see what it is that listens there (TLS needs https://)",
    "lost": "it closed a connection before its answer was whole: see its own log (TLS needs https://)",
})


class UpstreamTrouble:
    """Is told of each failure of one app by its kind, a key of `REASONS`.

    `count` adds it to the metrics. `clock` counts seconds and never goes back.
    """

    __slots__ = ("_app", "_clock", "_count", "_log", "_quiet_until", "_upstream")

    def __init__(self, app: str, upstream: str, *, count: Callable[[str, str], None], log: FilteringBoundLogger,
                 clock: Callable[[], float]) -> None:
        self._app = app
        self._upstream = upstream
        self._count = count
        self._log = log
        self._clock = clock
        self._quiet_until = clock()

    def rests(self, address: str, reason: str) -> None:
        """Say that an address is left alone for a while; `reason` is a sentence."""
        self._log.warning("an address of an app is left alone for a while", app=self._app, address=address,
                          reason=reason)

    def __call__(self, kind: str) -> None:
        """Count a failure, and say so unless that was done a moment ago."""
        self._count(self._app, kind)
        now = self._clock()
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET_SECONDS
            self._log.warning("an app gave no usable answer", app=self._app, upstream=self._upstream, kind=kind,
                              reason=REASONS[kind])
