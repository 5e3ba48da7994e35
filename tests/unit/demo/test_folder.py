"""The demo's state folder."""

import tempfile
from pathlib import Path

import pytest

from gateway.demo.folder import state_folder, usable
from gateway.errors import ConfigurationError


def test_temporary_folder_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name, the folder is a temporary one that others can pass, and goes with everything in it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with state_folder(None) as folder:
        assert folder.parent == tmp_path.resolve()
        assert folder.stat().st_mode & 0o777 == 0o711
        (folder / "below").mkdir()
        (folder / "below" / "file").write_text("data")
    assert list(tmp_path.iterdir()) == []


def test_temporary_folder_goes_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception on the way does not keep it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt), state_folder(None):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_named_folder_is_made_and_stays(tmp_path: Path) -> None:
    """A named folder is made with its parents, passable for the database's user, and stays."""
    with state_folder(tmp_path / "a" / "b") as folder:
        assert folder == (tmp_path / "a" / "b").resolve()
        assert folder.stat().st_mode & 0o777 == 0o711
        (folder / "file").write_text("data")
    assert (tmp_path / "a" / "b" / "file").read_text() == "data"


def test_existing_folder_keeps_its_mode(tmp_path: Path) -> None:
    """A folder that was there before is used as it is."""
    tmp_path.chmod(0o750)
    with state_folder(tmp_path):
        assert tmp_path.stat().st_mode & 0o777 == 0o750


def test_relative_name_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative name means the same for the processes that the demo starts."""
    monkeypatch.chdir(tmp_path)
    with state_folder(Path("here")) as folder:
        assert folder == (tmp_path / "here").resolve()


def test_folder_in_use_is_refused_and_free_again(tmp_path: Path) -> None:
    """One demo at a time; when it is over, the next may come."""
    is_refused = pytest.raises(ConfigurationError, match="another demo is running")
    with state_folder(tmp_path), is_refused, state_folder(tmp_path):
        pass
    with state_folder(tmp_path):
        pass


def test_folder_of_somebody_else_is_refused_untouched(tmp_path: Path) -> None:
    """Nothing is written into a folder that holds anything which no demo made, hidden or not."""
    for name in ("sluicegate.toml", ".hidden"):
        folder = tmp_path / f"with {name}"
        folder.mkdir()
        (folder / name).write_text("mine")
        with pytest.raises(ConfigurationError) as caught, state_folder(folder):
            pass
        assert str(caught.value) == (f"--state {folder}: this folder holds files that no demo made;"
                                     " name a new or an empty one")
        assert [(path.name, path.read_text()) for path in folder.iterdir()] == [(name, "mine")]


def test_folder_of_an_earlier_demo_is_used(tmp_path: Path) -> None:
    """What a demo left in its folder does not keep the next one out."""
    with state_folder(tmp_path / "state") as folder:
        (folder / "sluicegate.toml").write_text("the demo's")
    with state_folder(tmp_path / "state") as again:
        assert (again / "sluicegate.toml").read_text() == "the demo's"


def test_trouble_with_a_file_is_one_sentence(tmp_path: Path) -> None:
    """What the system refuses is said of the file itself; of a link, not of what it leads to."""
    link = tmp_path / "link"
    link.write_text("in the way")
    with pytest.raises(ConfigurationError) as caught, usable(tmp_path):
        link.symlink_to(tmp_path / "elsewhere")
    assert str(caught.value) == f"the demo cannot use {link} (File exists)"
    with pytest.raises(ConfigurationError) as caught, usable(tmp_path):
        (tmp_path / "missing").read_text()
    assert str(caught.value) == f"the demo cannot use {tmp_path}/missing (No such file or directory)"


def test_unusable_folder_is_one_sentence(tmp_path: Path) -> None:
    """A name that cannot be a folder is said with its reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError) as caught, state_folder(tmp_path / "file" / "below"):
        pass
    assert str(caught.value) == f"--state {tmp_path}/file/below: this folder cannot be used (Not a directory)"
