import pytest

from gateway.errors import RequestRefused
from gateway.http.head import RequestHead
from gateway.intercept.extract import Change, Login, Logout, extract, substitute_password
from gateway.intercept.presets import load_preset
from gateway.intercept.rules import Match, RuleSet, compile_rules
from gateway.intercept.tables import RuleTable
from gateway.model import Secret
from tests.helpers.exchanges import URLENCODED, form_head, recorded, request_head

CONDITIONS = {"right": {"status": [302]}, "wrong": {"status": [200]}}
LOGIN = {"name": "in", "kind": "login", "path": "/login", "identifier": "user", "password": "pass", **CONDITIONS}
CHANGE = {"name": "change", "kind": "password_change", "path": "/me", "old_password": "old", "login": "in",
          "new_passwords": ["new1", "new2"], **CONDITIONS}
LOGOUT = {"name": "out", "kind": "logout", "path": "/logout"}
MULTIPART = "multipart/form-data; boundary=bnd"
DJANGO = compile_rules(load_preset("django").rules)


def compiled(*rules: dict[str, object]) -> RuleSet:
    return compile_rules([RuleTable.model_validate(rule) for rule in rules])


ALL = compiled(LOGIN, CHANGE, LOGOUT)


def match_of(rules: RuleSet, head: RequestHead) -> Match:
    match = rules.match(head.method, head.target)
    assert match is not None
    return match


def extracted(body: str, target: str = "/login", content_type: str = URLENCODED,
              rules: RuleSet = ALL) -> Login | Change | Logout | None:
    head = form_head(target, content_type)
    return extract(match_of(rules, head), head, body.encode())


def refused(body: str, target: str = "/login", content_type: str = URLENCODED, rules: RuleSet = ALL) -> int:
    with pytest.raises(RequestRefused) as refusal:
        extracted(body, target, content_type, rules)
    return refusal.value.status


def part(name: str, value: str, extra: str = "") -> str:
    return f'--bnd\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n{value}\r\n'


class TestLogin:
    def test_what_was_typed_is_read_exactly(self) -> None:
        """Blanks, signs and letters beyond ASCII belong to identifier and password."""
        login = extracted("csrf=t&user=+Bob%00&pass=p%26b%3D100%25%2B+bob%20&next=%2F")
        assert isinstance(login, Login)
        assert login.rule.name == "in"
        assert login.credentials.identifier == " Bob\0"
        assert login.credentials.password == Secret("p&b=100%+ bob ")

    def test_multipart_is_read_alike(self) -> None:
        """The other way in which browsers send a form."""
        body = part("user", "bob") + part("pass", "Zażółć\r\n") + part("photo", "x",
        '; filename="a.png"') + "--bnd--\r\n"
        login = extracted(body, content_type=MULTIPART)
        assert isinstance(login, Login)
        assert login.credentials.password == Secret("Zażółć\r\n")

    def test_empty_fields_are_a_login(self) -> None:
        """Whether a password may be empty is not decided here."""
        login = extracted("user=&pass=")
        assert isinstance(login, Login)
        assert not login.credentials.password

    @pytest.mark.parametrize("body", [
        "", "user=bob", "pass=x", "user=bob&pass=x&pass=x", "user=bob&pass=x&PASS=y",
        "user=bob&pass=x&pass[]=y",
        "user=bob&pass=x&+pass=y", "user=bob&pass=x&user=carol", "user=bob&pass[]=x", "user=bob&Pass=x",
        "user=bob&pass=x&pass%00=y", "user=bob&pass=x&pass[a]=y", "User=bob&pass=x", "user=bob&pass=%FF",
        "user=bob&pass=x&%FF=1", "user=bob&pass=%u0061",
    ])
    def test_credentials_occur_once_under_their_own_names(self, body: str) -> None:
        """App and gateway must not judge two different passwords."""
        assert refused(body) == 400

    @pytest.mark.parametrize("query", ["pass=x", "user=bob", "PASS=", "pass[]=x"])
    def test_credentials_do_not_stand_in_the_query_too(self, query: str) -> None:
        """PHP's $_REQUEST and servlets mix query and body."""
        assert refused("user=bob&pass=x", f"/login?{query}") == 400

    def test_a_file_under_a_credential_s_name_is_400(self) -> None:
        """Go takes a part with an empty filename for a field."""
        body = part("user", "bob") + part("pass", "x", '; filename=""') + "--bnd--\r\n"
        assert refused(body, content_type=MULTIPART) == 400
        both = part("user", "bob") + part("pass", "x") + part("pass", "y", '; filename=""') + "--bnd--\r\n"
        assert refused(both, content_type=MULTIPART) == 400

    @pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/mixed; boundary=bnd"])
    def test_another_media_type_is_415(self, content_type: str) -> None:
        """An app that also takes JSON would let an old password through."""
        assert refused('{"user": "bob", "pass": "x"}', content_type=content_type) == 415

    def test_a_request_names_its_media_type_once(self) -> None:
        """Without, or with two, everybody guesses differently."""
        for fields in ((), (("Content-Type", URLENCODED), ("Content-Type", "application/json"))):
            head = request_head("POST", "/login", *fields)
            with pytest.raises(RequestRefused) as refusal:
                extract(match_of(ALL, head), head, b"user=bob&pass=x")
            assert refusal.value.status == 415

    @pytest.mark.parametrize("target", ["/login", "/logout", "/me"])
    @pytest.mark.parametrize("coding", ["gzip", "identity", "br"])
    def test_a_content_coding_is_415(self, target: str, coding: str) -> None:
        """Few frameworks decode a request's body, but some do."""
        head = form_head(target, URLENCODED, ("Content-Encoding", coding))
        with pytest.raises(RequestRefused) as refusal:
            extract(match_of(ALL, head), head, b"user=bob&pass=x")
        assert refusal.value.status == 415

    def test_only_declared_forms_are_taken(self) -> None:
        """A rule may know that its app reads one form alone."""
        rules = compiled({**LOGIN, "forms": ["multipart"]})
        assert refused("user=bob&pass=x", rules=rules) == 400
        body = part("user", "b") + part("pass", "x") + "--bnd--"
        assert isinstance(extracted(body, content_type=MULTIPART, rules=rules),
                          Login)

    def test_names_of_nested_fields_are_compared_as_a_whole(self) -> None:
        """Rails' `user[password]` has siblings, and a parent that could replace it."""
        rules = compiled({**LOGIN, "identifier": "user[email]", "password": "user[password]"})
        login = extracted("user[email]=b&user[password]=x&user[remember_me]=1", rules=rules)
        assert isinstance(login, Login)
        assert login.credentials.password == Secret("x")
        for body in ("user[email]=b&user[password]=x&user=y", "user[email]=b&user[password]=x&user[password][]=y"):
            assert refused(body, rules=rules) == 400

    def test_nothing_that_was_typed_shows_in_a_repr(self) -> None:
        """An extracted login may be logged by mistake."""
        assert "s3cret" not in repr(extracted("user=bob&pass=s3cret"))


