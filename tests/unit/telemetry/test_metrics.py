"""Every metric, from the event to the exposition."""

from collections.abc import Callable

import pytest
from prometheus_client.registry import CollectorRegistry

from gateway.accounts.change import ChangeEnd
from gateway.accounts.throttle import Budget
from gateway.model import AccountState, Outcome, Verdict
from gateway.store.base import SourceCount
from gateway.telemetry.metrics import (
    BUDGETS,
    CHANGE_ENDS,
    FAMILIES,
    LOGIN_ENDS,
    NO_APP,
    KeyRow,
    Metrics,
    Pulled,
    open_registry,
)

APPS, SOURCES = ("shop", "wiki"), ("shop-users",)


class Shown:
    """Is a gateway's metrics beside the registry that shows them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry, apps=APPS, sources=SOURCES, version="0.1.0")

    def value(self, name: str, **labels: str) -> float | None:
        """Return one sample as a scrape would see it."""
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.mark.parametrize(("event", "name", "labels"), [
    (lambda m: m.login("shop", "granted", "store"), "sluicegate_logins_total",
     {"app": "shop", "outcome": "granted", "decider": "store"}),
    (lambda m: m.migrated("shop-users", "login"), "sluicegate_migrations_total",
     {"source": "shop-users", "way": "login"}),
    (lambda m: m.source_called("shop-users", Outcome.WRONG_PASSWORD, 0.01), "sluicegate_source_calls_total",
     {"source": "shop-users", "outcome": "wrong_password"}),
    (lambda m: m.source_called("shop-users", Outcome.RIGHT, 0.01), "sluicegate_source_call_seconds_count",
     {"source": "shop-users"}),
    (lambda m: m.hashed(0.0, 0.02), "sluicegate_hash_seconds_count", {"stage": "wait"}),
    (lambda m: m.hashed(0.0, 0.02), "sluicegate_hash_seconds_count", {"stage": "run"}),
    (lambda m: m.handed_off("shop", Verdict.UNKNOWN), "sluicegate_handoffs_total",
     {"app": "shop", "verdict": "unknown"}),
    (lambda m: m.handed_off("shop", "unanswered"), "sluicegate_handoffs_total",
     {"app": "shop", "verdict": "unanswered"}),
    (lambda m: m.throttled("wiki", Budget.ADDRESS), "sluicegate_throttled_total",
     {"app": "wiki", "by": "address"}),
    (lambda m: m.password_changed("shop", ChangeEnd.PENDING), "sluicegate_password_changes_total",
     {"app": "shop", "outcome": "pending"}),
    (lambda m: m.connection_refused("tls"), "sluicegate_refused_connections_total", {"reason": "tls"}),
    (lambda m: m.upstream_error("wiki", "lost"), "sluicegate_upstream_errors_total",
     {"app": "wiki", "kind": "lost"}),
    (lambda m: m.proxied("shop", 302, 0.01), "sluicegate_proxied_requests_total",
     {"app": "shop", "status_class": "3xx"}),
    (lambda m: m.proxied("shop", 302, 0.01), "sluicegate_proxied_request_seconds_count", {"app": "shop"}),
])
def test_an_event_moves_its_number_by_one(
    shown: Shown, event: Callable[[Metrics], None], name: str, labels: dict[str, str]
) -> None:
    """Each event is counted once, in a series that was there at 0 before."""
    assert shown.value(name, **labels) == 0
    event(shown.metrics)
    assert shown.value(name, **labels) == 1


def test_every_declared_metric_is_shown_and_no_other(shown: Shown) -> None:
    """What is declared is what a scrape sees: names, labels and kinds."""
    shown.metrics.pull(Pulled(accounts=(), keys=(KeyRow(kid="k", state="next", algorithm="EdDSA", age=1.0),)))
    seen = {metric.name + ("_total" if metric.type == "counter" else ""): metric
            for metric in shown.registry.collect()}
    assert set(seen) == set(Metrics.names())
    for family in FAMILIES:
        labels = {name for sample in seen[family.name].samples for name in sample.labels} - {"le"}
        assert (seen[family.name].type, labels) == (family.kind, set(family.labels)), family.name


def test_names_are_the_products_own() -> None:
    """Every name begins with the product's and occurs once."""
    assert all(name.startswith("sluicegate_") for name in Metrics.names())
    assert len(set(Metrics.names())) == len(FAMILIES)


def test_the_ends_of_a_login_are_all_there_before_the_first(shown: Shown) -> None:
    """Each end that a login can have is at 0 for each app, so that rate() sees its first event."""
    for app in APPS:
        for outcome, deciders in LOGIN_ENDS.items():
            for decider in deciders:
                assert shown.value("sluicegate_logins_total", app=app, outcome=outcome, decider=decider) == 0


def test_the_words_are_those_of_the_use_cases() -> None:
    """A new end of a change or a new budget cannot be forgotten here and be counted as other."""
    assert set(CHANGE_ENDS) == set(ChangeEnd)
    assert set(BUDGETS) == set(Budget)


