"""The clean room, as a dialogue: the source asks, the app answers."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlencode

import pytest

from adapters.base import AdapterUnavailable, PasswordSource
from adapters.form import FormSource
from gateway.errors import AppUnavailable
from gateway.http.answer import Answer
from gateway.http.head import RequestHead
from gateway.http.parsing import HeadLimits, parse_request
from gateway.identifiers import Comparison
from gateway.intercept.rules import Probe, Rule
from gateway.intercept.tables import RuleKind
from gateway.intercept.verdict import Conditions
from gateway.model import LegacyUser, Outcome, Secret
from tests.helpers.exchanges import answered

ORIGIN = "https://shop.test"
PAGE = '<form method="post"><input name="csrf" type="hidden" value="t&amp;1"><input name="user"><input name="pass">'
WITH_FORM = answered(200, ("Set-Cookie", "csrf=c1; Path=/"), body=PAGE + "</form>")
LET_IN = answered(302, ("Location", "/"), ("Set-Cookie", "session=s1; HttpOnly"))
REFUSED = answered(200, body="<p>wrong</p>" + PAGE)
INSIDE = answered(200, body="your preferences")
RULE = Rule(
    name="login", kind=RuleKind.LOGIN, methods=frozenset({b"POST"}), path="/login", identifier="user", password="pass",
    right=Conditions(status=frozenset({302}), set_cookie="session"),
    wrong=Conditions(status=frozenset({200}), body_has="wrong"),
    page="/login?next=/shop/",
    probe=Probe(path="/preferences", conditions=Conditions(status=frozenset({200}), body_has="preferences")),
)


@dataclass
class App:
    """Gives its answers in order, and remembers what it was sent."""

    answers: list[Answer | AppUnavailable]
    heads: list[RequestHead] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, request: bytes, *, method: bytes) -> Answer:
        head = parse_request(request, HeadLimits())
        assert head is not None
        assert head.method == method
        self.heads.append(head)
        self.bodies.append(request[head.size:])
        answer = self.answers.pop(0)
        if isinstance(answer, AppUnavailable):
            raise answer
        return answer

    @property
    def lines(self) -> list[str]:
        """The first lines of all requests, without the version."""
        return [f"{head.method.decode()} {head.target.decode()}" for head in self.heads]

    @property
    def posted(self) -> dict[str, str]:
        """The fields of the one form that was sent."""
        [body] = filter(None, self.bodies)
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
        assert len(pairs) == len(dict(pairs))
        return dict(pairs)


def source(app: App, rule: Rule = RULE, *, prefix: str = "/", comparison: Comparison = Comparison.EXACT) -> FormSource:
    return FormSource(rule, app, origin=ORIGIN, prefix=prefix, comparison=comparison)


async def ask(app: App, rule: Rule = RULE, login: str = "alice", password: str = "p&b=100%+ Zażółć€",
              **options: object) -> LegacyUser | Outcome:
    async with source(app, rule, **options) as opened:  # type: ignore[arg-type]
        return await opened.authenticate(login, Secret(password))


def page(form: str) -> Answer:
    """Return a login page with this inside its form."""
    return answered(200, body=f'<form>{form}<input name="user"><input type="password" name="pass"></form>')


async def sent(page: Answer, rule: Rule = RULE) -> Mapping[str, str]:
    """Return what is sent beside name and password for a login page."""
    app = App([page, REFUSED])
    assert await ask(app, rule) is Outcome.WRONG_PASSWORD
    return {name: value for name, value in app.posted.items() if name not in ("user", "pass")}


async def unclear(app: App, rule: Rule = RULE) -> AdapterUnavailable:
    with pytest.raises(AdapterUnavailable) as caught:
        await ask(app, rule)
    assert app.answers == []
    return caught.value


async def test_a_login_is_one_page_one_post_and_one_probe() -> None:
    """The fields of the page go along, the typed ones in their places, every character as it was typed."""
    app = App([WITH_FORM, LET_IN, INSIDE])
    user = await ask(app)
    assert app.lines == ["GET /login?next=/shop/", "POST /login", "GET /preferences"]
    assert app.posted == {"csrf": "t&1", "user": "alice", "pass": "p&b=100%+ Zażółć€"}
    assert isinstance(user, LegacyUser)
    assert (user.legacy_id, user.identifiers, user.profile.username) == ("alice", ("alice",), "alice")
    assert user.hindrance is None


async def test_a_room_keeps_its_own_cookies_and_knows_no_others() -> None:
    """What the app sets on the way is sent back from then on; the first request has no history."""
    app = App([WITH_FORM, LET_IN, INSIDE])
    await ask(app)
    assert [head.cookie for head in app.heads] == [None, b"csrf=c1", b"csrf=c1; session=s1"]
    again = App([WITH_FORM, LET_IN, INSIDE])
    await ask(again)
    assert again.heads[0].cookie is None


async def test_the_app_is_asked_under_the_name_that_browsers_use() -> None:
    """Host, scheme, Origin and Referer agree, as an app's protection against forged requests demands."""
    app = App([WITH_FORM, LET_IN, INSIDE])
    await ask(app)
    post = app.heads[1]
    assert post.host == b"shop.test"
    assert post.values(b"x-forwarded-proto") == [b"https"]
    assert post.values(b"origin") == [b"https://shop.test"]
    assert post.values(b"referer") == [b"https://shop.test/login"]
    assert post.values(b"content-type") == [b"application/x-www-form-urlencoded"]
    assert app.heads[0].values(b"origin") == []
    assert all(head.values(b"accept-encoding") == [] for head in app.heads)