class TestSubstitute:
    def test_only_the_password_changes(self) -> None:
        """Order, spelling and everything else stay the browser's."""
        login = extracted("a=%7e&user=b%6Fb&pass=old&b&=&next=/x?y")
        assert isinstance(login, Login)
        assert substitute_password(login, Secret("n&w ü")) == b"a=%7e&user=b%6Fb&pass=n%26w+%C3%BC&b&=&next=/x?y"

    def test_in_multipart_too(self) -> None:
        """The same in the other form."""
        body = part("user", "bob") + part("pass", "old") + "--bnd--\r\n"
        login = extracted(body, content_type=MULTIPART)
        assert isinstance(login, Login)
        assert substitute_password(login, Secret("n&w ü")) == body.replace("old", "n&w ü").encode()


class TestChange:
    def test_the_new_password_is_read(self) -> None:
        """Both new-password fields hold it."""
        change = extracted("old=a&new1=b+c&new2=b+c&x=1", "/me")
        assert isinstance(change, Change)
        assert change.rule.name == "change"
        assert change.change is not None
        assert change.change.new_password == Secret("b c")
        assert "b c" not in repr(change)

    @pytest.mark.parametrize("body", ["old=a&new1=b&new2=c", "old=a&new1=&new2=", "name=Bob", "old=&name=Bob", ""])
    def test_what_changes_no_password_is_no_change(self, body: str) -> None:
        """Different or empty new passwords are the app's to refuse; a profile form may leave them out."""
        change = extracted(body, "/me")
        assert isinstance(change, Change)
        assert change.change is None

    @pytest.mark.parametrize("body", [
        "new1=b&new2=b", "old=a&new1=b", "old=a&new1=b&new2=b&new2=b", "old=a&old=b&new1=c&new2=c",
        "old=a&new1=b&New2=b",
        "old=a&new1[]=b&new2[]=b", "NEW1=b",
    ])
    def test_its_fields_occur_once_under_their_own_names(self, body: str) -> None:
        """A change that app and gateway read differently is refused."""
        assert refused(body, "/me") == 400

    def test_its_fields_do_not_stand_in_the_query(self) -> None:
        """Neither too nor alone, where the path's look-up let it pass by."""
        assert refused("old=a&new1=b&new2=b", "/me?new1=c") == 400
        assert refused("name=Bob", "/me?new1=c&new2=c") == 400

    def test_an_app_may_ask_for_no_old_password(self) -> None:
        """Then a field of another name is nobody's business."""
        rules = compiled(LOGIN, {key: value for key, value in CHANGE.items() if key != "old_password"})
        change = extracted("new1=b&new2=b&old=x&old=y", "/me", rules=rules)
        assert isinstance(change, Change)
        assert change.change is not None


class TestLogout:
    def test_a_logout_needs_no_form(self) -> None:
        """Whatever its body is, it is a logout."""
        for head in (request_head("POST", "/logout"), form_head("/logout", "application/json")):
            assert isinstance(extract(match_of(ALL, head), head, b"{}"), Logout)


