"""Guesses cost time, owners are not locked out, outages are not guesses."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import pytest

from gateway.accounts.keyring import Keyring
from gateway.accounts.throttle import Attempt, Budget, Reservation, Throttle, Wait
from gateway.errors import StoreUnavailable
from gateway.model import Secret
from gateway.tokens.envelope import KeyEncryptionKey
from tests.helpers.memory_store import Clock, MemoryKeys, MemoryThrottle

KEK = KeyEncryptionKey(bytes(range(32)))
FREE = 5  # failures that cost no time (BEHAVIOUR: "from the sixth consecutive failure")


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A throttle with all that it stands on."""

    throttle: Throttle
    store: MemoryThrottle
    clock: Clock

    async def reserved(self, attempt: Attempt) -> Reservation:
        answer = await self.throttle.reserve(attempt)
        assert isinstance(answer, Reservation)
        return answer

    async def refused(self, attempt: Attempt) -> Wait:
        answer = await self.throttle.reserve(attempt)
        assert isinstance(answer, Wait)
        return answer

    async def fail(self, attempt: Attempt, times: int) -> None:
        for _ in range(times):
            (await self.reserved(attempt)).failed()


@pytest.fixture
async def door() -> Door:
    clock, random = Clock(), Random(1).randbytes
    keyring = Keyring(MemoryKeys(), KEK, clock, random)
    await keyring.load()
    store = MemoryThrottle(clock)
    return Door(throttle=Throttle(store, keyring, random), store=store, clock=clock)


def alice(*, address: str | None = None, device: Secret | None = None, source: str = "shop-users") -> Attempt:
    return Attempt(source=source, identifier="alice", address=address, device=device)


async def test_from_the_sixth_failure_on_there_is_a_wait(door: Door) -> None:
    """A person's five typing errors cost nothing; then there is a second to wait, and then one more try."""
    await door.fail(alice(), FREE + 1)
    assert await door.refused(alice()) == Wait(seconds=1, budget=Budget.ACCOUNT)
    door.clock.advance(1)
    await door.fail(alice(), 1)
    assert (await door.refused(alice())).seconds == 2


async def test_a_fraction_of_a_second_is_told_as_a_whole_one(door: Door) -> None:
    """Who comes back after the seconds told is let in."""
    await door.fail(alice(), FREE + 1)
    door.clock.advance(0.9)
    assert (await door.refused(alice())).seconds == 1


async def test_the_wait_is_never_longer_than_an_hour(door: Door) -> None:
    """There is no permanent lock."""
    for _ in range(30):
        await door.fail(alice(), 1)
        door.clock.advance(3_600)
    assert isinstance(await door.throttle.reserve(alice()), Reservation)
    assert (await door.refused(alice())).seconds == 3_600


async def test_parallel_guesses_do_not_outrun_the_count(door: Door) -> None:
    """Of a hundred attempts at once six are let through: they count before they are verified."""
    answers = await asyncio.gather(*(door.throttle.reserve(alice()) for _ in range(100)))
    assert sum(isinstance(answer, Reservation) for answer in answers) == FREE + 1


async def test_a_success_forgets_the_accounts_failures(door: Door) -> None:
    """After a right password five errors are free again."""
    await door.fail(alice(), FREE)
    await (await door.reserved(alice())).succeeded()
    await door.fail(alice(), FREE)
    assert isinstance(await door.throttle.reserve(alice()), Reservation)


async def test_a_success_takes_back_only_itself_from_the_address(door: Door) -> None:
    """A guesser with an account of their own does not wash their address clean."""
    address = "192.0.2.7"
    for number in range(50):
        await door.fail(Attempt(source="shop-users", identifier=f"user{number}", address=address), 1)
    for _ in range(3):
        await (await door.reserved(alice(address=address))).succeeded()
    await door.fail(alice(address=address), 1)
    assert (await door.refused(alice(address=address))).budget is Budget.ADDRESS


async def test_an_outage_counts_nothing(door: Door) -> None:
    """However often nobody could tell, neither account nor address pays."""
    for _ in range(100):
        await (await door.reserved(alice(address="192.0.2.7"))).refund()
    assert {count for count, *_ in door.store.failures.values()} == {0}


