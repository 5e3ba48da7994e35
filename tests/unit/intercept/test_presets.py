import sqlite3

import pytest

from gateway.intercept.presets import UnknownPresetError, load_preset, preset_names
from gateway.intercept.rules import compile_rules
from gateway.intercept.tables import RuleKind


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_sound(name: str) -> None:
    """Its rules compile, its logins can be confirmed, and its passwords change where the gateway sees it."""
    preset = load_preset(name)
    rules = compile_rules(preset.rules)
    assert preset.name == name
    assert not rules.lacks_password_change()
    assert all(rules.can_confirm(rule) for rule in rules.rules
               if rule.kind in (RuleKind.LOGIN, RuleKind.PASSWORD_CHANGE))


def test_the_presets_are_known_by_name() -> None:
    """The list is what lies in the folder."""
    assert preset_names() == ["django"]


@pytest.mark.parametrize("name", ["nothing", "", "../sluicegate", "django.toml", "DJANGO"])
def test_an_unknown_preset_is_told(name: str) -> None:
    """No other file is ever opened."""
    with pytest.raises(UnknownPresetError):
        load_preset(name)


def test_django_s_query_finds_what_its_login_form_finds() -> None:
    """The form strips a name, and the table compares it exactly."""
    preset = load_preset("django")
    assert preset.sql is not None
    assert preset.sql.identifiers == ("username",)
    table = sqlite3.connect(":memory:")
    table.row_factory = sqlite3.Row
    table.execute("CREATE TABLE auth_user (id INTEGER, password TEXT, username TEXT, email TEXT, first_name TEXT,"
                  " last_name TEXT, is_active BOOL)")
    table.executemany("INSERT INTO auth_user VALUES (?, ?, ?, ?, ?, ?, ?)", [
        (1, "pbkdf2_sha256$1$s$h", "alice", "alice@site.test", "Alice", "", True),
        (2, "argon2$h", "Alice", "", "", "", False),
    ])
    rows = {login: [dict(row) for row in table.execute(preset.sql.login, {"login": login})]
            for login in ("alice", " alice ", "Alice", "ALICE", "alice@site.test")}
    alice = {"legacy_id": 1, "password_hash": "pbkdf2_sha256$1$s$h", "username": "alice", "email": "alice@site.test",
             "name": "Alice", "disabled": 0}
    table.close()
    assert rows["alice"] == rows[" alice "] == [alice]
    assert [row["disabled"] for row in rows["Alice"]] == [1]
    assert rows["ALICE"] == rows["alice@site.test"] == []
