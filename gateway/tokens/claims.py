"""What an access token says (RFC 9068), as a value that cannot be wrong in form.

Owns the claims and their bounds. Must not know signatures, cookies or stores.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

LONGEST_LIFE = 15 * 60  # seconds that a stolen token is worth at most
BY_PASSWORD = ("pwd",)  # RFC 8176 section 2

_TEXTS = ("iss", "sub", "aud", "client_id", "jti", "sid")
_TIMES = ("iat", "exp")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessClaims:
    """Says who (`sub`, an account's id) may act in which app (`aud`) until when (`exp`).

    Times are seconds since the epoch. `sid` is the gateway session's id. Raises `ValueError` at birth
    when a claim has another form, or when the token would live longer than 15 minutes.
    """

    iss: str
    sub: str
    aud: str
    client_id: str
    iat: int
    exp: int
    jti: str
    sid: str
    amr: tuple[str, ...]

    def __post_init__(self) -> None:
        if not all(isinstance(getattr(self, name), str) and getattr(self, name) for name in _TEXTS):
            raise ValueError("a claim that must be text is not")
        if not all(type(getattr(self, name)) is int for name in _TIMES):  # bool is an int, and no time
            raise ValueError("a claim that must be a time is not")
        if not all(isinstance(method, str) for method in self.amr):
            raise ValueError("amr must be a list of texts")
        if not 0 < self.exp - self.iat <= LONGEST_LIFE:
            raise ValueError("an access token lives at most 15 minutes")

    def as_mapping(self) -> dict[str, object]:
        """Return the claims as they are signed."""
        return {name: getattr(self, name) for name in (*_TEXTS, *_TIMES)} | {"amr": list(self.amr)}


def build(
    *,
    issuer: str,
    account_id: UUID,
    app: str,
    session_id: UUID,
    token_id: str,
    now: float,
    lifetime: int,
    amr: tuple[str, ...] = BY_PASSWORD,
) -> AccessClaims:
    """Return the claims of a new access token that lives `lifetime` seconds from `now`."""
    issued = int(now)
    return AccessClaims(
        iss=issuer, sub=str(account_id), aud=app, client_id=app, iat=issued, exp=issued + lifetime,
        jti=token_id, sid=str(session_id), amr=amr,
    )


def parse(payload: Mapping[str, object]) -> AccessClaims:
    """Return the claims of a signed payload; raises `ValueError` when one is missing or of another form.

    Claims beyond our own are ignored, as RFC 7519 section 4 asks.
    """
    amr = payload.get("amr")
    if not isinstance(amr, list):
        raise ValueError("amr must be a list of texts")
    own = {name: payload.get(name) for name in (*_TEXTS, *_TIMES)}
    return AccessClaims(**own, amr=tuple(amr))  # type: ignore[arg-type]  # the forms are checked at birth
