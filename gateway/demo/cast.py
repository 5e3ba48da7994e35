"""How the demo's two servers come on: the site with its tables and people, and the gateway before it."""

import json
import signal
import socket
import subprocess
import sys
import time
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from gateway.demo.processes import Processes
from gateway.demo.scene import HOST, Scene
from gateway.demo.seen import DidNotStart
from gateway.demo.users import USERS
from gateway.errors import ConfigurationError

READY_SECONDS = 60.0
ANSWER_SECONDS = 5.0
POLL_SECONDS = 0.1
SITE, GATEWAY = "site", "gateway"  # names of processes, and of their logs
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


def prepare_site(scene: Scene) -> None:
    """Make the site's tables and people where they are not there yet."""
    manage(scene, "migrate", "-v0")
    manage(scene, "shell", "-v0", "-c", SEED,
           given=json.dumps([(user.name, user.password, user.hasher) for user in USERS]))


def manage(scene: Scene, *arguments: str, given: str = "") -> None:
    """Run the site's manage.py; raises `DidNotStart` with its last word when it fails."""
    ended = subprocess.run(  # noqa: S603  # our own site
        [sys.executable, str(MANAGE), *arguments], input=given, env=scene.site_environ(), check=False,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8", errors="replace",
        start_new_session=True,  # a terminal's Ctrl-C is the demo's to answer
    )
    if ended.returncode:
        raise DidNotStart(f"the site's manage.py {arguments[0]} failed: {_last_line(ended.stderr)}")


def start_site(scene: Scene, processes: Processes) -> None:
    """Start gunicorn with the site. Its control socket would lie in the home folder, so it has none."""
    processes.start(SITE, [
        sys.executable, "-m", "gunicorn", "gateway.demo.site.wsgi", "--bind", f"{HOST}:{scene.site_port}",
        "--workers", "2", "--threads", "4", "--graceful-timeout", "2", "--log-level", "warning", "--no-control-socket",
        "--pid", str(scene.state / "run" / "gunicorn"), "--worker-tmp-dir", str(scene.state / "run"),
    ], environ=scene.site_environ())


def start_gateway(scene: Scene, processes: Processes) -> None:
    """Start the gateway with the scene's configuration."""
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(scene.configuration)]
    processes.start(GATEWAY, command, environ={})


def wait_until_ready(scene: Scene, processes: Processes) -> None:
    """Wait for both listeners; raises `DidNotStart` with the last word of a process that does not answer."""
    deadline = time.monotonic() + READY_SECONDS
    for port, path in ((scene.private_port, "/readyz"), (scene.public_port, "/admin/login/")):
        while not _answers(port, path):
            check_running(scene, processes)
            if time.monotonic() > deadline:
                raise DidNotStart(f"nothing answers at {HOST}:{port}{path}; {_last_word(scene, GATEWAY)}")
            time.sleep(POLL_SECONDS)


def check_running(scene: Scene, processes: Processes) -> None:
    """Raise `DidNotStart` if a process has ended by itself."""
    ended = processes.ended()
    if ended is None:
        return
    code = processes.exit_code(ended) or 0
    if code < 0:  # what its log says last has nothing to do with that
        raise DidNotStart(f"the {ended} was ended by signal {-code} ({signal.strsignal(-code)}), not by the demo")
    raise DidNotStart(f"the {ended} has ended by itself with exit code {code}; {_last_word(scene, ended)}")


def chosen_port(option: str, wanted: int | None) -> int:
    """Return the wanted port, or a free one; raises `ConfigurationError` when nobody may listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
        try:
            probe.bind((HOST, wanted or 0))
        except OSError as error:
            raise ConfigurationError(f"{option} {wanted}: cannot listen there ({error.strerror})") from None
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int, path: str) -> bool:
    connection = HTTPConnection(HOST, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _last_word(scene: Scene, name: str) -> str:
    log = scene.state / f"{name}.log"
    return f"{log} ends with: {_last_line(log.read_text('utf-8', errors='replace'))}"


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")
