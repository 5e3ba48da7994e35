"""What every measurement stands on: the machine, the run's folder, the app, and files made from templates."""

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.demo.scene import free_ports
from tests.bench.fleet import ROOT, Fleet
from tests.bench.load import BODY_BYTES
from tests.bench.machine import Machine

TEMPLATES = Path(__file__).with_name("templates")
MIB = 1024 * 1024
BIG_MIB = 100
IDENTITY_SEEN = "$http_x_sluicegate_assertion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Holds one run; `app` and `sink` are the ports of the two apps."""

    machine: Machine
    fleet: Fleet
    rounds: int
    quick: bool
    app: int
    sink: int

    @property
    def folder(self) -> Path:
        """Where every file of the run lies."""
        return self.fleet.folder

    def lay(self, file: str, template: str, values: Mapping[str, object]) -> Path:
        """Write a file of the run from a template."""
        place = self.folder / file
        place.write_text(self.fill(TEMPLATES.joinpath(template).read_text(), values))
        return place

    def fill(self, text: str, values: Mapping[str, object]) -> str:
        """Put values in the place of their names (@NAME@)."""
        known = {**common(self.folder), "APP": self.app, "SINK": self.sink, **values}
        for name, value in known.items():
            text = text.replace(f"@{name}@", str(value))
        return text

    def seconds(self, usual: int) -> int:
        """Return how long a measurement takes; a quick run is not for figures."""
        return 1 if self.quick else usual


@contextmanager
def staged(machine: Machine, *, rounds: int, quick: bool) -> Iterator[Stage]:
    """Lay a folder and start both apps on the load's core; leaving stops everything and deletes the folder."""
    with TemporaryDirectory(prefix="sluicegate-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # the embedded PostgreSQL runs as nobody where we are root
        with Fleet(folder) as fleet:
            app, sink = free_ports(2)
            stage = Stage(machine=machine, fleet=fleet, rounds=rounds, quick=quick, app=app, sink=sink)
            write_big(folder / "big")
            file = stage.lay("app.conf", "app.conf", {"BODY": "x" * BODY_BYTES, "SEEN": IDENTITY_SEEN})
            fleet.start("sink", [sys.executable, str(ROOT / "tests/bench/sink.py"), str(sink)], cores=machine.load,
                        port=sink)
            fleet.start("app", ["nginx", "-c", str(file)], cores=machine.load, port=app)
            yield stage


def common(folder: Path) -> dict[str, object]:
    """Return the values that every template may name."""
    return {"FOLDER": folder, "USER": "user root;" if os.geteuid() == 0 else ""}


def write_big(place: Path) -> None:
    """Write the large file, the same in every run and unlike itself everywhere."""
    with place.open("wb") as file:
        for number in range(BIG_MIB):
            file.write(hashlib.shake_128(number.to_bytes(4, "big")).digest(MIB))
