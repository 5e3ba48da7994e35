"""Keys have the ids and forms of the RFCs, and a set of them always has one that signs."""

import base64
import json
import pickle
from random import Random

import pytest

from gateway.tokens.keys import KeySet, KeyState, SigningKey, from_private_bytes, generate, stage, thumbprint
from tests.helpers.tokens import random_keys

# RFC 8037 appendix A.1
RFC_PRIVATE = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
RFC_PUBLIC = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"


def test_the_public_part_is_that_of_rfc_8037() -> None:
    """The private key of appendix A.1 gives the public JWK of appendix A.2."""
    key = from_private_bytes(RFC_PRIVATE, KeyState.ACTIVE)
    assert dict(key.public_jwk) == {"kty": "OKP", "crv": "Ed25519", "x": RFC_PUBLIC}


def test_the_kid_is_the_thumbprint_of_rfc_8037() -> None:
    """Appendix A.3."""
    assert from_private_bytes(RFC_PRIVATE, KeyState.NEXT).kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_signature_is_that_of_rfc_8037() -> None:
    """Appendix A.4: Ed25519 is deterministic, so the signature comes out letter by letter."""
    key = from_private_bytes(RFC_PRIVATE, KeyState.ACTIVE)
    signature = key.private.sign(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc")
    assert base64.urlsafe_b64encode(signature).rstrip(b"=").decode() == (
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    """The RSA key of section 3.1, its members in another order."""
    jwk = {
        "n": (
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJE"
            "CPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Q"
            "vzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6"
            "WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
        ),
        "kty": "RSA",
        "e": "AQAB",
    }
    assert thumbprint(jwk) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_a_key_survives_its_private_bytes() -> None:
    """Sealing needs only the private part and the state."""
    (key,) = random_keys(KeyState.NEXT)
    assert from_private_bytes(key.private_bytes(), key.state) == key


def test_a_private_part_of_another_size_is_refused() -> None:
    """Damaged bytes make no key."""
    with pytest.raises(ValueError):
        from_private_bytes(bytes(31), KeyState.NEXT)


def test_the_private_part_shows_nowhere() -> None:
    """Neither repr, of key or set, nor pickle gives it away."""
    (key,) = random_keys(KeyState.ACTIVE)
    shown = repr(KeySet((key,)))
    assert "private" not in shown
    assert key.private_bytes().hex() not in shown
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_the_first_start_makes_an_active_and_a_next_key() -> None:
    """A store without keys gets one of each."""
    added = stage((), lambda state: generate(state, Random(1).randbytes))
    assert [key.state for key in added] == [KeyState.ACTIVE, KeyState.NEXT]


def test_a_missing_next_key_is_staged() -> None:
    """The active key stays, a next one is added."""
    added = stage(random_keys(KeyState.ACTIVE), lambda state: generate(state, Random(2).randbytes))
    assert [key.state for key in added] == [KeyState.NEXT]


def test_a_complete_set_gets_no_key() -> None:
    """A second start makes nothing: `generate` is not even called."""
    def refuse(state: KeyState) -> SigningKey:
        raise AssertionError(state)

    assert stage(random_keys(KeyState.ACTIVE, KeyState.NEXT), refuse) == ()


@pytest.mark.parametrize("states", [(), (KeyState.NEXT,), (KeyState.ACTIVE, KeyState.ACTIVE)])
def test_a_set_has_exactly_one_active_key(states: tuple[KeyState, ...]) -> None:
    """Nobody can hold a set that could not sign, or that could sign twice."""
    with pytest.raises(ValueError, match="one active"):
        KeySet(random_keys(*states))


def test_a_set_holds_a_key_once() -> None:
    """The same key as active and as next is a mistake."""
    key = from_private_bytes(RFC_PRIVATE, KeyState.ACTIVE)
    with pytest.raises(ValueError, match="once"):
        KeySet((key, from_private_bytes(RFC_PRIVATE, KeyState.NEXT)))


def test_an_id_selects_among_own_keys_only() -> None:
    """A foreign id is nobody's."""
    active, upcoming = random_keys(KeyState.ACTIVE, KeyState.NEXT)
    keyset = KeySet((active, upcoming))
    assert keyset.active is active
    assert keyset.by_kid(upcoming.kid) is upcoming
    assert keyset.by_kid("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k") is None


def test_the_jwks_publishes_both_keys_and_nothing_private() -> None:
    """Each key has exactly the public members, its id, its use and its one algorithm (RFC 7517)."""
    keyset = KeySet(random_keys(KeyState.NEXT, KeyState.ACTIVE))
    published = json.loads(keyset.jwks())["keys"]
    assert {key["kid"] for key in published} == {key.kid for key in keyset.keys}
    assert all(set(key) == {"alg", "crv", "kid", "kty", "use", "x"} for key in published)
    assert {(key["alg"], key["use"]) for key in published} == {("EdDSA", "sig")}


def test_the_jwks_depends_on_the_keys_alone() -> None:
    """Replicas that read the rows in another order serve the same bytes under the same tag."""
    active, upcoming = random_keys(KeyState.ACTIVE, KeyState.NEXT)
    one, other = KeySet((active, upcoming)), KeySet((upcoming, active))
    assert one.jwks() == other.jwks()
    assert one.etag == other.etag
    assert one.etag.startswith('"')
    assert one.etag.endswith('"')


def test_another_key_gives_another_tag() -> None:
    """A cache that asks with the old tag gets the new set."""
    active, upcoming = random_keys(KeyState.ACTIVE, KeyState.NEXT)
    assert KeySet((active,)).etag != KeySet((active, upcoming)).etag
