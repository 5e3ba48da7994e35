"""The kinds of values: what is read, what is refused, and that a refusal repeats nothing."""

from collections.abc import Callable
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from gateway.settings.values import (
    Address,
    AppAddress,
    one_of,
    read_address,
    read_app_path,
    read_cookie_domains,
    read_host,
    read_log_place,
    read_network,
    read_origin,
    read_page,
    read_parameter,
    read_peer_name,
    read_slug,
    read_upstream,
    read_upstreams,
)

READERS = (read_address, read_app_path, read_host, read_log_place, read_network, read_origin, read_page, read_parameter,
           read_peer_name, read_slug, read_upstream, read_upstreams)
MARK = "hunter2-Pa55"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:8080", "127.0.0.1", 8080), ("[::1]:80", "::1", 80), ("localhost:0", "localhost", 0),
     ("my_app:65535", "my_app", 65535)],
)
def test_an_address_is_host_and_port(text: str, host: str, port: int) -> None:
    """It writes itself as it was read."""
    address = read_address(text)
    assert address == Address(host=host, port=port)
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    ["", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "::1:80", "[::1]", "[::g]:1",
     "[fe80::1%eth0]:1", "a b:1", "http://a:1", "a:1/", "a:+1", "a:٣", "a..b:1", "-a:1", "a:1\n", "a" * 254 + ":1",
     "a:" + "1" * 5000],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """Half an address is none."""
    with pytest.raises(PydanticCustomError, match="host:port"):
        read_address(text)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("http://127.0.0.1:8000", "127.0.0.1", 8000), ("http://app", "app", 80), ("http://[::1]:9", "::1", 9),
     ("http://my_app.internal:8000", "my_app.internal", 8000), ("https://app.internal", "app.internal", 443),
     ("https://[::1]:8443", "::1", 8443)],
)
def test_an_upstream_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    """Without a port it is the scheme's."""
    assert read_upstream(text) == AppAddress(scheme=text.partition(":")[0], host=host, port=port)


def test_an_upstream_may_be_a_socket_of_this_machine() -> None:
    """It has a path and no port, and is written as it was read."""
    address = read_upstream("unix:/run/shop/app.sock")
    assert address == AppAddress(scheme="unix", path="/run/shop/app.sock")
    assert str(address) == "unix:/run/shop/app.sock"
    assert str(read_upstream("https://[::1]")) == "https://[::1]:443"


def test_one_upstream_or_a_list() -> None:
    """One text is a list of one; a mixed list is as good."""
    assert read_upstreams("http://a") == (AppAddress(scheme="http", host="a", port=80),)
    assert [str(each) for each in read_upstreams(("http://a:1", "https://b:2", "unix:/c"))] == [
        "http://a:1", "https://b:2", "unix:/c"]


@pytest.mark.parametrize(("value", "start"), [
    (("http://a", "b:80"), r"\[1\] must be \"http"), (("http://a", "http://b", 7), r"\[2\] must be text"),
    ("b:80", "must be"),
])
def test_a_wrong_entry_of_a_list_is_named(value: object, start: str) -> None:
    """By its place, counted as in other places of the file."""
    with pytest.raises(PydanticCustomError, match=f"^{start}"):
        read_upstreams(value)


@pytest.mark.parametrize("value", [
    (), ("http://a", "http://a:80"), ("http://a", 7), 7, ("http://a", ("http://b",)), {},
])
def test_what_is_no_list_of_upstreams_is_refused(value: object) -> None:
    """None, one twice, or something else among them."""
    with pytest.raises(PydanticCustomError):
        read_upstreams(value)


@pytest.mark.parametrize("text", ["app.internal", "my_app", "127.0.0.1", "[::1]"])
def test_a_peer_is_known_by_name_or_address(text: str) -> None:
    """An address is verified as one, so it stands without brackets."""
    assert read_peer_name(text) == text.strip("[]")


