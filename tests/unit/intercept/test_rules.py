import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import RequestRefused
from gateway.http.forms import FormKind
from gateway.http.target import canonical
from gateway.intercept.presets import load_preset
from gateway.intercept.rules import RuleSet, compile_rules
from gateway.intercept.tables import RuleKind, RuleTable
from gateway.intercept.verdict import Conditions

RIGHT = {"status": [302], "set_cookie": "sid"}
WRONG = {"status": [200], "body_has": "again"}
LOGIN = {"name": "in", "kind": "login", "path": "/login/", "identifier": "user", "password": "pass",
         "right": RIGHT, "wrong": WRONG}
CHANGE = {"name": "change", "kind": "password_change", "path": "/me", "old_password": "old", "login": "in",
          "new_passwords": ["new1", "new2"], "right": RIGHT, "wrong": WRONG}
LOGOUT = {"name": "out", "kind": "logout", "path": "/logout/", "methods": ["POST", "GET"]}
BLOCK = {"name": "closed", "kind": "block", "path": "/xmlrpc.php"}


def compiled(*rules: dict[str, object], parameters: frozenset[str] = frozenset(), fold_case: bool = False) -> RuleSet:
    tables = [RuleTable.model_validate(rule) for rule in rules]
    return compile_rules(tables, parameters=parameters, fold_case=fold_case)


ALL = compiled(LOGIN, CHANGE, LOGOUT, BLOCK)


def matched(rules: RuleSet, method: str, target: str, prefix: str = "/", *, has_body: bool = False) -> str | int | None:
    """Return the name of the one rule that matches, the status of a refusal, or None."""
    try:
        match = rules.match(method.encode(), target.encode("latin-1"), prefix, has_body=has_body)
    except RequestRefused as refusal:
        return refusal.status
    if match is None:
        return None
    (rule,) = match.rules
    return rule.name


class TestMatch:
    @pytest.mark.parametrize(("method", "target", "expected"), [
        ("POST", "/login/", "in"), ("POST", "/login/?next=/", "in"), ("POST", "/me", "change"),
        ("POST", "/logout/", "out"), ("GET", "/logout/", "out"),
    ])
    def test_a_rule_s_method_and_path_match(self, method: str, target: str, expected: str) -> None:
        """The query plays no part where no discriminator is declared."""
        assert matched(ALL, method, target) == expected

    @pytest.mark.parametrize(("method", "target"), [
        ("GET", "/"), ("POST", "/"), ("POST", "/login/x"), ("POST", "/other/login/"), ("POST", "/loginx/"),
        ("POST", "/LOGIN/"), ("GET", "/static/a%20b.css"), ("POST", "/a/../b/%2e"), ("OPTIONS", "*"),
        ("GET", "/?/login/"),
    ])
    def test_other_addresses_pass(self, method: str, target: str) -> None:
        """What no application takes for a rule's address is none of ours."""
        assert matched(ALL, method, target) is None

    @pytest.mark.parametrize("target", [
        "/%6cogin/", "/%256cogin/", "//login/", "/x/../login/", "/./login/", "/login/;x=1", "/login;a/",
        "\\login/",
        "/login//", "/login%2f", "/login/%2e", "/l\\..\\login/", "/login/.", "/login%00/", "/%u006cogin/",
    ])
    @pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
    def test_a_rule_s_address_in_disguise_is_400(self, method: str, target: str) -> None:
        """Whatever an application may resolve to the login is refused, never passed by unseen."""
        assert matched(ALL, method, target) == 400

    @pytest.mark.parametrize(("method", "target", "expected"), [
        ("POST", "/login", 400), ("POST", "/me/", 400), ("GET", "/login", None), ("GET", "/me/", None),
        ("POST", "/logout", "out"), ("GET", "/logout", "out"),
    ])
    def test_a_final_slash_counts(self, method: str, target: str, expected: str | int | None) -> None:
        """Some apps ignore it, others redirect: a login is refused, a page passes, a logout is watched."""
        assert matched(ALL, method, target) == expected

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
    def test_reading_a_login_page_passes(self, method: str) -> None:
        """The login form itself is the app's."""
        assert matched(ALL, method, "/login/?next=/&user=bob") is None

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
    @pytest.mark.parametrize(("target", "expected"), [
        ("/login/", 400), ("/login", 400), ("/login/?next=/", 400), ("/me", 400), ("/search", None),
        ("/xmlrpc.php", 403),
    ])
    def test_reading_with_a_body_is_400_where_passwords_are_typed(self, method: str, target: str,
                                                                  expected: int | None) -> None:
        """An app that reads a form from any request would log in by a GET."""
        assert matched(ALL, method, target, has_body=True) == expected

    def test_a_body_is_what_a_login_has(self) -> None:
        """It is the reading methods that have none; a logout may be asked for with one."""
        assert matched(ALL, "POST", "/login/", has_body=True) == "in"
        assert matched(ALL, "GET", "/logout/", has_body=True) == "out"

    @pytest.mark.parametrize("query", [
        "pass=x", "a=1&PASS[]=x", "+pass=x", "p%61ss=x", "pass", "%u0070ass=x", "a&pa%ss=x",
    ])
    @pytest.mark.parametrize("method", ["GET", "PUT"])
    def test_a_password_in_a_query_is_400(self, method: str, query: str) -> None:
        """An app that reads parameters from anywhere would log in by a GET."""
        assert matched(ALL, method, f"/login/?{query}") == 400

    def test_very_many_pairs_in_a_query_are_400_at_a_rule_s_address_alone(self) -> None:
        """Reading them costs time, and it is read nowhere else."""
        many = "?" + "a&" * 4000
        assert [matched(ALL, "GET", path + many) for path in ("/login/", "/login", "/other", "//other")] \
            == [400, 400, None, None]

    def test_every_password_field_of_a_path_counts_in_a_query(self) -> None:
        """Old and new passwords belong into an address as little."""
        assert [matched(ALL, "GET", f"/me?{name}=x") for name in ("old", "new1", "new2")] == [400, 400, 400]

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "PROPFIND"])
    def test_other_methods_are_405(self, method: str) -> None:
        """A method that no rule of the path declares could be another door."""
        assert matched(ALL, method, "/login/") == 405

    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    def test_a_blocked_address_is_403(self, method: str) -> None:
        """A block without methods closes every one."""
        assert matched(ALL, method, "/xmlrpc.php?x=1") == 403

    def test_a_block_may_close_some_methods(self) -> None:
        """Reading may stay open."""
        rules = compiled({**BLOCK, "methods": ["POST"]})
        assert [matched(rules, method, "/xmlrpc.php") for method in ("POST", "GET", "PUT")] == [403, None, 405]

    def test_no_rules_match_nothing(self) -> None:
        """An app without rules is passed through as it is."""
        assert matched(compiled(), "POST", "/%6cogin/") is None

    def test_the_root_can_be_a_rule(self) -> None:
        """Some apps log in at their root."""
        rules = compiled({**LOGIN, "path": "/"})
        assert [matched(rules, "POST", target) for target in ("/", "/?x", "/x", "/.")] == ["in", "in", None, 400]


