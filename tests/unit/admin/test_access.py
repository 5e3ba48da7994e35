"""Who may use the private listener, and where it may listen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admin.access import check_aiohttp, check_exposure, is_bearer, is_loopback
from gateway.errors import ConfigurationError
from gateway.model import Secret

TOKEN = Secret("mF_9.B5f-4.1JqM")


@pytest.mark.parametrize("authorization", [
    "Bearer mF_9.B5f-4.1JqM", "bearer mF_9.B5f-4.1JqM", "BEARER  mF_9.B5f-4.1JqM "])
def test_the_token_opens(authorization: str) -> None:
    """The scheme's name is compared without case (RFC 9110 11.1), the token exactly."""
    assert is_bearer(authorization, TOKEN)


@pytest.mark.parametrize("authorization", [
    None, "", "Bearer", "Bearer ", "mF_9.B5f-4.1JqM", "Basic mF_9.B5f-4.1JqM", "Bearer mf_9.b5f-4.1jqm",
    "Bearer mF_9.B5f-4.1Jq", "Bearer mF_9.B5f-4.1JqMM", "Bearer mF_9.B5f-4.1JqM, Bearer x", "Bearer ***",
    "BearermF_9.B5f-4.1JqM", "Bearer\tmF_9.B5f-4.1JqM", "Bearer mF_9.B5f-4.1JqM\n", "Bearer é",
])
def test_anything_else_does_not(authorization: str | None) -> None:
    """Another scheme, another token, a part of it, more than it: nobody gets in."""
    assert not is_bearer(authorization, TOKEN)


@given(st.text())
def test_nothing_opens_by_accident(text: str) -> None:
    """No text but the right one opens, and none breaks the check."""
    assert not is_bearer(f"Bearer x{text}", TOKEN)
    assert not is_bearer(text, Secret(""))


def test_an_empty_token_opens_nothing() -> None:
    """A token that was configured empty is no token."""
    assert not is_bearer("Bearer ", Secret(""))
    assert not is_bearer(None, Secret(""))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    """Only this machine can reach it."""
    assert is_loopback(host)
    check_exposure(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "10.0.0.1", "shop.test", "localhost.shop.test", ""])
def test_any_other_address_needs_one(host: str) -> None:
    """The refusal says what to do; with a token the address is fine."""
    for token in (None, Secret("")):
        with pytest.raises(ConfigurationError, match=r"private\.token must be set"):
            check_exposure(host, token)
    check_exposure(host, TOKEN)


@pytest.mark.parametrize("version", ["3.14.5", "3.14.6", "3.15.0", "4.0.0a1", "10.0"])
def test_a_safe_library_may_listen(version: str) -> None:
    """Versions are compared as numbers."""
    check_aiohttp(version, has_c_parser=True)


@pytest.mark.parametrize("version", ["3.14.4", "3.9.99", "2.99", "3.14"])
def test_an_old_library_may_not(version: str) -> None:
    """One with known smuggling is refused by name of what to do."""
    with pytest.raises(ConfigurationError, match="upgrade aiohttp"):
        check_aiohttp(version, has_c_parser=True)


def test_the_python_parser_may_not_listen() -> None:
    """Without the C parser the listener does not start."""
    with pytest.raises(ConfigurationError, match="C parser"):
        check_aiohttp("3.14.5", has_c_parser=False)


def test_the_library_at_hand_is_safe() -> None:
    """The one that this environment has would be allowed to listen."""
    check_aiohttp()
