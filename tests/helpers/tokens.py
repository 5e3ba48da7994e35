"""Claims and keys that tests share."""

from random import Random
from uuid import UUID

from gateway.tokens.claims import AccessClaims, build
from gateway.tokens.keys import KeyState, SigningKey, generate

ISSUER = "https://login.test"
ACCOUNT_ID = UUID("0192f0a0-0000-7000-8000-000000000001")
SESSION_ID = UUID("0192f0a0-0000-7000-8000-000000000002")


def shop_claims(*, now: float = 1_000.9, lifetime: int = 900) -> AccessClaims:
    """Return the claims of one user's token for the app "shop"."""
    return build(
        issuer=ISSUER, account_id=ACCOUNT_ID, app="shop", session_id=SESSION_ID, token_id="one",
        now=now, lifetime=lifetime,
    )


def random_keys(*states: KeyState, seed: int = 1) -> tuple[SigningKey, ...]:
    """Return keys that are the same at each run."""
    random = Random(seed).randbytes
    return tuple(generate(state, random) for state in states)