class TestPathInfo:
    RULES = compiled({**LOGIN, "path": "/wp-login.php"}, {**LOGOUT, "path": "/login/out.Do"},
                     {**CHANGE, "path": "/wp-login.php/me", "login": "in"})

    @pytest.mark.parametrize(("method", "target"), [
        ("POST", "/wp-login.php/x"), ("POST", "/wp-login.php/x/y.css?a=1"), ("POST", "/wp-login.php%2fx"),
        ("POST", "/x/../wp-login.php/x"), ("POST", "/wp-login.php/me/x"), ("GET", "/login/out.Do/x"),
    ])
    def test_a_path_below_a_script_is_400(self, method: str, target: str) -> None:
        """The script itself would answer."""
        assert matched(self.RULES, method, target) == 400

    @pytest.mark.parametrize(("method", "target", "expected"), [
        ("POST", "/wp-login.php", "in"), ("POST", "/wp-login.php/me", "change"), ("GET", "/wp-login.php/x", None),
        ("POST", "/wp-login.phps/x", None), ("POST", "/a/wp-login.php/x", None), ("PUT", "/login/out.Do/x", None),
    ])
    def test_other_paths_and_methods_pass(self, method: str, target: str, expected: str | None) -> None:
        """Reading is left alone, and so is what a rule has itself."""
        assert matched(self.RULES, method, target) == expected

    def test_prefix_case_and_bodies_are_minded(self) -> None:
        """As they are for the script's own path."""
        folded = compiled({**LOGIN, "path": "/Login.ASPX"}, fold_case=True)
        assert matched(folded, "POST", "/shop/LOGIN.aspx/x", "/shop") == 400
        assert matched(self.RULES, "POST", "/shop/wp-login.php/x", "/shop") == 400
        assert matched(self.RULES, "GET", "/wp-login.php/x", has_body=True) == 400
        assert matched(ALL, "POST", "/login/x") is None

    def test_what_lives_below_a_front_controller_stays_open(self) -> None:
        """Its login has a discriminator, and every other page of the app has its path before it."""
        front = compiled({**LOGIN, "path": "/index.php", "query": {"page": ["login"]}})
        assert matched(front, "POST", "/index.php/wiki/Main_Page?action=edit") is None
        assert matched(front, "POST", "/index.php?page=login") == "in"


