"""What the process says about itself."""

import asyncio
import json

import pytest
from prometheus_client.registry import CollectorRegistry

from gateway import ops
from gateway.errors import StoreUnavailable
from gateway.ops import Operations, Readiness, examine, jwks_answer, readiness_answer, render_metrics
from gateway.telemetry.metrics import Metrics

JWKS, ETAG = b'{"keys":[]}', '"5feceb66ffc86f38"'


async def answers() -> str:
    return "a sign of life"


async def is_down() -> None:
    raise StoreUnavailable("hunter2.internal does not answer")


async def hangs() -> None:
    await asyncio.Event().wait()


def registry() -> CollectorRegistry:
    """Return a registry with something in it."""
    made = CollectorRegistry()
    Metrics(made, apps=["shop"], sources=["shop-users"], version="0.1.0")
    return made


async def nothing_to_pull() -> None:
    """Stand for a process that has nothing to look up."""


def test_a_living_process_says_so() -> None:
    """Health asks nobody else."""
    status, fields, body = Operations(registry(), pull=nothing_to_pull, probes={"store": is_down}).health()
    assert (status, json.loads(body)) == (200, {"status": "ok"})
    assert fields["Content-Type"] == "application/json"


@pytest.mark.parametrize(("parts", "status"), [
    ({}, 200), ({"store": True}, 200), ({"store": True, "keys": True}, 200),
    ({"store": False}, 503), ({"store": True, "keys": False}, 503)])
def test_ready_is_when_every_part_answers(parts: dict[str, bool], status: int) -> None:
    """One missing part is enough for 503."""
    answered, _, body = readiness_answer(Readiness(parts=parts))
    assert answered == status
    assert json.loads(body)["ready"] is (status == 200)


def test_the_missing_part_is_named() -> None:
    """Whoever asks learns which part it is, and nothing more of it."""
    _, _, body = readiness_answer(Readiness(parts={"store": False, "keys": True}))
    assert json.loads(body)["parts"] == {"store": "does not answer", "keys": "ok"}


async def test_parts_are_asked() -> None:
    """A part that raises or hangs is missing, one that answers is there, whatever it answers."""
    readiness = await examine({"good": answers, "down": is_down})
    assert readiness == Readiness(parts={"good": True, "down": False})
    assert not readiness.is_ready


async def test_a_part_that_hangs_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer comes in time although a part's does not."""
    monkeypatch.setattr(ops, "PROBE_SECONDS", 0.0)
    assert await examine({"store": hangs}) == Readiness(parts={"store": False})


async def test_readiness_shows_no_detail_of_an_error() -> None:
    """The answer is open to everybody who reaches the listener."""
    status, _, body = await Operations(registry(), pull=nothing_to_pull, probes={"store": is_down}).readiness()
    assert status == 503
    assert b"hunter2" not in body


async def test_a_process_that_leaves_is_not_ready() -> None:
    """It lives, and whoever sends requests must look elsewhere, without asking the store."""
    operations = Operations(registry(), pull=nothing_to_pull, probes={"store": answers})
    assert (await operations.readiness())[0] == 200
    operations.leave()
    status, _, body = await operations.readiness()
    assert (status, json.loads(body)) == (503, {"ready": False, "parts": {"gateway": "is stopping"}})
    assert operations.health()[0] == 200


async def test_metrics_are_looked_up_first() -> None:
    """What must be looked up is looked up for this very scrape."""
    pulls: list[str] = []

    async def pull() -> None:
        pulls.append("pull")

    status, fields, body = await Operations(registry(), pull=pull, probes={}).metrics("")
    assert (status, pulls) == (200, ["pull"])
    assert fields["Content-Type"].startswith("text/plain; version=0.0.4")
    assert b"sluicegate_build_info{" in body


def test_open_metrics_are_for_those_who_ask() -> None:
    """Prometheus names the format that it prefers; anything else gets the plain one."""
    _, fields, body = render_metrics(registry(), "application/openmetrics-text; version=1.0.0")
    assert fields["Content-Type"].startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    _, fields, body = render_metrics(registry(), "text/html")
    assert fields["Content-Type"].startswith("text/plain")
    assert not body.endswith(b"# EOF\n")


def test_keys_may_be_cached_for_five_minutes() -> None:
    """A verifier gets the keys as they are, with their tag."""
    status, fields, body = jwks_answer(JWKS, ETAG, None)
    assert (status, body) == (200, JWKS)
    assert fields == {"Content-Type": "application/jwk-set+json", "Cache-Control": "public, max-age=300",
                      "ETag": ETAG}


@pytest.mark.parametrize("known", [ETAG, f"W/{ETAG}", f'"other", {ETAG}', f'"other",W/{ETAG}', "*"])
def test_known_keys_are_not_sent_again(known: str) -> None:
    """A verifier that has them gets 304 with the same tag and the time they last (RFC 9110 15.4.5)."""
    status, fields, body = jwks_answer(JWKS, ETAG, known)
    assert (status, body) == (304, b"")
    assert fields == {"Cache-Control": "public, max-age=300", "ETag": ETAG}


@pytest.mark.parametrize("other", ["", '"other"', ETAG.strip('"'), f'"x{ETAG[1:]}', "W/*", ","])
def test_other_keys_are_replaced(other: str) -> None:
    """Any other tag, or none that is well-formed, gets the keys."""
    assert jwks_answer(JWKS, ETAG, other)[0] == 200
