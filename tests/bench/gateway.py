"""Our own side: gateways as operators run them, with people who can log in."""

import sqlite3
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import argon2

from gateway.demo.scene import free_ports
from tests.bench.contestant import Contestant
from tests.bench.fleet import POLL_SECONDS, READY_SECONDS, CannotMeasure, Running
from tests.bench.stage import TEMPLATES, Stage
from tests.bench.wire import Wire, ask_once, browser_request, login_request

PLAIN = "Sluicegate, plain"
FULL = "Sluicegate, full gateway"
PASSWORD = "correct-horse-battery"
PEOPLE = 16
MEMORY_KIB, PASSES, LANES = 19456, 2, 1  # the gateway's own defaults
APP_COOKIE = "app_session"
MOVED = 302
LISTENING = '"listening"'


def hasher() -> argon2.PasswordHasher:
    """Return what the store's passwords cost, without anything around it."""
    return argon2.PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


def name_of(number: int) -> str:
    """Return the name of one of the people."""
    return f"person-{number % PEOPLE}"


def start_gateway(stage: Stage, *, full: bool, cores: Sequence[int], workers: int = 1) -> Contestant:
    """Start a gateway and wait until it is ready.

    A full one has a source, rules and an access log, and its request carries the session of somebody who has
    logged in; a plain one passes everything on.
    """
    port, private = free_ports(2)
    name = FULL if full else PLAIN
    values = {"PORT": port, "PRIVATE": private, "ACCESS": f'"{stage.folder}/access-{port}.log"' if full else "false",
              "GUARD": ""}
    if full:
        write_people(stage.folder / "people.sqlite3")
        values["GUARD"] = stage.fill(TEMPLATES.joinpath("sluicegate-full.toml").read_text(), values)
    file = stage.lay(f"sluicegate-{port}.toml", "sluicegate.toml", values)
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(file), "--workers", str(workers)]
    running = stage.fleet.start(name, command, cores=cores)
    wait_until_listening(running)
    cookie = log_in(port, name_of(0)) if full else ""
    request = stage.folder / f"request-{port}"
    size = request.write_bytes(browser_request(port, cookie=cookie))
    if full and not ask_once(port, browser_request(port, "/seen", cookie=cookie)).body:
        raise CannotMeasure("the app sees no identity fields")
    note = f"requests of {size} bytes: a browser sends all three of its cookies" if full else ""
    return Contestant(name=name, port=port, running=[running], request=request, note=note)


def wait_until_listening(running: Running) -> None:
    """Wait until the gateway says that every worker serves; the first one is ready before the others."""
    deadline = time.monotonic() + READY_SECONDS
    while LISTENING not in running.log.read_text(errors="replace"):
        running.expect_alive()
        if time.monotonic() > deadline:
            raise CannotMeasure(f"{running.name} does not say that it listens")
        time.sleep(POLL_SECONDS)


def log_in(port: int, name: str) -> str:
    """Log somebody in and return the gateway's cookies; their first login moves them into the store."""
    with Wire(port) as wire:
        return session_of(wire, port, name)


def session_of(wire: Wire, port: int, name: str) -> str:
    """Log in over an open connection; raises `CannotMeasure` when that makes no session."""
    answer = wire.ask(login_request(port, name, PASSWORD))
    cookies = {key: value for key, value in answer.cookies.items() if key != APP_COOKIE}
    if answer.status != MOVED or not cookies:
        raise CannotMeasure(f"a login was answered with {answer.status} and {len(cookies)} cookies of the gateway")
    return "; ".join(f"{key}={value}" for key, value in cookies.items())


def move_everybody(port: int) -> None:
    """Have all people log in once, so that the store decides from now on."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: log_in(port, name_of(number)), range(PEOPLE)))


def write_people(place: Path) -> None:
    """Make the legacy user table, unless it is there; everybody has the same password."""
    if place.exists():
        return
    with closing(sqlite3.connect(place)) as database, database:
        database.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT UNIQUE, password TEXT)")
        encoded = hasher().hash(PASSWORD)
        database.executemany("INSERT INTO people (name, password) VALUES (?, ?)",
                             [(name_of(number), encoded) for number in range(PEOPLE)])
