"""The canonical request target, for matching only: what an application could take an address for.

Owns every reading of a path that servers and frameworks are known to make. The target that travels is
never changed here. Reading too much costs a refusal (400) of an address that nobody types; reading too
little lets a login pass by unseen.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import quote, unquote_plus

from gateway.errors import RequestRefused

READINGS = 48  # of one path; a browser's address has up to eight, one that needs more is an attack
READ = 32 * 1024  # octets of all readings of a path: four times a request line, and the work that it may cause
MARKS = 30  # in a row, more than any language has (UAX #15, section 13); NFKC sorts a run of them in quadratic time
PAIRS = 1000  # of a query, as of a form; decoding thousands for every request would stop all others
PLAIN_SIGNS = "/!$&'()*+,=:@~"  # what quoting leaves as it is, beside letters, digits and `_.-`

_SEGMENT = rb"[0-9A-Za-z_~!$&'*,=@+-]++"
_usual = re.compile(
    rb"((?:/" + _SEGMENT + rb"(?:\." + _SEGMENT + rb")*+)*+)/?+(?:\?(.*+))?+", re.DOTALL,
).fullmatch

_escape = re.compile(rb"%([0-9A-Fa-f]{2}|[uU][0-9A-Fa-f]{4})")
_HEX = "0123456789ABCDEFabcdef"
_OCTETS = MappingProxyType({(high + low).encode(): bytes.fromhex(high + low) for high in _HEX for low in _HEX})
_any_escape = re.compile(r"%[0-9A-Fa-f]{2}")
_overlong = re.compile(rb"[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f][\x80-\xbf]|\xf0[\x80-\x8f][\x80-\xbf]{2}")
_invisible = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]+",
)
# Whatever begins with a mark in its NFKD, and other signs that never stand close; neither punctuation nor emoji.
_marks = re.compile(
    r"(?:[^\w\x00-\u02ff\u2000-\u20cf\u2100-\u2bff\u3000-\u3029\uff00-\uff9d\U0001f000-\U0010ffff]|[\uff9e\uff9f])++",
)
_parameters = re.compile(r";[^/]*+")
_slashes = re.compile(r"/{2,}+")
_trailing = re.compile(r"(?<=[^/. \t])[. \t]++(?=/|$)|(?<![ \t])[ \t]++(?=/|$)|:{1,2}\$[^/]*+")
_cookieless = re.compile(r"/\((?:[A-Za-z]\([^()/]*+\))++\)(?=/|$)")
_authority = re.compile(r"^/{2,}+[^/]*+")
_LOOKALIKES = str.maketrans({"\u2044": "/", "\u2215": "/", "\u2216": "\\", "\u29f5": "\\", "\u00ad": "-"})

Step = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CanonicalTarget:
    """Is a target as matching sees it.

    `path` is the canonical path: `/`, or without a slash at its end. `readings` holds it and every other
    path to which some application may route this target; a rule is hit when its own canonical path is
    among them. `is_plain` says that the raw path is the canonical one as a browser writes it, but for one
    slash at its end and declared parameters. `raw_path` is the path as sent, `query` what follows the `?`.
    """

    path: str
    query: bytes = field(repr=False)
    is_plain: bool
    raw_path: bytes
    readings: frozenset[str]


def canonical(target: bytes, *, parameters: frozenset[str] = frozenset(),
              fold_case: bool = False) -> CanonicalTarget:
    """Read an origin-form target; `parameters` are the declared names of `;name=value`.

    Raises `RequestRefused` (400) when the path is encoded so deeply that its readings are too many or too long, or
    has more marks upon one letter than any language.
    """
    usual = _usual(target)
    if usual is not None:
        return _usual_target(target, usual, fold_case=fold_case)
    raw_path, _, query = target.partition(b"?")
    steps = (*_STEPS, _fold) if fold_case else _STEPS
    readings = frozenset(_finished(reading) for reading in _readings(raw_path, (*steps, *_OTHER_STEPS)))
    path = _finished(_settled(_text(raw_path), steps))
    is_plain = _is_plain(_without_declared(raw_path, parameters), path, fold_case=fold_case)
    return CanonicalTarget(path=path, query=query, is_plain=is_plain, raw_path=raw_path,
                           readings=readings | {path})


def canonical_path(path: str, *, fold_case: bool = False) -> str:
    """Return the canonical path of one reading of a target, without its further readings."""
    return _finished(_settled(path.partition("?")[0], (*_STEPS, _fold) if fold_case else _STEPS))


def query_pairs(query: bytes) -> list[tuple[str, str]]:
    """Return names and values of a query, leniently decoded: pairs are separated by `&` alone.

    Nothing of today's splits at `;` (WHATWG URL 5.1); what does not decode as UTF-8 becomes U+FFFD.
    Raises `RequestRefused` (400) for more than `PAIRS`.
    """
    if query.count(b"&") >= PAIRS:
        raise RequestRefused(400, "The query has too many fields.")
    pairs = (pair.partition("=") for pair in query.decode("latin-1").split("&") if pair)
    return [(_unquoted(name), _unquoted(value)) for name, _, value in pairs]


def _unquoted(text: str) -> str:
    """Decode one name or value; raw octets above ASCII are UTF-8 like escaped ones."""
    return unquote_plus(quote(text, safe="%+", encoding="latin-1"))


def _usual_target(target: bytes, usual: re.Match[bytes], *, fold_case: bool) -> CanonicalTarget:
    """Return what nearly every target is: a plain path of which there is one reading."""
    path = usual[1].decode("ascii") or "/"
    path = path.lower() if fold_case else path
    query = usual[2]
    raw_path = target if query is None else target[:usual.start(2) - 1]
    return CanonicalTarget(path=path, query=query or b"", is_plain=True, raw_path=raw_path,
                           readings=frozenset((path,)))


def _settled(path: str, steps: Sequence[Step]) -> str:
    """Take all steps in order until none changes anything."""
    while True:
        before = path
        for step in steps:
            path = step(path)
        if path == before:
            return path


def _readings(raw_path: bytes, steps: Sequence[Step]) -> set[str]:
    """Return what any chain of steps makes of a path, the path itself included.

    Servers take the steps in different orders and leave some out: `/admin//../login` is `/login` to nginx,
    which merges slashes first, and `/admin/login` to a WHATWG URL parser, which does not.
    """
    todo = [_text(raw_path), raw_path.decode("utf-8", "ignore")]
    found = set(todo)
    read = _octets(found)
    while todo:
        path = todo.pop()
        new = {step(path) for step in steps} - found
        found |= new
        todo += new
        read += _octets(new)
        if len(found) > READINGS or read > READ:
            raise RequestRefused(400, "The request target is encoded in too many ways.")
    return found


def _octets(paths: Iterable[str]) -> int:
    return sum(len(path.encode("utf-8")) for path in paths)


def _is_plain(raw_path: bytes, path: str, *, fold_case: bool) -> bool:
    """Say whether a raw path is the canonical one, as it is or quoted as browsers quote it."""
    text = raw_path.decode("utf-8", "replace").removesuffix("/") or "/"
    text = _any_escape.sub(lambda escape: escape[0].upper(), text)
    decoded = _decoded(text)
    if text not in (decoded, quote(decoded, safe=PLAIN_SIGNS)):
        return False
    return (_fold(decoded) if fold_case else decoded) == path


def _without_declared(raw_path: bytes, parameters: frozenset[str]) -> bytes:
    """Remove the parameters that an application declares, such as `;jsessionid=…`."""
    if not parameters or b";" not in raw_path:
        return raw_path
    names = b"|".join(re.escape(name.encode()) for name in sorted(parameters))
    return re.sub(rb";(?:" + names + rb")(?:=[^/;%\\]*+)?", b"", raw_path)


def _finished(path: str) -> str:
    """Bring a reading into the form in which rules compare: one slash at its start, none at its end."""
    return "/" + path.strip("/")


def _text(raw: bytes) -> str:
    """Read bytes as UTF-8, overlong forms as what they stand for, else all of them as Latin-1."""
    try:
        return _overlong.sub(_shortened, raw).decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _shortened(overlong: re.Match[bytes]) -> bytes:
    """Return the character that an overlong form stands for; old Java and IIS decoded `%c0%ae` as a dot."""
    octets = overlong[0]
    code = (octets[-2] & 0x3F) << 6 | octets[-1] & 0x3F  # the first octet of three or four adds nothing
    if len(octets) == 4:
        code |= (octets[1] & 0x3F) << 12
    return chr(code).encode("utf-8", "ignore")


def _unescaped(path: str) -> bytes:
    """Decode one layer of escapes, http.sys's `%uXXXX` included."""
    parts = _escape.split(path.encode("utf-8"))
    parts[1::2] = [_OCTETS.get(code) or chr(int(code[1:], 16)).encode("utf-8", "ignore") for code in parts[1::2]]
    return b"".join(parts)


