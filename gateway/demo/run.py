"""`sluicegate demo`: the site, the gateway before it, and what to open; until Ctrl-C.

Owns the processes and the state folder. Each start first stops what an earlier one left over.
"""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from types import FrameType

from gateway.demo.processes import Processes
from gateway.demo.scene import Scene, free_port
from gateway.demo.users import USERS
from gateway.demo.walk import NotSeen, Walk
from gateway.errors import ConfigurationError
from gateway.model import Secret
from gateway.store.embedded import EmbeddedPostgres

READY_SECONDS = 60.0
POLL_SECONDS = 0.1
MANAGE = Path(__file__).parent / "site" / "manage.py"
SEED = """
import json, sys
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
for name, password, hasher in json.loads(sys.stdin.read()):
    user, is_new = User.objects.get_or_create(username=name, defaults=dict(
        email=name + "@example.test", is_staff=True, is_superuser=True))
    if is_new:
        user.password = make_password(password, hasher=hasher)
        user.save()
"""


class Stopped(Exception):
    """Says that the demo was asked to stop."""


def demo(*, state: Path | None, port: int | None, private_port: int | None, walk: bool) -> int:
    """Run the demo, or walk through it; return the exit code."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    with _state_folder(state) as folder:
        scene = Scene(state=folder, site_port=free_port(), public_port=port or free_port(),
                      private_port=private_port or free_port())
        processes = Processes(folder)
        for name in processes.stop_left_over():
            print(f"==> stopped what an earlier demo had left running: {name}")
        try:
            return _play(scene, processes, walk=walk)
        except Stopped:
            print("\n==> stopping")
            return 0
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            processes.stop()
            print("==> everything this demo started is stopped")


def _play(scene: Scene, processes: Processes, *, walk: bool) -> int:
    """Start everything, then walk or wait."""
    scene.prepare()
    print("==> the site: Django with three staff users, in its own SQLite database")
    _prepare_site(scene)
    processes.start("site", _gunicorn(scene), environ=scene.site_environ())
    print("==> the gateway before it, with an embedded Postgres as the new store")
    processes.start("gateway", _gateway(scene), environ={})
    _wait_until_ready(scene, processes)
    if walk:
        return _walk(scene)
    print(_invitation(scene))
    while processes.ended() is None:
        time.sleep(POLL_SECONDS)
    print(f"==> {processes.ended()} ended by itself; its log: {scene.state / f'{processes.ended()}.log'}")
    return 1


def _walk(scene: Scene) -> int:
    """Perform the crossing; 0 only when all of it was seen."""
    print("==> the walk")
    try:
        Walk(scene=scene, store_url=_store_url(scene)).run()
    except NotSeen as missing:
        print(f"==> the walk ends here; not seen: {missing}", file=sys.stderr)
        return 1
    print("==> the crossing is complete")
    return 0


def _prepare_site(scene: Scene) -> None:
    """Make the site's tables and users where they are not there yet."""
    seeds = json.dumps([(user.name, user.password, user.hasher) for user in USERS])
    for arguments, given in ((("migrate", "-v0"), ""), (("shell", "-v0", "-c", SEED), seeds)):
        subprocess.run(  # noqa: S603  # our own site
            [sys.executable, str(MANAGE), *arguments],
            input=given, text=True, env=scene.site_environ(), check=True, stdout=subprocess.DEVNULL,
        )


def _gunicorn(scene: Scene) -> list[str]:
    return [
        sys.executable, "-m", "gunicorn", "gateway.demo.site.wsgi", "--bind", f"127.0.0.1:{scene.site_port}",
        "--workers", "2", "--threads", "4", "--graceful-timeout", "2", "--log-level", "warning",
        "--pid", str(scene.state / "run" / "gunicorn"), "--worker-tmp-dir", str(scene.state / "run"),
    ]


def _gateway(scene: Scene) -> list[str]:
    return [sys.executable, "-m", "gateway", "serve", "--config", str(scene.configuration)]


def _wait_until_ready(scene: Scene, processes: Processes) -> None:
    """Wait for both listeners; a process that ended says why in its log."""
    deadline = time.monotonic() + READY_SECONDS
    for url in (f"{scene.private_url}/readyz", f"{scene.public_url}/admin/login/"):
        while not _answers(url):
            ended = processes.ended()
            if ended or time.monotonic() > deadline:
                log = scene.state / f"{ended or 'gateway'}.log"
                raise ConfigurationError(f"the {ended or 'gateway'} did not start:\n{_last_lines(log)}")
            time.sleep(POLL_SECONDS)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # our own address
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-5:])


def _store_url(scene: Scene) -> Secret:
    url = EmbeddedPostgres(scene.state / "store").attach()
    if url is None:
        raise NotSeen("the embedded Postgres running")
    return url


def _invitation(scene: Scene) -> str:
    people = "\n".join(f"       {user.name:<6} {user.password:<22} ({user.note})" for user in USERS)
    return f"""
  Open {scene.public_url}/admin/ and log in as
{people}

  Metrics  curl -H "Authorization: Bearer $(cat {scene.state}/store/private-token)" {scene.private_url}/metrics
  Users    curl -H "Authorization: Bearer $(cat {scene.state}/store/private-token)" {scene.private_url}/api/users
  JWKS     {scene.public_url}/.well-known/jwks.json
  State    {scene.state} (logs: site.log, gateway.log)

  Ctrl-C stops everything.
"""


@contextlib.contextmanager
def _state_folder(named: Path | None) -> Iterator[Path]:
    """Yield the named folder, made where it is missing, or a temporary one that goes at the end."""
    if named is not None:
        named.mkdir(parents=True, exist_ok=True)
        yield named.resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="sluicegate-demo-")).resolve()
    folder.chmod(0o711)  # as root, the database runs as another user, who must get through
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Stopped
