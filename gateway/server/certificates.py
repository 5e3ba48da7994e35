"""TLS on the public listener: from a pair of files to a context, or one sentence about what is wrong with them.

Owns what is demanded of certificate and key, and of TLS itself. Must not know who listens.
"""

import ssl

from gateway.errors import ConfigurationError
from gateway.settings import Settings

PROTOCOLS = ("http/1.1",)  # what this gateway speaks; a client that insists on more is told so in the handshake


def server_context(settings: Settings) -> ssl.SSLContext | None:
    """Return what the public listener encrypts with, None where it does not; raises `ConfigurationError`."""
    certificate, key = settings.listen.certificate, settings.listen.key
    if certificate is None or key is None:
        return None
    for name, path in (("certificate", certificate), ("key", key)):
        try:
            path.open("rb").close()
        except OSError as error:
            reason = f"{path} cannot be read ({error.strerror})"
            raise ConfigurationError(settings.problem(("listen", name), reason)) from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(PROTOCOLS)
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigurationError(settings.problem(("listen", "certificate"), _sentence(error))) from None
    return context


def _no_password() -> str:
    """Answer for a key that asks for a password: nobody is there to type one."""
    raise ValueError


def _sentence(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return "does not belong to listen.key"
    if isinstance(error, ssl.SSLError):
        return "and listen.key must be a certificate and its private key in PEM"
    return "has a key that is protected by a password; the gateway needs one without"
