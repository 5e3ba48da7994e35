"""`sluicegate demo`: the site, the gateway before it, and what to open; until Ctrl-C.

Owns the order of things and their end. Each start first stops what an earlier one left over.
"""

import io
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from gateway.demo.cast import (
    POLL_SECONDS,
    check_running,
    chosen_port,
    prepare_site,
    start_gateway,
    start_site,
    wait_until_ready,
)
from gateway.demo.folder import state_folder, usable
from gateway.demo.processes import Processes
from gateway.demo.scene import Scene
from gateway.demo.seen import DidNotStart
from gateway.demo.users import USERS
from gateway.demo.walk import Walk
from gateway.errors import ConfigurationError
from gateway.model import Secret
from gateway.store.embedded import EmbeddedPostgres
from gateway.store.embedded.postmaster import Postmaster

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """Says that the demo was asked to stop; no event loop and no library takes it for an error."""


def demo(*, state: Path | None, port: int | None, private_port: int | None, walk: bool) -> int:
    """Run the demo until it is stopped, or walk through it; return the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True, errors="replace")  # read through a pipe, or in an old locale
    try:
        _listen_to_signals(_stop)
        with state_folder(state) as folder:
            with usable(folder):
                processes = Processes(folder)
            _clear(processes)  # before ports are chosen, which a leftover may still hold
            _run(_scene(folder, port, private_port), processes, walk=walk)
    except Stopped:
        return 1 if walk else 0  # a walk that was stopped has not seen everything
    return 0


def _clear(processes: Processes) -> None:
    for name in processes.stop_left_over():
        print(f"==> stopped what an earlier demo had left running: {name}")


def _scene(folder: Path, port: int | None, private_port: int | None) -> Scene:
    if port is not None and port == private_port:
        raise ConfigurationError("--port and --private-port must differ")
    return Scene(state=folder, site_port=chosen_port("", None), public_port=chosen_port("--port", port),
                 private_port=chosen_port("--private-port", private_port))


def _run(scene: Scene, processes: Processes, *, walk: bool) -> None:
    """Start everything, walk or wait, and stop everything, whatever happens."""
    try:
        with usable(scene.state):
            _open(scene, processes)
        if walk:
            _walk(scene)
        else:
            print(_invitation(scene))
            _wait(scene, processes)
    except Stopped:
        print("\n==> stopping")
        raise
    finally:
        _listen_to_signals(signal.SIG_IGN)
        processes.stop()
        _end_database(scene)
        print("==> everything this demo started is stopped")


def _open(scene: Scene, processes: Processes) -> None:
    scene.prepare()
    print("==> the site: Django with three staff users, in its own SQLite database")
    prepare_site(scene)
    start_site(scene, processes)
    print("==> the gateway before it, with an embedded Postgres as the new store")
    start_gateway(scene, processes)
    wait_until_ready(scene, processes)


def _walk(scene: Scene) -> None:
    """Perform the crossing; returns only when all of it was seen."""
    print("==> the walk")
    Walk(scene=scene, store_url=_store_url(scene)).run()
    print("==> the crossing is complete")


def _wait(scene: Scene, processes: Processes) -> None:
    """Wait for Ctrl-C, or for a process that ends by itself."""
    while True:
        check_running(scene, processes)
        time.sleep(POLL_SECONDS)


def _store_url(scene: Scene) -> Secret:
    url = EmbeddedPostgres(scene.store).attach()
    if url is None:
        raise DidNotStart("the embedded Postgres is not running")
    return url


def _invitation(scene: Scene) -> str:
    people = "\n".join(f"      {user.name:<6} {user.password:<18} {user.note}" for user in USERS)
    token = f'-H "Authorization: Bearer $(cat {shlex.quote(str(scene.token_file))})"'
    return f"""
  Open  {scene.public_url}/admin/  and log in as
{people}

  Metrics  curl {token} {scene.private_url}/metrics
  Users    curl {token} {scene.private_url}/api/users
  JWKS     {scene.public_url}/.well-known/jwks.json
  State    {scene.state}  (site.log, gateway.log, sluicegate.toml)

  Ctrl-C stops everything.
"""


def _end_database(scene: Scene) -> None:
    """End the database, should the gateway have gone without doing so."""
    postmaster = Postmaster.read(scene.store / "postgres" / "data")
    if postmaster is not None and postmaster.is_running():
        postmaster.end()


def _listen_to_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    """Set what a signal to stop does; one that was ignored from the start (nohup) stays so."""
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _stop(_number: int, _frame: FrameType | None) -> None:
    """Stop once: while things are being stopped, nothing interrupts that."""
    _listen_to_signals(signal.SIG_IGN)
    raise Stopped