async def test_an_attempt_without_an_end_stays_counted(door: Door) -> None:
    """A client that hangs up before the answer has guessed all the same."""
    for _ in range(FREE + 1):
        await door.reserved(alice())
    await door.refused(alice())


async def test_a_failure_stays_one_whatever_breaks_afterwards(door: Door) -> None:
    """The first word about an attempt counts: a refund after a failure gives nothing back."""
    for _ in range(FREE + 1):
        reservation = await door.reserved(alice())
        reservation.failed()
        await reservation.refund()
        await reservation.succeeded()
    await door.refused(alice())


async def test_a_success_that_could_not_be_written_may_be_refunded(door: Door) -> None:
    """The right password costs nothing when the store goes away just then, nor does it forget other failures."""
    address = "192.0.2.7"
    await door.fail(alice(address=address), 2)
    reservation = await door.reserved(alice(address=address))
    door.store.is_down = True
    with pytest.raises(StoreUnavailable):
        await reservation.succeeded()
    door.store.is_down = False
    await reservation.refund()
    await reservation.refund()
    assert [count for count, *_ in door.store.failures.values()] == [2, 2]


async def test_a_success_is_one_once(door: Door) -> None:
    """Whatever is said afterwards takes back nobody else's attempt."""
    reservation = await door.reserved(alice(address="192.0.2.7"))
    await reservation.succeeded()
    await door.fail(alice(address="192.0.2.7"), 1)
    await reservation.refund()
    await reservation.succeeded()
    assert [count for count, *_ in door.store.failures.values()] == [1, 1]


async def test_a_refund_is_made_once(door: Door) -> None:
    """A second refund would take back somebody else's attempt."""
    await door.fail(alice(), FREE)
    reservation = await door.reserved(alice())
    await reservation.refund()
    await reservation.refund()
    await door.fail(alice(), 1)
    await door.refused(alice())


async def test_accounts_and_sources_have_budgets_of_their_own(door: Door) -> None:
    """Nobody pays for a namesake, or for a name that reads alike when strung together."""
    await door.fail(alice(), FREE + 1)
    await door.reserved(Attempt(source="shop-users", identifier="bob"))
    await door.reserved(alice(source="other-users"))
    await door.fail(Attempt(source="ab", identifier="c"), FREE + 1)
    await door.reserved(Attempt(source="a", identifier="bc"))


async def test_names_that_nobody_can_have_count_alike(door: Door) -> None:
    """Half a surrogate pair, an empty name and a very long one have budgets like any other."""
    for identifier in ("\ud800", "", "x" * 100_000):
        attempt = Attempt(source="shop-users", identifier=identifier)
        await door.fail(attempt, FREE + 1)
        await door.refused(attempt)


async def test_a_known_browser_is_not_locked_out_by_a_stranger(door: Door) -> None:
    """The owner's browser has a budget of its own, and uses it up like any other."""
    device = door.throttle.device_token("shop-users", "alice")
    await door.fail(alice(), FREE + 1)
    await door.refused(alice())
    await door.fail(alice(device=device), FREE + 1)
    await door.refused(alice(device=device))


async def test_each_known_browser_has_its_own_budget(door: Door) -> None:
    """A stolen device token does not lock the owner's other browsers out."""
    one, other = (door.throttle.device_token("shop-users", "alice") for _ in range(2))
    await door.fail(alice(device=one), FREE + 1)
    await door.reserved(alice(device=other))


def tampered(token: Secret) -> Secret:
    text = token.reveal()
    return Secret(("A" if text[0] != "A" else "B") + text[1:])


async def test_a_forged_device_buys_no_budget(door: Door) -> None:
    """Tokens made up, changed, or given for another name or source count as no token."""
    own = door.throttle.device_token("shop-users", "alice")
    forged = [
        Secret(""), Secret("a.b"), Secret("é"), tampered(own), Secret(own.reveal() + "x"),
        Secret("A" * 22 + "." + "A" * 43),
        door.throttle.device_token("shop-users", "bob"),
        door.throttle.device_token("other-users", "alice"),
    ]
    await door.fail(alice(), FREE + 1)
    for token in forged:
        await door.refused(alice(device=token))
    await door.reserved(alice(device=own))


