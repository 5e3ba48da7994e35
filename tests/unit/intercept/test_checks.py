import pytest

from gateway.intercept.checks import RuleError, RuleProblem, find_problems
from gateway.intercept.rules import compile_rules
from gateway.intercept.tables import RuleTable

RIGHT = {"status": [302], "set_cookie": "sid"}
WRONG = {"status": [200], "body_has": "again"}
LOGIN = {"name": "in", "kind": "login", "path": "/login", "identifier": "user", "password": "pass",
         "right": RIGHT, "wrong": WRONG}
CHANGE = {"name": "change", "kind": "password_change", "path": "/me", "new_passwords": ["new"], "login": "in",
          "right": RIGHT, "wrong": WRONG}
LOGOUT = {"name": "out", "kind": "logout", "path": "/logout"}
BLOCK = {"name": "closed", "kind": "block", "path": "/xmlrpc.php"}


def tables(*rules: dict[str, object]) -> list[RuleTable]:
    return [RuleTable.model_validate(rule) for rule in rules]


def places(*rules: dict[str, object], fold_case: bool = False) -> list[tuple[int, str]]:
    return [(problem.index, problem.key) for problem in find_problems(tables(*rules), fold_case=fold_case)]


def test_sound_rules_have_no_problems() -> None:
    """One rule of each kind, as the documentation shows them."""
    assert places(LOGIN, CHANGE, LOGOUT, BLOCK) == []


@pytest.mark.parametrize(("rule", "missing"), [
    (LOGIN, "identifier"), (LOGIN, "password"), (LOGIN, "right"), (LOGIN, "wrong"),
    (CHANGE, "new_passwords"), (CHANGE, "right"), (CHANGE, "wrong"), (CHANGE, "login"),
])
def test_each_kind_needs_its_keys(rule: dict[str, object], missing: str) -> None:
    """A rule that cannot be carried out is no rule."""
    cut = {key: value for key, value in rule.items() if key != missing}
    assert (1, missing) in places({**LOGIN, "name": "first", "path": "/first"}, {**cut, "name": "cut"})


def test_a_login_that_the_app_never_sees_needs_no_verdict() -> None:
    """What an answer means may be said nevertheless; of a password change, which the app does see, it must be."""
    login = {key: value for key, value in LOGIN.items() if key not in ("right", "wrong")}
    change = {key: value for key, value in CHANGE.items() if key not in ("right", "wrong")}
    found = find_problems(tables(login, change), fold_case=False, judges_logins=False)
    assert [(problem.index, problem.key) for problem in found] == [(1, "right"), (1, "wrong")]
    assert find_problems(tables(LOGIN, CHANGE), fold_case=False, judges_logins=False) == ()
    assert compile_rules(tables(login), judges_logins=False).rules[0].right is None


@pytest.mark.parametrize(("rule", "extra"), [
    (LOGIN, {"login": "in"}), (LOGIN, {"new_passwords": ["new"]}), (LOGIN, {"old_password": "old"}),
    (CHANGE, {"identifier": "user"}), (CHANGE, {"probe": {"path": "/", **RIGHT}}), (CHANGE, {"page": "/me"}),
    (LOGOUT, {"password": "pass"}), (LOGOUT, {"wrong": WRONG}), (BLOCK, {"right": RIGHT}),
    (BLOCK, {"forms": ["urlencoded"]}),
    (BLOCK, {"fields": {"op": ["login"]}}),
])
def test_a_key_of_another_kind_is_a_mistake(rule: dict[str, object], extra: dict[str, object]) -> None:
    """What has no effect is not accepted in silence."""
    others = [] if rule is LOGIN else [LOGIN]
    assert places(*others, {**rule, **extra}) == [(len(others), key) for key in extra]


@pytest.mark.parametrize("path", [
    "login", "/a//b", "/a/../b", "/a/./b", "/a;x=1", "/%61", "/a?b", "/a\\b", "//a", "/a/", "/", "/a.b",
    "/zażółć",
])
def test_a_path_is_written_in_its_canonical_form(path: str) -> None:
    """A path that no plain request has would never match; a final slash and non-ASCII letters are plain."""
    expected = [] if path in ("/a/", "/", "/a.b", "/zażółć") else [(0, "path")]
    assert places({**LOGIN, "path": path}) == expected


def test_pages_and_probes_are_paths_with_or_without_a_query() -> None:
    """The clean room sends them as they are written."""
    assert places({**LOGIN, "page": "/login?lang=en", "probe": {"path": "/me?x=1", "status": [200]}}) == []
    assert places({**LOGIN, "page": "login"}) == [(0, "page")]
    assert places({**LOGIN, "probe": {"path": "/a/../me", "status": [200]}}) == [(0, "probe.path")]


