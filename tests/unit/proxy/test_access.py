"""Which addresses need a session, under every reading; and where the way back may lead."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import RequestRefused
from gateway.intercept.rules import Rule, compile_rules
from gateway.intercept.tables import RuleKind, RuleTable
from gateway.proxy.access import Access, Entry, Require

ENTRY = Entry(page="/login", next="next", home="/start")


def logins(**more: object) -> list[Rule]:
    table = {"name": "in", "kind": "login", "path": "/login", "identifier": "user", "password": "pass",
             "right": {"status": [302]}, "wrong": {"status": [200]}, **more}
    return [rule for rule in compile_rules([RuleTable.model_validate(table)]).rules if rule.kind is RuleKind.LOGIN]


def access(*rules: tuple[str, str], prefix: str = "/", entry: Entry = ENTRY, fold_case: bool = False,
           rule: dict[str, object] | None = None) -> Access:
    return Access([(path, Require(require)) for path, require in rules], prefix=prefix, logins=logins(**(rule or {})),
                  entry=entry, parameters=frozenset({"jsessionid"}), fold_case=fold_case)


def needs(of: Access, target: bytes, *, is_reading: bool = True) -> bool:
    return of.needs_session(target, is_reading=is_reading)


LAYERED = access(("/admin", "session"), ("/admin/help", "nothing"), ("/admin/help/private", "session"))


@pytest.mark.parametrize(("target", "closed"), [
    (b"/", False), (b"/administrator", False), (b"/admin", True), (b"/admin/", True), (b"/admin/users?a=b", True),
    (b"/admin/help", False), (b"/admin/help/", False), (b"/admin/helper", True), (b"/admin/help/private/x", True),
    (b"/admin;jsessionid=1", True), (b"/%61dmin/help", False), (b"/admin/help/%2e%2e/x", True), (b"*", False),
])
def test_the_longest_prefix_wins(target: bytes, *, closed: bool) -> None:
    """Prefixes are of whole segments, and nothing is required where none fits."""
    assert needs(LAYERED, target) is closed


def test_an_address_with_too_many_readings_is_refused() -> None:
    """Nobody types one."""
    with pytest.raises(RequestRefused) as refusal:
        needs(LAYERED, b"/%" + b"25" * 100 + b"41")
    assert refusal.value.status == 400


@pytest.mark.parametrize(("target", "closed"), [
    (b"/shop/login", False), (b"/shop/login;jsessionid=1", False), (b"/shop//login", False),
    (b"/x/../shop/login", True), (b"//x/shop/login", True), (b"/shop/login/../x", True),
])
def test_a_page_is_open_when_every_reading_is_it(target: bytes, *, closed: bool) -> None:
    """A reading outside the app is no page of it, wherever its dots lead."""
    entry = Entry(page="/shop/login", next="next", home="/shop/")
    assert needs(access(("/", "session"), prefix="/shop", entry=entry), target) is closed


def test_only_the_query_of_a_page_is_read() -> None:
    """Very many pairs are refused there, and are nobody's business elsewhere."""
    closed = access(("/", "session"), rule={"query": {"do": ["in"]}})
    query = b"?" + b"a&" * 4000
    assert needs(closed, b"/other" + query)
    assert needs(closed, b"//a%0a;b./" + query)
    with pytest.raises(RequestRefused) as refusal:
        needs(closed, b"/login" + query)
    assert refusal.value.status == 400


PIECES = st.lists(st.sampled_from(["/", "..", ".", "x", "%2e", "%2f", "//", "\\", ";a", "%5c", "%00", "."]), max_size=5)


NAMES = st.sampled_from(["admin", "%61dmin", "adm%69n", "a%64min"])


@given(PIECES, NAMES, st.sampled_from(["", "/", "/users", ";x", "%20"]))
def test_no_detour_opens_a_closed_app(before: list[str], name: str, after: str) -> None:
    """With everything closed but the login page, no address but that is open."""
    everything = access(("/", "session"))
    with suppress(RequestRefused):
        assert needs(everything, f"/{''.join(before)}/{name}{after}".encode())


def test_case_counts_unless_the_app_folds_it() -> None:
    """Then a rule in capitals is a rule as well."""
    assert not needs(access(("/admin", "session")), b"/Admin")
    for target in (b"/Admin", b"/aDMIN/x", b"/%41dmin"):
        assert needs(access(("/ADMIN", "session"), fold_case=True), target)


