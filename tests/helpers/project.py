"""The project as its files: what a clone holds, without what tools have left beside it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("gateway", "adapters")


def project_files(root: Path = ROOT) -> Iterator[Path]:
    """Yield every file and link of the project that git does not ignore."""
    ignored = [line.rstrip("/") for line in (root / ".gitignore").read_text().splitlines()]
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if name != ".git" and not _is_ignored(name, ignored))
        links = [name for name in names if Path(folder, name).is_symlink()]
        yield from (Path(folder, name) for name in sorted([*files, *links]) if not _is_ignored(name, ignored))


def copy_project(target: Path, only: tuple[str, ...] = ("",)) -> Path:
    """Copy the project, or the files below some of its paths, links as links; return the copy."""
    for file in project_files():
        place = file.relative_to(ROOT)
        if any(place.is_relative_to(path) for path in only):
            (target / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target / place, follow_symlinks=False)
    return target


def sources() -> list[Path]:
    """Return every Python file of the packages."""
    return [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]


def _is_ignored(name: str, patterns: list[str]) -> bool:
    return any(Path(name).match(pattern) for pattern in patterns)
