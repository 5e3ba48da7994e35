"""What is said of the files that a configuration names."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.cli.files import demand_files, file_notes
from gateway.errors import ConfigurationError
from gateway.plan import read_settings
from gateway.settings import Settings
from tests.helpers.certificates import Authority

FILE = """
[listen]
{listen}
[log]
{log}
[tokens]
issuer = "https://shop.test"
[[app]]
name = "shop"
hosts = ["*"]
upstream = "https://127.0.0.1:8000"
{app}
"""


def read(folder: Path, *, listen: str = "", log: str = "", app: str = "") -> Settings:
    file = folder / "sluicegate.toml"
    file.write_text(FILE.format(listen=listen, log=log, app=app))
    return read_settings(file, {})


def mistakes(settings: Settings) -> list[str]:
    """Return everything that is wrong with the files, without the name of the configuration."""
    with pytest.raises(ConfigurationError) as caught:
        demand_files(settings)
    return [str(problem).partition(": ")[2] for problem in caught.value.problems]


def test_files_that_are_right_are_no_mistake(tmp_path: Path) -> None:
    """A log that is not there yet is made, and one that is there goes on."""
    Authority(tmp_path)
    (tmp_path / "old.log").touch()
    for name in ("new.log", "old.log"):
        demand_files(read(tmp_path, log=f'access = "{tmp_path}/{name}"', app='upstream_ca = "authority.pem"'))
    assert not (tmp_path / "new.log").exists()
    demand_files(read(tmp_path))


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    """Before serve finds them one by one."""
    settings = read(tmp_path, listen='certificate = "none.pem"\nkey = "none.key"', log='access = "/nowhere/a.log"',
                    app='upstream_ca = "none.pem"')
    assert mistakes(settings) == [
        f"listen.certificate: {tmp_path}/none.pem cannot be read (No such file or directory)",
        "log.access: /nowhere/a.log cannot be written (there is no such folder)",
        "app[0].upstream_ca: must be a file that can be read and holds certificates in PEM",
    ]


def test_an_authority_is_a_certificate(tmp_path: Path) -> None:
    """Anything else would verify nobody."""
    (tmp_path / "ca.pem").write_text("no certificate")
    assert mistakes(read(tmp_path, app='upstream_ca = "ca.pem"'))[0].startswith("app[0].upstream_ca: must be a file")


def test_a_log_is_a_file_that_may_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is none; whether one may, the system knows."""
    assert mistakes(read(tmp_path, log=f'access = "{tmp_path}"')) == [
        f"log.access: {tmp_path} cannot be written (it is a folder)"]
    (tmp_path / "old.log").touch()
    monkeypatch.setattr("os.access", lambda *_: False)
    for name, reason in (("old.log", "the file may not be written"), ("new.log", "the folder may not be written")):
        assert mistakes(read(tmp_path, log=f'access = "{tmp_path}/{name}"')) == [
            f"log.access: {tmp_path}/{name} cannot be written ({reason})"]


@pytest.mark.parametrize(("days", "said"), [(-14, []), (0, ["expires on"]), (2, ["expired on"])])
def test_the_end_of_a_certificate_is_said(tmp_path: Path, days: int, said: list[str]) -> None:
    """Two weeks before, and afterwards; the test's certificates last until tomorrow."""
    issued = Authority(tmp_path).issue("shop.test")
    settings = read(tmp_path, listen=f'certificate = "{issued.chain}"\nkey = "{issued.key}"')
    notes = list(file_notes(settings, datetime.now(UTC) + timedelta(days=days)))
    assert [note.startswith(f"listen.certificate {words}") for note, words in zip(notes, said, strict=True)] == [
        True] * len(said)


def test_without_a_certificate_nothing_is_said(tmp_path: Path) -> None:
    """There is none that could end."""
    assert list(file_notes(read(tmp_path), datetime.now(UTC))) == []
