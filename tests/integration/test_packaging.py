"""What people install: a checkout, an editable install, a wheel, and a wheel made from the sdist."""

import email
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.helpers.project import PACKAGES, ROOT, copy_project

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = ROOT / "requirements.lock"
IN_WHEEL = [
    "gateway/config/sluicegate.toml",
    "gateway/config/presets/django.toml",
    "gateway/store/schema/0001_accounts.sql",
    "gateway/demo/site/manage.py",
    "gateway/py.typed",
    "adapters/py.typed",
]
# What an installation must be able to do by itself: read presets and the schema, check the reference file.
PROBE = """
import gateway, adapters
from importlib.metadata import version
from importlib.resources import files
from gateway.intercept.presets import load_preset, preset_names
print(gateway.__file__)
print(adapters.__file__)
print(version("sluicegate"))
print(*[name for name in preset_names() if load_preset(name).rules])
print(len([file for file in (files("gateway") / "store" / "schema").iterdir() if file.name.endswith(".sql")]))
print((files("gateway") / "config" / "sluicegate.toml").is_file())
"""


def run(*command: str | Path, cwd: Path, **environ: str) -> str:
    """Run a program to its good end and return what it printed."""
    ended = subprocess.run(command, cwd=cwd, env={**os.environ, **environ}, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class Builds:
    """Is what hatchling made of a copy of the checkout, and the wheel that pip made of the sdist."""

    checkout: Path
    sdist: Path
    wheel: Path
    wheel_of_sdist: Path


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Builds:
    """Is every build there is, made without network."""
    place = tmp_path_factory.mktemp("builds")
    checkout = copy_project(place / "checkout")
    run(sys.executable, "-m", "hatchling", "build", "-d", place / "dist", cwd=checkout)
    [sdist], [wheel] = (place / "dist").glob("*.tar.gz"), (place / "dist").glob("*.whl")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-index", "--no-deps", "--no-build-isolation",
        "--disable-pip-version-check", "-w", place / "again", sdist, cwd=place)
    [again] = (place / "again").glob("*.whl")
    return Builds(checkout=checkout, sdist=sdist, wheel=wheel, wheel_of_sdist=again)


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Is a fresh virtual environment that sees our dependencies, but no sluicegate."""
    folder = tmp_path / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=tmp_path)
    [packages] = folder.glob("lib/python*/site-packages")
    # a path in sys.path shows packages; it does not run the .pth files of an editable install
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def install(environment: Path, *what: str | Path) -> None:
    run(sys.executable, "-m", "pip", "--python", environment, "install", "-q", "--no-index", "--no-deps",
        "--no-build-isolation", "--disable-pip-version-check", *what, cwd=environment)


def expect_complete(said: str, home: Path) -> None:
    """See that the probe found everything, and found it below this folder."""
    gateway, adapters, version, presets, schema, has_reference = said.splitlines()
    assert Path(gateway).resolve().is_relative_to(home.resolve())
    assert Path(adapters).resolve().is_relative_to(home.resolve())
    assert version == PYPROJECT["project"]["version"]
    assert presets.split() == ["django"]
    assert int(schema) == len(list((ROOT / "gateway" / "store" / "schema").glob("*.sql")))
    assert has_reference == "True"


def test_checkout(builds: Builds) -> None:
    """A checkout on the path is enough."""
    said = run(sys.executable, "-c", PROBE, cwd=builds.checkout, PYTHONPATH=str(builds.checkout))
    expect_complete(said, builds.checkout)


def test_editable_install(builds: Builds, environment: Path, tmp_path: Path) -> None:
    """An editable install finds presets and reference in the checkout."""
    install(environment, "-e", builds.checkout)
    expect_complete(run(environment / "bin" / "python", "-c", PROBE, cwd=tmp_path), builds.checkout)


@pytest.mark.parametrize("choose", [lambda builds: builds.wheel, lambda builds: builds.wheel_of_sdist],
                         ids=["wheel", "wheel of the sdist"])
def test_wheel(builds: Builds, environment: Path, tmp_path: Path, choose: Callable[[Builds], Path]) -> None:
    """A wheel brings everything along, the command too."""
    install(environment, choose(builds))
    expect_complete(run(environment / "bin" / "python", "-c", PROBE, cwd=tmp_path), environment)
    [reference] = environment.glob("lib/python*/site-packages/gateway/config/sluicegate.toml")
    said = run(environment / "bin" / "sluicegate", "check", "--config", reference, cwd=tmp_path)
    assert said.startswith(f"{reference}: good; 2 app(s), 2 source(s)\n")


def test_both_wheels_hold_the_same(builds: Builds) -> None:
    """A wheel made from the sdist has every file of the one made from the checkout, and no other."""
    assert names(builds.wheel) == names(builds.wheel_of_sdist)


def test_wheel_has_every_file_of_the_packages(builds: Builds) -> None:
    """Code, schema, presets, the demo's site and the marks of typed packages are in the wheel; nothing else is."""
    found = {name for name in names(builds.wheel) if ".dist-info/" not in name}
    there = {str(file.relative_to(ROOT)) for package in PACKAGES for file in files_below(ROOT / package)}
    assert set(IN_WHEEL) <= found
    assert found == there


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def files_below(folder: Path) -> list[Path]:
    """Return every file, through the link to the configuration too."""
    return [Path(place, name) for place, _, found in os.walk(folder, followlinks=True) for name in found
            if "__pycache__" not in place]


