"""Workers and their supervisor, as processes: who serves, who dies, who is told what, and what is counted."""

import asyncio
import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from gateway.demo.scene import free_port
from gateway.model import Secret
from tests.helpers.browser import Browser
from tests.helpers.echo_app import EchoApp, echo_app
from tests.helpers.gateways import TOKEN, Configuration, GatewayProcess, configure, serving
from tests.helpers.proxy import beside
from tests.helpers.steady_load import steady_load

PATIENCE = 30.0
REQUESTS = re.compile(r'^sluicegate_proxied_requests_total\{app="shop",status_class="2xx"\} ([0-9.]+)$', re.MULTILINE)
RESTARTS = re.compile(r"^sluicegate_worker_restarts_total ([0-9.]+)$", re.MULTILINE)


@pytest.fixture
async def app() -> AsyncIterator[EchoApp]:
    """Is an app that answers with what it got."""
    async with echo_app() as served:
        yield served


@pytest.fixture
def configuration(database: Secret, app: EchoApp, tmp_path: Path) -> Configuration:
    """Is a gateway's before that app."""
    return configure(tmp_path, store=database, upstream=app.port, legacy=None)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.02)


async def metric(gateway: GatewayProcess, pattern: re.Pattern[str]) -> float:
    page = await Browser(gateway.private_url).get("/metrics", ("Authorization", f"Bearer {TOKEN}"))
    [value] = pattern.findall(page.text)
    return float(value)


def edit(configuration: Configuration, before: str, after: str) -> None:
    """Change the configuration's file."""
    text = configuration.file.read_text()
    assert before in text
    configuration.file.write_text(text.replace(before, after))


def held_by(pid: int, port: int) -> int:
    """Return how many connections to a port a process has accepted."""
    return sum(connection.status == psutil.CONN_ESTABLISHED and connection.laddr.port == port
               for connection in psutil.Process(pid).net_connections("tcp"))


# ---- several workers -----------------------------------------------------------------------------------------


async def test_workers_share_the_port_and_one_scrape_tells_all(configuration: Configuration) -> None:
    """Each of two serves some of the connections; the sums are those of both, also after one of them has died."""
    async with serving(configuration, workers=2) as gateway:
        port = configuration.public_port
        async with steady_load(port, connections=16) as load:
            await until(lambda: load.answered > 200)
            shares = [held_by(worker, port) for worker in gateway.workers]
        assert load.failures == []
        assert len(shares) == 2
        assert min(shares) > 0
        await asyncio.sleep(1.5)  # a scrape may be a second late
        assert await metric(gateway, REQUESTS) == load.answered
        assert await metric(gateway, RESTARTS) == 0

        os.kill(gateway.workers[0], signal.SIGKILL)  # the one that is scraped
        await until(lambda: len(gateway.workers) == 2)
        assert await metric(gateway, REQUESTS) == load.answered
        assert await metric(gateway, RESTARTS) == 1


async def test_a_log_line_is_never_torn(configuration: Configuration) -> None:
    """Two workers write to one file, and every line of it is whole."""
    async with serving(configuration, workers=2) as gateway:
        async with steady_load(configuration.public_port, connections=16) as load:
            await until(lambda: load.answered > 1500)
        assert await gateway.stop() == 0
        lines = [json.loads(line) for line in gateway.log.splitlines()]
        assert sum(line.get("path") == "/page" for line in lines) == load.answered


async def test_a_killed_worker_loses_only_its_own_connections(configuration: Configuration) -> None:
    """Whoever connects meanwhile waits in the queue of the socket, and the next worker goes on with it."""
    async with serving(configuration) as gateway:
        for _ in range(3):
            [worker] = gateway.workers
            os.kill(worker, signal.SIGKILL)
            assert (await Browser(gateway.url).get("/page")).status == 200
        assert await metric(gateway, RESTARTS) == 3
        told = gateway.events("a worker ended by itself and is replaced")
        assert [(line["worker"], line["end"]) for line in told] == [(0, "signal 9 (Killed)")] * 3
        assert [line["pause_seconds"] for line in told] == [0.0, 0.5, 1.0]
        assert await gateway.stop() == 0


async def test_workers_leave_when_their_supervisor_is_killed(configuration: Configuration, app: EchoApp) -> None:
    """What runs is answered, nothing new is taken, and then nothing of the gateway is left."""
    async with serving(configuration, workers=2) as gateway:
        workers = gateway.workers
        page = beside(Browser(gateway.url).get("/held"))
        await app.arrived.wait()
        os.kill(gateway.pid, signal.SIGKILL)
        await gateway.ended()
        await until(lambda: not is_open(configuration.public_port))
        app.release.set()
        assert (await page).status == 200
        await until(lambda: not any(map(psutil.pid_exists, workers)))


def is_open(port: int) -> bool:
    return any(connection.laddr.port == port and connection.status == psutil.CONN_LISTEN
               for connection in psutil.net_connections("tcp"))


async def test_signals_to_a_worker_mean_its_supervisor(configuration: Configuration) -> None:
    """A terminal's Ctrl-C reaches every process of the group; workers wait for the supervisor's word."""
    async with serving(configuration, workers=2) as gateway:
        workers = gateway.workers
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            for worker in workers:
                os.kill(worker, number)
        assert (await Browser(gateway.url).get("/page")).status == 200
        os.killpg(gateway.pid, signal.SIGINT)
        assert await gateway.ended() == 0
        assert workers == [] or not any(map(psutil.pid_exists, workers))
        assert "Traceback" not in gateway.log