def test_paths_are_below_the_apps_own() -> None:
    """And what could lie outside needs a session, for nobody knows whose it is."""
    below = access(("/admin", "session"), prefix="/shop", entry=Entry(page="/shop/login", next="next", home="/shop/"))
    assert needs(below, b"/shop/admin")
    assert not needs(below, b"/shop/cart")
    assert needs(below, b"/admin")
    assert needs(below, b"/shopping")


def test_the_login_stays_open_under_any_query() -> None:
    """Its address is nothing else's; other spellings of it are not needed."""
    everything = access(("/", "session"))
    for target in (b"/login", b"/login/", b"/login?next=/cart", b"/login?lang=de"):
        assert not needs(everything, target)
        assert not needs(everything, target, is_reading=False)
    assert needs(everything, b"/login/x")
    assert needs(everything, b"/login/../cart")


FRONT = {"path": "/index.php", "page": "/index.php?page=login", "query": {"page": ["login"]}}


@pytest.mark.parametrize(("target", "closed"), [
    (b"/index.php?page=login", False), (b"/index.php?page=login&next=/cart", False),
    (b"/index.php?next=/&page=login", False),
    (b"/index.php", True), (b"/index.php?page=admin", True), (b"/index.php?page=login&page=admin", True),
    (b"/index.php?page=login&action=admin", True), (b"/index.php?page=login;page=admin", True),
    (b"/index.php?page=%6cogin", False), (b"/index.php/admin?page=login", True),
    (b"/index.php?page[]=admin&page=login", True),
])
def test_under_a_front_controller_the_login_page_alone_stays_open(target: bytes, *, closed: bool) -> None:
    """The same address is the whole app's, so its query must be the page's own."""
    entry = Entry(page="/index.php?page=login", next="next", home="/")
    assert needs(access(("/", "session"), entry=entry, rule=FRONT), target) is closed


def test_a_page_is_open_for_reading_only() -> None:
    """A field of a body may choose another page."""
    entry = Entry(page="/index.php?page=login", next="next", home="/")
    assert needs(access(("/", "session"), entry=entry, rule=FRONT), b"/index.php?page=login", is_reading=False)


# The way in and back


@pytest.mark.parametrize(("target", "location"), [
    (b"/cart", "/login?next=/cart"), (b"/cart?a=b&c=%20#", "/login?next=/cart%3Fa%3Db%26c%3D%2520%23"),
    (b"/caf\xc3\xa9", "/login?next=/caf%C3%A9"), (b"//evil.test", "/login"), (b"/\\evil.test", "/login"),
    (b"/a\\b", "/login"), (b"*", "/login"),
])
def test_the_login_page_is_told_the_way_back(target: bytes, location: str) -> None:
    """Unless a browser could take it for another site's."""
    assert ENTRY.login(target) == location


def test_the_way_back_joins_a_query_and_may_be_left_out() -> None:
    """As the app's own page needs it."""
    assert Entry(page="/in?a=b", next="to", home="/").login(b"/x") == "/in?a=b&to=/x"
    assert Entry(page="/in", next="", home="/").login(b"/x") == "/in"


@pytest.mark.parametrize(("fields", "query", "location"), [
    ([], b"next=/cart", "/cart"), (["/a"], b"next=/b", "/a"), ([], b"", "/start"), ([], b"next=/a&next=/b", "/start"),
    (["/a", "/b"], b"", "/start"), (["//evil.test"], b"next=/b", "/start"), ([], b"next=%2F%2Fevil.test", "/start"),
    (["https://evil.test"], b"", "/start"), (["/\t/evil.test"], b"", "/start"), (["/a\r\nX: y"], b"", "/start"),
    (["/a b"], b"", "/start"), (["/é?x=%41#y"], b"", "/%C3%A9?x=%41#y"), ([""], b"", "/start"),
])
def test_a_login_leads_to_local_addresses_only(fields: list[str], query: bytes, location: str) -> None:
    """The form goes before the address; what is doubled or foreign counts for nothing."""
    assert ENTRY.after_login(fields, query) == location


@given(st.text())
def test_no_text_leads_elsewhere(wanted: str) -> None:
    """Whatever was sent, the location is one visible ASCII path of this host."""
    location = Entry(page="/in", next="next", home="/").after_login([wanted], b"")
    assert location.isascii()
    assert location.isprintable()
    assert " " not in location
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))


def test_without_the_parameter_a_login_leads_home() -> None:
    """It was switched off."""
    assert Entry(page="/in", next="", home="/start").after_login(["/a"], b"=/b") == "/start"
