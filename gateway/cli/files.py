"""What the files that a configuration names must be, as far as that shows before anything is served.

Owns what `sluicegate check` says of them. They are read; nothing is made or written.
"""

import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography import x509

from gateway.apps import destinations
from gateway.errors import ConfigurationError, Problem
from gateway.server.certificates import server_context
from gateway.settings import Settings

SOON = timedelta(days=14)  # whoever renews by itself does so a month before


def demand_files(settings: Settings) -> None:
    """Look at every file that `serve` will want; raises `ConfigurationError` with everything that is wrong."""
    looks: list[Callable[[], object]] = [partial(server_context, settings), partial(_demand_log, settings)]
    looks += [partial(destinations, settings, app) for app in settings.apps]
    problems: list[Problem | str] = []
    for look in looks:
        try:
            look()
        except ConfigurationError as error:
            problems += error.problems
    if problems:
        raise ConfigurationError(*problems)


def file_notes(settings: Settings, now: datetime) -> Iterator[str]:
    """Say what an operator should know of files that are right; `now` has a time zone."""
    if settings.listen.certificate is None:
        return
    end = x509.load_pem_x509_certificates(settings.listen.certificate.read_bytes())[0].not_valid_after_utc
    if end <= now:
        yield f"listen.certificate expired on {end:%Y-%m-%d}: clients refuse it; renew it"
    elif end <= now + SOON:
        yield f"listen.certificate expires on {end:%Y-%m-%d}: renew it"


def _demand_log(settings: Settings) -> None:
    """Raise `ConfigurationError` for an access log that could not be written."""
    place = settings.log.access
    if not isinstance(place, Path):
        return
    reason = _unwritable(place)
    if reason is not None:
        raise ConfigurationError(settings.problem(("log", "access"), f"{place} cannot be written ({reason})"))


def _unwritable(place: Path) -> str | None:
    """Return why nothing could be added to a file, if so."""
    if not place.parent.is_dir():
        return "there is no such folder"
    if place.is_dir():
        return "it is a folder"
    if place.exists():  # it may as well be a pipe, or /dev/stderr
        return None if os.access(place, os.W_OK) else "the file may not be written"
    return None if os.access(place.parent, os.W_OK | os.X_OK) else "the folder may not be written"
