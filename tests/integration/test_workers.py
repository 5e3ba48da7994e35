"""Workers and their supervisor, as processes: who serves, who dies, who is told what, and what is counted."""

import asyncio
import json
import os
import re
import resource
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psutil
import pytest

from gateway.demo.scene import free_port
from gateway.errors import SluicegateError
from gateway.model import Secret
from gateway.proxy.tasks import Tasks
from gateway.server.generation import Generation, Ledger, Patience, Terms
from gateway.server.listeners import Leave
from gateway.server.sockets import Sockets
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


async def test_a_scrape_never_says_less_than_the_one_before(configuration: Configuration) -> None:
    """A worker that was told no sums yet has none to show, and says so instead of its own."""
    async with serving(configuration) as gateway:
        for _ in range(5):
            assert (await Browser(gateway.url).get("/page")).status == 200
        await asyncio.sleep(1.5)
        os.kill(gateway.workers[0], signal.SIGKILL)
        await Browser(gateway.url).get("/page")
        os.kill(gateway.pid, signal.SIGSTOP)
        page = await Browser(gateway.private_url).get("/metrics", ("Authorization", f"Bearer {TOKEN}"))
        os.kill(gateway.pid, signal.SIGCONT)
        assert (page.status, "has not told" in page.text) == (503, True)
        assert await metric(gateway, REQUESTS) == 6


async def test_every_process_may_open_what_is_allowed(configuration: Configuration) -> None:
    """However low the limit is that it was started with."""
    gateway = GatewayProcess(configuration, within=("sh", "-c", 'ulimit -Sn 256; exec "$@"', "sh"))
    async with gateway:
        for pid in (gateway.pid, *gateway.workers):
            soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            assert soft == hard > 256


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


async def test_workers_that_die_together_leave_the_supervisor_its_ears(configuration: Configuration) -> None:
    """All are replaced at once, and a stop is still heard."""
    async with serving(configuration, workers=3) as gateway:
        dead = gateway.workers
        for worker in dead:
            os.kill(worker, signal.SIGKILL)
        await until(lambda: len(set(gateway.workers) - set(dead)) == 3)
        assert (await Browser(gateway.url).get("/page")).status == 200
        assert await gateway.stop() == 0
        assert "Unknown child process" not in gateway.log


@pytest.mark.parametrize("seconds", [0.3, 0.6, 0.9])
async def test_a_stop_during_the_start_leaves_nothing(configuration: Configuration, seconds: float) -> None:
    """Whatever had come up by then: the exit code is 0 and no word is lost about the processes that were killed."""
    gateway = GatewayProcess(configuration, workers=4)
    starting = beside(gateway.start())
    await asyncio.sleep(0)
    try:
        await until(lambda: gateway.workers)
        await asyncio.sleep(seconds)
        assert await gateway.stop() == 0
    finally:
        await asyncio.gather(starting, return_exceptions=True)
        gateway.kill()
    assert "Unknown child process" not in gateway.log
    assert "Traceback" not in gateway.log


@contextmanager
def no_descriptors(pid: int) -> Iterator[None]:
    """Let a process open nothing more meanwhile."""
    former = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, former[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, former)


SPENT = "a worker cannot be started (Too many open files): raise the gateway's limits"


async def test_a_worker_that_cannot_be_started_is_tried_again(configuration: Configuration) -> None:
    """For as long as the system allows no process; each time the reason is logged."""
    async with serving(configuration) as gateway:
        with no_descriptors(gateway.pid):
            os.kill(gateway.workers[0], signal.SIGKILL)
            await until(lambda: len(gateway.events("a worker is not replaced yet")) == 2)
            assert gateway.workers == []
        told = gateway.events("a worker is not replaced yet")
        assert [(line["reason"], line["pause_seconds"]) for line in told] == [(SPENT, 0.5), (SPENT, 1.0)]
        assert (await Browser(gateway.url).get("/page")).status == 200
        assert await gateway.stop() == 0