def test_a_user_name_in_the_wrong_place_is_not_shown(shown: Shown) -> None:
    """A value that a label should not have never reaches the exposition."""
    shown.metrics.login("alice@shop.test", "granted", "store")
    shown.metrics.upstream_error("shop", "alice@shop.test")
    shown.metrics.source_called("alice@shop.test", "right", 0.1)
    assert "alice" not in str(list(shown.registry.collect()))
    assert shown.value("sluicegate_logins_total", app="other", outcome="granted", decider="store") == 1


@pytest.mark.parametrize(("status", "status_class"), [
    (101, "1xx"), (200, "2xx"), (304, "3xx"), (499, "4xx"), (504, "5xx"), (0, "other"), (99, "other"),
    (600, "other"), (999, "other"),
])
def test_any_status_has_a_class(shown: Shown, status: int, status_class: str) -> None:
    """Even a status that no RFC knows is counted, and raises nothing into the data plane."""
    shown.metrics.proxied("shop", status, 0.01)
    assert shown.value("sluicegate_proxied_requests_total", app="shop", status_class=status_class) == 1


def test_how_long_a_websocket_lasted_is_no_waiting_time(shown: Shown) -> None:
    """It is counted as an answer, and its hours do not bury everybody's milliseconds."""
    shown.metrics.proxied("shop", 101, 3600.0)
    assert shown.value("sluicegate_proxied_requests_total", app="shop", status_class="1xx") == 1
    assert shown.value("sluicegate_proxied_request_seconds_count", app="shop") == 0


@pytest.mark.parametrize("site", [NO_APP, "evil.test", ""])
def test_requests_without_an_app_share_one_series(shown: Shown, site: str) -> None:
    """A Host that no app serves makes no series of its own."""
    shown.metrics.proxied(site, 421, 0.001)
    assert shown.value("sluicegate_proxied_requests_total", app=NO_APP, status_class="4xx") == 1
    assert shown.value("sluicegate_proxied_request_seconds_count", app=NO_APP) == 1


def test_time_is_summed(shown: Shown) -> None:
    """Waiting and running are kept apart, and add up."""
    shown.metrics.hashed(0.5, 0.025)
    shown.metrics.hashed(1.5, 0.025)
    assert shown.value("sluicegate_hash_seconds_sum", stage="wait") == 2.0
    assert shown.value("sluicegate_hash_seconds_sum", stage="run") == 0.05
    assert shown.value("sluicegate_hash_seconds_bucket", stage="run", le="0.025") == 2


def test_looked_up_numbers_are_those_of_the_last_pull(shown: Shown) -> None:
    """Gauges follow what was pulled for this scrape."""
    shown.metrics.pull(Pulled(hash_queue_depth=9, access_log_dropped=1))
    shown.metrics.pull(Pulled(
        hash_queue_depth=3, hash_busy=2, access_log_dropped=4, open_breakers=frozenset(SOURCES), resting={"shop": 2},
        keys=(KeyRow(kid="k1", state="active", algorithm="EdDSA", age=60.5),), tokens={"cached": 7, "odd": 1}))
    assert shown.value("sluicegate_token_verifications_total", outcome="cached") == 7
    assert shown.value("sluicegate_token_verifications_total", outcome="refused") == 0
    assert shown.value("sluicegate_token_verifications_total", outcome="odd") is None
    assert shown.value("sluicegate_hash_queue_depth") == 3
    assert shown.value("sluicegate_hash_busy") == 2
    assert shown.value("sluicegate_access_log_dropped_total") == 4
    assert shown.value("sluicegate_source_breaker_open", source="shop-users") == 1
    assert shown.value("sluicegate_upstream_resting", app="shop") == 2
    assert shown.value("sluicegate_upstream_resting", app="wiki") == 0
    assert shown.value("sluicegate_signing_key", kid="k1", state="active", algorithm="EdDSA") == 1
    assert shown.value("sluicegate_signing_key_age_seconds", kid="k1", state="active") == 60.5


def test_accounts_of_every_configured_source_are_shown(shown: Shown) -> None:
    """A source without accounts shows zeros; one that is in no configuration any more shows what it has."""
    shown.metrics.pull(Pulled(accounts=(
        SourceCount(source="shop-users", state=AccountState.ACTIVE, accounts=7),
        SourceCount(source="former", state=AccountState.DELETED, accounts=2))))
    assert shown.value("sluicegate_accounts", source="shop-users", state="active") == 7
    assert shown.value("sluicegate_accounts", source="shop-users", state="blocked") == 0
    assert shown.value("sluicegate_accounts", source="former", state="deleted") == 2
    assert shown.value("sluicegate_store_up") == 1


def test_without_the_store_there_are_no_account_numbers(shown: Shown) -> None:
    """A store that does not answer is said so, and never looks like a store without accounts."""
    shown.metrics.pull(Pulled(accounts=None))
    assert shown.value("sluicegate_store_up") == 0
    assert shown.value("sluicegate_accounts", source="shop-users", state="active") is None


def test_the_build_is_named(shown: Shown) -> None:
    """The versions that run are label values of a constant 1."""
    [sample] = next(m for m in shown.registry.collect() if m.name == "sluicegate_build_info").samples
    assert (sample.value, sample.labels["version"]) == (1, "0.1.0")


def test_the_process_shows_itself() -> None:
    """The registry begins with what Python knows of its own process."""
    names = {metric.name for metric in open_registry().collect()}
    assert "python_info" in names
    assert "python_gc_collections" in names
