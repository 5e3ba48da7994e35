"""The other proxies: a table of what each is started with, and how."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from gateway.demo.scene import free_port
from tests.bench.contestant import Contestant
from tests.bench.credentials import KEY, Credentials
from tests.bench.fleet import ROOT, Running
from tests.bench.stage import TEMPLATES, Stage
from tests.bench.wire import browser_request

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Is one program: its files (in the run's folder, from templates) and its command; @NAMES@ are filled in."""

    files: Mapping[str, str]
    command: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Is one way to run a kind; `guard` is what its template has in the place of a check of the user."""

    name: str
    kind: Kind
    guard: str = ""
    asks_service: bool = False
    takes_bearer: bool = False

    @property
    def is_guarded(self) -> bool:
        """Whether it checks who the user is."""
        return self.asks_service or self.takes_bearer


NGINX = Kind(files={"nginx-@PORT@.conf": "nginx.conf"}, command=["nginx", "-c", "@FOLDER@/nginx-@PORT@.conf"])
HAPROXY = Kind(files={"haproxy-@PORT@.cfg": "haproxy.cfg"}, command=["haproxy", "-f", "@FOLDER@/haproxy-@PORT@.cfg"])
ENVOY = Kind(files={"envoy-@PORT@.yaml": "envoy.yaml"},
             command=["@BIN@/envoy", "-c", "@FOLDER@/envoy-@PORT@.yaml", "--concurrency", "1", "--base-id", "@PORT@",
                      "--log-level", "error"])
TRAEFIK = Kind(files={"traefik-@PORT@.yaml": "traefik.yaml", "traefik-@PORT@-routes.yaml": "traefik-routes.yaml"},
               command=["@BIN@/traefik", "--configfile=@FOLDER@/traefik-@PORT@.yaml"])
CADDY = Kind(files={"Caddyfile-@PORT@": "Caddyfile"},
             command=["@BIN@/caddy", "run", "--config", "@FOLDER@/Caddyfile-@PORT@", "--adapter", "caddyfile"])

PASSING = {
    "nginx": Peer(name="nginx", kind=NGINX),
    "haproxy": Peer(name="haproxy", kind=HAPROXY),
    "Envoy": Peer(name="Envoy", kind=ENVOY),
    "Traefik": Peer(name="Traefik", kind=TRAEFIK),
    "Caddy": Peer(name="Caddy", kind=CADDY),
}
GUARDED = {
    "Envoy + jwt_authn": Peer(name="Envoy + jwt_authn", kind=ENVOY, takes_bearer=True,
                              guard=TEMPLATES.joinpath("envoy-jwt.yaml").read_text()),
    "nginx + auth_request": Peer(name="nginx + auth_request", kind=NGINX, asks_service=True,
                                 guard="auth_request /-/check;"),
    "Traefik + forward auth": Peer(name="Traefik + forward auth", kind=TRAEFIK, asks_service=True, guard="check"),
    "Caddy + forward auth": Peer(name="Caddy + forward auth", kind=CADDY, asks_service=True,
                                 guard="forward_auth 127.0.0.1:@AUTH@ {\n uri /verify\n copy_headers X-User\n }"),
}


def start_service(stage: Stage) -> tuple[Running, int]:
    """Start the auth service on the proxies' core; return it and its port."""
    port = free_port()
    service = stage.fleet.start("auth service", [sys.executable, str(ROOT / "tests/bench/auth_service.py"), str(port)],
                                cores=stage.machine.proxy, environ={"BENCH_KEY": KEY, "PYTHONPATH": str(ROOT)},
                                port=port)
    return service, port


def start_peer(stage: Stage, peer: Peer, *, credentials: Credentials | None = None,
               service: tuple[Running, int] | None = None) -> Contestant:
    """Start a peer on the proxies' core; one that is guarded needs credentials, and may need the auth service."""
    port = free_port()
    values: dict[str, object] = {"GUARD": peer.guard, "BIN": Path(sys.executable).parent,
                                 "AUTH": service[1] if service else stage.app,
                                 **(credentials.values if credentials else {}), "PORT": port}
    for place, template in peer.kind.files.items():
        stage.lay(stage.fill(place, values), template, values)
    command = [stage.fill(word, values) for word in peer.kind.command]
    running = [stage.fleet.start(peer.name, command, cores=stage.machine.proxy, port=port)]
    if peer.asks_service and service:
        running.append(service[0])
    request = stage.folder / f"request-{port}"
    request.write_bytes(browser_request(
        port, cookie=credentials.cookie if credentials and peer.asks_service else "",
        token=credentials.bearer if credentials and peer.takes_bearer else ""))
    return Contestant(name=peer.name, port=port, running=running, request=request, is_guarded=peer.is_guarded)
