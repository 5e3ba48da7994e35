"""Secrets by reference: from the environment and from files, and nothing of them in any sentence."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.model import Secret
from gateway.settings.secrets import LONGEST_BYTES, FilePath, FolderPath, SecretText, Surroundings, secret_url

MARK = "hunter2-Pa55"
TEXT: TypeAdapter[Secret] = TypeAdapter(SecretText)
FOLDER: TypeAdapter[Path] = TypeAdapter(FolderPath)
FILE: TypeAdapter[Path] = TypeAdapter(FilePath)
URL: TypeAdapter[Secret] = TypeAdapter(Annotated[Secret, secret_url("postgresql", "sqlite", word="embedded")])


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    return Surroundings(environ={"TOKEN": MARK, "EMPTY": "", "URL": f"postgresql://u:{MARK}@db/x"}, folder=tmp_path)


def write(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def refusal(adapter: TypeAdapter[Secret], value: object, around: Surroundings) -> str:
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(value, context=around)
    [error] = caught.value.errors()
    return error["msg"]


def test_a_secret_comes_from_a_variable(around: Surroundings) -> None:
    """The whole value, masked from then on."""
    secret = TEXT.validate_python("env:TOKEN", context=around)
    assert secret.reveal() == MARK
    assert MARK not in repr(secret)


@pytest.mark.parametrize("name", ["EMPTY", "ABSENT"])
def test_a_variable_without_a_value_says_what_to_do(around: Surroundings, name: str) -> None:
    """An empty secret would be one that everybody knows."""
    assert refusal(TEXT, f"env:{name}", around) == (
        f"the environment variable {name} is not set, or is empty; set it, or use file:PATH"
    )


@pytest.mark.parametrize("reference", ["env:", f"env:{MARK}", "env:A=B", "env: A", "env:1A", "env:A\n"])
def test_what_is_no_name_of_a_variable_is_not_repeated(around: Surroundings, reference: str) -> None:
    """Someone may have written the secret behind the prefix."""
    assert refusal(TEXT, reference, around) == '"env:" must be followed by the name of an environment variable'


@pytest.mark.parametrize("content", [b"s3cret", b"s3cret\n", b"s3cret\r\n"])
def test_a_secret_comes_from_a_file_beside_the_configuration(around: Surroundings, content: bytes) -> None:
    """One line end at the end is the editor's."""
    write(around.folder / "key", content)
    assert TEXT.validate_python("file:key", context=around).reveal() == "s3cret"


def test_a_file_may_be_named_by_its_whole_path(around: Surroundings, tmp_path: Path) -> None:
    """Spaces inside are the secret's own."""
    place = write(tmp_path / "other key", b" s3 cret \n\n")
    assert TEXT.validate_python(f"file:{place}", context=around).reveal() == " s3 cret \n"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o602, 0o610])
def test_a_file_that_others_can_open_is_refused(around: Surroundings, mode: int) -> None:
    """Who can read it knows the secret, who can write it chooses it."""
    place = write(around.folder / "key", MARK.encode(), mode)
    told = refusal(TEXT, "file:key", around)
    assert told == f"the secret's file {place} is open to others than its owner; run chmod 600 on it"


def test_a_missing_file_is_named(around: Surroundings) -> None:
    """With the system's reason."""
    told = refusal(TEXT, "file:absent", around)
    assert told.startswith(f"the secret's file {around.folder / 'absent'} cannot be read (No such file")


def test_a_folder_is_no_secret(around: Surroundings) -> None:
    """Nor is a path that no system could have."""
    assert "cannot be read (Is a directory)" in refusal(TEXT, "file:.", around)
    assert "cannot be read (not a path)" in refusal(TEXT, "file:a\0b", around)


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * (LONGEST_BYTES + 1)])
def test_a_file_must_hold_a_secret_of_sensible_length(around: Surroundings, content: bytes) -> None:
    """Neither nothing nor somebody's disk image."""
    write(around.folder / "key", content)
    assert "between 1 byte and 64 KiB" in refusal(TEXT, "file:key", around)


def test_a_file_of_bytes_is_no_text(around: Surroundings) -> None:
    """Its content is not repeated."""
    write(around.folder / "key", b"\xff\xfe" + MARK.encode())
    told = refusal(TEXT, "file:key", around)
    assert told.endswith("is not UTF-8 text")
    assert MARK not in told


