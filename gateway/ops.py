"""What the process says about itself: alive, ready, its metrics, its public keys.

Owns the words and headers of those answers, as plain values that any listener can send. Must not know
which listener sends them, how the store is reached, or what is counted.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import CollectorRegistry

from gateway.errors import StoreUnavailable

PROBE_SECONDS = 2.0  # below the usual patience of those who ask (Kubernetes and Docker: seconds)
JWKS_SECONDS = 300  # verifiers learn a staged key within five minutes; keys are activated later than that

Reply = tuple[int, Mapping[str, str], bytes]
"""Status, fields, body."""

Probe = Callable[[], Awaitable[object]]
"""Asks one part for a sign of life; raises `StoreUnavailable` or takes too long where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Says of each part that the gateway cannot work without whether it answers."""

    parts: Mapping[str, bool]

    @property
    def is_ready(self) -> bool:
        """Whether requests may be sent here."""
        return all(self.parts.values())


class Operations:
    """Answers for this process. `pull` looks up what the metrics in `registry` cannot count themselves."""

    __slots__ = ("_is_leaving", "_probes", "_pull", "_registry")

    def __init__(self, registry: CollectorRegistry, *, pull: Callable[[], Awaitable[None]],
                 probes: Mapping[str, Probe]) -> None:
        self._registry = registry
        self._pull = pull
        self._probes = probes
        self._is_leaving = False

    def leave(self) -> None:
        """Say from now on that no requests may be sent here: the process is going to end."""
        self._is_leaving = True

    def health(self) -> Reply:
        """Answer that the process is alive: its event loop has just shown it."""
        return _json(200, {"status": "ok"})

    async def readiness(self) -> Reply:
        """Answer whether requests may be sent here."""
        if self._is_leaving:
            return _json(503, {"ready": False, "parts": {"gateway": "is stopping"}})
        return readiness_answer(await examine(self._probes))

    async def metrics(self, accept: str) -> Reply:
        """Answer with all metrics, in the format that Prometheus's Accept prefers."""
        await self._pull()
        return render_metrics(self._registry, accept)


async def examine(probes: Mapping[str, Probe]) -> Readiness:
    """Ask all parts at once."""
    answers = await asyncio.gather(*map(_answers, probes.values()))
    return Readiness(parts=dict(zip(probes, answers, strict=True)))


async def _answers(probe: Probe) -> bool:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await probe()
    except (StoreUnavailable, TimeoutError):
        return False
    return True


def readiness_answer(readiness: Readiness) -> Reply:
    """Return the answer for a load balancer: 200 or 503, and which part is missing."""
    parts = {name: "ok" if answers else "does not answer" for name, answers in readiness.parts.items()}
    return _json(200 if readiness.is_ready else 503, {"ready": readiness.is_ready, "parts": parts})


def render_metrics(registry: CollectorRegistry, accept: str) -> Reply:
    """Return the exposition of every metric: Prometheus text, or OpenMetrics where `accept` asks for it."""
    encode, content_type = choose_encoder(accept)
    return 200, {"Content-Type": content_type, "Cache-Control": "no-store"}, encode(registry)


def jwks_answer(jwks: bytes, etag: str, if_none_match: str | None) -> Reply:
    """Return the public keys (RFC 7517), or 304 to a verifier that has them already.

    `etag` is a strong entity tag, quotes included; `if_none_match` the request's field, if it had one.
    """
    fields = {"Cache-Control": f"public, max-age={JWKS_SECONDS}", "ETag": etag}
    if if_none_match is not None and _is_known(etag, if_none_match):
        return 304, fields, b""
    return 200, {"Content-Type": "application/jwk-set+json", **fields}, jwks


def _is_known(etag: str, if_none_match: str) -> bool:
    """Compare weakly, as If-None-Match demands (RFC 9110 13.1.2). Our tags hold no comma."""
    tags = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return if_none_match.strip() == "*" or etag in tags


def _json(status: int, value: object) -> Reply:
    fields = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return status, fields, json.dumps(value).encode("ascii") + b"\n"
