"""What a run was measured on, and which cores its parts may use."""

import os
import platform
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.bench.python_build import description, is_profile_guided


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Names the machine; `proxy` and `load` are cores, the same ones only where there is one."""

    python: str
    profile_guided: bool
    uvloop: str
    kernel: str
    processor: str
    cores: Sequence[int]

    @property
    def proxy(self) -> Sequence[int]:
        """The core of the proxy that is measured."""
        return self.cores[:1]

    @property
    def load(self) -> Sequence[int]:
        """The core of the load generator and the app."""
        return self.cores[-1:]


def this_machine() -> Machine:
    """Return what this is."""
    return Machine(
        python=description(), profile_guided=is_profile_guided(), uvloop=version("uvloop"),
        kernel=f"{platform.system()} {platform.release()}", processor=processor(),
        cores=tuple(sorted(os.sched_getaffinity(0))),
    )


def processor() -> str:
    """Return the processor's name, as Linux tells it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def raise_open_files() -> None:
    """Let this process and all it starts have as many files open as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
