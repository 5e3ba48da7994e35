"""Marked secrets, and the search for them in everything that is left of a run, in whatever disguise.

    marks = Marks()
    password = f"{marks.new('first login')}&Hare=%"
    ...
    marks.sightings({"log": log, "metrics": metrics})      # ["first login, in base64, in the log"]
"""

import base64
import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

FORMS: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType({
    "plainly": bytes,
    "in hexadecimal": lambda text: text.hex().encode(),
    "in UTF-16": lambda text: text.decode().encode("utf-16-le"),
    "backwards": lambda text: text[::-1],
})
DIGESTS = ("md5", "sha1", "sha256", "sha512")
SHORTEST = 16  # a shorter secret would be seen where it is not


class Marks:
    """Is every secret of a run by a name that says where it was used."""

    def __init__(self) -> None:
        self._secrets: dict[str, bytes] = {}
        self._passwords: dict[str, bytes] = {}

    def new(self, name: str) -> str:
        """Make a text that stands nowhere else: lower-case letters and digits, so nothing needs to escape it."""
        made = f"canary{hashlib.sha256(name.encode()).hexdigest()[:26]}"
        self.know(name, made)
        return made

    def password(self, name: str) -> str:
        """Make a password with a mark in it, which Django's validators take; its digests are looked for as well."""
        made = f"{self.new(name)}&Hare=%"
        self._passwords[name] = made.encode()
        return made

    def know(self, name: str, secret: str) -> None:
        """Look for a secret that somebody else made."""
        assert len(secret) >= SHORTEST, name
        self._secrets[name] = secret.encode()

    def sightings(self, places: Mapping[str, bytes]) -> list[str]:
        """Return every secret that was seen: what, in which disguise, and where."""
        seen = []
        for place, content in places.items():
            folded = content.lower()
            seen += [f"{name}, {form}, in {place}" for name, form, pattern in self._patterns()
                     if pattern in (content if form.startswith("in base64") else folded)]
        return seen

    def files_with_any(self, folder: Path) -> str:
        """Return the files below a folder that hold a secret, as grep names them."""
        patterns = b"\n".join({pattern for _, form, pattern in self._patterns() if form != "in UTF-16"})
        found = subprocess.run(["grep", "-r", "-a", "-i", "-l", "-F", "-f", "-", folder], input=patterns,
                               env={**os.environ, "LC_ALL": "C"}, capture_output=True, check=False)
        assert found.returncode in (0, 1), found.stderr
        return found.stdout.decode()

    def _patterns(self) -> Iterator[tuple[str, str, bytes]]:
        """Return name, disguise and bytes of all that must not be seen; those but base64 in lower case."""
        for name, secret in self._secrets.items():
            for form, disguised in FORMS.items():
                yield name, form, disguised(secret).lower()
            for offset in range(3):
                for pattern in _within_base64(secret, offset):
                    yield name, f"in base64 ({offset})", pattern
        for name, password in self._passwords.items():
            for kind in DIGESTS:
                digest = hashlib.new(kind, password).digest()
                yield name, f"as its {kind}", digest.hex().encode()
                yield name, f"in base64 of its {kind}", base64.b64encode(digest).rstrip(b"=")


def _within_base64(secret: bytes, offset: int) -> set[bytes]:
    """Return how a secret looks in base64 when so many bytes stand before it: what no neighbour can change."""
    encoded = base64.b64encode(bytes(offset) + secret)
    sure = encoded[(8 * offset + 5) // 6:8 * (offset + len(secret)) // 6]
    return {sure, sure.translate(bytes.maketrans(b"+/", b"-_"))}