@pytest.mark.parametrize("text", ["*", "*.internal", "app:443", "https://app", "", "a b", "a\0b"])
def test_what_is_no_peer_name_is_refused(text: str) -> None:
    """No wildcard: it would verify nothing."""
    with pytest.raises(PydanticCustomError, match="host name"):
        read_peer_name(text)


def test_cookie_domains_lead_from_one_to_another() -> None:
    """With or without the dot of old cookies; "" is none."""
    table = {"legacy.internal": "shop.test", ".old.internal": ""}
    assert read_cookie_domains(table) == table


@pytest.mark.parametrize("value", ["shop.test", {"a b": "c"}, {"a": "b c"}, {"a": 7}, {"": "a"}, {"a": "b;c"},
                                   {"a\r\nX: y": "b"}, {"*": "b"}])
def test_what_is_no_table_of_domains_is_refused(value: object) -> None:
    """What goes into a Set-Cookie line is a host name and nothing else."""
    with pytest.raises(PydanticCustomError, match=r"must (?:be a table|lead)"):
        read_cookie_domains(value)


@pytest.mark.parametrize(
    "text",
    ["ftp://app:8000", "unix:app.sock", "unix:", "unix:/a\0b", "unix:/" + "a" * 107, "https://app/",
     "http://app:8000/", "http://app/path", "http://u:p@app", "app:8000", "http://", "http://app:0",
     "http://app:65536", "http://app?x", "http://app#x", "http://app:", "HTTP://app", "http://a b", "http://[::1"],
)
def test_what_is_no_upstream_is_refused(text: str) -> None:
    """Paths and users are not for an upstream, and a socket has a whole path that the system can take."""
    with pytest.raises(PydanticCustomError, match="http://host:port"):
        read_upstream(text)


@pytest.mark.parametrize("text", ["http://127.0.0.1:8080", "https://shop.test", "https://[::1]:8443"])
def test_an_origin_stays_as_it_is_written(text: str) -> None:
    """It is compared byte by byte, and becomes the issuer."""
    assert read_origin(text) == text


@pytest.mark.parametrize(
    "text",
    ["https://shop.test/", "https://shop.test/x", "https://shop.test:443", "http://shop.test:80", "https://Shop.test",
     "ftp://shop.test", "//shop.test", "shop.test", "https://u@shop.test", "https://shop.test?", "https://shop.test#",
     "null", "", "https://shop.test:0", "https://shop.test\n"],
)
def test_an_origin_in_another_form_is_refused(text: str) -> None:
    """Browsers send the one form only, so another could never match."""
    with pytest.raises(PydanticCustomError, match="must be an origin"):
        read_origin(text)


@pytest.mark.parametrize(
    ("text", "host"), [("Shop.Test", "shop.test"), ("*", "*"), ("127.0.0.1", "127.0.0.1"), ("[::1]", "[::1]")]
)
def test_a_host_is_kept_in_lower_case(text: str, host: str) -> None:
    """Host names know no case (RFC 9110 section 4.2.3)."""
    assert read_host(text) == host


@pytest.mark.parametrize("text", ["", "*.shop.test", "shop.test:80", "a/b", "a;b", "a b", "::1", "żółw.test", "a."])
def test_what_is_no_host_is_refused(text: str) -> None:
    """Ports and patterns are none of it; a name beyond ASCII is written in its xn-- form."""
    with pytest.raises(PydanticCustomError, match="must be a host name"):
        read_host(text)


def test_networks_and_single_addresses_are_networks() -> None:
    """Both families."""
    assert read_network("10.0.0.0/8") == IPv4Network("10.0.0.0/8")
    assert read_network("::1") == IPv6Network("::1/128")


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "proxy.test", "", "10.0.0.0/8 "])
def test_what_is_no_network_is_refused(text: str) -> None:
    """Host bits that are set are more likely a mistake than a wish."""
    with pytest.raises(PydanticCustomError, match="host bits are zero"):
        read_network(text)


