"""Who the load claims to be before the peers: tokens that they verify, made with PyJWT."""

import json
import time
from dataclasses import dataclass, field

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from tests.bench.auth_service import AUDIENCE, COOKIE

ISSUER = "https://bench.test"
KEY = "the key of the auth service, which nobody else has to know"
HOUR = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Is a cookie for the auth service (HS256), and a bearer token for Envoy (ES256) with its key set."""

    cookie: str = field(repr=False)
    bearer: str = field(repr=False)
    jwks: str

    @property
    def values(self) -> dict[str, object]:
        """What Envoy's configuration has to know."""
        return {"ISSUER": ISSUER, "AUDIENCE": AUDIENCE, "JWKS": self.jwks}


def make_credentials() -> Credentials:
    """Return credentials that are good for an hour."""
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "c90292ca-5aa6-432f-8f0b-5ebe3f293965",
              "exp": int(time.time()) + HOUR}
    private = ec.generate_private_key(ec.SECP256R1())
    public = json.loads(ECAlgorithm.to_jwk(private.public_key()))
    return Credentials(
        cookie=f"{COOKIE}={jwt.encode(claims, KEY, algorithm='HS256')}",
        bearer=jwt.encode(claims, private, algorithm="ES256", headers={"kid": "1"}),
        jwks=json.dumps({"keys": [{**public, "kid": "1", "alg": "ES256", "use": "sig"}]}),
    )
