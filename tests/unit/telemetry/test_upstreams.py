"""What is told of an app that gives no usable answer."""

from dataclasses import dataclass, field

import pytest

from gateway.telemetry.metrics import UPSTREAM_ERROR_KINDS
from gateway.telemetry.upstreams import QUIET_SECONDS, REASONS, UpstreamTrouble


@dataclass
class Watch:
    """Is a clock, a counter and a log."""

    now: float = 100.0
    counted: list[tuple[str, str]] = field(default_factory=list)
    said: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.trouble = UpstreamTrouble("shop", "app:80", count=lambda app, kind: self.counted.append((app, kind)),
                                       log=self, clock=lambda: self.now)  # type: ignore[arg-type]

    def warning(self, event: str, **fields: str) -> None:
        self.said.append({"event": event, **fields})


def test_the_first_failure_is_said_at_once() -> None:
    """Which app, where it is sought, what is wrong and what to do."""
    watch = Watch()
    watch.trouble("connect")
    assert watch.said == [{"event": "an app gave no usable answer", "app": "shop", "upstream": "app:80",
                           "kind": "connect", "reason": REASONS["connect"]}]


def test_every_failure_is_counted_and_few_are_said() -> None:
    """A dead app fails every request; the log says it again after a while, for whoever looks only then."""
    watch = Watch()
    for _ in range(1000):
        watch.trouble("connect")
        watch.now += QUIET_SECONDS / 500
    assert watch.counted == [("shop", "connect")] * 1000
    assert len(watch.said) == 2


def test_an_address_that_rests_is_told_each_time() -> None:
    """Rests grow, so that is seldom; they are no failed requests, so nothing is counted."""
    watch = Watch()
    watch.trouble.rests("http://app:80", "it accepts no connection")
    assert watch.said == [{"event": "an address of an app is left alone for a while", "app": "shop",
                           "address": "http://app:80", "reason": "it accepts no connection"}]
    assert watch.counted == []


@pytest.mark.parametrize("kind", UPSTREAM_ERROR_KINDS)
def test_every_kind_has_its_sentence(kind: str) -> None:
    """None is counted that nothing could be said about."""
    watch = Watch()
    watch.trouble(kind)
    assert watch.said[0]["reason"].startswith(("it", "the gateway"))
