"""A data plane alone in a process of its own, whose memory can be measured: `python -m tests.helpers.data_plane PORT`.

Passes everything to an app on the given port of this machine, says its own port on standard output, and serves
until its standard input ends.
"""

import asyncio
import contextlib
import gc
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import uvloop

from gateway.proxy.addresses import Address
from gateway.proxy.connections import Connections
from gateway.proxy.ids import RequestIds
from gateway.proxy.limits import Limits
from gateway.proxy.peers import Peers
from gateway.proxy.sites import Site, Sites
from gateway.proxy.surroundings import Surroundings
from gateway.proxy.tasks import Tasks
from gateway.proxy.upstream import Upstream
from tests.helpers.proxy import PassAll

ROOT = Path(__file__).parents[2]
KIB = 1024
WANTED_FILES = 20_000
LOOK_SECONDS = 0.1
PATIENCE = 60.0


class Deaf:
    """Is a Traffic that forgets."""

    def answered(self, *_what: object) -> None:
        pass


def allow_files() -> int:
    """Allow as many open files as may be, up to what is wanted; return how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, WANTED_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed


async def serve(app_port: int) -> None:
    limits = Limits()
    tasks = Tasks(lambda error: sys.stderr.write(f"{error!r}\n"))
    upstream = Upstream(Address(host="127.0.0.1", port=app_port), limits=limits, tasks=tasks, clock=time.monotonic,
                        on_error=lambda _kind: None)
    connections = Connections(Surroundings(
        sites=Sites([Site(name="shop", hosts=("*",), upstream=upstream)]), interceptor=PassAll(),
        traffic=Deaf(), limits=limits, peers=Peers(trusted=[], scheme=b"http"), tasks=tasks,
        request_ids=RequestIds(os.urandom), clock=time.monotonic,
        on_crash=lambda error, _id: sys.stderr.write(f"{error!r}\n")))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(connections, "127.0.0.1", 0, backlog=4096)
    connections.start()
    gc.collect()
    gc.freeze()
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    os._exit(0)


@dataclass
class DataPlane:
    """Is such a process."""

    process: "subprocess.Popen[str]"
    port: int

    @property
    def resident(self) -> int:
        """Return its resident memory in KiB."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * resource.getpagesize() // KIB

    async def settled(self) -> int:
        """Return its resident memory once nothing is left that it, or this loop, could do at the moment.

        It has slept from one look to the next then: a process that only gets no time to run is not asleep.
        """
        seen = looked = None
        async with asyncio.timeout(PATIENCE):
            while looked is None or looked != seen:
                seen = looked
                await asyncio.sleep(LOOK_SECONDS)
                for _ in range(3):  # what has come for this loop's own sides is seen to first
                    await asyncio.sleep(0)
                looked = self._sleeps()
        return self.resident

    def _sleeps(self) -> int | None:
        """Return how often it has gone to sleep, or None as long as it is awake."""
        main = psutil.Process(self.process.pid)
        count: int = main.num_ctx_switches().voluntary
        return count if main.status() == psutil.STATUS_SLEEPING else None


@contextlib.contextmanager
def data_plane(app_port: int) -> Iterator[DataPlane]:
    """Run a data plane before an app."""
    process = subprocess.Popen([sys.executable, "-m", "tests.helpers.data_plane", str(app_port)], cwd=ROOT,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield DataPlane(process, int(process.stdout.readline()))
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    allow_files()
    uvloop.run(serve(int(sys.argv[1])))