class TestQuery:
    RULES = compiled({**LOGIN, "query": {"action": ["", "login"]}},
                     {**LOGOUT, "path": "/login/", "query": {"action": ["logout"]}})

    @pytest.mark.parametrize(("method", "query", "expected"), [
        ("POST", "", "in"), ("POST", "?action=login", "in"), ("POST", "?action=", "in"),
        ("GET", "?action=logout", "out"),
        ("POST", "?action=lostpassword", None), ("PUT", "?action=lostpassword", None),
        ("PUT", "?action=login", 405),
        ("POST", "?action=login&action=login", 400), ("POST", "?action=x&ACTION=login", 400),
        ("POST", "?action[]=login", 400), ("POST", "?Action=login", 400),
        ("POST", "?a=1&%61ction=login", "in"),
        ("GET", "?action=lostpassword&pass=x", 400),
    ])
    def test_discriminators_choose_the_rule(self, method: str, query: str, expected: str | int | None) -> None:
        """A doubled or disguised discriminator is refused, whatever it says."""
        assert matched(self.RULES, method, f"/login/{query}") == expected

    def test_a_match_keeps_the_query_and_does_not_show_it(self) -> None:
        """What a body is compared with may hold anything."""
        match = self.RULES.match(b"POST", b"/login/?next=%2Fs3cret")
        assert match is not None
        assert match.query == (("next", "/s3cret"),)
        assert "s3cret" not in repr(match)

    @pytest.mark.parametrize("value", ["LOGIN", "Login", "+login", "login%20", "login%00", "%09login%0a", "+", "%00"])
    @pytest.mark.parametrize("method", ["POST", "GET"])
    def test_a_value_that_an_app_may_take_for_a_listed_one_is_400(self, method: str, value: str) -> None:
        """Case and blanks around it matter to one app and not to the next."""
        assert matched(self.RULES, method, f"/login/?action={value}") == 400

    @pytest.mark.parametrize("value", ["log%20in", "logins", "lostpassword"])
    def test_another_value_is_none_of_ours(self, value: str) -> None:
        """What no app takes for a listed one belongs to another page."""
        assert matched(self.RULES, "POST", f"/login/?action={value}") is None

    @pytest.mark.parametrize("query", ["x=1;action=login", ";action=logout", "action=lostpassword;action=login"])
    def test_a_semicolon_is_400_where_the_query_chooses(self, query: str) -> None:
        """Older servers part fields at it: they would see a discriminator that is none here."""
        assert matched(self.RULES, "POST", f"/login/?{query}") == 400
        assert matched(ALL, "POST", f"/login/?{query}") == "in"


class TestPrefix:
    @pytest.mark.parametrize("prefix", ["/shop", "/shop/"])
    @pytest.mark.parametrize(("target", "expected"), [
        ("/shop/login/", "in"), ("/login/", None), ("/shop/shop/login/", None), ("/shop/x/../login/", 400),
        ("/x/../shop/login/", 400), ("/shopx/login/", None), ("/shoplogin/", None), ("/shop%2flogin/", 400),
        ("/shop", None), ("/shop/../login/", None),
    ])
    def test_rules_are_below_the_app_s_path(self, prefix: str, target: str, expected: str | int | None) -> None:
        """The same path elsewhere is another app's; what some server reads as ours is refused."""
        assert matched(ALL, "POST", target, prefix) == expected

    def test_the_root_of_a_prefix_can_be_a_rule(self) -> None:
        """With the final slash it is the declared one."""
        rules = compiled({**LOGIN, "path": "/"})
        assert [matched(rules, "POST", target, "/shop") for target in ("/shop/", "/shop", "/")] == ["in", 400, None]


