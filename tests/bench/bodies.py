"""Large bodies: what 100 MiB cost in each direction, whether every byte arrives, and what slow readers make us hold."""

import contextlib
import hashlib
import time
from collections.abc import Callable
from contextlib import ExitStack

from tests.bench.contestant import Contestant
from tests.bench.cpu import cpu_seconds, resident_bytes
from tests.bench.fleet import CannotMeasure
from tests.bench.gateway import PLAIN, start_gateway
from tests.bench.peers import PASSING, start_peer
from tests.bench.report import Bar, Cell, Section, middle
from tests.bench.stage import BIG_MIB, MIB, Stage
from tests.bench.wire import Wire, browser_request

OK = 200
TIMES = 3
GIB = 1024 * MIB
BYTES = BIG_MIB * MIB
READERS = 8
READER_PIECE, READER_REST = 16 * 1024, 0.05  # eight readers that take 0.3 MiB/s each
SLOW_SECONDS = 4
FLAT_MIB = 1.0  # for each reader: a socket's and the gateway's own buffers, and no part of the body beyond them
COLUMNS = ("proxy", "direction", "CPU s per GiB", "seconds", "byte-exact")


def run(stage: Stage) -> Section:
    """Send and fetch through us and nginx, then read slowly from us."""
    ours = start_gateway(stage, full=False, cores=stage.machine.proxy)
    nginx = start_peer(stage, PASSING["nginx"])
    try:
        digest = hashlib.sha256((stage.folder / "big").read_bytes()).hexdigest()
        ways = {"app to client": fetch, "client to app": send}
        rows = [row(stage, one, way, move, digest) for one in (ours, nginx) for way, move in ways.items()]
        grown = slow_readers(stage, ours)
    finally:
        stage.fleet.stop(*ours.running, *nginx.running)
    costs = {way: cost for name, way, cost, _, _ in rows if name == PLAIN and isinstance(cost, float)}
    return Section(
        title=f"Bodies of {BIG_MIB} MiB", columns=COLUMNS, rows=rows,
        bars=[*(Bar(what=f"{BIG_MIB} MiB body, {way}", value=costs.get(way), bar=1.0, unit="CPU s/GiB")
                for way in ways),
              Bar(what="memory held for a slow reader", value=grown, bar=FLAT_MIB, unit="MiB",
                  note=f"{READERS} readers of {BIG_MIB} MiB each, the most in {stage.seconds(SLOW_SECONDS)} s")],
        notes=["Byte-exact: the SHA-256 of what arrived is that of what was sent."],
        is_whole=all(exact == "yes" for *_, exact in rows),
    )


def row(stage: Stage, one: Contestant, way: str, move: Callable[[Stage, Contestant], str], digest: str) -> list[Cell]:
    """Move the body some times in one direction."""
    costs, took, arrived = [], [], set()
    for _ in range(stage.seconds(TIMES)):
        before, began = cpu_seconds(one.pids), time.monotonic()
        arrived.add(move(stage, one))
        costs.append((cpu_seconds(one.pids) - before) / BYTES * GIB)
        took.append(time.monotonic() - began)
    return [one.name, way, middle(costs), middle(took), "yes" if arrived == {digest} else "NO"]


def fetch(stage: Stage, one: Contestant) -> str:
    """Fetch the body and return its digest."""
    digest, missing = hashlib.sha256(), BYTES
    with Wire(one.port) as wire:
        start_fetching(wire, one)
        while missing > 0:
            piece = wire.read_some()
            digest.update(piece)
            missing -= len(piece)
    return digest.hexdigest()


def start_fetching(wire: Wire, one: Contestant) -> None:
    """Ask for the large file and read the answer's head."""
    wire.socket.sendall(browser_request(one.port, "/big"))
    _, fields = wire.read_head()
    if ("content-length", str(BYTES)) not in fields:
        raise CannotMeasure(f"{one.name} does not answer with the file: {fields}")


def send(stage: Stage, one: Contestant) -> str:
    """Send the body and return the digest of what arrived."""
    head = browser_request(one.port, "/sink").replace(b"GET /sink", b"PUT /sink", 1)
    head = head.replace(b"Host: 127.0.0.1:%d" % one.port, b"Host: sink.test")
    with Wire(one.port) as wire, (stage.folder / "big").open("rb") as file:
        wire.socket.sendall(head[:-2] + b"Content-Length: %d\r\n\r\n" % BYTES)
        wire.socket.sendfile(file)
        answer = wire.ask(b"")
    if answer.status != OK:
        raise CannotMeasure(f"{one.name} answered a body with {answer.status}")
    return answer.body.decode()


def slow_readers(stage: Stage, one: Contestant) -> float:
    """Return the MiB by which a proxy has grown for each reader that takes its time, at the most."""
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(one.port)) for _ in range(READERS)]
        before = most = resident_bytes(one.pids)
        for wire in wires:
            start_fetching(wire, one)
        ends = time.monotonic() + stage.seconds(SLOW_SECONDS)
        while time.monotonic() < ends:
            for wire in wires:
                with contextlib.suppress(TimeoutError):
                    wire.read_some(READER_PIECE)
            time.sleep(READER_REST)
            most = max(most, resident_bytes(one.pids))
    return (most - before) / MIB / READERS