async def test_a_taken_address_is_one_sentence(configuration: Configuration) -> None:
    """Sharing a port among workers shares it with no other gateway."""
    async with serving(configuration):
        command = [*GatewayProcess(configuration, workers=2).command]
        process = await asyncio.create_subprocess_exec(
            *command, env={**os.environ, **configuration.environ}, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE)
        out, err = await process.communicate()
    sentence = f"listen.public: cannot listen on 127.0.0.1:{configuration.public_port}: Address already in use\n"
    assert (process.returncode, out.decode(), err.decode()) == (2, "", sentence)


# ---- the reload ----------------------------------------------------------------------------------------------


async def test_a_reload_loses_no_request(configuration: Configuration) -> None:
    """Under load, five times in a row, and the new settings hold; old workers are gone once their clients are."""
    async with serving(configuration, workers=2) as gateway:
        async with steady_load(configuration.public_port, connections=16) as load:
            for number in range(5):
                old = gateway.workers
                edit(configuration, f"fields = {100 + number}" if number else "[limits]",
                     f"fields = {101 + number}" if number else "[limits]\nfields = 101")
                os.kill(gateway.pid, signal.SIGHUP)
                await until(lambda count=number + 1: len(gateway.events("reloaded")) == count)
                await until(lambda old=old: not set(old) & set(gateway.workers))
            await until(lambda begun=load.answered: load.answered > begun + 100)
        assert load.failures == []
        assert load.answered > 500
        await asyncio.sleep(1.5)  # a scrape may be a second late
        assert await metric(gateway, REQUESTS) == load.answered
        assert await metric(gateway, RESTARTS) == 0


async def test_a_bad_file_changes_nothing(configuration: Configuration) -> None:
    """Its mistakes are logged with their places, and the old settings go on, also in a worker that is replaced."""
    async with serving(configuration) as gateway:
        [worker] = gateway.workers
        edit(configuration, "[limits]", "[limits]\nfields = 1\nnonsense = 2")
        os.kill(gateway.pid, signal.SIGHUP)
        await until(lambda: gateway.events("the settings are wrong, so those before stay"))
        [told] = gateway.events("the settings are wrong, so those before stay")
        assert [problem.split(": ")[1] for problem in told["problems"]] == ["limits.fields", "limits.nonsense"]
        assert gateway.workers == [worker]
        os.kill(worker, signal.SIGKILL)
        assert (await Browser(gateway.url).get("/page")).status == 200


async def test_a_reload_moves_the_listeners(configuration: Configuration) -> None:
    """At a new address the gateway answers before the old one is closed."""
    async with serving(configuration) as gateway:
        port = free_port()
        edit(configuration, f'public = "127.0.0.1:{configuration.public_port}"', f'public = "127.0.0.1:{port}"')
        os.kill(gateway.pid, signal.SIGHUP)
        await until(lambda: gateway.events("reloaded"))
        assert (await Browser(f"http://127.0.0.1:{port}").get("/page")).status == 200
        await until(lambda: not is_open(configuration.public_port))


async def test_a_reload_does_not_change_the_kind_of_store(configuration: Configuration) -> None:
    """That takes a restart, and the log says so."""
    async with serving(configuration) as gateway:
        edit(configuration, 'url = "env:TEST_STORE"', 'url = "embedded"')
        os.kill(gateway.pid, signal.SIGHUP)
        await until(lambda: gateway.events("the settings are wrong, so those before stay"))
        [told] = gateway.events("the settings are wrong, so those before stay")
        [problem] = told["problems"]
        assert problem.endswith('store.url: cannot change from or to "embedded" without a restart')


# ---- the end -------------------------------------------------------------------------------------------------


async def test_a_stop_answers_what_runs(configuration: Configuration, app: EchoApp) -> None:
    """A request at the app gets its answer, which says that it is the last; meanwhile nobody new is let in."""
    async with serving(configuration) as gateway:
        page = beside(Browser(gateway.url).get("/held"))
        await app.arrived.wait()
        os.kill(gateway.pid, signal.SIGTERM)
        await until(lambda: not listens(gateway, configuration.public_port))
        app.release.set()
        answer = await page
        assert (answer.status, answer.values("connection")) == (200, ["close"])
        assert await gateway.ended() == 0


def listens(gateway: GatewayProcess, port: int) -> bool:
    return any(connection.laddr.port == port and connection.status == psutil.CONN_LISTEN
               for worker in gateway.workers for connection in psutil.Process(worker).net_connections("tcp"))


async def test_a_delayed_stop_is_seen_before_it_is_felt(database: Secret, app: EchoApp, tmp_path: Path) -> None:
    """Readiness fails at once, and for the delay every connection is still answered, each for the last time."""
    configuration = configure(tmp_path, store=database, upstream=app.port, legacy=None,
                              listen="drain_delay_seconds = 2")
    async with serving(configuration, workers=2) as gateway:
        async with steady_load(configuration.public_port) as load:
            await until(lambda: load.answered > 20)
            begin = time.monotonic()
            os.kill(gateway.pid, signal.SIGTERM)
            statuses: Counter[int] = Counter()
            while time.monotonic() < begin + 1.5:
                statuses[(await Browser(gateway.private_url).get("/readyz")).status] += 1
        assert load.failures == []
        assert load.closes > 20
        assert statuses[503] > 3
        assert statuses[200] <= 1
        assert await gateway.ended() == 0
        assert time.monotonic() - begin > 2