class TestDiscriminators:
    RULES = compiled({**LOGIN, "path": "/do", "query": {"page": ["", "user"]}, "fields": {"op": ["login", ""]}},
                     {**LOGOUT, "path": "/do", "fields": {"op": ["logout"]}},
                     {**CHANGE, "path": "/do", "fields": {"op": ["password"]}})

    @pytest.mark.parametrize(("body", "expected"), [
        ("op=login&user=b&pass=x", Login), ("user=b&pass=x", Login), ("op=&user=b&pass=x", Login),
        ("op=logout", Logout),
        ("op=password&old=a&new1=b&new2=b", Change), ("op=search&user=b&pass=x", type(None)),
    ])
    def test_a_field_chooses_the_rule(self, body: str, expected: type) -> None:
        """One address that does several things by a field; what is none of ours goes on unchanged."""
        assert isinstance(extracted(body, "/do", rules=self.RULES), expected)

    @pytest.mark.parametrize("body", [
        "op=search&op=login", "op=search&OP=login", "op[]=login", "op=search&op[x]=login",
    ])
    def test_a_doubled_discriminator_is_400(self, body: str) -> None:
        """The app may take the other one."""
        assert refused(body + "&user=b&pass=x", "/do", rules=self.RULES) == 400

    @pytest.mark.parametrize("value", ["LOGIN", "+login", "login%0d%0a", "Logout+", "%00password", "+"])
    def test_a_value_that_an_app_may_take_for_a_listed_one_is_400(self, value: str) -> None:
        """Some apps compare without case, or trim first."""
        assert refused(f"op={value}&user=b&pass=x", "/do", rules=self.RULES) == 400

    def test_a_file_is_no_discriminator(self) -> None:
        """An absent field would choose another rule than an empty file to some."""
        body = part("op", "search", '; filename=""') + part("user", "b") + part("pass", "x") + "--bnd--\r\n"
        assert refused(body, "/do", MULTIPART, self.RULES) == 400

    def test_a_discriminator_stands_in_its_place(self) -> None:
        """PHP's $_REQUEST lets a field override the query, and servlets the reverse."""
        assert refused("op=search&user=b&pass=x", "/do?op=login", rules=self.RULES) == 400
        assert refused("op=search&page=user", "/do", rules=self.RULES) == 400

    def test_a_rule_may_declare_both_places(self) -> None:
        """An app that reads either is described by both."""
        rules = compiled({**LOGIN, "query": {"op": ["", "login"]}, "fields": {"op": ["", "login"]}})
        assert isinstance(extracted("op=login&user=b&pass=x", "/login?op=login", rules=rules), Login)
        assert extracted("op=search", "/login?op=login", rules=rules) is None

    def test_a_body_that_cannot_be_read_is_refused_before_a_rule_is_chosen(self) -> None:
        """What the discriminator says cannot be known then."""
        assert refused('{"op": "login"}', "/do", "application/json", self.RULES) == 415
        rules = compiled({**LOGOUT, "fields": {"op": ["logout"]}, "forms": ["urlencoded"]})
        assert refused(part("op", "logout") + "--bnd--\r\n", "/logout", MULTIPART, rules) == 400


@pytest.mark.parametrize("version", ["3.2", "4.2", "5.2"])
class TestDjango:
    @pytest.mark.parametrize(("name", "identifier", "password"), [
        ("admin login, right password", "alice", "Wonder-Land-42!"),
        ("admin login, multipart", "alice", "Wonder-Land-42!"),
        ("admin login, wrong password", "alice", "wrong"),
        ("accounts login, right password", "bob", "p&b=100%+ bob"),
        ("admin login, inactive user", "carol", "Zażółć-gęślą-15€"),
    ])
    def test_recorded_logins_are_read(self, version: str, name: str, identifier: str, password: str) -> None:
        """What a browser sent to Django is what was typed."""
        exchange = recorded("django", version)[name]
        login = extract(match_of(DJANGO, exchange.head), exchange.head, exchange.body)
        assert isinstance(login, Login)
        assert login.credentials.identifier == identifier
        assert login.credentials.password == Secret(password)
        assert substitute_password(login, Secret(password)) == exchange.body

    def test_recorded_changes_are_read(self, version: str) -> None:
        """Two different new passwords are none."""
        exchanges = recorded("django", version)
        found = {}
        for name in ("admin change, right", "accounts change, right", "admin change, two new passwords"):
            change = extract(match_of(DJANGO, exchanges[name].head), exchanges[name].head, exchanges[name].body)
            assert isinstance(change, Change)
            found[name] = change.change.new_password.reveal() if change.change else None
        assert list(found.values()) == ["N3w-Pass-word-88?", "N3w-Pass-word-88?", None]

    @pytest.mark.parametrize("name", ["admin logout", "accounts logout", "accounts logout by GET"])
    def test_recorded_logouts_are_read(self, version: str, name: str) -> None:
        """With and without a form."""
        exchange = recorded("django", version)[name]
        assert isinstance(extract(match_of(DJANGO, exchange.head), exchange.head, exchange.body), Logout)