async def test_an_app_below_a_prefix_is_asked_there() -> None:
    """The paths of a rule begin where the app does."""
    app = App([WITH_FORM, LET_IN, INSIDE])
    await ask(app, prefix="/shop/")
    assert app.lines == ["GET /shop/login?next=/shop/", "POST /shop/login", "GET /shop/preferences"]


async def test_a_refusal_is_a_wrong_password_and_ends_the_try() -> None:
    """One try costs the app one attempt."""
    app = App([WITH_FORM, REFUSED])
    assert await ask(app) is Outcome.WRONG_PASSWORD
    assert len(app.heads) == 2


@pytest.mark.parametrize("login", ["", " ", "a\0b", "alice\u200b", "a" * 256, "\ud800"])
async def test_a_name_that_is_nobodys_is_not_even_asked(login: str) -> None:
    """The app never hears of it."""
    app = App([])
    assert await ask(app, login=login) is Outcome.NOT_FOUND


@pytest.mark.parametrize(("login", "comparison", "typed", "identity"), [
    (" alice\u2003", Comparison.EXACT, "alice", "alice"),
    ("\uff21lice", Comparison.EXACT, "Alice", "Alice"),
    ("Straße", Comparison.CASEFOLD, "Straße", "strasse"),
])
async def test_an_app_vouches_for_the_very_name_that_becomes_the_identity(
        login: str, comparison: Comparison, typed: str, identity: str) -> None:
    """An app for which " alice" is not alice is asked about alice: it cannot make one the other."""
    app = App([WITH_FORM, LET_IN, INSIDE])
    user = await ask(app, login=login, comparison=comparison)
    assert app.posted["user"] == typed
    assert isinstance(user, LegacyUser)
    assert user.legacy_id == identity


