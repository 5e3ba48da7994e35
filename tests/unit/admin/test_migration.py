"""How far the migration has come, as JSON."""

from gateway.admin.migration import migration_json
from gateway.model import AccountState, Phase
from gateway.store.base import SourceCount


def test_every_source_is_shown_with_all_states() -> None:
    """A source without accounts has zeros; sources come by name."""
    counts = [SourceCount(source="shop-users", state=AccountState.ACTIVE, accounts=1841),
              SourceCount(source="shop-users", state=AccountState.DELETED, accounts=12)]
    assert migration_json({"wiki": Phase.MIGRATE, "shop-users": Phase.COMPLETE}, counts) == [
        {"source": "shop-users", "phase": "complete", "accounts": {"active": 1841, "blocked": 0, "deleted": 12}},
        {"source": "wiki", "phase": "migrate", "accounts": {"active": 0, "blocked": 0, "deleted": 0}},
    ]


def test_accounts_of_a_former_source_are_not_forgotten() -> None:
    """A source without a phase is shown as long as it has accounts."""
    counts = [SourceCount(source="former", state=AccountState.BLOCKED, accounts=3)]
    assert migration_json({}, counts) == [
        {"source": "former", "phase": None, "accounts": {"active": 0, "blocked": 3, "deleted": 0}}]


def test_nothing_is_an_empty_list() -> None:
    """A new gateway has no sources to show."""
    assert migration_json({}, []) == []