def _decoded(path: str) -> str:
    return _text(_unescaped(path)) if "%" in path else path


def _decoded_ignoring(path: str) -> str:
    """Decode one layer as Bottle does, which drops the octets that are not UTF-8."""
    if "%" not in path:
        return path
    return _overlong.sub(_shortened, _unescaped(path)).decode("utf-8", "ignore")


def _compatible(path: str) -> str:
    """Replace what looks like ASCII by ASCII, as Windows does when it leaves Unicode (best fit)."""
    if path.isascii():
        return path
    if any(len(run) > MARKS for run in _marks.findall(path)):
        raise RequestRefused(400, "The request target has too many marks upon one letter.")
    return unicodedata.normalize("NFKC", path.translate(_LOOKALIKES))


def _visible(path: str) -> str:
    """Drop controls and what has no width; `login%0a` is `login` to a pattern that ends in `$`."""
    return _invisible.sub("", path)


def _forward_slashes(path: str) -> str:
    return path.replace("\\", "/")


def _without_parameters(path: str) -> str:
    """Drop `;…` from each segment, as servlet containers do before they look for dot segments."""
    return _parameters.sub("", path) if ";" in path else path


def _cut_at_query(path: str) -> str:
    """Cut at a `?` that was encoded, for servers that hand the decoded address to a second parser."""
    return path.partition("?")[0]