@pytest.mark.parametrize(("html", "fields"), [
    ('<input type="HIDDEN" name="a" value="&lt;&#34;é">', {"a": '<"é'}),
    ('<input name="a"><input name="b" value>', {"a": "", "b": ""}),
    ('<input type="checkbox" name="a"><input type=checkbox name=b checked>', {"b": "on"}),
    ('<input type=radio name=c value=1><input type=radio name=c value=2 checked>', {"c": "2"}),
    ('<input type="hidden" name="a" value="0"><input type="checkbox" name="a" value="1" checked>', {"a": "0"}),
    ('<input name="a" disabled><input value="2"><input type="file" name="b"><input type="reset" name="c">', {}),
    ('<input type="submit" name="go" value="In"><input type="submit" name="off" value="No">', {"go": "In"}),
    ('<button name="go" value="1">Log in</button><input type="submit" name="other">', {"go": "1"}),
    ('<button type="button" name="eye">Show</button><button>Log in</button><button name="late">Cancel</button>', {}),
    ('<input type="image" name="go" src="x.png"><input type="submit" name="late">', {}),
    ('<select name="lang"><option value="en">English<option value="pl" selected>Polski</select>', {"lang": "pl"}),
    ('<select name="realm"><option> Local &amp; old </option><option>LDAP</option></select>', {"realm": "Local & old"}),
    ('<select name="a" disabled><option value="1"></select><datalist><option value="2"></datalist>', {}),
    ('<!-- <input name="a"> --><script>"<input name=b>"</script>', {}),
])
async def test_a_form_sends_what_a_browser_would_send(html: str, fields: Mapping[str, str]) -> None:
    """Hidden and preset fields go along, and the button that Enter presses; nothing that is off."""
    assert await sent(page(html)) == fields


@pytest.mark.parametrize("html", [
    '<form><input name="q"><input type="hidden" name="wrong" value="1"></form>' + PAGE + "</form>",
    '<input name="wrong" value="1">' + PAGE + '</form><input name="wrong" value="2">',
    PAGE,
    PAGE + '<form><input name="wrong"></form>',
    PAGE + '</form><form><input name="user"><input name="pass"><input name="wrong"></form>',
])
async def test_the_form_with_the_password_is_the_login_form(html: str) -> None:
    """Others on the page, before it and behind it, are left alone, also where a page forgets to end one."""
    assert await sent(answered(200, body=html)) == {"csrf": "t&1"}


@pytest.mark.parametrize("fields", ["", '<input type="hidden" name="action" value="help">'])
async def test_discriminators_are_sent_so_that_the_rule_applies(fields: str) -> None:
    """A POST without them would be something else than a login to the app."""
    rule = replace(RULE, query={"page": frozenset({"login"}), "debug": frozenset({"", "no"})},
                   fields={"action": frozenset({"login", "signin"}), "step": frozenset({""})})
    app = App([page(fields), REFUSED])
    await ask(app, rule)
    assert app.lines[1] == "POST /login?page=login"
    assert {name: value for name, value in app.posted.items() if name not in ("user", "pass")} == {"action": "login"}


async def test_a_discriminator_of_the_page_stays() -> None:
    """What the page itself would send fits the rule already."""
    rule = replace(RULE, fields={"action": frozenset({"login", "signin"})})
    assert await sent(page('<input type="hidden" name="action" value="signin">'), rule) == {"action": "signin"}


@pytest.mark.parametrize("login_page", [
    answered(500, body=PAGE), answered(302, ("Location", "/maintenance")), answered(404), answered(403, body=PAGE),
    answered(200, body="<p>Back soon</p>"), answered(200, body='<form><input name="q"></form>'),
    answered(200, body=PAGE, is_whole=False), answered(200, ("Content-Encoding", "br"), body=PAGE),
    answered(200, body=PAGE + " " * 1024 * 1024),
])
async def test_without_a_login_form_nothing_is_asked_and_nothing_known(login_page: Answer) -> None:
    """A page of another kind is a breakdown; the password stays here."""
    assert (await unclear(App([login_page]))).outcome is Outcome.PROTOCOL_ERROR


