"""What is told of connections that are closed before HTTP."""

from dataclasses import dataclass, field

import pytest

from gateway.proxy.entrance import REFUSALS
from gateway.telemetry.metrics import CONNECTION_REFUSALS
from gateway.telemetry.refusals import CAUSES, QUIET_SECONDS, RefusedConnections


@dataclass
class Watch:
    """Is a clock, a counter and a log."""

    now: float = 100.0
    counted: list[str] = field(default_factory=list)
    said: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.refused = RefusedConnections(count=self.counted.append, log=self,  # type: ignore[arg-type]
                                          clock=lambda: self.now)

    def warning(self, event: str, **fields: str) -> None:
        self.said.append({"event": event, **fields})


@pytest.mark.parametrize("reason", CONNECTION_REFUSALS)
def test_the_first_one_is_said_at_once(reason: str) -> None:
    """Whose connections are closed, and why."""
    watch = Watch()
    watch.refused(reason, "10.0.0.9")
    [said] = watch.said
    assert said["reason"] == f"connections from 10.0.0.9 are closed: {CAUSES[reason]}"
    assert (said["peer"], said["kind"]) == ("10.0.0.9", reason)


def test_each_is_counted_and_few_are_said() -> None:
    """One line a minute for each reason, whoever tries."""
    watch = Watch()
    for number in range(1000):
        watch.refused("tls", f"10.0.0.{number % 256}")
        watch.now += QUIET_SECONDS / 500
    watch.refused("preamble", "10.0.0.9")
    assert watch.counted == ["tls"] * 1000 + ["preamble"]
    assert [said["kind"] for said in watch.said] == ["tls", "tls", "preamble"]


def test_every_reason_is_known_everywhere() -> None:
    """What the entrance tells is counted by its own name and has a sentence."""
    assert set(REFUSALS.values()) == set(CONNECTION_REFUSALS) == set(CAUSES)
