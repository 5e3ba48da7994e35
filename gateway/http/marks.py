"""Which field names a proxy acts on, in every spelling under which an application may read them.

Owns the patterns and the folding of names; what is done to a marked field is the business of `parsing` and
`fields`. CGI, WSGI and FastCGI turn `-` into `_`, PHP does so with `.`, lighttpd with every other sign:
`X_Forwarded.User` arrives as `HTTP_X_FORWARDED_USER` like the right spelling.
"""

import re
from collections.abc import Callable

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
VALUE = rb"[\t\x20-\x7e\x80-\xff]"
SIGNS = b"!#$%&'*+-.^_`|~"

# The line, its name, its value with the blanks that follow it.
MarkedLine = tuple[bytes, bytes, bytes]

FOLD = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ" + SIGNS, b"abcdefghijklmnopqrstuvwxyz" + b"-" * len(SIGNS),
)

# A `-` stands for any sign, `=` for any sign but the right one, `+` for the rest of a name.
_REQUEST_NAMES = (
    "(?:host|accept=encoding|co(?:okie|nnection|ntent(?:-length|=(?:length|type|encoding)))|t(?:e|railer|ransfer-encoding)"
    "|x-(?:forwarded+|sluicegate+|real-ip|original-+|rewrite-+|request-id|http-method(?:-override)?"
    "|method-override)|forwarded|expect|upgrade"
    "|keep-alive|http2-settings|proxy(?:-(?:connection|authorization|authenticate))?)"
)
_RESPONSE_NAMES = (
    "(?:co(?:nnection|ntent-length)|t(?:e|railer|ransfer-encoding)|keep-alive|upgrade"
    "|proxy-(?:connection|authenticate))"
)


def _pattern(names: str) -> bytes:
    """Spell every letter of a pattern in both cases; a class is tried faster than IGNORECASE is."""
    spelled = re.sub(r"[a-z]", lambda letter: f"[{letter[0]}{letter[0].upper()}]", names)
    signs = {"-": rb"[!#$%&'*+\-.^_`|~]", "=": rb"[!#$%&'*+.^_`|~]", "+": TOKEN + b"*+"}
    return b"".join(signs.get(sign, sign.encode()) for sign in spelled)


def _marked(names: str, initials: str) -> bytes:
    """Return the pattern of a marked name; most are put aside by their first letter, which is a fifth faster."""
    return f"(?=[{initials}{initials.upper()}])".encode() + _pattern(names)


def _finder(name: bytes) -> Callable[..., list[MarkedLine]]:
    """Make the search for marked lines; it needs the CRLF before the first of them."""
    return re.compile(rb"\r\n((" + name + rb"):[ \t]*+([^\r]*+))").findall


def _other_line(name: bytes) -> bytes:
    """Return the pattern of a field line that is not marked, or says no more than that the connection stays open."""
    return rb"(?:(?!" + name + rb":)" + TOKEN + rb"++:" + VALUE + rb"*+\r\n|Connection: keep-alive\r\n)"


_IN_REQUEST = _marked(_REQUEST_NAMES, "acefhkptux")
_IN_RESPONSE = _marked(_RESPONSE_NAMES, "ckptu")
OTHER_IN_REQUEST = _other_line(_IN_REQUEST)
OTHER_IN_RESPONSE = _other_line(_IN_RESPONSE)
find_in_request = _finder(_IN_REQUEST)
find_in_response = _finder(_IN_RESPONSE)
is_marked_in_request = re.compile(_pattern(_REQUEST_NAMES)).fullmatch
is_marked_in_response = re.compile(_pattern(_RESPONSE_NAMES)).fullmatch