async def test_respelling_a_device_token_buys_no_budget(door: Door) -> None:
    """Base64 leaves bits over; tokens that differ only in these are the same device."""
    own = door.throttle.device_token("shop-users", "alice").reveal()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    respelled = own[:21] + alphabet[alphabet.index(own[21]) | 1] + own[22:]
    assert respelled != own
    await door.fail(alice(device=Secret(own)), FREE + 1)
    await door.refused(alice(device=Secret(respelled)))


SAME_ADDRESS = [
    ("192.0.2.7", "::ffff:192.0.2.7"),
    ("2001:db8::1", "2001:db8:0:0:ffff:ffff:ffff:ffff"),
    ("fe80::1%eth0", "fe80::2"),
]
OTHER_ADDRESS = [("192.0.2.7", "192.0.2.8"), ("2001:db8::1", "2001:db8:0:1::1")]


@pytest.mark.parametrize(("one", "other"), SAME_ADDRESS)
async def test_an_address_pays_for_all_its_spellings(door: Door, one: str, other: str) -> None:
    """IPv6 counts by /64, a mapped IPv4 address is that address."""
    await exhaust(door, one)
    assert (await door.refused(alice(address=other))).budget is Budget.ADDRESS


@pytest.mark.parametrize(("one", "other"), OTHER_ADDRESS)
async def test_neighbours_do_not_pay(door: Door, one: str, other: str) -> None:
    """Another IPv4 address, or another /64, has a budget of its own."""
    await exhaust(door, one)
    await door.reserved(alice(address=other))


async def exhaust(door: Door, address: str) -> None:
    for number in range(51):
        await door.fail(Attempt(source="shop-users", identifier=f"user{number}", address=address), 1)


@pytest.mark.parametrize("address", [None, "", "unknown", "192.0.2.7:443", "unix:"])
async def test_an_address_that_is_not_known_has_no_budget(door: Door, address: str | None) -> None:
    """Behind a proxy that nobody declared, strangers do not pay for one another."""
    await exhaust(door, "192.0.2.7")
    for number in range(60):
        await door.fail(Attempt(source="shop-users", identifier=f"guest{number}", address=address), 1)


async def test_a_guesser_out_of_budget_never_touches_the_owners_count(door: Door) -> None:
    """An attempt that the address may not make is not counted against the account, not even in passing."""
    await exhaust(door, "192.0.2.7")
    before = dict(door.store.failures)
    await asyncio.gather(*(door.throttle.reserve(alice(address="192.0.2.7")) for _ in range(20)))
    assert door.store.failures == before


async def test_an_attempt_that_the_account_may_not_make_is_not_the_addresss(door: Door) -> None:
    """An office does not pay for the colleague who keeps trying while told to wait."""
    await door.fail(alice(), FREE + 1)
    for _ in range(60):
        assert (await door.refused(alice(address="192.0.2.7"))).budget is Budget.ACCOUNT
    await door.reserved(Attempt(source="shop-users", identifier="bob", address="192.0.2.7"))


async def test_without_the_store_nothing_may_be_tried(door: Door) -> None:
    """The throttle does not fail open."""
    door.store.is_down = True
    with pytest.raises(StoreUnavailable):
        await door.throttle.reserve(alice())


async def test_the_store_learns_neither_name_nor_address(door: Door) -> None:
    """Keys are 16 bytes, of which none is readable, and the same only under the same server key."""
    await door.fail(alice(address="192.0.2.7"), 1)
    other = await keys_of_another_gateway()
    assert {len(key) for key in door.store.failures} == {16}
    assert not set(door.store.failures) & set(other)


async def keys_of_another_gateway() -> Sequence[bytes]:
    keyring = Keyring(MemoryKeys(), KEK, Clock(), Random(2).randbytes)
    await keyring.load()
    store = MemoryThrottle(Clock())
    await Throttle(store, keyring, Random(2).randbytes).reserve(alice(address="192.0.2.7"))
    return list(store.failures)


async def test_a_device_token_shows_no_name_and_hides_from_repr(door: Door) -> None:
    """The browser holds random bytes and a digest."""
    token = door.throttle.device_token("shop-users", "alice")
    assert "alice" not in token.reveal()
    assert token.reveal() not in repr(alice(device=token))
