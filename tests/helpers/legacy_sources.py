"""A legacy user store in memory, and the two kinds of source over it: they pass the conformance suite of sources.

What a test does to the store behind the gateway's back is a method of the store.
"""

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from itertools import count
from types import TracebackType
from typing import Self

from adapters.base import AdapterUnavailable, LegacyRow
from gateway.hashing.scheme import Match
from gateway.hashing.swapper import Swapper
from gateway.model import LegacyUser, Outcome, Profile, Secret


class LegacyUsers:
    """Is the store: users by legacy id, each with a hash of Django's kind. `asked` lists who was asked for."""

    def __init__(self) -> None:
        self.rows: dict[str, LegacyRow] = {}
        self.asked: list[str] = []
        self.is_away = False
        self.awake = asyncio.Event()
        self.awake.set()
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        self._salts = count(1)

    def add(self, legacy_id: str, *identifiers: str, password: str, profile: Profile | None = None,
            hindrance: Outcome | None = None) -> LegacyUser:
        """Add a user; the first identifier is their user name."""
        user = LegacyUser(legacy_id=legacy_id, identifiers=identifiers, hindrance=hindrance,
                          profile=profile or Profile(username=identifiers[0]))
        self.rows[legacy_id] = LegacyRow(user=user, encoded_hash=Secret(""))
        self.set_password(legacy_id, password)
        return user

    def set_password(self, legacy_id: str, password: str) -> None:
        """Give a user a password under a fresh salt, as the app or an admin does."""
        salt = f"salt{next(self._salts)}"
        digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), 1)
        self.set_hash(legacy_id, f"pbkdf2_sha256$1${salt}${base64.b64encode(digest).decode()}")

    def set_hash(self, legacy_id: str, encoded: str) -> None:
        """Put any string in the place of a user's hash."""
        self.rows[legacy_id] = replace(self.rows[legacy_id], encoded_hash=Secret(encoded))

    def rename(self, legacy_id: str, *identifiers: str) -> None:
        """Give a user other identifiers; the old ones are free for others."""
        row = self.rows[legacy_id]
        self.rows[legacy_id] = replace(row, user=replace(row.user, identifiers=identifiers))

    def hinder(self, legacy_id: str, hindrance: Outcome | None) -> None:
        """Disable or lock a user, demand a new password, or take it back."""
        row = self.rows[legacy_id]
        self.rows[legacy_id] = replace(row, user=replace(row.user, hindrance=hindrance))

    async def look_up(self, login: str) -> LegacyRow | Outcome:
        """Answer a source, after what a test lets happen meanwhile."""
        self.asked.append(login)
        await self.awake.wait()
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await happens()
        if self.is_away:
            raise AdapterUnavailable("the legacy store cannot be reached")
        found = [row for row in self.rows.values() if login in row.user.identifiers]
        if len(found) > 1:
            return Outcome.AMBIGUOUS
        return found[0] if found else Outcome.NOT_FOUND


class MemorySource(AbstractAsyncContextManager["MemorySource"]):
    """Is what both kinds of source share: opening, closing and patience."""

    def __init__(self, users: LegacyUsers, *, timeout_seconds: float = 10.0) -> None:
        self._users = users
        self._timeout = timeout_seconds
        self._is_open = False

    async def __aenter__(self) -> Self:
        self._is_open = True
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        self._is_open = False

    async def ping(self) -> None:
        await self._look_up("")

    async def _look_up(self, login: str) -> LegacyRow | Outcome:
        if not self._is_open:
            raise AdapterUnavailable("the source is closed")
        try:
            async with asyncio.timeout(self._timeout):
                return await self._users.look_up(login)
        except TimeoutError:
            raise AdapterUnavailable("the legacy store did not answer in time", Outcome.TIMEOUT) from None


class ShowsHashes(MemorySource):
    """Is `adapters.base.HashSource` over the store in memory."""

    async def fetch(self, login: str) -> LegacyRow | Outcome:
        return await self._look_up(login)


class TakesPasswords(MemorySource):
    """Is `adapters.base.PasswordSource` over the store in memory."""

    async def authenticate(self, login: str, password: Secret) -> LegacyUser | Outcome:
        row = await self._look_up(login)
        if not isinstance(row, LegacyRow):
            return row
        match Swapper().verify(row.encoded_hash, password):
            case Match.FOREIGN:
                return Outcome.UNSUPPORTED_HASH
            case Match.NO:
                return Outcome.WRONG_PASSWORD
            case Match.YES | Match.STALE:
                return row.user
