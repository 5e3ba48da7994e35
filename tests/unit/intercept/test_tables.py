import pytest
from pydantic import ValidationError

from gateway.intercept.tables import PresetTable, RuleKind, RuleTable

RULE = {"name": "in", "kind": "login", "path": "/login"}


def test_a_rule_is_read_from_what_toml_has() -> None:
    """Arrays become tuples, and a kind its name's own value."""
    table = RuleTable.model_validate({**RULE, "methods": ["POST", "PUT"], "query": {"action": ["", "login"]}})
    assert table.kind is RuleKind.LOGIN
    assert table.methods == ("POST", "PUT")
    assert table.query == {"action": ("", "login")}
    assert table.forms == ("urlencoded", "multipart")


def test_arrays_that_settings_made_tuples_are_read_alike() -> None:
    """Whoever froze the file first gets the same table."""
    table = RuleTable.model_validate({**RULE, "methods": ("POST",), "right": {"status": (302, 303)}})
    assert table.methods == ("POST",)
    assert table.right is not None
    assert table.right.status == (302, 303)


@pytest.mark.parametrize("extra", [
    {"colour": "red"}, {"kind": "reauth"}, {"name": ""}, {"path": 1}, {"methods": ["get"]}, {"methods": ["TRACE"]},
    {"methods": "POST"}, {"forms": []}, {"forms": ["json"]}, {"query": {"a": []}}, {"query": {"": ["x"]}},
    {"right": {"status": ["302"]}}, {"right": {"status": [99]}}, {"right": {"status": [101]}}, {"right": {"json": "x"}},
    {"right": {"body_has": ""}}, {"probe": {"status": [200]}}, {"identifier": ""}, {"new_passwords": [""]},
])
def test_a_key_or_value_that_means_nothing_is_refused(extra: dict[str, object]) -> None:
    """Tables are strict: what is not understood is not ignored."""
    with pytest.raises(ValidationError):
        RuleTable.model_validate({**RULE, **extra})


def test_a_table_is_frozen() -> None:
    """Rules do not change while the gateway runs."""
    table = RuleTable.model_validate(RULE)
    with pytest.raises(ValidationError):
        table.path = "/other"  # type: ignore[misc]


def test_a_mistake_does_not_repeat_what_was_written() -> None:
    """A secret that stands in a wrong place is not shown by the complaint about it."""
    with pytest.raises(ValidationError) as error:
        RuleTable.model_validate({**RULE, "methods": "s3cret", "right": "s3cret"})
    assert "s3cret" not in str(error.value)


def test_a_preset_has_rules_and_may_have_a_query() -> None:
    """A file without a rule is no preset."""
    assert PresetTable.model_validate({"rule": [RULE]}).sql is None
    sql = {"login": "SELECT 1", "identifiers": ["username"]}
    preset = PresetTable.model_validate({"rule": [RULE], "sql": sql})
    assert preset.sql is not None
    assert preset.sql.identifiers == ("username",)
    for wrong in ({"rule": []}, {"sql": sql}, {"rule": [RULE], "sql": {"login": "SELECT 1"}}):
        with pytest.raises(ValidationError):
            PresetTable.model_validate(wrong)
