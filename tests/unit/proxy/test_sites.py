"""Which site a request is for."""

import pytest

from gateway.errors import RequestRefused
from gateway.proxy.addresses import Address
from gateway.proxy.limits import Limits
from gateway.proxy.sites import Site, Sites
from gateway.proxy.tasks import Tasks
from gateway.proxy.upstream import Upstream


def upstream(port: int = 8000) -> Upstream:
    return Upstream(Address(host="127.0.0.1", port=port), limits=Limits(), tasks=Tasks([].append),
                    clock=lambda: 0.0, on_error=[].append)


def site(name: str, *hosts: str, path: str = "/") -> Site:
    return Site(name=name, hosts=hosts, path=path, upstream=upstream())


def named(sites: Sites, host: bytes, target: bytes = b"/") -> str | None:
    found = sites.find(host, target)
    return None if found is None else found.name


@pytest.mark.parametrize(("host", "name"), [
    (b"shop.test", "shop"),
    (b"shop.test:8080", "shop"),
    (b"SHOP.test", "shop"),
    (b"shop.test.", "shop"),
    (b"shop.test.:443", "shop"),
    (b"www.shop.test", "shop"),
    (b"other.test", None),
    (b"shop.test.evil", None),
    (b"[::1]:8080", "six"),
    (b"[::1]", "six"),
    (b"", None),
])
def test_hosts_compare_without_port_case_and_final_dot(host: bytes, name: str | None) -> None:
    """A host is found under every spelling of its name, and under no other name."""
    sites = Sites([site("shop", "shop.test", "www.shop.test"), site("six", "[::1]")])
    assert named(sites, host) == name


def test_a_named_host_goes_before_any() -> None:
    """`*` takes what no name takes."""
    sites = Sites([site("any", "*", path="/long/path"), site("rest", "*"), site("shop", "shop.test")])
    assert named(sites, b"shop.test", b"/long/path/x") == "shop"
    assert named(sites, b"other.test", b"/long/path/x") == "any"
    assert named(sites, b"other.test", b"/long/pathology") == "rest"


@pytest.mark.parametrize(("target", "name"), [
    (b"/", "root"),
    (b"/shop", "shop"),
    (b"/shop?next=/admin", "shop"),
    (b"/shop/", "shop"),
    (b"/shop/admin", "admin"),
    (b"/shop/admin/x?y", "admin"),
    (b"/shopping", "root"),
    (b"/x/shop", "root"),
    (b"*", "root"),
])
def test_the_longest_path_wins(target: bytes, name: str) -> None:
    """Paths compare by whole segments, and a query is no path."""
    sites = Sites([site("root", "*"), site("shop", "*", path="/shop/"), site("admin", "*", path="/shop/admin")])
    assert named(sites, b"x", target) == name


@pytest.mark.parametrize("target", [
    b"/open/../shop/login", b"/open/%2e%2e/shop/login", b"/%73hop/login", b"//shop/login", b"/SHOP/login",
    b"/.;/shop/login", b"/open/..\\shop\\login", b"/shop/../open",
])
def test_a_target_that_an_app_could_take_for_another_sites_is_refused(target: bytes) -> None:
    """No spelling leads a request to a site that is not its own."""
    sites = Sites([site("open", "*"), site("shop", "*", path="/shop")])
    with pytest.raises(RequestRefused) as refused:
        sites.find(b"x", target)
    assert refused.value.status == 400


def test_strange_spellings_are_nobodys_business_where_one_site_has_all_paths() -> None:
    """With one site there is nothing to mistake it for; its rules look for themselves."""
    assert named(Sites([site("shop", "*")]), b"x", b"/a/../%2e%2e//b") == "shop"


def test_a_path_that_no_site_has_is_a_404() -> None:
    """The host is right and the path is not."""
    sites = Sites([site("shop", "shop.test", path="/Shop")])
    assert named(sites, b"shop.test", b"/Shop/x") == "shop"
    with pytest.raises(RequestRefused) as refused:
        sites.find(b"shop.test", b"/other")
    assert refused.value.status == 404


def test_each_upstream_is_listed_once() -> None:
    """The sweep meets every app's connections, once."""
    shared = upstream()
    one = Site(name="one", hosts=("a", "b"), upstream=shared)
    two = Site(name="two", hosts=("a",), path="/two", upstream=shared)
    other = site("other", "*")
    assert set(Sites([one, two, other]).upstreams) == {shared, other.upstream}
    assert len(Sites([one, two, other]).upstreams) == 2


def test_a_site_without_a_path_is_a_mistake() -> None:
    """A path starts with a slash."""
    with pytest.raises(ValueError, match="starts with /"):
        site("shop", "*", path="shop")


@pytest.mark.parametrize(("target", "name"), [
    (b"/", "rest"), (b"/a/b.c?x=/shop", "rest"), (b"/shop", "shop"), (b"/shop/a", "shop"), (b"/shop?x", "shop"),
    (b"/shopping", "rest"), (b"/shop/sub", "sub"), (b"/shop/sub/", "sub"), (b"/shop/subs", "shop"),
])
def test_a_plain_path_is_found_at_once(target: bytes, name: str) -> None:
    """The longest prefix that is whole segments of it."""
    sites = Sites([site("rest", "a"), site("shop", "a", path="/shop"), site("sub", "a", path="/shop/sub")])
    assert named(sites, b"a", target) == name


def test_a_prefix_in_capitals_is_no_plain_one() -> None:
    """An app that takes /shop for /Shop must not be reached by way of one that has no rules."""
    sites = Sites([site("rest", "a"), site("shop", "a", path="/Shop")])
    assert named(sites, b"a", b"/Shop/a") == "shop"
    with pytest.raises(RequestRefused):
        sites.find(b"a", b"/shop/a")
