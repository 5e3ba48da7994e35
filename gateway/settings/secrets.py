"""Where secrets come from: the environment or a file, never the configuration itself.

Owns `env:NAME` and `file:PATH`. A secret is read once, at load, and leaves here as `Secret`. No sentence
written here holds what a variable or a file contains.
"""

import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from pydantic import PlainValidator, ValidationInfo

from gateway.model import Secret
from gateway.settings.values import mistake

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LONGEST_BYTES = 64 * 1024  # far above any key or URL; a wrong path may name a large file
OTHERS = stat.S_IRWXG | stat.S_IRWXO
PASSWORD_KEYS = frozenset({"password", "sslpassword"})  # of a PostgreSQL URL's query


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What settings are read with: the environment, and the folder that relative paths start from."""

    environ: Mapping[str, str]
    folder: Path

    def secret(self, reference: str) -> Secret | None:
        """Resolve `env:NAME` or `file:PATH`; None when the text is neither."""
        kind, _, place = reference.partition(":")
        if kind == "env":
            return self._variable(place)
        return self._file(place) if kind == "file" else None

    def _variable(self, name: str) -> Secret:
        if not VARIABLE.fullmatch(name):
            mistake('"env:" must be followed by the name of an environment variable')
        value = self.environ.get(name)
        if not value:
            mistake(f"the environment variable {name} is not set, or is empty; set it, or use file:PATH")
        return Secret(value)

    def _file(self, place: str) -> Secret:
        path = self.folder / place
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                content = file.read(LONGEST_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a path"
            mistake(f"the secret's file {path} cannot be read ({reason}); this user alone must be able to")
        if mode & OTHERS:
            mistake(f"the secret's file {path} is open to others than its owner; run chmod 600 on it")
        return _decoded(content, path)


def _decoded(content: bytes, path: Path) -> Secret:
    try:
        value = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        mistake(f"the secret's file {path} is not UTF-8 text")
    if not value or len(content) > LONGEST_BYTES:
        mistake(f"the secret's file {path} must hold between 1 byte and {LONGEST_BYTES // 1024} KiB")
    return Secret(value)


def surroundings(info: ValidationInfo) -> Surroundings:
    """Return what a validation runs in: for a model built by hand no environment and the working folder."""
    return info.context if isinstance(info.context, Surroundings) else Surroundings(environ={}, folder=Path())


def read_secret(value: object, info: ValidationInfo) -> Secret:
    """Read a secret by reference; a plain value is refused."""
    if isinstance(value, Secret):
        return value
    secret = surroundings(info).secret(value) if isinstance(value, str) else None
    if secret is None:
        mistake("must not stand in this file: write env:NAME or file:PATH")
    return secret


def read_private_path(value: object, info: ValidationInfo) -> Path:
    """Read the path of a folder, relative to the configuration file."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or "\0" in value:
        mistake("must be the path of a folder")
    return surroundings(info).folder / value


def read_file_path(value: object, info: ValidationInfo) -> Path:
    """Read the path of a file, relative to the configuration file."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or "\0" in value:
        mistake("must be the path of a file")
    return surroundings(info).folder / value


def secret_url(*schemes: str, word: str = "") -> PlainValidator:
    """Return the validator of a URL with one of these schemes: by reference, or plain without a password.

    `word` is a plain word that may stand in its place.
    """
    forms = " or ".join([f'"{word}"'] * bool(word) + [f"{scheme}://…" for scheme in schemes])

    def read(value: object, info: ValidationInfo) -> Secret:
        if isinstance(value, Secret):
            return value
        if word and value == word:
            return Secret(word)
        referred = surroundings(info).secret(value) if isinstance(value, str) else None
        url = referred.reveal() if referred else value
        if not isinstance(url, str) or not _is_url(url, schemes):
            mistake(f"must be {forms}, or env:NAME or file:PATH that holds one")
        if referred is None and _holds_password(url):
            mistake("holds a password, which must not stand in this file: write env:NAME or file:PATH")
        return Secret(url)

    return PlainValidator(read)


def _is_url(text: str, schemes: Sequence[str]) -> bool:
    try:
        urlsplit(text)
    except ValueError:
        return False
    scheme, colon, _ = text.partition(":")
    return bool(colon) and scheme in schemes and text.isprintable()


def _holds_password(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.password) or any(key in PASSWORD_KEYS for key, _ in parse_qsl(parts.query))


SecretText = Annotated[Secret, PlainValidator(read_secret)]
FilePath = Annotated[Path, PlainValidator(read_file_path)]
FolderPath = Annotated[Path, PlainValidator(read_private_path)]
