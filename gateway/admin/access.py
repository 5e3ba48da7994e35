"""Who may use the private listener, and where it may listen at all.

Owns the bearer token's check and the two refusals to start: an exposed address without a token, and an
HTTP library that is known to be unsafe. Knows no resource.
"""

import hashlib
import hmac
import ipaddress
import re

import aiohttp
from aiohttp import http_parser, web
from aiohttp.typedefs import Handler

from gateway.admin.problems import problem
from gateway.errors import ConfigurationError
from gateway.model import Secret

SAFE_AIOHTTP = (3, 14, 5)  # older ones have request smuggling advisories
HAS_C_PARSER = http_parser.HttpRequestParser is not http_parser.HttpRequestParserPy

_credentials = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)  # RFC 6750 2.1, RFC 9110 11.4


def check_aiohttp(version: str = aiohttp.__version__, *, has_c_parser: bool = HAS_C_PARSER) -> None:
    """Refuse an HTTP library that must not listen; raises `ConfigurationError`."""
    numbers = tuple(int(digits) for digits in re.findall(r"\d+", version)[:3])
    if numbers < SAFE_AIOHTTP:
        raise ConfigurationError("the private listener needs aiohttp 3.14.5 or newer: upgrade aiohttp")
    if not has_c_parser:
        raise ConfigurationError("the private listener needs aiohttp's C parser: install aiohttp from a "
                                 "wheel, and leave AIOHTTP_NO_EXTENSIONS unset")


def check_exposure(host: str, token: Secret | None) -> None:
    """Refuse to listen where others can reach it without a token; raises `ConfigurationError`."""
    if not token and not is_loopback(host):
        raise ConfigurationError("private.listen is not a loopback address, so private.token must be set: "
                                 "give it a token, or listen on 127.0.0.1")


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches `host`; a name other than localhost may lead anywhere."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_bearer(authorization: str | None, token: Secret) -> bool:
    """Say whether an Authorization field carries the token. The time tells nothing about either."""
    match = _credentials.fullmatch(authorization or "")
    given, known = match[1] if match else "", token.reveal()
    is_same = hmac.compare_digest(_digest(given), _digest(known))
    return is_same and bool(known)


def guarded(handler: Handler, token: Secret | None) -> Handler:
    """Return the handler behind the token; without a token nobody gets through."""

    async def guard(request: web.Request) -> web.StreamResponse:
        if not token:
            return problem(403, "No token is configured. Set private.token and start the gateway again.")
        if is_bearer(request.headers.get("Authorization"), token):
            return await handler(request)
        return problem(401, "Send the operator's token: Authorization: Bearer followed by private.token.",
                       fields={"WWW-Authenticate": 'Bearer realm="sluicegate"'})

    return guard


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
