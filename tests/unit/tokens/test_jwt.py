"""Tokens that we sign are read by others; tokens that we did not sign are not read by us."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from gateway.tokens.claims import AccessClaims, build
from gateway.tokens.jwt import ASSERTION, LONGEST_TOKEN, InvalidToken, heads, sign, verify
from gateway.tokens.keys import KeySet, KeyState, SigningKey
from tests.helpers.tokens import ACCOUNT_ID, ISSUER, SESSION_ID, random_keys, shop_claims

ACTIVE, NEXT = random_keys(KeyState.ACTIVE, KeyState.NEXT)
(FOREIGN,) = random_keys(KeyState.ACTIVE, seed=2)
KEYSET = KeySet((ACTIVE, NEXT))
CLAIMS = shop_claims(now=1_000)
OWN_HEADER = {"alg": "EdDSA", "kid": ACTIVE.kid, "typ": "at+jwt"}


def check(token: str, *, audience: str = "shop", issuer: str = ISSUER, now: float = 1_001) -> AccessClaims:
    return verify(token, KEYSET, issuer=issuer, audience=audience, now=now)


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(header: Mapping[str, object], payload: object = None, key: SigningKey = ACTIVE) -> str:
    """Sign any header and payload with a real key, without our code or PyJWT."""
    content = CLAIMS.as_mapping() if payload is None else payload
    signed = f"{base64url(json.dumps(header).encode())}.{base64url(json.dumps(content).encode())}"
    return f"{signed}.{base64url(key.private.sign(signed.encode()))}"


def test_plain_pyjwt_verifies_our_token_by_the_jwks() -> None:
    """An independent verifier needs nothing but the published set."""
    token = sign(CLAIMS.as_mapping(), ACTIVE)
    published = pyjwt.PyJWKSet.from_json(KEYSET.jwks().decode())
    key = published[pyjwt.get_unverified_header(token)["kid"]]
    read = pyjwt.decode(
        token, key, algorithms=["EdDSA"], audience="shop", issuer=ISSUER,
        options={"verify_exp": False, "require": ["iss", "sub", "aud", "exp", "iat", "jti"]},
    )
    assert read == CLAIMS.as_mapping()


def test_the_header_says_what_it_must_and_no_more() -> None:
    """RFC 9068 section 2.1: typ is at+jwt."""
    assert pyjwt.get_unverified_header(sign(CLAIMS.as_mapping(), ACTIVE)) == OWN_HEADER


def test_a_token_of_ours_is_read() -> None:
    """The claims come back as the value that was signed."""
    assert check(sign(CLAIMS.as_mapping(), ACTIVE)) == CLAIMS


def test_a_token_forged_like_ours_would_be_read() -> None:
    """The forger of this file writes what verifies, so its refused tokens are refused for their reason."""
    assert check(forged(OWN_HEADER)) == CLAIMS


def test_a_token_of_a_published_key_that_is_not_yet_active_is_read() -> None:
    """Another replica may have activated it a moment ago."""
    assert check(sign(CLAIMS.as_mapping(), NEXT)) == CLAIMS


def unsigned() -> str:
    header = {"kid": ACTIVE.kid, "typ": "at+jwt"}
    return pyjwt.encode(CLAIMS.as_mapping(), "", algorithm="none", headers=header)


def keyed_with_the_public_part(material: bytes) -> str:
    header = {"alg": "HS256", "kid": ACTIVE.kid, "typ": "at+jwt"}
    signed = f"{base64url(json.dumps(header).encode())}.{base64url(json.dumps(CLAIMS.as_mapping()).encode())}"
    return f"{signed}.{base64url(hmac.new(material, signed.encode(), hashlib.sha256).digest())}"


ATTACKS = {
    "alg none": unsigned(),
    "alg none, our header kept": sign(CLAIMS.as_mapping(), ACTIVE).rpartition(".")[0] + ".",
    "HS256 keyed with the raw public key": keyed_with_the_public_part(ACTIVE.public.public_bytes_raw()),
    "HS256 keyed with the public PEM": keyed_with_the_public_part(
        ACTIVE.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    ),
    "HS256 keyed with the public x": keyed_with_the_public_part(ACTIVE.public_jwk["x"].encode()),
    "a foreign key under its own kid": sign(CLAIMS.as_mapping(), FOREIGN),
    "a foreign key under our kid": forged(OWN_HEADER, key=FOREIGN),
    "our other key under our kid": forged(OWN_HEADER, key=NEXT),
    "no kid": forged({"alg": "EdDSA", "typ": "at+jwt"}),
    "kid of another type": forged({**OWN_HEADER, "kid": [ACTIVE.kid]}),
    "crit": forged({**OWN_HEADER, "crit": ["exp"], "exp": 9_999}),
    "empty crit": forged({**OWN_HEADER, "crit": []}),
    "b64": forged({**OWN_HEADER, "b64": True}),
    "jwk": forged({**OWN_HEADER, "jwk": dict(FOREIGN.public_jwk)}, key=FOREIGN),
    "jku": forged({**OWN_HEADER, "jku": "https://evil.test/jwks.json"}, key=FOREIGN),
    "no typ": forged({"alg": "EdDSA", "kid": ACTIVE.kid}),
    "another typ": sign(CLAIMS.as_mapping(), ACTIVE, typ="JWT"),
    "typ of another case": forged({**OWN_HEADER, "typ": "AT+JWT"}),
    "another alg in a right signature": forged({**OWN_HEADER, "alg": "Ed448"}),
    "claims that are no object": forged(OWN_HEADER, payload=[1]),
    "claims without a session": forged(OWN_HEADER, {**CLAIMS.as_mapping(), "sid": None}),
    "an audience among others": forged(OWN_HEADER, {**CLAIMS.as_mapping(), "aud": ["shop", "bank"]}),
    "a life of an hour": forged(OWN_HEADER, {**CLAIMS.as_mapping(), "exp": 4_600}),
    "nothing": "",
    "dots": "....",
    "a header nested beyond the parser's depth": base64url(b"[" * 2_900) + ".e30.e30",
    "a header that is a list": base64url(b"[]") + ".e30.e30",
    "five parts": sign(CLAIMS.as_mapping(), ACTIVE) + ".e30.e30",
    "a NUL": sign(CLAIMS.as_mapping(), ACTIVE) + "\x00",
    "letters beyond ASCII": sign(CLAIMS.as_mapping(), ACTIVE) + "é",
    "half a surrogate pair": "\ud800.e30.e30",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused(attack: str) -> None:
    """RFC 8725: the token never chooses its algorithm, its key or its type."""
    with pytest.raises(InvalidToken):
        check(ATTACKS[attack])


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_refusal_quotes_nothing_of_the_token(attack: str) -> None:
    """Neither the text nor a shown cause holds a part of it."""
    with pytest.raises(InvalidToken) as caught:
        check(ATTACKS[attack])
    parts = [part for part in ATTACKS[attack].split(".") if len(part) > 3]
    assert not any(part in str(caught.value) for part in parts)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_another_audience_is_refused() -> None:
    """A token of one app is worth nothing in another."""
    with pytest.raises(InvalidToken):
        check(sign(CLAIMS.as_mapping(), ACTIVE), audience="bank")


def test_another_issuer_is_refused() -> None:
    """A gateway with the same keys but another name is another gateway."""
    with pytest.raises(InvalidToken):
        check(sign(CLAIMS.as_mapping(), ACTIVE), issuer="https://login.test/")


@pytest.mark.parametrize("now", [1_000 - 60, 1_000, 1_899, 1_959.9])
def test_a_token_is_valid_within_its_life_and_the_skew(now: float) -> None:
    """Clocks may differ by 60 s, either way."""
    assert check(sign(CLAIMS.as_mapping(), ACTIVE), now=now) == CLAIMS


@pytest.mark.parametrize("now", [0, 1_000 - 60.1, 1_960, 10**9])
def test_a_token_is_refused_before_and_after_its_life(now: float) -> None:
    """Expired, or issued in a future that no clock error explains."""
    with pytest.raises(InvalidToken):
        check(sign(CLAIMS.as_mapping(), ACTIVE), now=now)


def test_a_token_is_measured_before_it_is_decoded() -> None:
    """A right signature over more than 4096 bytes is refused for its size."""
    token = sign({**CLAIMS.as_mapping(), "filler": "x" * LONGEST_TOKEN}, ACTIVE)
    with pytest.raises(InvalidToken, match="too long"):
        check(token)


@given(position=st.integers(min_value=0), letter=st.sampled_from("ABCxyz019-_.= "))
def test_no_changed_letter_goes_unnoticed(position: int, letter: str) -> None:
    """A token with one letter replaced is the same token or none."""
    token = sign(CLAIMS.as_mapping(), ACTIVE)
    position %= len(token)
    changed = token[:position] + letter + token[position + 1:]
    if changed != token:
        with pytest.raises(InvalidToken):
            check(changed)


@given(st.text(max_size=300))
def test_any_text_is_refused_and_never_crashes(text: str) -> None:
    """Whatever a cookie holds, the answer is InvalidToken."""
    with pytest.raises(InvalidToken):
        check(text)


def test_every_token_of_ours_begins_with_its_keys_head() -> None:
    """So any other token is told from ours without a look at its signature; an assertion is such another one."""
    keyset = KeySet(random_keys(KeyState.ACTIVE, KeyState.NEXT))
    known = heads(keyset)
    assert len(known) == 2
    for key in keyset.keys:
        assert sign(shop_claims().as_mapping(), key).partition(".")[0] in known
        assert sign({}, key, typ=ASSERTION).partition(".")[0] not in known


def test_the_longest_names_fit_into_a_cookie() -> None:
    """Browsers drop cookies of more than 4096 bytes (RFC 6265 6.1)."""
    [key] = random_keys(KeyState.ACTIVE)
    longest = build(issuer=f"https://{'x' * 253}:65535", account_id=ACCOUNT_ID, app="a" * 63, session_id=SESSION_ID,
                    token_id="o" * 22, now=1e10, lifetime=900, username="x" * 638, email="é" * 106)
    assert longest.preferred_username
    assert longest.email
    assert len(sign(longest.as_mapping(), key)) < 3600