def _cut_at_fragment(path: str) -> str:
    return path.partition("#")[0]


def _single_slashes(path: str) -> str:
    return _slashes.sub("/", path)


def _without_dots(path: str) -> str:
    """Resolve dot segments; an empty segment counts as one (RFC 3986 5.2.4)."""
    if "/." not in path:
        return path
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[max(1, len(kept) - 1):]
        elif segment != ".":
            kept.append(segment)
    return "/".join(kept)


def _trimmed(path: str) -> str:
    """Drop what Windows drops at the end of file names: dots, blanks, the name of a stream."""
    return _trailing.sub("", path)


def _without_session(path: str) -> str:
    """Drop the segments in which ASP.NET keeps cookieless sessions, `/(S(…))`."""
    return _cookieless.sub("", path) if "/(" in path else path


def _fold(path: str) -> str:
    """Fold case as widely as any platform does; by way of upper case, or the dotless i would slip by."""
    return path.casefold().upper().casefold()


def _without_authority(path: str) -> str:
    """Drop what a URL parser takes for a host: `new URL("//x/login", base)` has the path `/login`."""
    return _authority.sub("", path)


def _cut_at_parameter(path: str) -> str:
    return path.partition(";")[0]


def _cut_at_nul(path: str) -> str:
    """Cut where a C string ends."""
    return path.partition("\0")[0]


def _cut_at_line_end(path: str) -> str:
    """Cut where `$` matches in a pattern of Ruby's, or of any that is told to look at lines."""
    return path.partition("\n")[0]


_STEPS: tuple[Step, ...] = (
    _decoded, _compatible, _visible, _forward_slashes, _without_parameters, _cut_at_query, _cut_at_fragment,
    _single_slashes, _without_dots, _trimmed, _without_session,
)
_OTHER_STEPS: tuple[Step, ...] = (
    _decoded_ignoring, _without_authority, _cut_at_parameter, _cut_at_nul, _cut_at_line_end,
)
