import gzip
import zlib
from collections.abc import Callable

import pytest

from gateway.http.answer import Answer
from gateway.intercept.presets import load_preset
from gateway.intercept.rules import Rule, compile_rules
from gateway.intercept.tables import RuleKind
from gateway.intercept.verdict import Conditions, judge
from gateway.model import Verdict
from tests.helpers.exchanges import answered, recorded

LIMIT = 64 * 1024
DJANGO = compile_rules(load_preset("django").rules)
DATE = ("Date", "Tue, 24 Nov 2026 22:09:17 GMT")


def holds(conditions: Conditions, answer: Answer, *, path: str = "/login") -> bool | None:
    return conditions.hold(answer, LIMIT, path=path)


def rule(right: Conditions | None, wrong: Conditions | None) -> Rule:
    return Rule(name="in", kind=RuleKind.LOGIN, methods=frozenset({b"POST"}), path="/login", right=right, wrong=wrong)


class TestConditions:
    def test_all_of_them_must_hold(self) -> None:
        """A conjunction, so that no single sign is taken for success."""
        conditions = Conditions(status=frozenset({302}), location="/home", set_cookie="sid")
        cookie, location = ("Set-Cookie", "sid=1"), ("Location", "/home")
        assert holds(conditions, answered(302, cookie, location))
        assert not holds(conditions, answered(303, cookie, location))
        assert not holds(conditions, answered(302, location))
        assert not holds(conditions, answered(302, cookie))

    @pytest.mark.parametrize(("pattern", "location", "expected"), [
        ("/home", "/home", True), ("/home", "/home?x=1#y", True), ("/home", "/home/", False),
        ("/home", "/", False),
        ("/home", "https://site.test:8443/home?x", True), ("/home", "//site.test/home", True),
        ("/home", "home", True),
        ("/home", "./home", True), ("/home", "../home", True), ("/", "https://site.test", True),
        ("/login", "", True),
        ("/login", "?error=1", True), ("*/done/", "/a/b/done/", True), ("*/done/", "/done/x", False),
        ("*", "/x", True),
        ("/a/*/c", "/a/b/b/c", True), ("/a.c", "/abc", False), ("/home", "http://[bad/home", False),
        ("/home", "/home\xff", False),
    ])
    def test_a_location_is_compared_by_its_path(self, pattern: str, location: str, expected: bool) -> None:
        """Hosts and queries are the proxy's business; `*` stands for any text."""
        answer = answered(302, ("Location", location))
        assert holds(Conditions(location=pattern), answer) is expected

    def test_a_relative_location_leads_on_from_the_request_s_path(self) -> None:
        """As RFC 9110 10.2.2 has it."""
        answer = answered(302, ("Location", "done/"))
        assert holds(Conditions(location="/me/password/done/"), answer, path="/me/password/")

    def test_several_locations_are_none(self) -> None:
        """Nobody knows which one a browser follows."""
        assert not holds(Conditions(location="*"), answered(302, ("Location", "/a"), ("Location", "/a")))
        assert not holds(Conditions(location="*"), answered(302))

    @pytest.mark.parametrize(("cookie", "expected"), [
        ("sid=1", True), ("sid=1; Path=/; HttpOnly", True), (' sid = "1" ; Path=/', True),
        ("sid=1; Max-Age=60", True),
        ("sid=1; Expires=Tue, 08 Dec 2026 22:09:17 GMT", True),
        ("sid=1; Expires=Tue, 08-Dec-2026 22:09:17 GMT", True),
        ("sid=1; Expires=nonsense", True), ("sid=1; Max-Age=nonsense", True),
        ("sid=", False), ('sid=""', False), ("sid", False), ("sid= ; Path=/", False),
        ("sid=1; Max-Age=0", False),
        ("sid=1; max-age=-1", False), ("sid=deleted; Expires=Thu, 01-Jan-1970 00:00:01 GMT", False),
        ("sid=1; Expires=Tue, 24 Nov 2026 22:09:16 GMT", False),
        ("sid=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", True), ("SID=1", False),
        ("xsid=1", False),
        ("other=sid=1", False),
    ])
    def test_a_cookie_must_be_set_and_not_deleted(self, cookie: str, expected: bool) -> None:
        """A deletion is a Set-Cookie, too; Max-Age goes before Expires."""
        assert holds(Conditions(set_cookie="sid"), answered(302, DATE, ("Set-Cookie", cookie))) is expected

    def test_without_a_date_the_epoch_is_still_the_past(self) -> None:
        """What expired in the last century is deleted; a later day may be a deletion or not."""
        gone = answered(302, ("Set-Cookie", "sid=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"))
        kept = answered(302, ("Set-Cookie", "sid=1; Expires=Sat, 01 Jan 2022 00:00:00 -0000"))
        assert not holds(Conditions(set_cookie="sid"), gone)
        assert holds(Conditions(set_cookie="sid"), kept)

    def test_one_of_several_cookies_is_enough(self) -> None:
        """The same name may be deleted on one path and set on another."""
        cookies = [("Set-Cookie", "sid=; Path=/old"), ("set-cookie", "x=1"), ("Set-Cookie", "sid=1; Path=/")]
        assert holds(Conditions(set_cookie="sid"), answered(302, *cookies))

    def test_a_body_has_and_lacks(self) -> None:
        """Both conditions read the same text."""
        answer = answered(200, body="zażółć again")
        assert holds(Conditions(body_has="żół"), answer)
        assert not holds(Conditions(body_has="gęś"), answer)
        assert holds(Conditions(body_lacks="gęś"), answer)
        assert not holds(Conditions(body_has="again", body_lacks="żół"), answer)

    @pytest.mark.parametrize(("coding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
    def test_a_compressed_body_is_read(self, coding: str, encode: Callable[[bytes], bytes]) -> None:
        """The bytes of the answer stay compressed, its text is judged."""
        answer = Answer(status=200, reason=b"", fields=[(b"Content-Encoding", coding.encode())], body=encode(b"again"))
        assert holds(Conditions(body_has="again"), answer)

    def test_a_body_that_cannot_be_read_says_nothing(self) -> None:
        """Too large, cut, or in a foreign coding: neither met nor unmet."""
        conditions = Conditions(status=frozenset({200}), body_lacks="again")
        assert holds(conditions, answered(200, body="x" * (LIMIT + 1))) is None
        assert holds(conditions, answered(200, body="x", is_whole=False)) is None
        assert holds(conditions, answered(200, ("Content-Encoding", "br"), body="x")) is None
        assert holds(conditions, answered(302, ("Content-Encoding", "br"), body="x")) is False

    def test_a_page_in_another_charset_is_read_as_far_as_ascii_goes(self) -> None:
        """Names of fields are ASCII in every charset that pages have."""
        page = 'name="pass" zażółć'.encode("iso-8859-2")
        answer = Answer(status=200, reason=b"", fields=[], body=page)
        assert holds(Conditions(body_has='name="pass"'), answer)


class TestJudge:
    RULE = rule(Conditions(status=frozenset({302})), Conditions(status=frozenset({200}), body_has="again"))

    def test_right_and_wrong_are_each_described(self) -> None:
        """An answer is one of them only when it is not the other."""
        assert judge(self.RULE, answered(302), LIMIT) is Verdict.RIGHT
        assert judge(self.RULE, answered(200, body="try again"), LIMIT) is Verdict.WRONG

    @pytest.mark.parametrize("status", [403, 408, 422, 429, 500, 503])
    def test_what_meets_neither_is_unknown(self, status: int) -> None:
        """A missing token, a lockout or a breakdown is no wrong password."""
        assert judge(self.RULE, answered(status, body="try again"), LIMIT) is Verdict.UNKNOWN
        assert judge(self.RULE, answered(200, body="locked"), LIMIT) is Verdict.UNKNOWN

    def test_what_meets_both_is_unknown(self) -> None:
        """Two descriptions that overlap decide nothing."""
        both = rule(Conditions(status=frozenset({200, 302})), Conditions(status=frozenset({200})))
        assert judge(both, answered(302), LIMIT) is Verdict.RIGHT
        assert judge(both, answered(200), LIMIT) is Verdict.UNKNOWN

    def test_a_cut_answer_is_unknown(self) -> None:
        """Even where only the status counts."""
        assert judge(self.RULE, answered(302, is_whole=False), LIMIT) is Verdict.UNKNOWN

    def test_an_unreadable_body_is_unknown(self) -> None:
        """Where it matters, and there alone."""
        assert judge(self.RULE, answered(200, ("Content-Encoding", "br"), body="again"), LIMIT) is Verdict.UNKNOWN
        assert judge(self.RULE, answered(302, ("Content-Encoding", "br"), body="again"), LIMIT) is Verdict.RIGHT
        lacking = rule(Conditions(status=frozenset({200})), Conditions(status=frozenset({200}), body_has="again"))
        assert judge(lacking, answered(200, ("Content-Encoding", "br"), body=""), LIMIT) is Verdict.UNKNOWN

    def test_a_rule_without_wrong_knows_right_alone(self) -> None:
        """A logout cannot be wrong."""
        logout = rule(Conditions(status=frozenset({204})), None)
        assert judge(logout, answered(204), LIMIT) is Verdict.RIGHT
        assert judge(logout, answered(403), LIMIT) is Verdict.UNKNOWN
        assert judge(rule(None, None), answered(204), LIMIT) is Verdict.UNKNOWN


VERDICTS = {
    "admin login, right password": Verdict.RIGHT,
    "admin login, multipart": Verdict.RIGHT,
    "accounts login, right password": Verdict.RIGHT,
    "admin login, wrong password": Verdict.WRONG,
    "admin login, unknown user": Verdict.WRONG,
    "admin login, inactive user": Verdict.WRONG,
    "admin login, right password but not staff": Verdict.WRONG,
    "admin login, wrong password of another user while logged in": Verdict.WRONG,
    "accounts login, wrong password": Verdict.WRONG,
    "admin login, no CSRF token": Verdict.UNKNOWN,
    "admin change, right": Verdict.RIGHT,
    "accounts change, right": Verdict.RIGHT,
    "admin change, wrong old password": Verdict.WRONG,
    "admin change, weak new password": Verdict.WRONG,
    "admin change, two new passwords": Verdict.WRONG,
    "accounts change, wrong old password": Verdict.WRONG,
    "admin change, nobody logged in": Verdict.UNKNOWN,
    "admin logout": Verdict.RIGHT,
    "accounts logout": Verdict.RIGHT,
    "admin logout, no CSRF token": Verdict.UNKNOWN,
}
# Origin is checked since 4.0, and since 5.0 a GET logs nobody out.
BY_VERSION = {
    "3.2": {"admin login, foreign origin": Verdict.RIGHT, "accounts logout by GET": Verdict.RIGHT},
    "4.2": {"admin login, foreign origin": Verdict.UNKNOWN, "accounts logout by GET": Verdict.RIGHT},
    "5.2": {"admin login, foreign origin": Verdict.UNKNOWN, "accounts logout by GET": Verdict.UNKNOWN},
}
PROBES = {
    "admin probe, staff logged in": True,
    "admin probe, logged in but not staff": False,
    "admin probe, nobody logged in": False,
    "accounts probe, logged in": True,
    "accounts probe, nobody logged in": False,
}


@pytest.mark.parametrize("version", BY_VERSION)
class TestDjango:
    def test_every_recorded_answer_gets_its_verdict(self, version: str) -> None:
        """The preset's conditions fit what three Django versions answered."""
        exchanges = recorded("django", version)
        expected = VERDICTS | BY_VERSION[version]
        found = {}
        for name in expected:
            match = DJANGO.match(exchanges[name].head.method, exchanges[name].head.target)
            assert match is not None
            (matched,) = match.rules
            found[name] = judge(matched, exchanges[name].answer, LIMIT)
        assert found == expected

    def test_every_recorded_probe_tells_who_is_logged_in(self, version: str) -> None:
        """The page of the password change is seen by those alone whom the login lets in."""
        exchanges = recorded("django", version)
        rules = {rule.probe.path: rule.probe for rule in DJANGO.rules if rule.probe is not None}
        found = {name: rules[exchanges[name].head.target.decode()].conditions.hold(exchanges[name].answer, LIMIT)
                 for name in PROBES}
        assert found == PROBES

    def test_every_recorded_exchange_is_looked_at(self, version: str) -> None:
        """No vector lies about unused, except the login page, which matches no rule."""
        exchanges = recorded("django", version)
        assert exchanges.keys() - VERDICTS.keys() - BY_VERSION[version].keys() - PROBES.keys() == {"admin login page"}
        assert DJANGO.match(b"GET", exchanges["admin login page"].head.target) is None
