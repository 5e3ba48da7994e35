"""Values that a store is given: short to write, all different."""

import hashlib
from uuid import UUID, uuid4

from gateway.model import LegacyUser, Profile, Secret
from gateway.store.base import Adoption, NewPassword


def password(text: str) -> NewPassword:
    """Return what a store is told of a password: a stand-in for its argon2id, and for its keyed digest."""
    return NewPassword(encoded=Secret(f"$argon2id$of${text}"), held=hashlib.sha256(text.encode()).digest())


FIRST = password("first").encoded
"""The encoding of the password with which `adoption` begins."""


def handle(text: str) -> bytes:
    """Return the handle of a session whose browser holds this text."""
    return hashlib.sha256(b"session " + text.encode()).digest()


def adoption(legacy_id: str = "7", *, source: str = "shop", aliases: tuple[str, ...] = ("alice",),
             profile: Profile | None = None, password_text: str = "first", legacy_seen: bytes | None = None,
             account_id: UUID | None = None) -> Adoption:
    """Return the adoption of one legacy user."""
    profile = profile or Profile(username="alice", email="alice@shop.test", name="Alice")
    user = LegacyUser(legacy_id=legacy_id, identifiers=aliases, profile=profile)
    return Adoption(account_id=account_id or uuid4(), source=source, user=user, aliases=aliases,
                    password=password(password_text), legacy_seen=legacy_seen, way="login")