async def test_reloads_in_a_row_and_a_stop_are_all_heard(configuration: Configuration) -> None:
    """The second reload comes while the first one's worker hangs, the stop while the third one's does."""
    async with serving(configuration) as gateway:
        hung = await hang_a_reload(gateway)
        os.kill(gateway.pid, signal.SIGHUP)
        os.kill(hung, signal.SIGCONT)
        await until(lambda: len(gateway.events("reloaded")) == 2)
        await hang_a_reload(gateway)
        assert await gateway.stop() == 0


async def hang_a_reload(gateway: GatewayProcess) -> int:
    """Reload, and stop the new worker as soon as it is there."""
    former = set(gateway.workers)
    os.kill(gateway.pid, signal.SIGHUP)
    await until(lambda: set(gateway.workers) - former)
    [new] = set(gateway.workers) - former
    os.kill(new, signal.SIGSTOP)
    return new


class Told:
    """Keeps what a generation logs."""

    def __init__(self) -> None:
        self.reasons: list[list[str]] = []

    def error(self, _event: str, **more: object) -> None:
        reasons = more["reasons"]
        assert isinstance(reasons, list)
        self.reasons.append(reasons)


@asynccontextmanager
async def one_worker(configuration: Configuration, monkeypatch: pytest.MonkeyPatch, told: Told,
                     patience: Patience) -> AsyncIterator[Generation]:
    """Make a generation of one worker, which is not open yet."""
    for name, value in configuration.environ.items():
        monkeypatch.setenv(name, value)
    settings = configuration.settings()
    sockets, tasks = Sockets.open(settings, 1), Tasks(pytest.fail)
    terms = Terms(configuration=configuration.file, text=configuration.file.read_text(), store=settings.store.url,
                  sockets=sockets)
    generation = Generation(terms, Ledger(), tasks, told, patience)  # type: ignore[arg-type]
    try:
        yield generation
    finally:
        generation.kill()
        await generation.ended()
        sockets.close()
        await tasks.close(0)


def own_workers() -> list[int]:
    return [child.pid for child in psutil.Process().children() if "gateway.server.worker" in child.cmdline()]


async def test_a_worker_that_hangs_while_it_serves_is_replaced(configuration: Configuration,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    """It is known by its silence; one that has nothing to do is not silent."""
    told = Told()
    async with one_worker(configuration, monkeypatch, told, Patience(silent=3.0)) as generation:
        await generation.open()
        [worker] = own_workers()
        await asyncio.sleep(4)
        assert own_workers() == [worker]
        os.kill(worker, signal.SIGSTOP)
        assert (await Browser(configuration.url).get("/page")).status == 200  # by the next one
        assert told.reasons == [["a worker said nothing for 3 s"]]
        [hung] = own_workers()
        os.kill(hung, signal.SIGSTOP)
        generation.leave(Leave(grace=0.0))
        await generation.ended()
        assert told.reasons[1:] == [["a worker said nothing for 3 s"]]


async def test_a_worker_that_hangs_at_its_start_is_ended(configuration: Configuration,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever started it is told in one sentence."""
    told = Told()
    async with one_worker(configuration, monkeypatch, told, Patience(start=2.0)) as generation:
        opening = beside(generation.open())
        await until(own_workers)
        os.kill(own_workers()[0], signal.SIGSTOP)
        with pytest.raises(SluicegateError, match=r"^a worker was not ready within 2 s$"):
            await opening
        await generation.ended()
        assert own_workers() == []
        assert told.reasons == []


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
        assert len(workers) == 2
        assert not any(map(psutil.pid_exists, workers))
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


async def test_a_reload_that_can_start_nothing_changes_nothing(configuration: Configuration) -> None:
    """The system allows no process: that is logged, and the old workers go on."""
    async with serving(configuration) as gateway:
        workers = gateway.workers
        held = max(int(one.name) for one in Path(f"/proc/{gateway.pid}/fd").iterdir())
        former = resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (held + 3, former[1]))
        os.kill(gateway.pid, signal.SIGHUP)
        await until(lambda: gateway.events("the new workers cannot start, so those before stay"))
        [told] = gateway.events("the new workers cannot start, so those before stay")
        assert told["reason"] == SPENT
        resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, former)
        assert gateway.workers == workers
        os.kill(gateway.pid, signal.SIGHUP)
        await until(lambda: gateway.events("reloaded"))
        assert await gateway.stop() == 0


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