@pytest.mark.parametrize("value", [MARK, "", "ENV:TOKEN", "files:x", f"http://u:{MARK}@a", 7, ["env:TOKEN"], None])
def test_a_plain_secret_is_refused(around: Surroundings, value: object) -> None:
    """The configuration may be in a repository, in a backup and on a screen."""
    assert refusal(TEXT, value, around) == "must not stand in this file: write env:NAME or file:PATH"


def test_a_finished_secret_stays_what_it_is(around: Surroundings) -> None:
    """A model built by hand gets its secrets so."""
    secret = Secret(MARK)
    assert TEXT.validate_python(secret) is secret
    assert URL.validate_python(secret) is secret
    assert FOLDER.validate_python(Path("state")) == Path("state")


def test_without_surroundings_there_is_no_environment() -> None:
    """A model built by hand reads nothing that it was not given."""
    with pytest.raises(ValidationError, match="PATH is not set"):
        TEXT.validate_python("env:PATH")


@pytest.mark.parametrize(
    "url", ["postgresql://u@db/x", "postgresql://u@h1:1,h2:2/x?sslmode=verify-full", "postgresql:///x?host=/run/pg",
            "sqlite:///srv/my users.db", "sqlite:users.db", "embedded", "postgresql://u@[::1]:5432/x"],
)
def test_a_url_without_a_password_may_stand_in_the_file(around: Surroundings, url: str) -> None:
    """As may the word that stands for one."""
    assert URL.validate_python(url, context=around).reveal() == url


def test_a_url_with_a_password_comes_by_reference(around: Surroundings) -> None:
    """Then it may hold anything."""
    write(around.folder / "url", f"postgresql://db/x?password={MARK}\n".encode())
    assert URL.validate_python("env:URL", context=around).reveal() == f"postgresql://u:{MARK}@db/x"
    assert URL.validate_python("file:url", context=around).reveal() == f"postgresql://db/x?password={MARK}"


@pytest.mark.parametrize(
    "url", [f"postgresql://u:{MARK}@db/x", f"postgresql://db/x?password={MARK}", f"postgresql://db/?sslpassword={MARK}",
            f"postgresql://u:{MARK}@h1,h2/x", f"postgresql://:{MARK}@db", f"postgresql://u@db/?%70assword={MARK}"],
)
def test_a_url_with_a_password_must_not_stand_in_the_file(around: Surroundings, url: str) -> None:
    """Wherever in the URL it is."""
    assert refusal(URL, url, around).startswith("holds a password, which must not stand in this file")


@pytest.mark.parametrize("url", ["mysql://db/x", "db", "", "Embedded", "postgresql", f"http://{MARK}", 7, None, [],
                                 "postgresql://[x/y", "postgresql://a\nb"])
def test_another_url_is_refused_by_naming_the_forms(around: Surroundings, url: object) -> None:
    """Nothing of the value is repeated."""
    told = refusal(URL, url, around)
    assert told.startswith('must be "embedded" or postgresql://… or sqlite://…')
    assert MARK not in told


def test_a_reference_to_another_url_is_refused_alike(around: Surroundings) -> None:
    """The variable's content is not repeated either."""
    told = refusal(URL, "env:TOKEN", around)
    assert told.startswith("must be")
    assert MARK not in told


def test_a_folder_is_taken_from_the_configurations_own(around: Surroundings) -> None:
    """Unless its path is whole."""
    assert FOLDER.validate_python("state", context=around) == around.folder / "state"
    assert FOLDER.validate_python("/var/lib/gate", context=around) == Path("/var/lib/gate")
    for value in ("", "a\0b", 1, None):
        with pytest.raises(ValidationError, match="path of a folder"):
            FOLDER.validate_python(value, context=around)


def test_a_file_is_taken_from_the_configurations_folder(around: Surroundings) -> None:
    """As a folder is."""
    assert FILE.validate_python("key.pem", context=around) == around.folder / "key.pem"
    assert FILE.validate_python(Path("/key.pem"), context=around) == Path("/key.pem")
    for value in ("", "a\0b", 1, None):
        with pytest.raises(ValidationError, match="path of a file"):
            FILE.validate_python(value, context=around)
