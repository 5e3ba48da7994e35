"""The state folder: secrets that the gateway makes for itself where nobody gave it any.

Each secret is a file that its owner alone can read. A lost encryption key cannot be made again, so nothing
here ever overwrites one.
"""

import os
from collections.abc import Callable
from pathlib import Path

from gateway.errors import ConfigurationError
from gateway.model import Secret

ENCRYPTION_KEY = "encryption-key"
PRIVATE_TOKEN = "private-token"  # noqa: S105  # a file's name
OWNER_ONLY = 0o600


class StateFolder:
    """Keeps made secrets; `say` is told once about each that is new."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self._path = path
        self._say = say

    def secret(self, name: str, make: Callable[[], str]) -> Secret:
        """Return the secret of this name, made at the first call."""
        file = self._path / name
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        except FileExistsError:
            return Secret(_read(file))
        except OSError as error:
            raise ConfigurationError(f"the state folder {self._path} cannot be written: {error.strerror}") from None
        with os.fdopen(descriptor, "w") as made:
            made.write(make() + "\n")
        self._say(f"made {file}, readable by its owner alone")
        return Secret(_read(file))


def _read(file: Path) -> str:
    try:
        text = file.read_text().strip()
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from None
    if not text:
        raise ConfigurationError(f"{file} is empty; restore it from a backup, or remove it to have a new one made")
    return text
