"""The proxies that face the raw cases: the gateway, nginx and haproxy, each before the same recording app.

Each has three listeners: one as usual, one on which every time limit is a second, one that believes its peers.
The peers are Debian's packages, configured as their manuals advise a careful operator: HTTP/1.1 and keep-alive
to the app, forwarding fields written anew, WebSockets allowed, bounds like the gateway's where there is a
setting for them.
"""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from gateway.demo.scene import free_ports
from gateway.model import Secret
from tests.helpers.gateways import PRESET, Configuration, GatewayProcess, configure
from tests.raw.cases import Front
from tests.raw.cases_fields import NAMES

READY_SECONDS = 10.0
STOP_SECONDS = 5.0
WRITTEN = {
    "X-Forwarded-For": ("$remote_addr", "%[src]"),
    "X-Forwarded-Proto": ("$scheme", "http"),
    "X-Forwarded-Host": ("$host", "%[req.hdr(host)]"),
}
USERS = ("X-Forwarded-User", "X-Forwarded-Email", "X-Original-URL", "X-Rewrite-URL")

Ports = Mapping[Front, int]

TIMES = """
head_seconds = 1
login_body_seconds = 1
keep_alive_seconds = 1
upstream_connect_seconds = 1
answer_head_seconds = 1
answer_stall_seconds = 1
body_grace_seconds = 1
tunnel_idle_seconds = 1"""
NEVER_APP = """
[[app]]
name = "never"
hosts = ["never.test"]
upstream = "http://127.0.0.1:{port}"
"""


@contextmanager
def deaf_app() -> Iterator[int]:
    """Listen on a port whose queue of connections is full, so that nobody is ever accepted."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(2):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(listener.getsockname())
        yield listener.getsockname()[1]


def _configuration(folder: Path, front: Front, database: Secret, app: int, never: int) -> Configuration:
    place = folder / front.value
    place.mkdir()
    times = TIMES if front is Front.HASTY else ""
    configuration = configure(
        place,
        store=database,
        upstream=app,
        legacy=None,
        app=PRESET,
        rest=NEVER_APP.format(port=never),
        limits=f"denial_seconds = 0{times}",
    )
    if front is Front.TRUSTING:
        text = configuration.file.read_text()
        configuration.file.write_text(text.replace("[listen]", '[listen]\ntrusted_proxies = ["127.0.0.0/8"]', 1))
    return configuration


@asynccontextmanager
async def sluicegate(folder: Path, database: Secret, app: int, never: int) -> AsyncIterator[Ports]:
    """Run three gateways, as operators do, which share a store."""
    async with AsyncExitStack() as stack:
        ports = {}
        for front in Front:
            configuration = _configuration(folder, front, database, app, never)
            await stack.enter_async_context(GatewayProcess(configuration))
            ports[front] = configuration.public_port
        yield ports


NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server_tokens off;
    client_header_buffer_size 8k;
    large_client_header_buffers 4 8k;
    keepalive_timeout 75s;
    proxy_http_version 1.1;
    map $http_upgrade $upgraded {{ default ""; websocket upgrade; }}
    map $http_upgrade $upgrade {{ default ""; websocket websocket; }}
    upstream app {{ server 127.0.0.1:{app}; keepalive 16; }}
    upstream never {{ server 127.0.0.1:{never}; }}
{servers}
}}
"""
NGINX_SERVER = """
    server {{
        listen 127.0.0.1:{port};
        server_name {name};
        {times}
        location / {{
            proxy_pass http://{upstream};
            proxy_set_header Host $host;
            proxy_set_header Upgrade $upgrade;
            proxy_set_header Connection $upgraded;
{fields}
        }}
    }}"""
NGINX_TIMES = """client_header_timeout 1s; client_body_timeout 1s; keepalive_timeout 1s;
        proxy_connect_timeout 1s; proxy_read_timeout 1s;"""


