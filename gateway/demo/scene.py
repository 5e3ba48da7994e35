"""What the demo's parts agree on: folders, addresses, the gateway's configuration, the way that can be cut."""

import os
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from gateway.model import Secret

HOST = "127.0.0.1"
APP = "shop"
SOURCE = "shop-users"

CONFIGURATION = """\
# Made by `sluicegate demo`; the complete reference is config/sluicegate.toml.
[listen]
public = "127.0.0.1:{public}"

[private]
listen = "127.0.0.1:{private}"

[store]
url = "embedded"
state = "store"

[tokens]
issuer = "http://127.0.0.1:{public}"

[[app]]
name = "{app}"
hosts = ["*"]
path = "/"
upstream = "http://127.0.0.1:{site}"
preset = "django"
source = "{source}"

[source.{source}]
adapter = "sql"
phase = "migrate"
preset = "django"
url = "sqlite:{legacy}"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One demo: its state folder and its three ports."""

    state: Path
    site_port: int
    public_port: int
    private_port: int

    @property
    def public_url(self) -> str:
        """The address that a browser opens."""
        return f"http://{HOST}:{self.public_port}"

    @property
    def private_url(self) -> str:
        """The address of the private listener."""
        return f"http://{HOST}:{self.private_port}"

    @property
    def configuration(self) -> Path:
        """The gateway's configuration file."""
        return self.state / "sluicegate.toml"

    @property
    def database(self) -> Path:
        """The site's own database."""
        return self.state / "site" / "site.sqlite3"

    @property
    def store(self) -> Path:
        """The gateway's own state folder, with the new store."""
        return self.state / "store"

    @property
    def token_file(self) -> Path:
        """The private listener's token, made by the gateway at its first start."""
        return self.store / "private-token"

    @property
    def way(self) -> Path:
        """The gateway's own way to that database: a link that can be taken away."""
        return self.state / "legacy.sqlite3"

    def prepare(self) -> None:
        """Lay out the folder and write the configuration."""
        self.database.parent.mkdir(exist_ok=True)
        self.restore()
        self.configuration.write_text(CONFIGURATION.format(
            public=self.public_port, private=self.private_port, site=self.site_port, app=APP, source=SOURCE,
            legacy=self.way.name,  # relative: a folder's name may hold what a URL or TOML cannot
        ))

    def cut(self) -> None:
        """Take the gateway's way to the legacy table away; the site keeps its own."""
        self.way.unlink()

    def restore(self) -> None:
        """Give the way back."""
        if not self.way.is_symlink():
            self.way.symlink_to(self.database)

    def token(self) -> Secret:
        """Return the private listener's token."""
        return Secret(self.token_file.read_text().strip())

    def site_environ(self) -> dict[str, str]:
        """Return the environment of the site's own processes."""
        return {**os.environ, "SITE_STATE": str(self.database.parent),
                "DJANGO_SETTINGS_MODULE": "gateway.demo.site.settings"}


def free_ports(count: int) -> tuple[int, ...]:
    """Return that many different ports on loopback that nobody uses now."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return tuple(probe.getsockname()[1] for probe in probes)


def free_port() -> int:
    """Return one."""
    return free_ports(1)[0]
