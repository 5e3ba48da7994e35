"""Mistakes between sections, on tables as written."""

import pytest

from gateway.settings.checks import mistakes_between
from gateway.settings.positions import Path

APP = {"name": "shop", "hosts": ("shop.test",), "upstream": "http://a", "source": "users", "preset": "django"}
SOUND = {"app": (APP,), "source": {"users": {"adapter": "sql"}}}


def found(**root: object) -> list[Path]:
    return [path for path, _ in mistakes_between({**SOUND, **root})]


def app(**keys: object) -> dict[str, object]:
    """Return the app with other keys; None takes one away."""
    return {key: value for key, value in {**APP, **keys}.items() if value is not None}


def test_a_sound_file_has_no_mistakes() -> None:
    """Neither between its sections."""
    assert found() == []


def test_a_gateway_needs_an_app() -> None:
    """An empty list of apps is none."""
    assert ("app",) in found(app=())
    assert [path for path, _ in mistakes_between({})] == [("app",)]


@pytest.mark.parametrize("url", ["env:URL", "postgresql://db/x", 7])
def test_only_the_embedded_store_makes_its_secrets(url: object) -> None:
    """With a store elsewhere, several gateways must share them."""
    assert found(store={"url": url}) == [("private", "token"), ("keys", "encryption_key")]
    assert found(store={"url": url}, private={"token": "env:A"}) == [("keys", "encryption_key")]
    assert found(store={"url": url}, private={"token": "env:A"}, keys={"encryption_key": "env:B"}) == []
    assert found(store={"url": "embedded"}) == found(store={}) == []


def test_the_private_listener_has_an_address_of_its_own() -> None:
    """Any free port twice is two ports."""
    same = {"listen": {"public": "127.0.0.1:1"}, "private": {"listen": "127.0.0.1:1"}}
    assert found(**same) == [("private", "listen")]
    assert found(listen={"public": "127.0.0.1:0"}, private={"listen": "127.0.0.1:0"}) == []
    assert found(listen={"public": "127.0.0.1:1"}, private={"listen": "127.0.0.1:2"}) == []


def test_two_apps_of_one_name_are_a_mistake_of_the_later() -> None:
    """Names tell cookies and metrics apart."""
    assert found(app=(APP, app(hosts=("b.test",)), app(hosts=("c.test",), name="c"))) == [("app", 1, "name")]


@pytest.mark.parametrize(
    ("hosts", "path", "is_taken"),
    [
        (("shop.test",), "/", True), (("SHOP.test",), "/", True), (("b.test", "shop.test"), "/", True),
        (("shop.test",), "/b", False), (("*",), "/", False), (("b.test",), "/", False), (("shop.test",), 7, False),
        ("shop.test", "/", False), ((7,), "/", False),
    ],
)
def test_one_host_and_path_is_one_apps(hosts: object, path: object, is_taken: bool) -> None:
    """A longer prefix, or any host beside a named one, may be another's."""
    other = app(name="b", hosts=hosts, path=path)
    assert (("app", 1, "hosts") in found(app=(APP, other))) is is_taken


def test_a_final_slash_makes_no_other_path() -> None:
    """As the router sees it."""
    pair = (app(path="/x"), app(name="b", path="/x/"))
    assert found(app=pair) == [("app", 1, "hosts")]


def test_an_app_names_a_source_that_is_there() -> None:
    """The sentence lists those that are."""
    [(path, sentence), unused] = mistakes_between({**SOUND, "app": (app(source="usres"),)})
    assert path == ("app", 0, "source")
    assert sentence == "names no [source.…] of this file; there are users"
    assert unused[0] == ("source", "users")
    assert found(app=(APP,), source={}) == [("app", 0, "source")]


def test_a_source_without_rules_is_never_asked() -> None:
    """A preset is rules, and so are tables."""
    assert found(app=(app(preset=None),)) == [("app", 0, "source")]
    assert found(app=(app(preset=None, rule=({},)),)) == []
    assert found(app=(app(preset=None, rule=()),)) == [("app", 0, "source")]


def test_a_preset_needs_a_source() -> None:
    """Rules without anybody to ask would answer nothing."""
    assert found(app=(app(source=None),), source={}) == [("app", 0, "preset")]


def test_plain_pass_through_needs_neither() -> None:
    """But has no password change to speak of."""
    assert found(app=(app(source=None, preset=None),), source={}) == []
    assert found(app=(app(source=None, preset=None, password_change="none"),), source={}) == [
        ("app", 0, "password_change")
    ]


