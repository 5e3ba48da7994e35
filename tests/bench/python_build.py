"""Which CPython this is, and whether it was built with a profile; stands alone, for it chooses the interpreter.

    python3.11 tests/bench/python_build.py      exit code 0: fit for the benchmark, with a sentence on what it is
"""

import platform
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

OLDEST = (3, 11)
PROFILED_BY_DEBIAN = {"x86_64", "aarch64", "ppc64le", "s390x", "i686"}  # its rules; sysconfig is told nothing of them


def is_profile_guided() -> bool:
    """Whether this interpreter was optimised with a profile (PGO)."""
    return "--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS")) or is_of_debian()


def is_of_debian() -> bool:
    """Whether this interpreter is a file of a Debian package, for an architecture that is built with a profile."""
    place = Path(sys.executable).resolve()
    if place.parent != Path("/usr/bin") or platform.machine() not in PROFILED_BY_DEBIAN:
        return False
    try:
        return subprocess.run(["dpkg-query", "-S", place], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def description() -> str:
    """Return the build in one line: version, compiler, profile, whose."""
    profile = "PGO" if is_profile_guided() else "no PGO"
    whose = ", Debian's own" if is_of_debian() else ""
    return f"CPython {platform.python_version()} ({profile}{whose}; {platform.python_compiler()})"


if __name__ == "__main__":
    print(description())
    can_make_environments = find_spec("ensurepip") is not None
    sys.exit(not (is_profile_guided() and sys.version_info >= OLDEST and can_make_environments))
