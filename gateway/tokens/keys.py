"""Signing keys and the set of them: who signs, what is published. Pure.

Owns the states of a key and the choice of keys to add. Must not know the store, nor how private parts
are sealed.

A `next` key is published and signs nothing, so that verifiers know it before it signs; the `active` one
signs. Every key is Ed25519 (RFC 8032), published as an OKP key (RFC 8037).
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NoReturn

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.tokens.encoding import base64url

ALGORITHM = "EdDSA"
SEED_BYTES = 32  # an Ed25519 private key is 32 random bytes (RFC 8032 section 5.1.5)


class KeyState(StrEnum):
    """What a signing key is used for."""

    ACTIVE = "active"
    NEXT = "next"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """Is one key pair; `kid` is the RFC 7638 thumbprint of its public part.

    Two keys are equal when their public parts and states are. The private part is in no repr, and the
    key cannot be pickled.
    """

    kid: str
    state: KeyState
    algorithm: str
    public_jwk: Mapping[str, str]
    private: Ed25519PrivateKey = field(repr=False, compare=False)

    @property
    def public(self) -> Ed25519PublicKey:
        """The public part, as verification takes it."""
        return self.private.public_key()

    def private_bytes(self) -> bytes:
        """Return the private part (32 bytes), for sealing."""
        return self.private.private_bytes_raw()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a SigningKey cannot be pickled")


@dataclass(frozen=True, slots=True)
class KeySet:
    """Is the signing keys at one moment: exactly one of them is active."""

    keys: tuple[SigningKey, ...]

    def __post_init__(self) -> None:
        if sum(key.state is KeyState.ACTIVE for key in self.keys) != 1:
            raise ValueError("a key set has exactly one active key")
        if len({key.kid for key in self.keys}) != len(self.keys):
            raise ValueError("a key set holds each key once")

    @property
    def active(self) -> SigningKey:
        """The key that signs."""
        return next(key for key in self.keys if key.state is KeyState.ACTIVE)

    def published(self) -> tuple[SigningKey, ...]:
        """Return the keys that verifiers may see, in an order that depends on nothing but the keys."""
        return tuple(sorted(self.keys, key=lambda key: (key.state, key.kid)))

    def by_kid(self, kid: str) -> SigningKey | None:
        """Return the key of this id, or None: an id selects among our own keys and nothing else."""
        return next((key for key in self.keys if key.kid == kid), None)

    def jwks(self) -> bytes:
        """Return the JSON Web Key Set (RFC 7517 section 5), the same bytes for the same keys."""
        keys = [
            {**key.public_jwk, "alg": key.algorithm, "kid": key.kid, "use": "sig"} for key in self.published()
        ]
        return _canonical({"keys": keys})

    @property
    def etag(self) -> str:
        """The strong entity tag of `jwks()`, quotes included (RFC 9110 section 8.8.3)."""
        return f'"{hashlib.sha256(self.jwks()).hexdigest()[:32]}"'


def generate(state: KeyState, random: Callable[[int], bytes]) -> SigningKey:
    """Return a fresh key; `random` gives that many bytes from a cryptographic source."""
    return from_private_bytes(random(SEED_BYTES), state)


def from_private_bytes(private: bytes, state: KeyState) -> SigningKey:
    """Return the key whose private part these 32 bytes are; raises `ValueError` for another size."""
    key = Ed25519PrivateKey.from_private_bytes(private)
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": base64url(key.public_key().public_bytes_raw())}
    return SigningKey(kid=thumbprint(jwk), state=state, algorithm=ALGORITHM, public_jwk=jwk, private=key)


def stage(
    existing: Collection[SigningKey], generate: Callable[[KeyState], SigningKey]
) -> tuple[SigningKey, ...]:
    """Return the keys to add: an active one at the first start, and a next one whenever there is none."""
    present = {key.state for key in existing}
    return tuple(generate(state) for state in KeyState if state not in present)


def thumbprint(jwk: Mapping[str, str]) -> str:
    """Return the RFC 7638 thumbprint of a key given by its required members alone."""
    return base64url(hashlib.sha256(_canonical(jwk)).digest())


def _canonical(value: Mapping[str, object]) -> bytes:
    """Write JSON with sorted names and no white space, as RFC 7638 section 3.3 asks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
