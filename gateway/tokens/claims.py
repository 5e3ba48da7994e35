"""What an access token says (RFC 9068), as a value that cannot be wrong in form.

Owns the claims and their bounds. Must not know signatures, cookies or stores.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from unicodedata import category
from uuid import UUID

LONGEST_LIFE = 15 * 60  # seconds that a stolen token is worth at most
BY_PASSWORD = ("pwd",)  # RFC 8176 section 2

LONGEST_NAME = 640  # bytes of a name in JSON; two of them leave a token's cookie below 4096 (RFC 6265 6.1)
ASSERTION_LIFE = 60  # seconds; an app that logs its requests' fields must not be logging a key

_NAMES = ("preferred_username", "email")  # OpenID Connect Core 5.1
_TEXTS = ("iss", "sub", "aud", "client_id", "jti", "sid")
_TIMES = ("iat", "exp")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessClaims:
    """Says who (`sub`, an account's id) may act in which app (`aud`) until when (`exp`).

    Times are seconds since the epoch. `sid` is the gateway session's id. `preferred_username` and `email` are
    empty where the app is not told who its users are. Raises `ValueError` at birth when a claim has another
    form, or when the token would live longer than 15 minutes.
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
    preferred_username: str = ""
    email: str = ""

    def __post_init__(self) -> None:
        if not all(isinstance(getattr(self, name), str) and getattr(self, name) for name in _TEXTS):
            raise ValueError("a claim that must be text is not")
        if not all(type(getattr(self, name)) is int for name in _TIMES):  # bool is an int, and no time
            raise ValueError("a claim that must be a time is not")
        if not all(isinstance(text, str) for text in (*self.amr, *self.names.values())):
            raise ValueError("amr must be a list of texts, and a name a text")
        if not 0 < self.exp - self.iat <= LONGEST_LIFE:
            raise ValueError("an access token lives at most 15 minutes")

    @property
    def names(self) -> dict[str, str]:
        """The names that the app is told, as claims."""
        return {name: value for name in _NAMES if (value := getattr(self, name))}

    def as_mapping(self) -> dict[str, object]:
        """Return the claims as they are signed."""
        return {name: getattr(self, name) for name in (*_TEXTS, *_TIMES)} | {"amr": list(self.amr), **self.names}


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
    username: str = "",
    email: str = "",
) -> AccessClaims:
    """Return the claims of a new access token that lives `lifetime` seconds from `now`.

    A name that an app could misread, or that is too long for a cookie, is left out.
    """
    issued = int(now)
    return AccessClaims(
        iss=issuer, sub=str(account_id), aud=app, client_id=app, iat=issued, exp=issued + lifetime,
        jti=token_id, sid=str(session_id), amr=amr,
        preferred_username=username if is_tellable(username) else "", email=email if is_tellable(email) else "",
    )


def is_tellable(name: str) -> bool:
    """Say whether a name arrives in a field as it is.

    With a control character it would end its line; with a blank at an end it would arrive as another user's.
    """
    is_whole = name == name.strip() and all(category(sign) not in ("Cc", "Cs") for sign in name)
    return is_whole and len(json.dumps(name)) <= LONGEST_NAME


def assertion(claims: AccessClaims, *, token_id: str, now: float) -> dict[str, object]:
    """Return what an app is told about the user of a request: whom, in which session, for a minute."""
    issued = int(now)
    return {"iss": claims.iss, "sub": claims.sub, "aud": claims.aud, "iat": issued, "exp": issued + ASSERTION_LIFE,
            "jti": token_id, "sid": claims.sid, **claims.names}


def parse(payload: Mapping[str, object]) -> AccessClaims:
    """Return the claims of a signed payload; raises `ValueError` when one is missing or of another form.

    Claims beyond our own are ignored, as RFC 7519 section 4 asks.
    """
    amr = payload.get("amr")
    if not isinstance(amr, list):
        raise ValueError("amr must be a list of texts")
    own = {name: payload.get(name) for name in (*_TEXTS, *_TIMES)}
    own |= {name: payload.get(name, "") for name in _NAMES}
    return AccessClaims(**own, amr=tuple(amr))  # type: ignore[arg-type]  # the forms are checked at birth