def test_a_source_belongs_to_an_app() -> None:
    """One that nobody uses is a forgotten rename more often than a plan."""
    assert found(source={"users": {"adapter": "sql"}, "old": {"adapter": "sql"}}) == [("source", "old")]


def test_a_form_belongs_to_one_app_and_a_table_to_any_number() -> None:
    """For a form is that app."""
    apps = (APP, app(name="b", hosts=("b.test",)))
    assert found(app=apps) == []
    assert found(app=apps, source={"users": {"adapter": "form"}}) == [("source", "users", "adapter")]
    assert found(source={"users": {"adapter": "form"}}) == []


@pytest.mark.parametrize("value", [7, "x", (), ("x",), {}, {"x": 7}, None, (7,), {"users": ()}])
@pytest.mark.parametrize("section", ["app", "source", "store", "private", "keys", "listen"])
def test_tables_of_any_kind_are_looked_at_without_harm(section: str, value: object) -> None:
    """What is of the wrong kind is told by the models; here it only must not break the rest."""
    two = (app(source="nobody"), app(name="b", hosts=("b.test",), source="nobody"))
    apart = {**SOUND, "app": two, section: value}
    places = [path for path, _ in mistakes_between(apart)]
    assert section == "app" or ("app", 1, "source") in places


@pytest.mark.parametrize(("key", "missing"), [("certificate", "key"), ("key", "certificate")])
def test_a_certificate_needs_its_key(key: str, missing: str) -> None:
    """And the other way round; both together are well."""
    assert found(listen={key: "file.pem"}) == [("listen", missing)]
    assert found(listen={"certificate": "a.pem", "key": "b.pem"}) == []


def test_somebody_must_announce_connections() -> None:
    """With the PROXY protocol and no trusted proxies nobody could ever connect."""
    assert found(listen={"proxy_protocol": True}) == [("listen", "proxy_protocol")]
    assert found(listen={"proxy_protocol": True, "trusted_proxies": ()}) == [("listen", "proxy_protocol")]
    assert found(listen={"proxy_protocol": True, "trusted_proxies": ("10.0.0.0/8",)}) == []
    assert found(listen={"proxy_protocol": False}) == []


@pytest.mark.parametrize("key", ["upstream_ca", "upstream_name"])
def test_what_is_verified_needs_tls(key: str) -> None:
    """A name to verify where nothing is verified would deceive; one https address among several is enough."""
    assert found(app=(app(upstream=("http://a", "unix:/b"), **{key: "x"}),)) == [("app", 0, key)]
    assert found(app=(app(upstream=("http://a", "https://b"), **{key: "x"}),)) == []
    assert found(app=(app(upstream="https://b", **{key: "x"}),)) == []


@pytest.mark.parametrize("key", ["handoff", "identity", "login_page", "login_next", "home", "access"])
def test_sessions_need_a_source(key: str) -> None:
    """An app without users of its own has nobody to require or to tell of."""
    alone = app(source=None, preset=None, **{key: ()})
    assert ("app", 0, key) in found(app=(alone,), source={})
    assert ("app", 0, key) not in found(app=(app(**{key: ()}),))


def test_an_app_without_a_login_words_no_denial_and_hears_who_comes() -> None:
    """With the hand-off `headers` the contrary is a mistake; with `replay` it is a choice."""
    assert found(app=(app(handoff="headers", denied="app"),)) == [("app", 0, "denied")]
    assert found(app=(app(handoff="headers", identity=False),)) == [("app", 0, "identity")]
    assert found(app=(app(handoff="headers", denied="status", identity=True),)) == []
    assert found(app=(app(handoff="replay", denied="app", identity=False),)) == []


def test_a_path_has_one_rule_of_access() -> None:
    """Which of two would count?"""
    tables = ({"path": "/a", "require": "session"}, {"path": "/a/", "require": "nothing"}, {"path": "/b"})
    assert found(app=(app(access=tables),)) == [("app", 0, "access", 1, "path")]


@pytest.mark.parametrize(("limits", "places"), [
    ({"request_line_bytes": 4096, "head_bytes": 4097}, []),
    ({"request_line_bytes": 4096, "head_bytes": 4096}, [("limits", "request_line_bytes")]),
    ({"request_line_bytes": 65536}, [("limits", "request_line_bytes")]),
    ({"head_bytes": 8192}, [("limits", "head_bytes")]),
    ({"head_bytes": "8192"}, []), ({}, []),
])
def test_a_head_has_room_for_more_than_its_first_line(limits: dict[str, object], places: list[Path]) -> None:
    """Otherwise the greater of the two would never be reached; what is left out has its default."""
    assert found(limits=limits) == places