@pytest.mark.parametrize("answer", [
    answered(403, body="CSRF"), answered(429, body="wrong"), answered(500), answered(302, ("Location", "/login")),
    answered(302, ("Set-Cookie", "session=; Max-Age=0")), answered(200, body="are you a robot?"),
    replace(LET_IN, is_whole=False), replace(REFUSED, is_whole=False),
])
async def test_an_answer_that_fits_neither_is_unclear(answer: Answer) -> None:
    """Neither wrong nor right: nobody is adopted, and nobody is denied for it."""
    assert (await unclear(App([WITH_FORM, answer]))).outcome is Outcome.PROTOCOL_ERROR


@pytest.mark.parametrize("probe", [
    answered(302, ("Location", "/login")), answered(200, body=PAGE), answered(403), answered(500, body="preferences"),
    replace(INSIDE, is_whole=False), answered(200, ("Content-Encoding", "br"), body="preferences"),
])
async def test_what_only_looks_right_is_not_believed(probe: Answer) -> None:
    """The page that only a logged-in user sees has the last word."""
    assert (await unclear(App([WITH_FORM, LET_IN, probe]))).outcome is Outcome.PROTOCOL_ERROR


async def test_a_probe_of_the_status_alone_needs_its_whole_answer() -> None:
    """A cut answer proves nothing, even where its head would."""
    rule = replace(RULE, probe=Probe(path="/preferences", conditions=Conditions(status=frozenset({200}))))
    assert isinstance(await ask(App([WITH_FORM, LET_IN, INSIDE]), rule), LegacyUser)
    await unclear(App([WITH_FORM, LET_IN, replace(INSIDE, is_whole=False)]), rule)


@pytest.mark.parametrize("before", range(3))
@pytest.mark.parametrize(("status", "outcome"), [(502, Outcome.UNAVAILABLE), (504, Outcome.TIMEOUT)])
async def test_an_app_that_goes_away_is_unavailable(before: int, status: int, outcome: Outcome) -> None:
    """At whatever step it happens."""
    answers: list[Answer | AppUnavailable] = [WITH_FORM, LET_IN, INSIDE][:before]
    error = await unclear(App([*answers, AppUnavailable("it is down", status=status)]))
    assert error.outcome is outcome


async def test_a_breakdown_names_nobody() -> None:
    """What may reach a log holds neither the name, nor the password, nor the page."""
    for answers in ([answered(500, body=PAGE)], [WITH_FORM, answered(500)], [WITH_FORM, LET_IN, answered(500)]):
        told = repr(await unclear(App(list(answers))))
        assert not any(word in told for word in ("alice", "Zażółć", urlencode({"": "Zażółć"})[1:], "csrf"))


async def test_tries_side_by_side_share_nothing() -> None:
    """Each has a room of its own."""
    apps = [App([WITH_FORM, LET_IN, INSIDE]) for _ in range(3)]
    one = apps[0]
    opened = source(one)
    users = await asyncio.gather(*(ask(app, login=f"user{number}") for number, app in enumerate(apps)))
    assert [user.legacy_id for user in users if isinstance(user, LegacyUser)] == ["user0", "user1", "user2"]
    one.answers = [WITH_FORM, REFUSED]
    assert await opened.authenticate("alice", Secret("x")) is Outcome.WRONG_PASSWORD
    assert one.heads[3].cookie is None


async def test_a_sign_of_life_is_the_login_page() -> None:
    """Ping asks for it, and says nothing when it came."""
    app = App([WITH_FORM])
    assert await source(app).ping() is None  # type: ignore[func-returns-value]
    assert app.lines == ["GET /login?next=/shop/"]
    with pytest.raises(AdapterUnavailable):
        await source(App([AppUnavailable("it is down")])).ping()


def test_a_source_takes_passwords_and_needs_a_probe() -> None:
    """Without a probe nothing could confirm a login."""
    assert isinstance(source(App([])), PasswordSource)
    with pytest.raises(ValueError, match="probe"):
        source(App([]), replace(RULE, probe=None))
