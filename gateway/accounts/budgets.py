"""How much each address may cost: failures are paid from a budget that fills up again. Pure.

Owns a bounded table of addresses. Must not know what failed; time comes in.
"""

from ipaddress import IPv6Address, ip_address
from math import ceil

FAILURES = 100.0  # at once: a whole office whose sessions have ended comes back behind one address
REFILL = 2.0  # a second; at 150 µs for a signature no address costs more than a thousandth of a core

# All clients behind proxies that nobody declared share one budget, since a forged X-Forwarded-For must not switch
# the bound off. It serves a whole site behind its balancer, and costs 3 % of a core at most.
HIDDEN_FAILURES = 2_000.0
HIDDEN_REFILL = 200.0  # a second

ADDRESSES = 65_536  # about 200 bytes each; who has more addresses than that is no single client

IPV6_HOST_BITS = 64  # one subscriber has 2^64 of them (RFC 6177)

_Owner = str | int | None


class Budgets:
    """Keeps one budget for each IPv4 address and each IPv6 network of 64 bits.

    An address is None where a proxy hides it; all of those are one.
    """

    __slots__ = ("_left", "_longest")

    def __init__(self, longest: int = ADDRESSES) -> None:
        self._longest = longest
        self._left: dict[_Owner, tuple[float, float]] = {}  # what was left, and when; the longest untouched first

    def __len__(self) -> int:
        return len(self._left)

    def wait(self, address: str | None, now: float) -> int:
        """Return 0 while an address may fail once more, else the seconds until it may."""
        owner = _owner(address)
        left = self._now(owner, now)
        return 0 if left >= 1 else ceil((1 - left) / _bounds(owner)[1])

    def spend(self, address: str | None, now: float) -> None:
        """Take one failure from an address's budget."""
        owner = _owner(address)
        left = self._now(owner, now)
        self._left.pop(owner, None)
        if len(self._left) >= self._longest:
            del self._left[next(iter(self._left))]
        self._left[owner] = (max(0.0, left - 1), now)

    def refund(self, address: str | None, now: float) -> None:
        """Give back one, because it was no failure; what is full again is forgotten."""
        owner = _owner(address)
        left = self._now(owner, now) + 1
        if left >= _bounds(owner)[0]:
            self._left.pop(owner, None)
        else:
            self._left[owner] = (left, now)

    def _now(self, owner: _Owner, now: float) -> float:
        failures, refill = _bounds(owner)
        left, since = self._left.get(owner, (failures, now))
        return min(failures, left + max(0.0, now - since) * refill)


def _bounds(owner: _Owner) -> tuple[float, float]:
    """Return how much a budget holds, and what it gets back in a second."""
    return (HIDDEN_FAILURES, HIDDEN_REFILL) if owner is None else (FAILURES, REFILL)


def _owner(address: str | None) -> _Owner:
    """Return whose budget an address draws on; what is no address is an owner of its own."""
    if address is None:
        return None
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return int(parsed) >> IPV6_HOST_BITS if isinstance(parsed, IPv6Address) else address
