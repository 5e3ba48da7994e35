"""Symmetric keys: how the key-encryption key seals what the store keeps, and how keys are derived.

Owns the layout of a sealed value. Must not know where the key comes from, nor what the sealed bytes mean.

    version (1 byte) | key id (4 bytes) | nonce (12 bytes) | ciphertext and tag (AES-256-GCM, NIST SP 800-38D)

The caller's context is the additional data, so a value moved to another row or purpose does not open.
"""

import base64
import binascii
import hashlib
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.model import Secret

KEY_BYTES = 32
NONCE_BYTES = 12  # the size that GCM is defined for; random ones stay safe below 2^32 seals of one key
TAG_BYTES = 16
VERSION = b"\x01"
KEY_ID_BYTES = 4
KEY_ID_LABEL = b"sluicegate key-encryption key id\x00"  # so that the id is no plain hash of the key
HEADER_BYTES = len(VERSION) + KEY_ID_BYTES

HOW_TO_MAKE = "the key-encryption key must be 32 bytes in base64: make one with `openssl rand -base64 32`"


class EnvelopeError(Exception):
    """Is the root of what opening a sealed value raises; its text holds no value."""


class WrongKey(EnvelopeError):
    """Says that the value was sealed under another key-encryption key."""


class Tampered(EnvelopeError):
    """Says that the value is not what this key sealed for this context: damaged, moved or forged."""


class KeyEncryptionKey:
    """Seals and opens what the store must not be able to read."""

    __slots__ = ("_cipher", "_id")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(HOW_TO_MAKE)
        self._cipher = AESGCM(key)
        self._id = hashlib.sha256(KEY_ID_LABEL + key).digest()[:KEY_ID_BYTES]

    @classmethod
    def parse(cls, secret: Secret) -> "KeyEncryptionKey":
        """Read a key from base64 or hexadecimal text, as `openssl rand` writes it.

        White space around it does not count. Raises `ValueError` with what to do, never with the value.
        """
        text = secret.reveal().strip()
        decode = bytes.fromhex if len(text) == 2 * KEY_BYTES else _from_base64
        try:
            key = decode(text)
        except ValueError:
            raise ValueError(HOW_TO_MAKE) from None  # the cause would quote the key
        return cls(key)

    def seal(self, plain: bytes, *, context: bytes, nonce: bytes) -> bytes:
        """Return `plain` sealed for `context`; `nonce` is 12 bytes that were never used with this key."""
        if len(nonce) != NONCE_BYTES:
            raise ValueError(f"a nonce has {NONCE_BYTES} bytes")
        return VERSION + self._id + nonce + self._cipher.encrypt(nonce, plain, context)

    def open(self, sealed: bytes, *, context: bytes) -> bytes:
        """Return what was sealed for `context`; raises `WrongKey` or `Tampered`."""
        if len(sealed) < HEADER_BYTES + NONCE_BYTES + TAG_BYTES or not sealed.startswith(VERSION):
            raise Tampered("this is not a sealed value")
        if sealed[len(VERSION):HEADER_BYTES] != self._id:
            raise WrongKey("this value was sealed under another key-encryption key")
        nonce = sealed[HEADER_BYTES:HEADER_BYTES + NONCE_BYTES]
        try:
            return self._cipher.decrypt(nonce, sealed[HEADER_BYTES + NONCE_BYTES:], context)
        except InvalidTag:
            raise Tampered("this value was damaged, or sealed for another purpose") from None

    def __repr__(self) -> str:
        return "KeyEncryptionKey(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a KeyEncryptionKey cannot be pickled")


def derive(key: bytes, label: bytes) -> bytes:
    """Return the 32-byte sub-key of a key for one purpose: HKDF-SHA256 (RFC 5869), the label as info."""
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=label).derive(key)


def _from_base64(text: str) -> bytes:
    """Decode base64 with or without padding; raises `ValueError` for a foreign character."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
