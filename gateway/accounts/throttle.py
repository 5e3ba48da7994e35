"""How many wrong passwords a person, a browser or an address may try, and how fast.

Owns the budgets, their keys and the device token. Must not know HTTP, nor how the store counts.

An attempt is counted as a failure before its password is verified, so parallel guesses cannot outrun the
count, and is taken back when it was none. Keys are keyed digests: the store learns no name and no address.
"""

import base64
import hashlib
import hmac
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from gateway.accounts.keyring import Keyring
from gateway.model import Secret
from gateway.store import base
from gateway.store.base import ThrottlePolicy
from gateway.tokens.encoding import base64url

# Five typing errors are a person's; from the sixth on guessing has to cost time (BEHAVIOUR, throttle). An
# hour at most, so nobody is locked out for ever; a day without a failure and the count starts anew.
PER_ACCOUNT = ThrottlePolicy(free=5, longest=timedelta(hours=1), forget=timedelta(hours=24))
# An office behind one address makes dozens of typing errors; a guesser makes them without a pause.
PER_ADDRESS = ThrottlePolicy(free=50, longest=timedelta(hours=1), forget=timedelta(hours=1))

KEY_BYTES = 16
NONCE_BYTES = 16
IPV6_HOST_BITS = 64  # one customer has a whole /64, so its addresses are one
COUNTER_LABEL = b"sluicegate throttle counters"
DEVICE_LABEL = b"sluicegate device tokens"
DEVICE_TOKEN = re.compile(r"([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})")


class Budget(StrEnum):
    """Whose budget an attempt draws on."""

    ACCOUNT = "account"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Is a login about to be verified.

    `identifier` is normalised. `address` is the client's, or None when it is not known for sure: the peer
    is a proxy that nobody declared. `device` is the device token that the browser sent, if any.
    """

    source: str
    identifier: str
    address: str | None = None
    device: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Refuses an attempt: nothing may be verified for `seconds`, because `budget` is used up."""

    seconds: int
    budget: Budget


class Reservation:
    """Is an attempt that was counted as failed in advance. The first word about its end counts.

    Without a word it stays counted: a client that hangs up has guessed all the same. And a failure stays
    one, whatever breaks while its answer is made.
    """

    __slots__ = ("_account", "_address", "_is_decided", "_store")

    def __init__(self, store: base.Throttle, account: bytes, address: bytes | None) -> None:
        self._store = store
        self._account = account
        self._address = address
        self._is_decided = False

    async def succeeded(self) -> None:
        """The password was right: the account's failures are forgotten, the address loses this one only."""
        if self._is_decided:
            return
        # When this breaks, the answer is a 503 and the attempt may still be refunded: no harm is done if the
        # count was cleared after all, for none falls below zero. Taking back from the address is never tried
        # twice: it could be somebody else's attempt.
        await self._store.clear(self._account)
        self._is_decided = True
        await self._refund_address()

    def failed(self) -> None:
        """The password was wrong: the attempt stays counted."""
        self._decide()

    async def refund(self) -> None:
        """Nobody could tell (503): the attempt was none."""
        if self._decide():
            await self._store.refund(self._account, PER_ACCOUNT)
            await self._refund_address()

    def _decide(self) -> bool:
        is_first, self._is_decided = not self._is_decided, True
        return is_first

    async def _refund_address(self) -> None:
        if self._address is not None:
            await self._store.refund(self._address, PER_ADDRESS)


class Throttle:
    """Reserves attempts, and gives browsers that logged in a budget of their own.

    So a stranger who guesses cannot lock out the owner ("Slow Down Online Guessing Attacks with Device
    Cookies", OWASP). `random` gives that many bytes from a cryptographic source.
    """

    __slots__ = ("_keyring", "_random", "_store")

    def __init__(self, store: base.Throttle, keyring: Keyring, random: Callable[[int], bytes]) -> None:
        self._store = store
        self._keyring = keyring
        self._random = random

    async def reserve(self, attempt: Attempt) -> Reservation | Wait:
        """Count an attempt before it is made; raises `StoreUnavailable`, and then it must not be made."""
        account, address = self._account_key(attempt), self._address_key(attempt)
        # The address comes first: a guesser who has used up theirs never touches the owner's count.
        wait = await self._store.reserve(address, PER_ADDRESS) if address else 0
        if wait:
            return Wait(seconds=math.ceil(wait), budget=Budget.ADDRESS)
        wait = await self._store.reserve(account, PER_ACCOUNT)
        if wait:
            if address:
                await self._store.refund(address, PER_ADDRESS)  # it is not made, so the office does not pay
            return Wait(seconds=math.ceil(wait), budget=Budget.ACCOUNT)
        return Reservation(self._store, account, address)

    def device_token(self, source: str, identifier: str) -> Secret:
        """Return a token for the browser of a user who has just logged in."""
        nonce = self._random(NONCE_BYTES)
        return Secret(f"{base64url(nonce)}.{base64url(self._device_mac(nonce, source, identifier))}")

    def _device_id(self, token: Secret, source: str, identifier: str) -> bytes | None:
        form = DEVICE_TOKEN.fullmatch(token.reveal())
        if form is None:
            return None
        nonce, mac = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in form.groups())
        is_ours = hmac.compare_digest(mac, self._device_mac(nonce, source, identifier))
        return nonce if is_ours else None

    def _device_mac(self, nonce: bytes, source: str, identifier: str) -> bytes:
        # The source is part of it: whoever owns a name in one user store is a stranger in the next.
        return _digest(self._keyring.derive(DEVICE_LABEL), nonce, _utf8(source), _utf8(identifier))

    def _account_key(self, attempt: Attempt) -> bytes:
        source, identifier, device = attempt.source, attempt.identifier, b""
        if attempt.device is not None:
            device = self._device_id(attempt.device, source, identifier) or b""
        return self._key(b"account", device, _utf8(source), _utf8(identifier))

    def _address_key(self, attempt: Attempt) -> bytes | None:
        network = _network(attempt.address) if attempt.address else None
        return self._key(b"address", network.encode()) if network else None

    def _key(self, *parts: bytes) -> bytes:
        return _digest(self._keyring.derive(COUNTER_LABEL), *parts)[:KEY_BYTES]


def _network(address: str) -> str | None:
    """Return what counts as one address, or None when the text is no IP address."""
    try:
        parsed: IPv4Address | IPv6Address | None = ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is None:
            return str(IPv6Network((int(parsed), 128 - IPV6_HOST_BITS), strict=False))
        parsed = parsed.ipv4_mapped
    return str(parsed)


def _digest(key: bytes, *parts: bytes) -> bytes:
    """Return the HMAC-SHA256 of the parts, each behind its length, so that no two lists read alike."""
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        mac.update(len(part).to_bytes(4, "big"))
        mac.update(part)
    return mac.digest()


def _utf8(text: str) -> bytes:
    """Encode whatever was typed: a name that can be nobody's has a budget too."""
    return text.encode("utf-8", "surrogatepass")
