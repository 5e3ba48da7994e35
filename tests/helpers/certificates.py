"""Certificates for tests: an authority of our own, and what it vouches for, as PEM files in a folder.

    authority = Authority(tmp_path)
    server = authority.issue("app.internal", "127.0.0.1")
    server.context()                     # for asyncio.start_server(…, ssl=…)
    authority.context()                  # for a client that trusts this authority and no other
    authority.expired("app.internal")    # was right until yesterday

A certificate for the wrong name is one that was issued for another name.
"""

import datetime
import ipaddress
import itertools
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCertificate:
    """Is a certificate with its key; `chain` and `key` are PEM files."""

    chain: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Return a server's context."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context


@dataclass(slots=True)
class Authority:
    """Is a certificate authority whose files are in `folder`; `file` is its own certificate."""

    folder: Path
    name: str = "authority"
    file: Path = field(init=False)
    _key: ec.EllipticCurvePrivateKey = field(init=False)
    _certificate: x509.Certificate = field(init=False)
    _numbers: "itertools.count[int]" = field(init=False, default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        public = self._key.public_key()
        now = datetime.datetime.now(datetime.UTC)
        signing = x509.KeyUsage(digital_signature=False, content_commitment=False, key_encipherment=False,
                                data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
                                encipher_only=False, decipher_only=False)
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(self.name)).issuer_name(_name(self.name)).public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 30 * DAY).not_valid_after(now + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(signing, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self._key, hashes.SHA256()))
        self.file = self.folder / f"{self.name}.pem"
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, *names: str) -> ServerCertificate:
        """Vouch for a server of these names and addresses, from yesterday until tomorrow."""
        now = datetime.datetime.now(datetime.UTC)
        return self._issue(names, now - DAY, now + DAY)

    def expired(self, *names: str) -> ServerCertificate:
        """Return a certificate that was right until yesterday."""
        now = datetime.datetime.now(datetime.UTC)
        return self._issue(names, now - 2 * DAY, now - DAY)

    def context(self) -> ssl.SSLContext:
        """Return the context of a client that trusts this authority and no other."""
        return ssl.create_default_context(cafile=str(self.file))

    def _issue(self, names: tuple[str, ...], begin: datetime.datetime, end: datetime.datetime) -> ServerCertificate:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(names[0])).issuer_name(self._certificate.subject).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256()))
        stem = f"{self.name}-{next(self._numbers)}"
        chain, private = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                              serialization.NoEncryption()))
        private.chmod(0o600)
        return ServerCertificate(chain=chain, key=private)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
