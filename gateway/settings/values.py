"""The kinds of values that settings are made of: addresses, hosts, paths, origins. Pure.

Each is read from text by a function that says what is wrong without repeating what was written: it may be
a secret in the wrong place.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainValidator
from pydantic_core import PydanticCustomError

MISTAKE = "mistake"
"""The error type whose message is ours, and holds no value."""

LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"  # with the underscore of container names
HOST_NAME = re.compile(rf"{LABEL}(?:\.{LABEL})*")
LONGEST_NAME = 253  # RFC 1035 section 2.3.4, without the final dot
HOST_AND_PORT = re.compile(r"(\[[^\]]+\]|[^:\[\]]+):([0-9]{1,5})")
ORIGIN = re.compile(r"(https?)://(\[[^\]]+\]|[^:\[\]/]+)(?::([0-9]{1,5}))?")
SEGMENT = r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*"  # no dot first: nothing that resolves to another path
PLAIN_PATH = re.compile(rf"/(?:{SEGMENT}(?:/{SEGMENT})*/?)?")
PLAIN_QUERY = re.compile(r"[0-9A-Za-z._~&=%+/:-]*")
SLUG = re.compile(r"[a-z][a-z0-9-]{0,62}")
NO_SLUG = "must be a short name: a lower-case letter, then lower-case letters, digits and hyphens"
PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")
HIGHEST_PORT = 65535
DEFAULT_PORTS = {"http": 80, "https": 443}
UNIX = "unix"
SOCKET_FILE = re.compile(r"unix:(/[^\0]+)")
LONGEST_SOCKET_PATH = 107  # bytes; unix(7), sun_path

Choice = TypeVar("Choice", bound=StrEnum)


class Section(BaseModel):
    """Is a frozen part of the settings; an unknown key in it is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where something listens or is reached; a listener's port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppAddress:
    """Where an app is reached: by http or https at a host and a port, or by unix at the path of a socket."""

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        return f"{UNIX}:{self.path}" if self.path else f"{self.scheme}://{Address(host=self.host, port=self.port)}"


def mistake(message: str) -> NoReturn:
    """Refuse a value with a sentence of ours; call it inside a validator."""
    raise PydanticCustomError(MISTAKE, "{sentence}", {"sentence": message})


def read_slug(value: object) -> str:
    """Read a name that appears in cookies, metrics and addresses."""
    text = _text(value)
    if not SLUG.fullmatch(text):
        mistake(NO_SLUG)
    return text


def read_address(value: object) -> Address:
    """Read `host:port` or `[::1]:port`."""
    match = HOST_AND_PORT.fullmatch(_text(value))
    if not match or not _is_host(match[1]) or int(match[2]) > HIGHEST_PORT:
        mistake('must be "host:port", such as "127.0.0.1:8080" or "[::1]:8080"')
    return Address(host=match[1].strip("[]"), port=int(match[2]))


def read_upstream(value: object) -> AppAddress:
    """Read `http[s]://host[:port]` or `unix:/path`."""
    text = _text(value)
    socket = SOCKET_FILE.fullmatch(text)
    if socket and len(socket[1].encode()) <= LONGEST_SOCKET_PATH:
        return AppAddress(scheme=UNIX, path=socket[1])
    scheme, host, port = _origin_parts(text)
    if not scheme:
        mistake('must be "http://host:port" or "https://host:port", without a path, a final slash or a user, or '
                f'"unix:/path" with at most {LONGEST_SOCKET_PATH} bytes')
    return AppAddress(scheme=scheme, host=host.strip("[]"), port=port or DEFAULT_PORTS[scheme])


def read_upstreams(value: object) -> tuple[AppAddress, ...]:
    """Read one address of an app, or a list of them."""
    if value == ():
        mistake("must be an address or a list of addresses; this list is empty")
    if isinstance(value, tuple):
        addresses = tuple(_upstream_at(index, each) for index, each in enumerate(value))
    else:
        addresses = (read_upstream(value),)
    if len(set(addresses)) < len(addresses):
        mistake("names an address twice")
    return addresses


def _upstream_at(index: int, value: object) -> AppAddress:
    """Read one address of a list; a mistake says which it is."""
    if isinstance(value, AppAddress):
        return value
    try:
        return read_upstream(value)
    except PydanticCustomError as error:
        mistake(f"[{index}] {error.message()}")


def read_cookie_domains(value: object) -> Mapping[str, str]:
    """Read a table from an app's own cookie domains to those of clients; "" is none."""
    if not isinstance(value, Mapping):
        mistake('must be a table, such as { "legacy.internal" = "shop.test" }')
    if not all(_is_domain(domain) and (public == "" or _is_domain(public)) for domain, public in value.items()):
        mistake('must lead from one domain to another, or to "" for none')
    return dict(value)


