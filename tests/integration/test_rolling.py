"""A rolling restart: two gateways behind a real HAProxy that tries nothing twice, and nobody notices.

`make rolling` runs it as often and as long as a release is judged by: ROLLING_REQUESTS and ROLLING_ROUNDS.
"""

import asyncio
import os
from pathlib import Path

import pytest

from gateway.model import Secret
from tests.helpers.echo_app import echo_app
from tests.helpers.gateways import GatewayProcess, configure, serving
from tests.helpers.haproxy import DELAY_SECONDS, FALLS, INTERVAL_SECONDS, haproxy, is_installed
from tests.helpers.steady_load import steady_load

REQUESTS = int(os.environ.get("ROLLING_REQUESTS", "2000"))  # for each round, at least
ROUNDS = int(os.environ.get("ROLLING_ROUNDS", "1"))
PATIENCE = 120.0


@pytest.mark.skipif(not is_installed(), reason="haproxy is not installed: make test-deps")
async def test_a_rolling_restart_fails_no_request(database: Secret, tmp_path: Path) -> None:
    """Both are restarted in turn under load, by SIGTERM and a new start, and every request is answered."""
    async with echo_app() as app:
        one, other = (configure(tmp_path, store=database, upstream=app.port, legacy=None,
                                listen=f"drain_delay_seconds = {DELAY_SECONDS}") for _ in range(2))
        async with serving(one) as first, serving(other) as second, haproxy(tmp_path, (one, other)) as port, \
                steady_load(port, connections=16) as load:
            for _ in range(ROUNDS):
                begun = load.answered
                for gateway in (first, second):
                    await restart(gateway)
                async with asyncio.timeout(PATIENCE):
                    while load.answered < begun + REQUESTS:
                        await asyncio.sleep(0.05)
        assert load.failures == []
        assert load.answered >= REQUESTS * ROUNDS
        print(f"\n{load.answered} requests, {len(load.failures)} failed, in {ROUNDS} rounds")


async def restart(gateway: GatewayProcess) -> None:
    """Stop it, start it anew, and wait until the balancer has noticed."""
    assert await gateway.stop() == 0
    await gateway.start()
    await asyncio.sleep(INTERVAL_SECONDS * FALLS + 0.5)
