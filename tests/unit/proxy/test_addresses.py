"""Where an app listens, and what it has to prove."""

import asyncio
import errno
import os
import socket
import ssl
from pathlib import Path

import pytest

from gateway.proxy.addresses import Address, SocketFile, Tls, Unreachable, is_own_end, verifying_context
from tests.helpers.certificates import Authority
from tests.helpers.transport import FakeTransport


def proves(authority: Authority, name: str) -> Tls:
    return Tls(context=verifying_context(authority.file), name=name, authority=str(authority.file))


def test_what_verifies_is_strict(tmp_path: Path) -> None:
    """Chain and name, subjectAltName alone, TLS 1.2 and later; the system's authorities unless one is named."""
    context = verifying_context(Authority(tmp_path).file)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.hostname_checks_common_name
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert len(context.get_ca_certs()) == 1
    assert verifying_context(None).verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_that_holds_no_authority_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """It trusts nobody, and nobody would learn why."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(OSError):  # FileNotFoundError, or ssl.SSLError
        verifying_context(file)


def test_addresses_are_written_as_they_are_configured(tmp_path: Path) -> None:
    """The log's reader finds them in the file."""
    tls = proves(Authority(tmp_path), "app.internal")
    assert str(Address(host="::1", port=80)) == "http://[::1]:80"
    assert str(Address(host="app", port=8443, tls=tls)) == "https://app:8443"
    assert str(SocketFile(path="/run/app.sock")) == "unix:/run/app.sock"


def unreachable(error: Exception, tls: Tls | None = None, path: str = "") -> Unreachable:
    """Return what a connect is told as that fails for this reason, on a loop that knows no other."""

    async def fail(*_: object, **__: object) -> None:
        raise error

    place = SocketFile(path=path) if path else Address(host="app", port=80, tls=tls)
    loop = asyncio.new_event_loop()
    loop.create_connection = loop.create_unix_connection = fail  # type: ignore[method-assign, assignment]
    try:
        with pytest.raises(Unreachable) as caught:
            loop.run_until_complete(place.connect(asyncio.Protocol()))
    finally:
        loop.close()
    return caught.value


@pytest.mark.parametrize(("error", "words"), [
    (ConnectionRefusedError(111, "x"), "(Connection refused)"),
    (FileNotFoundError(2, "x"), "(No such file or directory)"),
    (socket.gaierror(-2, "x"), "(there is no such name)"),
    (OSError("Multiple exceptions: x, y"), "(at none of its addresses)"),
    (UnicodeError("label empty or too long"), "(there is no such name)"),
])
@pytest.mark.parametrize("path", ["", "/run/app.sock"])
def test_a_failure_is_told_in_words(error: Exception, words: str, path: str) -> None:
    """The system's own, where it has some; never what an exception's text holds."""
    told = unreachable(error, path=path)
    assert (told.kind, told.is_late, told.is_own) == ("connect", False, False)
    assert words in told.reason


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_what_the_gateway_lacks_is_not_the_apps_fault(number: int) -> None:
    """Who reads that looks at the gateway's limits, and not for an app that is down."""
    told = unreachable(OSError(number, "x"))
    assert (told.kind, told.is_own) == ("exhausted", True)
    assert told.reason.startswith(f"the gateway itself lacks what a connection needs ({os.strerror(number)}): ")


def test_the_systems_own_patience_is_lateness() -> None:
    """ETIMEDOUT is no refusal."""
    assert unreachable(TimeoutError(110, "x")).is_late


def test_a_failed_handshake_is_told_apart(tmp_path: Path) -> None:
    """What is no TLS needs another address, a wrong certificate another name or authority."""
    tls = proves(Authority(tmp_path), "app.internal")
    assert "TLS 1.2 or later" in unreachable(ssl.SSLError(1, "WRONG_VERSION_NUMBER"), tls).reason
    wrong = ssl.SSLCertVerificationError(1, "x")
    wrong.verify_message = "certificate has expired."
    told = unreachable(wrong, tls)
    assert told.kind == "tls"
    assert f"for app.internal and signed by {tmp_path}/authority.pem (certificate has expired)" in told.reason


def test_without_tls_an_orderly_end_is_the_apps() -> None:
    """There is nothing more to ask; a connection that never was ended nothing."""
    assert is_own_end(FakeTransport())
    assert is_own_end(None)
