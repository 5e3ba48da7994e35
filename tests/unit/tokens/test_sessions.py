"""The rules of a session: lifetimes, names, handles, renewal."""

import hashlib
from datetime import timedelta
from random import Random

import pytest

from gateway.tokens.sessions import Lifetimes, cookie_names, due_at, handle_digest, new_handle
from tests.helpers.tokens import shop_claims


def test_the_names_of_an_app() -> None:
    """The access token goes by the app's name alone, the two others say what they are."""
    names = cookie_names("shop")
    assert (names.access, names.handle, names.device) == ("shop", "shop.session", "shop.device")


def test_no_two_apps_share_a_cookie() -> None:
    """Apps may share a host by path, and one may be named like another's session."""
    names = [cookie_names(app) for app in ("shop", "shop-session", "shop-device")]
    assert len({name for app in names for name in (app.access, app.handle, app.device)}) == 9


def test_a_handle_is_256_bits_and_the_store_sees_its_digest() -> None:
    """The token is base64url of 32 bytes; the digest is SHA-256 of the token as the browser sends it."""
    token, digest = new_handle(Random(1).randbytes)
    assert len(token) == 43
    assert digest == hashlib.sha256(token.reveal().encode()).digest()
    assert handle_digest(token.reveal()) == digest


def test_two_handles_differ() -> None:
    """Nothing but the random source is in a handle."""
    random = Random(1).randbytes
    assert new_handle(random)[0] != new_handle(random)[0]


@pytest.mark.parametrize("token", ["", "a" * 42, "a" * 44, "a" * 42 + "=", "a" * 42 + "é", "a" * 43 + "\n"])
def test_what_cannot_be_a_handle_never_reaches_the_store(token: str) -> None:
    """Another length or alphabet is refused without a digest."""
    assert handle_digest(token) is None


def test_a_token_is_renewed_in_the_last_third_of_its_life() -> None:
    """Ten of fifteen minutes pass without a word to the store."""
    claims = shop_claims(now=0, lifetime=900)
    assert due_at(claims) == 600


@pytest.mark.parametrize(
    ("access", "session"),
    [(timedelta(minutes=16), timedelta(hours=1)), (timedelta(0), timedelta(hours=1)),
     (timedelta(minutes=10), timedelta(minutes=9))],
)
def test_lifetimes_are_bounded(access: timedelta, session: timedelta) -> None:
    """Tokens live at most 15 minutes, and no session ends before its first token."""
    with pytest.raises(ValueError):
        Lifetimes(access=access, session=session)


def test_the_default_lifetimes() -> None:
    """Fifteen minutes and a day."""
    assert Lifetimes() == Lifetimes(access=timedelta(minutes=15), session=timedelta(days=1))
