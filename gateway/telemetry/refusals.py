"""What is told of connections that are closed before HTTP: each time a number, now and then a line.

Owns the sentences and how often they are said. Must not know sockets.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from structlog.typing import FilteringBoundLogger

QUIET_SECONDS = 60.0  # for each reason: anybody can bring it about, and must not fill the log

CAUSES: Mapping[str, str] = MappingProxyType({
    "untrusted": "it is not in listen.trusted_proxies, and listen.proxy_protocol lets nobody else in",
    "preamble": "they do not begin as listen.proxy_protocol demands: see that it sends the PROXY protocol",
    "tls": "no TLS came about: see that it speaks TLS 1.2 or later here, and trusts listen.certificate",
})


class RefusedConnections:
    """Is told of each refused connection: why, a key of `CAUSES`, and who was at the other end.

    `count` adds it to the metrics. `clock` counts seconds and never goes back.
    """

    __slots__ = ("_clock", "_count", "_log", "_quiet_until")

    def __init__(self, *, count: Callable[[str], None], log: FilteringBoundLogger, clock: Callable[[], float]) -> None:
        self._count = count
        self._log = log
        self._clock = clock
        self._quiet_until = dict.fromkeys(CAUSES, clock())

    def __call__(self, reason: str, peer: str) -> None:
        """Count it, and say so unless the same was said within the last minute."""
        self._count(reason)
        now = self._clock()
        if now >= self._quiet_until[reason]:
            self._quiet_until[reason] = now + QUIET_SECONDS
            self._log.warning("connections are closed before HTTP", peer=peer, kind=reason,
                              reason=f"connections from {peer} are closed: {CAUSES[reason]}")