@pytest.mark.parametrize("methods", [["GET"], ["POST", "GET"], ["DELETE"]])
def test_credentials_come_in_a_form(methods: list[str]) -> None:
    """A method without a body has no form."""
    assert places({**LOGIN, "methods": methods}) == [(0, "methods")]
    assert places({**LOGOUT, "methods": methods}) == []


def test_one_field_has_one_meaning() -> None:
    """Two fields that an app may take for one another cannot hold two things."""
    assert places({**LOGIN, "identifier": "pass"}) == [(0, "password")]
    assert places({**LOGIN, "identifier": "PASS[]"}) == [(0, "password")]
    assert places({**LOGIN, "fields": {"user": [""]}}) == [(0, "fields")]
    assert places(LOGIN, {**CHANGE, "new_passwords": ["new", "new"]}) == [(1, "new_passwords")]
    assert places(LOGIN, {**CHANGE, "old_password": "new"}) == [(1, "new_passwords")]
    assert places({**LOGIN, "query": {"do": ["a"], "DO": ["b"]}}) == [(0, "query")]


@pytest.mark.parametrize(("conditions", "key"), [
    ({}, "right"), ({"status": []}, "right"), ({"location": "home"}, "right.location"),
    ({"location": "https://site.test/"}, "right.location"), ({"set_cookie": "a b"}, "right.set_cookie"),
])
def test_conditions_must_say_something_that_can_be_met(conditions: dict[str, object], key: str) -> None:
    """No condition at all would take every answer for right."""
    assert places({**LOGIN, "right": conditions}) == [(0, key)]


def test_a_probe_s_path_alone_is_no_condition() -> None:
    """A probe that every answer passes proves nothing."""
    assert places({**LOGIN, "probe": {"path": "/me"}}) == [(0, "probe")]


def test_names_are_each_rule_s_own() -> None:
    """Both bearers of a name are told."""
    assert places(LOGIN, LOGOUT, {**BLOCK, "name": "in"}) == [(0, "name"), (2, "name")]


def test_a_change_names_a_login_rule() -> None:
    """Only a login can confirm a new password."""
    assert places(LOGIN, {**CHANGE, "login": "elsewhere"}) == [(1, "login")]
    assert places(LOGIN, LOGOUT, {**CHANGE, "login": "out"}) == [(2, "login")]


def test_two_rules_never_want_one_request() -> None:
    """The later one of two that overlap is told; a final slash does not tell them apart."""
    other = {**LOGIN, "name": "other"}
    assert places(LOGIN, other) == [(1, "path")]
    assert places(LOGIN, {**other, "path": "/login/"}) == [(1, "path")]
    assert places(LOGIN, {**other, "path": "/Login"}) == []
    assert places(LOGIN, {**other, "path": "/Login"}, fold_case=True) == [(1, "path")]
    assert places(LOGIN, {**other, "methods": ["PUT"]}) == []
    assert places(LOGIN, {**other, "fields": {"op": ["x"]}}) == [(1, "path")]


def test_discriminators_tell_rules_apart() -> None:
    """Values that no request can have together keep two rules apart."""
    one = {**LOGIN, "query": {"action": ["", "login"]}}
    other = {**LOGIN, "name": "other", "query": {"action": ["confirm"]}}
    assert places(one, other) == []
    assert places(one, {**other, "query": {"action": ["confirm", "login"]}}) == [(1, "path")]
    assert places({**LOGIN, "fields": {"op": ["a"]}}, {**LOGIN, "name": "other", "fields": {"op": ["b"]}}) == []


def test_all_mistakes_are_told_at_once_and_no_value_is() -> None:
    """An operator sees the whole list, in the order of the rules, and a secret in a wrong place stays there."""
    rules = tables({**LOGIN, "path": "s3cret"}, {**LOGOUT, "password": "s3cret"}, {**CHANGE, "login": "s3cret"})
    with pytest.raises(RuleError) as error:
        compile_rules(rules)
    assert [(problem.index, problem.key) for problem in error.value.problems] \
        == [(0, "path"), (1, "password"), (2, "login")]
    assert "s3cret" not in str(error.value)
    assert "rule 1: password: a logout rule has no such key" in str(error.value)
    assert isinstance(error.value, ValueError)
    assert error.value.problems[1] == RuleProblem(index=1, key="password", message="a logout rule has no such key")