def test_sdist_is_a_project(builds: Builds) -> None:
    """The sdist holds what its makefile and its tests need."""
    with tarfile.open(builds.sdist) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Makefile", "requirements.lock", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "Dockerfile",
            "config/presets/django.toml", "deploy/README.md", "tests/conftest.py", "tests/helpers/project.py",
            "tests/install-debian-packages.sh", ".ci/run"} <= found
    assert not [name for name in found if "__pycache__" in name or ".venv" in name]


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_string(archive.read(name).decode())


def test_metadata(builds: Builds) -> None:
    """The distribution names its extras, its Python, its licence and what it is."""
    found = metadata(builds.wheel)
    assert found["Name"] == "sluicegate"
    assert found["Requires-Python"] == ">=3.11"
    assert found["License-Expression"] == "Apache-2.0"
    assert found.get_all("License-File") == ["LICENSE"]
    assert sorted(found.get_all("Provides-Extra") or []) == ["demo", "sqlite"]
    assert "Typing :: Typed" in (found.get_all("Classifier") or [])
    assert found.get_payload() == (ROOT / "README.md").read_text()


def test_command(builds: Builds) -> None:
    """One command is installed: `sluicegate`."""
    with zipfile.ZipFile(builds.wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt")]
        assert archive.read(name).decode() == "[console_scripts]\nsluicegate = gateway.cli:main\n"


def test_configuration_is_there_once(builds: Builds) -> None:
    """In a checkout the package reaches the configuration by a relative link; the sdist has it in both places."""
    assert (builds.checkout / "gateway" / "config").readlink() == Path("../config")
    with tarfile.open(builds.sdist) as archive:
        found = [name.partition("/")[2] for name in archive.getnames()]
    below = sorted(name for name in found if name.startswith("config/"))
    assert below
    assert below == sorted(name.removeprefix("gateway/") for name in found if name.startswith("gateway/config/"))


# ---- the lock ----------------------------------------------------------------------------------------------------


def locked() -> Mapping[str, str]:
    """Return each package of the lock with its whole entry."""
    entries = re.split(r"\n(?=\S)", LOCK.read_text().strip())
    return {canonicalize_name(entry.partition("==")[0]): entry for entry in entries}


@pytest.mark.parametrize("entry", locked().values(), ids=locked().keys())
def test_lock_entry(entry: str) -> None:
    """Each entry is one version and hashes of its files, and nothing else."""
    head, *hashes = entry.split(" \\\n")
    assert re.fullmatch(r"[a-z0-9._-]+==[a-z0-9.]+( ; .+)?", head)
    assert hashes
    assert all(re.fullmatch(r" {4}--hash=sha256:[0-9a-f]{64}", line) for line in hashes)


def test_lock_names_no_index() -> None:
    """Where packages come from is decided by whoever installs."""
    assert not re.search(r"https?:|--index|--find-links|--extra|--trusted| @ ", LOCK.read_text())


def declared() -> list[Requirement]:
    project = PYPROJECT["project"]
    groups = [PYPROJECT["build-system"]["requires"], project["dependencies"],
              *project["optional-dependencies"].values(), PYPROJECT["dependency-groups"]["dev"]]
    return [Requirement(line) for group in groups for line in group]


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_lock_covers_what_is_declared(requirement: Requirement) -> None:
    """Every dependency of the project, of its extras, its tests and its build is locked in a version it allows."""
    version = pinned(requirement.name)
    assert requirement.specifier.contains(version, prereleases=True)


def pinned(name: str) -> str:
    found = re.match(r"[^=]+==([^ ;]+)", locked()[canonicalize_name(name)])
    assert found is not None
    return found[1]


def test_lock_is_closed() -> None:
    """What locked packages need on this machine is locked too: an installation by hashes finds everything."""
    missing = set()
    for name in sorted(needed()):
        for line in distribution(name).requires or []:
            requirement = Requirement(line)
            is_needed = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if is_needed and canonicalize_name(requirement.name) not in locked():
                missing.add(f"{name} needs {requirement}")
    assert missing == set()


def needed() -> set[str]:
    """Return the locked packages that this machine has; others are for other machines."""
    return {name for name, entry in locked().items()
            if (marker := entry.partition(" ; ")[2].partition(" \\")[0]) == ""
            or Requirement(f"x ; {marker}").marker.evaluate()}  # type: ignore[union-attr]


def test_every_drivers_extra_is_declared() -> None:
    """Each driver that an adapter imports beyond the gateway's own is in an extra, and in the demo's."""
    extras = PYPROJECT["project"]["optional-dependencies"]
    assert set(extras["sqlite"]) <= set(extras["demo"])
    imported = {name for file in (ROOT / "adapters").rglob("*.py")
                for name in re.findall(r"^\s*import (\w+)|^\s*from (\w+)", file.read_text(), re.MULTILINE)
                for name in name if name}
    own = {Requirement(line).name for line in PYPROJECT["project"]["dependencies"]}
    drivers = imported - set(sys.stdlib_module_names) - {"gateway", "adapters"} - own
    assert drivers == {Requirement(line).name for line in extras["sqlite"]}
