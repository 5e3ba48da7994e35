"""Failures are paid by the address they come from, and no table grows without bound."""

from gateway.accounts.budgets import FAILURES, HIDDEN_FAILURES, HIDDEN_REFILL, REFILL, Budgets

NOW = 1_000.0
IPV4, IPV6 = "192.0.2.7", "2001:db8:1:2::7"


def spent(address: str, budgets: Budgets | None = None) -> Budgets:
    budgets = budgets or Budgets()
    for _ in range(int(FAILURES)):
        budgets.spend(address, NOW)
    return budgets


def test_a_budget_is_used_up_and_fills_again() -> None:
    """Nobody waits before the last failure, and the wait that is named is enough."""
    budgets = Budgets()
    for _ in range(int(FAILURES)):
        assert budgets.wait(IPV4, NOW) == 0
        budgets.spend(IPV4, NOW)
    seconds = budgets.wait(IPV4, NOW)
    assert seconds >= 1
    assert budgets.wait(IPV4, NOW + seconds) == 0


def test_a_budget_never_holds_more_than_its_failures() -> None:
    """A long silence saves nothing up."""
    budgets = spent(IPV4)
    later = NOW + 100 * FAILURES / REFILL
    for _ in range(int(FAILURES)):
        budgets.spend(IPV4, later)
    assert budgets.wait(IPV4, later) > 0


def test_a_clock_that_steps_back_takes_nothing() -> None:
    """Time that runs backwards refills nothing and empties nothing."""
    budgets = Budgets()
    budgets.spend(IPV4, NOW)
    assert budgets.wait(IPV4, NOW - 500) == 0


def test_one_address_spends_nothing_of_anothers() -> None:
    """Two IPv4 neighbours are two clients; what is no address has a budget, too."""
    budgets = spent(IPV4)
    assert budgets.wait("192.0.2.8", NOW) == 0
    assert budgets.wait("", NOW) == 0
    assert spent("", budgets).wait("", NOW) > 0


def test_an_ipv6_network_of_64_bits_is_one_client() -> None:
    """A subscriber has that many addresses; the next network is somebody else."""
    budgets = spent(IPV6)
    assert budgets.wait("2001:db8:1:2:ffff:ffff:ffff:ffff", NOW) > 0
    assert budgets.wait("2001:db8:1:3::7", NOW) == 0


def test_hidden_addresses_share_one_larger_budget() -> None:
    """It is used up, too, and fills again; no address that is known pays for it."""
    budgets = Budgets()
    for _ in range(int(HIDDEN_FAILURES)):
        assert budgets.wait(None, NOW) == 0
        budgets.spend(None, NOW)
    assert budgets.wait(None, NOW) == 1
    assert budgets.wait(IPV4, NOW) == 0
    budgets.refund(None, NOW)
    budgets.spend(None, NOW)
    for _ in range(int(HIDDEN_REFILL)):
        assert budgets.wait(None, NOW + 1) == 0
        budgets.spend(None, NOW + 1)
    assert budgets.wait(None, NOW + 1) == 1


def test_what_was_no_failure_is_given_back() -> None:
    """A full budget is forgotten."""
    budgets = spent(IPV4)
    budgets.refund(IPV4, NOW)
    assert budgets.wait(IPV4, NOW) == 0
    one = Budgets()
    one.spend(IPV4, NOW)
    one.refund(IPV4, NOW)
    assert len(one) == 0


def test_the_table_stays_bounded() -> None:
    """The address that failed longest ago is forgotten first."""
    budgets = Budgets(longest=3)
    for number in range(10):
        budgets.spend(f"192.0.2.{number}", NOW)
    assert len(budgets) == 3
    spent("192.0.2.9", budgets)
    budgets.spend("192.0.2.100", NOW)
    assert budgets.wait("192.0.2.9", NOW) > 0