def _nginx_fields(front: Front) -> str:
    if front is Front.TRUSTING:
        values = {"X-Forwarded-For": "$proxy_add_x_forwarded_for"} | dict.fromkeys(USERS, '""')
    else:
        values = {name: WRITTEN.get(name, ('""', ""))[0] for name in NAMES}
    return "\n".join(f"            proxy_set_header {name} {value};" for name, value in values.items())


@asynccontextmanager
async def nginx(folder: Path, app: int, never: int) -> AsyncIterator[Ports]:
    """Run Debian's nginx."""
    ports = dict(zip(Front, free_ports(len(Front)), strict=True))
    servers = "".join(
        NGINX_SERVER.format(
            port=port,
            name=name,
            upstream=upstream,
            fields=_nginx_fields(front),
            times=NGINX_TIMES if front is Front.HASTY else "",
        )
        for front, port in ports.items()
        for name, upstream in (("_", "app"), ("never.test", "never"))
    )
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, app=app, never=never, servers=servers))
    async with _running(["nginx", "-p", str(folder), "-c", str(file), "-e", str(folder / "error.log")], folder, ports):
        yield ports


HAPROXY = """
global
    maxconn 1000
    tune.bufsize 33792
    tune.http.maxhdr 101
defaults
    mode http
    option http-keep-alive
    timeout connect 5s
    timeout server 60s
    timeout client 60s
    timeout http-request 20s
    timeout http-keep-alive 75s
    timeout tunnel 1h
    option http-restrict-req-hdr-names delete
"""
HAPROXY_FRONT = """
frontend {front}
    bind 127.0.0.1:{port}
{fields}
    use_backend {front}_never if {{ hdr(host) never.test }}
    default_backend {front}_app
{client_times}
backend {front}_app
    server app 127.0.0.1:{app}
{server_times}
backend {front}_never
    retries 0
    server app 127.0.0.1:{never}
{server_times}
"""
HAPROXY_CLIENT_TIMES = "    timeout client 1s\n    timeout http-request 1s\n    timeout http-keep-alive 1s"
HAPROXY_SERVER_TIMES = "    timeout connect 1s\n    timeout server 1s"


def _haproxy_fields(front: Front) -> str:
    trusting = front is Front.TRUSTING
    lines = [f"    http-request del-header {name}" for name in (USERS if trusting else NAMES)]
    if trusting:
        return "\n".join([*lines, "    option forwardfor"])
    return "\n".join([*lines, *(f"    http-request set-header {name} {value}" for name, (_, value) in WRITTEN.items())])


@asynccontextmanager
async def haproxy(folder: Path, app: int, never: int) -> AsyncIterator[Ports]:
    """Run Debian's haproxy."""
    ports = dict(zip(Front, free_ports(len(Front)), strict=True))
    fronts = "".join(
        HAPROXY_FRONT.format(
            front=front.value,
            port=port,
            app=app,
            never=never,
            fields=_haproxy_fields(front),
            client_times=HAPROXY_CLIENT_TIMES if front is Front.HASTY else "",
            server_times=HAPROXY_SERVER_TIMES if front is Front.HASTY else "",
        )
        for front, port in ports.items()
    )
    file = folder / "haproxy.cfg"
    file.write_text(HAPROXY + fronts)
    async with _running(["haproxy", "-db", "-f", str(file)], folder, ports):
        yield ports


def program(name: str) -> str:
    """Return where a peer's program lies; Debian keeps servers off the path of users."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None:
        raise SystemExit(f"{name} is not installed; `make test-deps` installs it")
    return found


@asynccontextmanager
async def _running(command: list[str], folder: Path, ports: Ports) -> AsyncIterator[None]:
    """Run a server in the foreground until the block is left, once it listens on all ports."""
    with (folder / f"{command[0]}.log").open("ab") as log:
        process = subprocess.Popen(
            [program(command[0]), *command[1:]], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        async with asyncio.timeout(READY_SECONDS):
            while not all(map(_listens, ports.values())):
                assert process.poll() is None, (folder / f"{command[0]}.log").read_text()
                await asyncio.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
