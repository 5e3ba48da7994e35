"""Where an app listens, and how a connection to it is made: TCP, TLS over TCP, or a socket of this machine.

Owns what must hold at the other end before a byte of a request is sent to it. Must not know requests or pools.
"""

import asyncio
import errno
import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

SYSTEM_AUTHORITIES = "the system's certificate authorities"
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Errors of a connect that tell of this process or machine, and nothing of who listens at the other end."""


class Unreachable(Exception):
    """Says that there is no connection to an address: `kind` is connect, tls or exhausted.

    `reason` is a sentence for operators. `is_late` says that it was not refused: nobody answered in time.
    """

    def __init__(self, kind: str, reason: str, *, is_late: bool = False) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.is_late = is_late

    @property
    def is_own(self) -> bool:
        """Whether it is the gateway's own lack: the address was not asked."""
        return self.kind == "exhausted"


class Destination(Protocol):
    """Is where an app listens; its text names it in logs."""

    async def connect(self, connection: asyncio.Protocol) -> None:
        """Make a connection, `connection_made` included; raises Unreachable, and then nothing was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Is what an app has to prove: a certificate for `name` (asked for by SNI), signed by one whom `context` trusts.

    `authority` is the latter in words.
    """

    context: ssl.SSLContext
    name: str
    authority: str = SYSTEM_AUTHORITIES

    def refused(self, verdict: str) -> Unreachable:
        """Return what to say of a certificate that does not prove it."""
        wanted = f"its certificate must be for {self.name} and signed by {self.authority} ({verdict.rstrip('.')})"
        return Unreachable("tls", f"{wanted}: set the app's upstream_name or upstream_ca, or renew the certificate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Is a host and a port; a name is resolved at each connect, and its addresses are tried in order."""

    host: str
    port: int
    tls: Tls | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self.tls is None else 'https'}://{host}:{self.port}"

    async def connect(self, connection: asyncio.Protocol) -> None:
        """Make a connection; with TLS, only to whom proves to be the app."""
        loop, tls = asyncio.get_running_loop(), self.tls
        try:
            if tls is None:
                await loop.create_connection(lambda: connection, self.host, self.port)
            else:
                await loop.create_connection(lambda: connection, self.host, self.port, ssl=tls.context,
                                             server_hostname=tls.name)
        except (OSError, ValueError) as error:
            _explain(error, tls)


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketFile:
    """Is a unix socket of this machine."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"

    async def connect(self, connection: asyncio.Protocol) -> None:
        """Make a connection."""
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: connection, self.path)
        except (OSError, ValueError) as error:
            _explain(error, None)


def _explain(error: OSError | ValueError, tls: Tls | None) -> NoReturn:
    """Raise what a failed connect means; a ValueError (UnicodeError is one) is a name that cannot be written."""
    if isinstance(error, ssl.SSLCertVerificationError) and tls is not None:
        raise tls.refused(error.verify_message) from None
    if isinstance(error, ssl.SSLError):
        raise Unreachable("tls", "it does not speak TLS 1.2 or later: see that its address is that of a TLS port") \
            from None
    if isinstance(error, OSError) and error.errno in EXHAUSTED:
        raise Unreachable("exhausted", "the gateway itself lacks what a connection needs "
                                       f"({os.strerror(error.errno)}): raise LimitNOFILE, or give it memory") from None
    words = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "at none of its addresses"
    if isinstance(error, socket.gaierror | ValueError):
        words = "there is no such name"
    raise Unreachable("connect", f"it accepts no connection ({words}): see that it runs, and that its address is right",
                      is_late=isinstance(error, TimeoutError)) from None


def is_own_end(transport: asyncio.BaseTransport | None) -> bool:
    """Say whether an orderly end was the app's: with TLS anybody on the way can end what lies below it.

    An answer that lasts until close is whole only by the closure alert (RFC 9112 9.8). Neither asyncio nor
    uvloop tells of it; reading once more does.
    """
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object") if transport is not None else None
    if tls is None:
        return True
    try:
        return not tls.read(1)
    except ssl.SSLZeroReturnError:
        return True
    except ssl.SSLError:
        return False


def verifying_context(authority: Path | None) -> ssl.SSLContext:
    """Return what verifies an app: its certificate's chain and name, TLS 1.2 or later.

    `authority` is a PEM file; without one the system's authorities are trusted. A name counts only where RFC
    9525 section 6 lets it: in subjectAltName. Raises OSError for a file that cannot be read or is none.
    """
    # create_default_context() would write session keys wherever SSLKEYLOGFILE says.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    context.set_alpn_protocols(["http/1.1"])
    if authority is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cafile=authority)
    return context
