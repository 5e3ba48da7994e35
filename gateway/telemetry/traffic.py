"""What the data plane tells: each answer it gave.

Owns nothing but the two places where that goes: the counters and the access log. The data plane knows
this only by the shape of its methods.
"""

from gateway.telemetry.accesslog import AnswerLog
from gateway.telemetry.metrics import Metrics


class Traffic:
    """Counts and logs what happens on the public listener. On the hot path: no I/O but the log's."""

    __slots__ = ("_log", "_metrics")

    def __init__(self, metrics: Metrics, log: AnswerLog) -> None:
        self._metrics = metrics
        self._log = log

    def answered(self, site: str, method: bytes, target: bytes, status: int, seconds: float, peer: str,
                 request_id: bytes, sent: int) -> None:
        """Note an answer; `site` is the app's name, or "-"; `sent` the bytes of head and body."""
        self._metrics.proxied(site, status, seconds)
        self._log.record(site, method, target, status, seconds, peer, request_id, sent)
