"""Signs access tokens and assertions, verifies access tokens, as RFC 8725 asks: the key decides, never the token.

Owns the token's form. Must not know cookies, sessions or revocation. Whatever is wrong with a token gives
the one `InvalidToken`, whose text holds nothing of the token.
"""

import json
from collections.abc import Mapping

from jwt import PyJWS
from jwt.exceptions import PyJWTError

from gateway.tokens.claims import AccessClaims, parse
from gateway.tokens.encoding import base64url
from gateway.tokens.keys import ALGORITHM, KeySet, SigningKey

ACCESS_TOKEN = "at+jwt"  # noqa: S105  # the type of RFC 9068 section 2.1; another type is another token
ASSERTION = "assertion+jwt"  # of a type of its own, so that nobody who sees one can come back with it
LONGEST_TOKEN = 4096  # bytes; ours have about 500, and what is larger is not even decoded
SKEW = 60  # seconds that the clocks of two replicas may differ


class InvalidToken(Exception):
    """Says that a token is not one of ours, not for this audience, or not valid now."""


def sign(claims: Mapping[str, object], key: SigningKey, *, typ: str = ACCESS_TOKEN) -> str:
    """Return the compact serialisation of `claims`, signed by `key`."""
    payload = json.dumps(dict(claims), separators=(",", ":")).encode()
    header = {"kid": key.kid, "typ": typ}
    return PyJWS(algorithms=[ALGORITHM]).encode(payload, key.private, algorithm=key.algorithm, headers=header)


def heads(keyset: KeySet) -> frozenset[str]:
    """Return the first parts that the access tokens of these keys have; any other token is not one of ours."""
    headers = ({"alg": key.algorithm, "kid": key.kid, "typ": ACCESS_TOKEN} for key in keyset.keys)
    return frozenset(base64url(json.dumps(header, separators=(",", ":")).encode()) for header in headers)


def verify(token: str, keyset: KeySet, *, issuer: str, audience: str, now: float) -> AccessClaims:
    """Return the claims of an access token that one of our keys signed; raises `InvalidToken`.

    `now` is seconds since the epoch; 60 s of skew are granted at both ends.
    """
    claims = _claims(_payload(token, keyset))
    if claims.iss != issuer or claims.aud != audience:
        raise InvalidToken("another issuer or audience")
    if not claims.iat - SKEW <= now < claims.exp + SKEW:
        raise InvalidToken("expired, or not valid yet")
    return claims


def _payload(token: str, keyset: KeySet) -> bytes:
    """Return the payload whose signature is right.

    The header must be exactly the one that `sign` writes for that key. So the algorithm is the key's own
    (no `none`, no HS256 keyed with the public part), and `crit`, `jku`, `jwk`, `x5u` and `b64` are
    refused unread.
    """
    if len(token) > LONGEST_TOKEN or not token.isascii():
        raise InvalidToken("too long, or not ASCII")
    jws = PyJWS(algorithms=[ALGORITHM])  # an instance of our own: no other algorithm exists in it
    try:
        header = jws.get_unverified_header(token)
        key = keyset.by_kid(header.get("kid", ""))
        if key is None or header != {"alg": key.algorithm, "kid": key.kid, "typ": ACCESS_TOKEN}:
            raise InvalidToken("not the header of one of our keys")
        payload: bytes = jws.decode(token, key.public, algorithms=[key.algorithm])
    except PyJWTError:
        raise InvalidToken("malformed, or not signed by us") from None  # the cause quotes the token
    return payload


def _claims(payload: bytes) -> AccessClaims:
    try:
        content = json.loads(payload)
        if not isinstance(content, dict):
            raise InvalidToken("not a set of claims")
        return parse(content)
    except ValueError:
        raise InvalidToken("not the claims of an access token") from None
