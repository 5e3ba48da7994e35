import pytest

from gateway.errors import RequestRefused
from gateway.intercept.origin import check_origin, normal_origin
from tests.helpers.exchanges import recorded, request_head


def refused(*fields: tuple[str, str], host: str = "site.test", allowed: tuple[str, ...] = ()) -> int | None:
    try:
        check_origin(request_head("POST", "/login", *fields, host=host), allowed=frozenset(allowed))
    except RequestRefused as refusal:
        return refusal.status
    return None


@pytest.mark.parametrize(("origin", "host"), [
    ("http://site.test", "site.test"), ("https://site.test", "site.test"),
    ("https://site.test", "site.test:443"),
    ("http://site.test:80", "site.test"), ("http://site.test:8080", "site.test:8080"),
    ("http://SITE.test", "Site.TEST"),
    ("http://[::1]:8080", "[::1]:8080"),
])
def test_the_app_s_own_pages_may_log_in(origin: str, host: str) -> None:
    """The authority is compared; the scheme is unknown behind a proxy that ends TLS."""
    assert refused(("Origin", origin), host=host) is None


@pytest.mark.parametrize("origin", [
    "http://elsewhere.test", "http://site.test.elsewhere.test", "http://site.test:8080",
    "https://site.test:80", "null",
    "", "site.test", "http://", "ftp://site.test", "http://site.test/", "http://user@site.test",
    "http://site.test, x",
    "http://sub.site.test",
])
def test_foreign_and_senseless_origins_are_403(origin: str) -> None:
    """A page of somebody else's must not log a browser in."""
    assert refused(("Origin", origin)) == 403


def test_without_an_origin_nobody_is_foreign() -> None:
    """Programs send none."""
    assert refused() is None


def test_several_origins_are_400() -> None:
    """The app may look at the other one."""
    assert refused(("Origin", "http://site.test"), ("Origin", "http://site.test")) == 400


@pytest.mark.parametrize(("site", "expected"), [
    ("same-origin", None), ("same-site", None), ("none", None), ("cross-site", 403), ("Cross-Site", 403),
])
def test_a_cross_site_request_is_403(site: str, expected: int | None) -> None:
    """Browsers say so even where they send no Origin."""
    assert refused(("Sec-Fetch-Site", site)) == expected
    assert refused(("Origin", "http://site.test"), ("Sec-Fetch-Site", site)) == expected


def test_one_cross_site_among_several_is_enough() -> None:
    """A browser sends one; whoever added another cannot take it back."""
    assert refused(("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")) == 403


@pytest.mark.parametrize(("origin", "expected"), [
    ("https://www.shop.test", None), ("https://WWW.shop.test:443", None), ("http://www.shop.test", 403),
    ("https://shop.test", 403), ("null", 403),
])
def test_listed_origins_may_log_in(origin: str, expected: int | None) -> None:
    """With their scheme and port; `null` is everybody's and cannot be listed."""
    fields = (("Origin", origin), ("Sec-Fetch-Site", "cross-site"))
    assert refused(*fields, allowed=("https://www.shop.test", "null")) == expected
    assert refused(*fields, allowed=("https://www.Shop.test:443",)) == expected


def test_origins_are_normalised() -> None:
    """Case and default ports do not count, other ports do."""
    assert normal_origin("HTTPS://A.test:443") == "https://a.test"
    assert normal_origin("http://a.test:443") == "http://a.test:443"
    assert normal_origin("null") is None


@pytest.mark.parametrize("version", ["3.2", "4.2", "5.2"])
def test_recorded_logins_are_told_apart(version: str) -> None:
    """What Django itself took before 4.0 is refused by the gateway."""
    exchanges = recorded("django", version)
    check_origin(exchanges["admin login, right password"].head, allowed=frozenset())
    with pytest.raises(RequestRefused) as refusal:
        check_origin(exchanges["admin login, foreign origin"].head, allowed=frozenset())
    assert refusal.value.status == 403