class TestOptions:
    def test_declared_parameters_are_plain(self) -> None:
        """`;jsessionid=…` is how the app writes its own addresses."""
        rules = compiled({**LOGIN, "path": "/login"}, parameters=frozenset({"jsessionid"}))
        assert matched(rules, "POST", "/login;jsessionid=1A2B") == "in"
        assert matched(rules, "POST", "/login/;jsessionid=1A2B") == 400
        assert matched(rules, "POST", "/login;other=1") == 400
        assert matched(compiled({**LOGIN, "path": "/login"}), "POST", "/login;jsessionid=1A2B") == 400

    def test_case_is_folded_where_the_app_folds_it(self) -> None:
        """An app on Windows answers to every spelling; each of them is plain."""
        rules = compiled({**LOGIN, "path": "/Account/Login"}, fold_case=True)
        assert [matched(rules, "POST", target) for target in ("/account/login", "/ACCOUNT/LOGIN", "/Account/Login")] \
            == ["in"] * 3
        assert matched(rules, "POST", "/account/LOGIN/") == 400
        assert matched(rules, "POST", "/ACCOUNT//LOGIN") == 400
        assert matched(rules, "POST", "/SHOP/account/login", "/shop") == "in"

    def test_a_path_beyond_ascii_matches_as_browsers_quote_it(self) -> None:
        """Percent-encoded UTF-8 is the plain form there."""
        rules = compiled({**LOGIN, "path": "/zażółć/"})
        assert matched(rules, "POST", "/za%C5%BC%C3%B3%C5%82%C4%87/") == "in"
        assert matched(rules, "POST", "/z%61%C5%BC%C3%B3%C5%82%C4%87/") == 400


class TestCompiled:
    def test_a_rule_has_what_its_table_says(self) -> None:
        """Names are kept, sets are frozen, and a login's page is its own path unless another is named."""
        login, change, logout, block = ALL.rules
        assert login.kind is RuleKind.LOGIN
        assert login.methods == {b"POST"}
        assert login.forms == set(FormKind)
        assert login.right == Conditions(status=frozenset({302}), set_cookie="sid")
        assert login.wrong == Conditions(status=frozenset({200}), body_has="again")
        assert login.page == "/login/"
        assert login.password_fields == ("pass",)
        assert change.password_fields == ("old", "new1", "new2")
        assert change.page == logout.page == block.page == ""
        assert logout.right == Conditions(status=frozenset({200, 204, 302, 303}))
        assert logout.wrong is None
        assert block.right is None

    def test_a_page_and_a_probe_let_the_gateway_confirm(self) -> None:
        """Without a probe a login of the gateway's own proves nothing."""
        probed = {**LOGIN, "page": "/start", "probe": {"path": "/me?x=1", "status": [200], "body_lacks": "log in"}}
        rules = compiled(probed, CHANGE, LOGOUT)
        login, change, logout = rules.rules
        assert login.page == "/start"
        assert login.probe is not None
        assert login.probe.path == "/me?x=1"
        assert login.probe.conditions == Conditions(status=frozenset({200}), body_lacks="log in")
        assert [rules.can_confirm(rule) for rule in rules.rules] == [True, True, False]
        assert [rules.login_for(rule) for rule in (login, change, logout)] == [login, login, None]
        assert not any(ALL.can_confirm(rule) for rule in ALL.rules)

    def test_an_app_that_takes_passwords_must_show_where_they_change(self) -> None:
        """A change that nobody sees leaves the old password in the store."""
        assert compiled(LOGIN).lacks_password_change()
        assert compiled(LOGIN, LOGOUT).lacks_password_change()
        assert not ALL.lacks_password_change()
        assert not compiled(LOGOUT).lacks_password_change()


DJANGO = compile_rules(load_preset("django").rules)
PIECES = st.sampled_from([
    "/", "//", "admin", "login", "logout", "%61dmin", "lo%67in", ".", "..", ";x=1", "%2f", "%2e", "\\", "%5c", "%252e",
    "%00", "x", "?", "ADMIN", "%c0%af", "é", " ", "\u200b", "%0a",
])


@given(pieces=st.lists(PIECES, max_size=9), method=st.sampled_from(["GET", "POST"]))
@example(pieces=["/", "admin", "/", "login", "/"], method="POST")
@example(pieces=["/", "admin", "/", "x", "/", "..", "/", "login", "/"], method="POST")
@example(pieces=["/", "%61dmin", "%2f", "login", "/"], method="GET")
def test_nothing_that_an_app_may_take_for_a_rule_s_path_escapes(pieces: list[str], method: str) -> None:
    """The quick look misses nothing that the slow one finds."""
    target = ("/" + "".join(pieces)).encode()
    try:
        found = canonical(target)
    except RequestRefused:
        found = None
    if found is None:
        with pytest.raises(RequestRefused):
            DJANGO.match(method.encode(), target)
        return
    hits = {reading for reading in found.readings if reading in ("/admin/login", "/admin/logout")}
    outcome = matched(DJANGO, method, target.decode("latin-1"))
    if not hits or (method == "GET" and found.is_plain and found.path == "/admin/login"):
        assert outcome is None
    elif found.is_plain:
        assert outcome in ("admin-login", "admin-logout", 400)
    else:
        assert outcome == 400
