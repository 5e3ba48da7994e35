"""The listening sockets: opened once by the supervisor, and kept by it whatever becomes of its workers.

Owns the claim on an address. Every worker has public sockets of its own, among which the kernel spreads new
connections; the private ones are worker 0's.
"""

import contextlib
import errno
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from gateway.errors import ConfigurationError
from gateway.settings import Address, Settings

CLAIM_SECONDS = 2.0  # workers whose supervisor was killed close their sockets as soon as they notice
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Sockets:
    """Holds the sockets of one pair of addresses; `public` has one list for each worker."""

    public_address: Address
    private_address: Address
    public: list[list[socket.socket]] = field(default_factory=list)
    private: list[socket.socket] = field(default_factory=list)

    @classmethod
    def open(cls, settings: Settings, workers: int, former: Self | None = None) -> Self:
        """Bind what the settings name; of `former`, what is at the same address is used again.

        Raises `ConfigurationError` where an address is taken.
        """
        sockets = cls(public_address=settings.listen.public, private_address=settings.private.listen)
        try:
            sockets._open(workers, former)
        except ConfigurationError:
            sockets.close(but=former)
            raise
        return sockets

    def _open(self, workers: int, former: Self | None) -> None:
        if former is not None and former.public_address == self.public_address:
            self.public.extend(former.public)
        else:
            with _named("listen.public", self.public_address):
                self.public.append(_claim(self.public_address))
                for _ in range(workers - 1):
                    self.public.append([_bind(one.family, one.getsockname()) for one in self.public[0]])
        if former is not None and former.private_address == self.private_address:
            self.private.extend(former.private)
        else:
            with _named("private.listen", self.private_address):
                self.private.extend(_claim(self.private_address))

    def close(self, *, but: Self | None = None) -> None:
        """Close every socket that `but` does not hold as well."""
        kept = set() if but is None else set(but.every())
        for one in self.every():
            if one not in kept:
                one.close()

    def every(self) -> Iterator[socket.socket]:
        """Yield each socket."""
        yield from self.private
        for each in self.public:
            yield from each


def _claim(address: Address) -> list[socket.socket]:
    """Bind an address that nobody else listens at: SO_REUSEPORT alone would share it with any gateway of this user."""
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    places = dict.fromkeys((family, place) for family, _, _, _, place in found)
    sockets: list[socket.socket] = []
    try:
        for family, place in places:
            if address.port:
                _wait_until_free(family, place)
            sockets.append(_bind(family, place))
    except OSError:
        for one in sockets:
            one.close()
        raise
    return sockets


def _wait_until_free(family: int, place: tuple[object, ...]) -> None:
    deadline = time.monotonic() + CLAIM_SECONDS
    while True:
        try:
            _bind(family, place, is_shared=False).close()
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
        else:
            return


def _bind(family: int, place: tuple[object, ...], *, is_shared: bool = True) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(place)
    except OSError:
        bound.close()
        raise
    return bound


@contextlib.contextmanager
def _named(key: str, address: Address) -> Iterator[None]:
    """Turn a refused bind into one sentence."""
    try:
        yield
    except OSError as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise ConfigurationError(f"{key}: cannot listen on {address}: {reason}") from None