def read_origin(value: object) -> str:
    """Read `http[s]://host[:port]`, as browsers write an origin (RFC 6454 section 6.2)."""
    text = _text(value)
    scheme, _, port = _origin_parts(text)
    if not scheme or text != text.lower() or port == DEFAULT_PORTS[scheme]:
        mistake('must be an origin, such as "https://shop.test": lower case, no path, no final slash, '
                "no default port")
    return text


def read_host(value: object) -> str:
    """Read a host name or address without port, or `*`."""
    text = _text(value).lower()
    if text != "*" and not _is_host(text):
        mistake('must be a host name without port, such as "shop.test", or "*" for any')
    return text


def read_peer_name(value: object) -> str:
    """Read the name or address that a server's certificate is for."""
    text = _text(value).lower()
    if not _is_host(text):
        mistake('must be a host name without port, such as "app.internal"')
    return text.strip("[]")


def read_network(value: object) -> IPv4Network | IPv6Network:
    """Read an address or a network in CIDR notation."""
    text = _text(value)
    try:
        return ip_network(text)
    except ValueError:
        mistake('must be an address or a network whose host bits are zero, such as "10.0.0.0/8" or "::1"')


def read_app_path(value: object) -> str:
    """Read the path prefix of an app: plain segments, without a final slash except for `/` itself."""
    text = _text(value)
    if not PLAIN_PATH.fullmatch(text):
        mistake('must be a plain path, such as "/" or "/shop": no query, no percent sign, no dot segments')
    return text.rstrip("/") or "/"


def read_page(value: object) -> str:
    """Read the address of a page below an app's own path: a plain path, with or without a query."""
    text = _text(value)
    path, _, query = text.partition("?")
    if not PLAIN_PATH.fullmatch(path) or not PLAIN_QUERY.fullmatch(query):
        mistake('must be the address of a page, such as "/login" or "/index.php?page=login"')
    return text


def read_parameter(value: object) -> str:
    """Read the name of a path parameter, such as `jsessionid` in `/login;jsessionid=…`."""
    text = _text(value)
    if not PARAMETER.fullmatch(text):
        mistake('must be the name of a path parameter, such as "jsessionid"')
    return text


def read_log_place(value: object) -> bool | Path:
    """Read true, false or the absolute path of a file."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        mistake("must be true, false or the absolute path of a file")
    return Path(value)


def one_of(kind: type[Choice]) -> PlainValidator:
    """Return the validator that reads one of an enumeration's values."""
    choices = " or ".join(f'"{member.value}"' for member in kind)

    def read(value: object) -> Choice:
        if not isinstance(value, str) or value not in list(kind):
            mistake(f"must be {choices}")
        return kind(value)

    return PlainValidator(read)


def _text(value: object) -> str:
    if not isinstance(value, str):
        mistake("must be text in quotes")
    return value


def _origin_parts(text: str) -> tuple[str, str, int | None]:
    """Split an origin into scheme, host and port; the scheme is empty when the text is none."""
    match = ORIGIN.fullmatch(text)
    port = int(match[3]) if match and match[3] else None
    if not match or not _is_host(match[2]) or (port is not None and not 0 < port <= HIGHEST_PORT):
        return "", "", None
    return match[1], match[2], port


def _is_domain(value: object) -> bool:
    return isinstance(value, str) and _is_host(value.removeprefix("."))


def _is_host(text: str) -> bool:
    if not text.startswith("["):
        return bool(HOST_NAME.fullmatch(text)) and len(text) <= LONGEST_NAME
    try:
        IPv6Address(text.strip("[]"))
    except ValueError:
        return False
    return "%" not in text  # a zone means something on one machine only


def _by(read: Callable[[object], object], *finished: type) -> PlainValidator:
    """Return a validator that reads text; a model built by hand is given finished values."""
    return PlainValidator(lambda value: value if isinstance(value, finished) else read(value))


Slug = Annotated[str, _by(read_slug)]
ListenAddress = Annotated[Address, _by(read_address, Address)]
Upstreams = Annotated[tuple[AppAddress, ...], PlainValidator(read_upstreams)]
CookieDomains = Annotated[Mapping[str, str], PlainValidator(read_cookie_domains)]
Origin = Annotated[str, _by(read_origin)]
Host = Annotated[str, _by(read_host)]
PeerName = Annotated[str, _by(read_peer_name)]
Network = Annotated[IPv4Network | IPv6Network, _by(read_network, IPv4Network, IPv6Network)]
AppPath = Annotated[str, _by(read_app_path)]
Page = Annotated[str, _by(read_page)]
Parameter = Annotated[str, _by(read_parameter)]
LogPlace = Annotated[bool | Path, _by(read_log_place, Path)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
