"""Every promise about HTTP, sent as raw bytes to a gateway with a recording app behind it.

The cases stand in tests/raw; `make wire` plays the same ones to nginx and haproxy as well.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.helpers.postgres import PostgresServer
from tests.raw.cases import Answer, Bullet, Case, Front, request
from tests.raw.fronts import Ports, deaf_app, sluicegate
from tests.raw.judging import complaints
from tests.raw.playing import play
from tests.raw.recording import RecordingApp
from tests.raw.tables import ALL

QUIET_SECONDS = 5.0  # reached only by what has gone wrong
AHEAD_BYTES = 32 * 1024 * 1024


@pytest.fixture(scope="module")
async def app() -> AsyncIterator[RecordingApp]:
    """Is the app behind all fronts."""
    async with RecordingApp() as recording:
        yield recording


@pytest.fixture(scope="module")
async def ports(
    app: RecordingApp, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ports]:
    """Are the gateways' public ports."""
    async with postgres_server.database() as database:
        with deaf_app() as never:
            async with sluicegate(tmp_path_factory.mktemp("fronts"), database, app.port, never) as fronts:
                yield fronts


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.bullet.name}: {case.name}") for case in ALL])
async def test_what_reaches_the_app_is_unambiguous(case: Case, app: RecordingApp, ports: Ports) -> None:
    """A raw case comes out as its table says, and neither the app nor the next client can be misled by it."""
    seen = await play(case, ports[case.front], app, quiet=QUIET_SECONDS)
    assert not list(complaints(case, seen)), seen


async def test_a_client_that_asks_ahead_of_its_answers_is_not_read_without_end(app: RecordingApp, ports: Ports) -> None:
    """A pipeline is bounded: while the first answer is awaited, the rest stays in the client's own hands."""
    await app.forget(Answer(pieces=(b"",)))
    _, writer = await asyncio.open_connection("127.0.0.1", ports[Front.PLAIN])
    try:
        writer.write(request() * (AHEAD_BYTES // len(request())))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.drain(), 1.0)
        held = writer.transport.get_write_buffer_size()
        assert held > AHEAD_BYTES // 2, "the kernel holds some MiB, the gateway 64 KiB"
        assert len([message for recorded in app.recorded for message in recorded.requests]) == 1
    finally:
        writer.transport.abort()


def test_every_promise_has_cases_of_its_own_names() -> None:
    """No promise is without a case, and no two cases have one name."""
    assert {case.bullet for case in ALL} == set(Bullet)
    assert max(Counter(case.name for case in ALL).values()) == 1