@pytest.mark.parametrize(
    ("text", "path"), [("/", "/"), ("/shop", "/shop"), ("/shop/", "/shop"), ("/a-b/c_d.e/~f", "/a-b/c_d.e/~f")]
)
def test_a_path_has_no_final_slash(text: str, path: str) -> None:
    """Except for the root."""
    assert read_app_path(text) == path


@pytest.mark.parametrize(
    "text",
    ["", "shop", "//", "//shop", "/shop//", "/a//b", "/../x", "/a/./b", "/a/..", "/a?b", "/a#b", "/a;b", "/%61", "/a b",
     "/ż", "/a\\b", "/.well-known", "/a\n", "http://shop.test/"],
)
def test_a_path_that_something_could_read_otherwise_is_refused(text: str) -> None:
    """Only what is its own canonical form."""
    with pytest.raises(PydanticCustomError, match="plain path"):
        read_app_path(text)


@pytest.mark.parametrize("text", ["", "Shop", "1shop", "shop_a", "-shop", "a" * 64, "shop\n", "żaba", "a b", "a.b"])
def test_a_name_is_short_and_plain(text: str) -> None:
    """It becomes part of cookie names and metrics."""
    assert read_slug("shop-2") == "shop-2"
    with pytest.raises(PydanticCustomError, match="short name"):
        read_slug(text)


@pytest.mark.parametrize("text", ["", ";jsessionid", "jsessionid=", "a b", "1a", "a/b"])
def test_a_path_parameter_is_a_name(text: str) -> None:
    """Without its semicolon."""
    assert read_parameter("jsessionid") == "jsessionid"
    with pytest.raises(PydanticCustomError, match="path parameter"):
        read_parameter(text)


def test_the_access_log_is_on_off_or_a_file() -> None:
    """A file by its whole path only: the working folder of a service is nobody's choice."""
    assert read_log_place(True) is True
    assert read_log_place(False) is False
    assert read_log_place("/var/log/access.log") == Path("/var/log/access.log")
    for value in ("access.log", "", "/a\0b", 1, None, ["/a"]):
        with pytest.raises(PydanticCustomError, match="absolute path"):
            read_log_place(value)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def test_a_choice_becomes_its_member() -> None:
    """Anything else is refused by naming the choices."""
    adapter: TypeAdapter[Colour] = TypeAdapter(Annotated[Colour, one_of(Colour)])
    assert adapter.validate_python("blue") is Colour.BLUE
    assert adapter.validate_python(Colour.RED) is Colour.RED
    for value in ("green", "", 1, None, ["red"], {"red": 1}):
        with pytest.raises(ValidationError, match='must be "red" or "blue"'):
            adapter.validate_python(value)


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
@pytest.mark.parametrize("value", [1, 1.5, None, [MARK], {"a": MARK}, ("a",)])
def test_a_value_of_another_kind_is_refused(read: Callable[[object], object], value: object) -> None:
    """Numbers and lists are no text."""
    with pytest.raises(PydanticCustomError):
        read(value)


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
@given(text=st.text())
def test_no_refusal_repeats_the_value(read: Callable[[object], object], text: str) -> None:
    """Whatever stands in the wrong place may be a secret."""
    with pytest.raises(PydanticCustomError) as caught:
        read(f"\x01{MARK} {text}")
    assert MARK not in str(caught.value)


@pytest.mark.parametrize("text", ["/", "/login", "/accounts/login/", "/index.php?page=login&x=%2Fa"])
def test_a_page_is_a_plain_path_with_or_without_a_query(text: str) -> None:
    """As it stands in a link."""
    assert read_page(text) == text


@pytest.mark.parametrize("text", ["", "login", "//evil.test", "https://evil.test/", "/a b", "/a\n", "/a?b#c", "/../a",
                                  "/a?b\r\n"])
def test_what_leads_elsewhere_is_no_page(text: str) -> None:
    """Nor is what would end the field in which it is sent."""
    with pytest.raises(PydanticCustomError):
        read_page(text)
