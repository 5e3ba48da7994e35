"""Claims have the form of RFC 9068, or they do not exist."""

import pytest

from gateway.tokens.claims import LONGEST_LIFE, AccessClaims, assertion, build, is_tellable, parse
from tests.helpers.tokens import ACCOUNT_ID, ISSUER, SESSION_ID, shop_claims


def test_the_claims_are_those_of_the_specification() -> None:
    """Audience and client are the app, times are whole seconds, the method is a password (RFC 8176)."""
    assert shop_claims().as_mapping() == {
        "iss": ISSUER,
        "sub": str(ACCOUNT_ID),
        "aud": "shop",
        "client_id": "shop",
        "iat": 1_000,
        "exp": 1_900,
        "jti": "one",
        "sid": str(SESSION_ID),
        "amr": ["pwd"],
    }


def test_claims_survive_their_mapping() -> None:
    """What is signed is what is read."""
    assert parse(shop_claims().as_mapping()) == shop_claims()


def test_claims_of_others_are_ignored() -> None:
    """RFC 7519 section 4: a claim that is not understood is ignored."""
    assert parse({**shop_claims().as_mapping(), "scope": "all", "nbf": "soon"}) == shop_claims()


@pytest.mark.parametrize("lifetime", [LONGEST_LIFE + 1, 0, -1])
def test_a_token_lives_at_most_fifteen_minutes(lifetime: int) -> None:
    """Neither longer nor not at all."""
    with pytest.raises(ValueError, match="15 minutes"):
        shop_claims(lifetime=lifetime)


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "client_id", "iat", "exp", "jti", "sid", "amr"])
def test_every_claim_is_needed(name: str) -> None:
    """A payload without one of them is refused."""
    payload = shop_claims().as_mapping()
    del payload[name]
    with pytest.raises(ValueError):
        parse(payload)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("aud", ["shop", "bank"]),
        ("iss", ""),
        ("sub", 7),
        ("sid", None),
        ("exp", 1_900.5),
        ("exp", "1900"),
        ("amr", "pwd"),
        ("amr", [1]),
        ("exp", 10**30),
    ],
)
def test_a_claim_of_another_form_is_refused(name: str, value: object) -> None:
    """Lists for texts, texts for times, booleans for numbers: none is guessed at."""
    with pytest.raises(ValueError):
        parse({**shop_claims().as_mapping(), name: value})


def test_a_boolean_is_no_time() -> None:
    """JSON's true is not the first second of 1970, though Python counts with it."""
    with pytest.raises(ValueError, match="time"):
        parse({**shop_claims().as_mapping(), "iat": True, "exp": 60})


def test_names_are_claims_of_openid_connect() -> None:
    """Left out where there is none, and read back as they were."""
    claims = named("alice", "alice@shop.test")
    assert claims.names == {"preferred_username": "alice", "email": "alice@shop.test"}
    assert parse(claims.as_mapping()) == claims
    assert named("", "").as_mapping() == shop_claims().as_mapping()


@pytest.mark.parametrize("name", [
    "a\nb", "a\r\nX-Forwarded-User: root", "a\x00", "a\x1b[0m", "a\x7f", "a\x85b", " alice", "alice ", "\u00a0alice",
    "\ud800", "x" * 639, "é" * 107,
])
def test_a_name_that_could_be_misread_or_is_too_long_is_left_out(name: str) -> None:
    """The user has a token all the same."""
    assert named(name, "alice@shop.test").names == {"email": "alice@shop.test"}
    assert not is_tellable(name)


@pytest.mark.parametrize("name", ["alice", "Zoë", "李 雷", "a b", "x" * 638, "é" * 106, 'quo"ted', "a,b;c"])
def test_any_other_name_is_told(name: str) -> None:
    """In whatever script."""
    assert named(name, "").names == {"preferred_username": name}


def test_a_name_that_is_no_text_is_refused() -> None:
    """Only a key of ours could have signed it."""
    with pytest.raises(ValueError):
        parse({**shop_claims().as_mapping(), "email": 7})


def test_an_assertion_lives_a_minute_and_is_no_access_token() -> None:
    """It has what an app needs to know, and lacks what an access token must have."""
    claims = assertion(named("alice", ""), token_id="two", now=1_500.7)
    assert claims == {"iss": ISSUER, "sub": str(ACCOUNT_ID), "aud": "shop", "iat": 1_500, "exp": 1_560, "jti": "two",
                      "sid": str(SESSION_ID), "preferred_username": "alice"}
    with pytest.raises(ValueError):
        parse(claims)


def named(username: str, email: str) -> AccessClaims:
    return build(issuer=ISSUER, account_id=ACCOUNT_ID, app="shop", session_id=SESSION_ID, token_id="one", now=1_000.9,
                 lifetime=900, username=username, email=email)
