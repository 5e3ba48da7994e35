"""Form bodies: read a field, substitute a field, every other byte as it came.

Owns application/x-www-form-urlencoded and multipart/form-data (RFC 7578), and the question which names
a lenient framework takes for one another. Must not know rules, passwords or what a field means.
Whatever two frameworks would read in two ways is refused: the app must see the field that was judged.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote_plus, unquote_to_bytes

from gateway.errors import RequestRefused

MAX_FIELDS = 1000  # as PHP's max_input_vars and Django's DATA_UPLOAD_MAX_NUMBER_FIELDS

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_MEDIA_TYPE = re.compile(rb"(" + _TOKEN + rb"/" + _TOKEN + rb")[ \t]*(.*)", re.DOTALL)
_PARAMETER = re.compile(rb";[ \t]*(" + _TOKEN + rb")=(?:(" + _TOKEN + rb')|"([^"\\\x00-\x1f\x7f]*)")[ \t]*')
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,\-./:=?]{1,70}")  # RFC 2046 5.1.1, without the space
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_PART_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([\x20-\x7e\x80-\xff\t]*)")
# Quoted strings only, and a backslash only before the two characters that it escapes everywhere:
# "pass\word" is "password" to some parsers and not to others.
_DISPOSITION = re.compile(rb'(?i:form-data)((?:;[ \t]*(?:name|filename)="(?:[^"\\]|\\["\\])*")*)')
_DISPOSITION_PARAMETER = re.compile(rb';[ \t]*(name|filename)="((?:[^"\\]|\\["\\])*)"')
_NAME_ESCAPE = re.compile(rb'\\(["\\])|%(22|0[AaDd])')  # of old browsers; of HTML's multipart encoding
_PLAIN_TRANSFER_ENCODINGS = frozenset({b"7bit", b"8bit", b"binary"})
# What some language's trim() removes: Java's everything up to the space, others Unicode's blanks.
_BLANKS = "".join(map(chr, range(0x21))) + "\x7f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" \
    + "".join(map(chr, range(0x2000, 0x200C)))


class FormKind(StrEnum):
    """How a form is written in a body."""

    URLENCODED = "urlencoded"
    MULTIPART = "multipart"


MEDIA_TYPES = {
    b"application/x-www-form-urlencoded": FormKind.URLENCODED,
    b"multipart/form-data": FormKind.MULTIPART,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """Where one field stands in a body: `start` to `end` is its value, still encoded."""

    name: str
    start: int
    end: int
    is_file: bool = False
    lacks_equals: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Is a form body that was found well-formed, with its fields in order."""

    kind: FormKind
    fields: tuple[FormField, ...]
    body: bytes = field(repr=False)
    delimiter: bytes = b""

    def names(self) -> list[str]:
        """Return the decoded name of every field and file, in order, repeated as often as it occurs."""
        return [part.name for part in self.fields]

    def values(self, name: str) -> list[str]:
        """Return the decoded values of the fields of exactly this name; files are none.

        Raises `RequestRefused` (400) for a value that is not UTF-8.
        """
        return [self._decode(part) for part in self.fields if part.name == name and not part.is_file]

    def substitute(self, name: str, value: str) -> bytes:
        """Return the body with `value` in the one field of this name and every other byte as it was.

        Raises ValueError when the field does not occur exactly once, and `RequestRefused` (400) when the
        client's boundary is so short that it occurs in the value.
        """
        found = [part for part in self.fields if part.name == name]
        if len(found) != 1 or found[0].is_file:
            raise ValueError("the field to substitute does not occur exactly once")
        return self.body[:found[0].start] + self._encode(found[0], value) + self.body[found[0].end:]

    def _decode(self, part: FormField) -> str:
        raw = self.body[part.start:part.end]
        return _unescape(raw) if self.kind is FormKind.URLENCODED else _text(raw)

    def _encode(self, part: FormField, value: str) -> bytes:
        if self.kind is FormKind.URLENCODED:
            return b"=" * part.lacks_equals + quote_plus(value, safe="*").encode("ascii")
        raw = value.encode("utf-8")
        if self.delimiter in raw:
            raise RequestRefused(400, "The boundary of the form is too short.")
        return raw


def parse_form(content_type: bytes, body: bytes, *, max_fields: int = MAX_FIELDS) -> Form:
    """Return the form that a body holds.

    Raises `RequestRefused`: 415 for another media type or another charset than UTF-8, 400 for a form
    that is malformed, cut, or has more than `max_fields` fields.
    """
    media_type, parameters = _media_type(content_type)
    kind = MEDIA_TYPES.get(media_type)
    if kind is None:
        raise RequestRefused(415, "A form was expected.")
    if kind is FormKind.MULTIPART:
        form = _parse_multipart(body, parameters.get(b"boundary", b""), max_fields)
    elif b"boundary" in parameters:
        raise _malformed("names a boundary where none belongs")
    else:
        form = _parse_urlencoded(body, max_fields)
    for charset in form.values("_charset_"):  # the HTML form's own way to declare another charset
        _demand_utf8(charset.strip().lower().encode("utf-8") or b"utf-8")
    return form


def loose_name(name: str) -> str:
    """Return a field's name as lenient frameworks see it.

    PHP trims it, ends it at NUL, makes an array of `name[…]`, and reads `.` and space as `_`; ASP.NET
    ignores case.
    """
    bare = name.lstrip(_BLANKS).partition("\0")[0].partition("[")[0].strip(_BLANKS)
    return bare.replace(".", "_").replace(" ", "_").casefold()


def is_same_field(name: str, declared: str) -> bool:
    """Tell whether some framework may take the field `name` for the field `declared`, or for its parent.

    `a[b]` and `a[c]` are two fields, `a[b]` and `a` are not; ASP.NET Core reads `a[b]` as `a.b`.
    """
    one, other = _loose_keys(name), _loose_keys(declared)
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared] or _dotted_keys(name) == _dotted_keys(declared)


def _loose_keys(name: str) -> list[str]:
    return [loose_name(name), *filter(None, re.split(r"[\[\]]+", name.partition("[")[2].casefold()))]


def _dotted_keys(name: str) -> list[str]:
    return list(filter(None, re.split(r"[\[\].]+", name.strip(_BLANKS).casefold())))


def _malformed(what: str) -> RequestRefused:
    return RequestRefused(400, f"The form {what}.")


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    raise _malformed("is not UTF-8")  # outside the handler: the cause would carry the bytes


def _demand_utf8(charset: bytes) -> None:
    if charset.lower() not in (b"utf-8", b"utf8"):
        raise RequestRefused(415, "A form in UTF-8 was expected.")


def _media_type(content_type: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """Split a Content-Type; knows `boundary` and `charset` alone, each once, and demands UTF-8."""
    found = _MEDIA_TYPE.fullmatch(content_type.strip(b" \t"))
    if found is None:
        raise RequestRefused(415, "A form was expected.")
    parameters: dict[bytes, bytes] = {}
    position, rest = 0, found[2]
    while position < len(rest):
        parameter = _PARAMETER.match(rest, position)
        if parameter is None or parameter[1].lower() in parameters:
            raise _malformed("has a malformed Content-Type")
        parameters[parameter[1].lower()] = parameter[2] if parameter[3] is None else parameter[3]
        position = parameter.end()
    if not parameters.keys() <= {b"boundary", b"charset"}:
        raise _malformed("has a Content-Type with unknown parameters")
    _demand_utf8(parameters.get(b"charset", b"utf-8"))
    return found[1].lower(), parameters


def _unescape(raw: bytes) -> str:
    """Decode a urlencoded name or value; a broken escape is refused (`%u0070` is a letter to ASP.NET)."""
    if _BROKEN_ESCAPE.search(raw):
        raise _malformed("has a broken percent escape")
    return _text(unquote_to_bytes(raw.replace(b"+", b" ")))


def _parse_urlencoded(body: bytes, max_fields: int) -> Form:
    _demand_few(body.count(b"&") + 1, max_fields)
    fields: list[FormField] = []
    position = 0
    for piece in body.split(b"&"):
        name, equals, value = piece.partition(b"=")
        end = position + len(piece)
        if piece:
            fields.append(FormField(name=_unescape(name), start=end - len(value), end=end,
                                    lacks_equals=not equals))
        position = end + 1
    return Form(kind=FormKind.URLENCODED, fields=tuple(fields), body=body)


def _demand_few(fields: int, max_fields: int) -> None:
    if fields > max_fields:
        raise _malformed("has too many fields")


def _parse_multipart(body: bytes, boundary: bytes, max_fields: int) -> Form:
    """Split a multipart body as browsers write it: no preamble, no epilogue, no padding, CRLF only."""
    if not _BOUNDARY.fullmatch(boundary):
        raise _malformed("has no usable boundary")
    delimiter = b"--" + boundary
    first, *parts = (b"\r\n" + body).split(b"\r\n" + delimiter)
    if first or not parts or parts[-1] not in (b"--", b"--\r\n"):
        raise _malformed("is cut or malformed")
    # A boundary in mid-line or after a bare LF divides the form for some parsers only.
    if body.count(delimiter) != len(parts):
        raise _malformed("has a boundary in a wrong place")
    _demand_few(len(parts) - 1, max_fields)
    fields: list[FormField] = []
    position = len(delimiter)
    for part in parts[:-1]:
        fields.append(_parse_part(part, position))
        position += len(part) + len(b"\r\n" + delimiter)
    return Form(kind=FormKind.MULTIPART, fields=tuple(fields), body=body, delimiter=delimiter)


def _parse_part(part: bytes, position: int) -> FormField:
    """Read one part, which begins with the CRLF behind its delimiter, at `position` of the body."""
    head, blank, value = part.partition(b"\r\n\r\n")
    if not part.startswith(b"\r\n") or not blank:
        raise _malformed("is cut or malformed")
    name, is_file = _read_part_head(head.removeprefix(b"\r\n"))
    end = position + len(part)
    return FormField(name=name, start=end - len(value), end=end, is_file=is_file)


def _read_part_head(head: bytes) -> tuple[str, bool]:
    """Return the name of a part, and whether it is a file. Folded, doubled or LF-only lines are refused."""
    fields: dict[bytes, bytes] = {}
    for line in head.split(b"\r\n"):
        found = _PART_FIELD.fullmatch(line)
        if found is None or found[1].lower() in fields:
            raise _malformed("has a malformed part head")
        fields[found[1].lower()] = found[2].strip(b" \t")
    if fields.get(b"content-transfer-encoding", b"binary").lower() not in _PLAIN_TRANSFER_ENCODINGS:
        raise _malformed("has an encoded part")  # Django decodes base64 here, most do not
    name, is_file = _read_disposition(fields.get(b"content-disposition", b""))
    content_type = fields.get(b"content-type", b"text/plain")
    if content_type.lower().startswith(b"multipart/"):
        raise _malformed("is nested")  # RFC 7578 4.3 has deprecated multipart/mixed
    if not is_file:
        _media_type(content_type)  # demands UTF-8
    return name, is_file


def _read_disposition(disposition: bytes) -> tuple[str, bool]:
    """Read a Content-Disposition; extended parameters (`name*=`) and doubled ones are refused."""
    found = _DISPOSITION.fullmatch(disposition)
    pairs = _DISPOSITION_PARAMETER.findall(found[1]) if found else []
    parameters = dict(pairs)
    if b"name" not in parameters or len(parameters) != len(pairs):
        raise _malformed("has a malformed Content-Disposition")
    return _text(_NAME_ESCAPE.sub(_undo_name_escape, parameters[b"name"])), b"filename" in parameters


def _undo_name_escape(found: re.Match[bytes]) -> bytes:
    return found[1] if found[1] is not None else bytes.fromhex(found[2].decode("ascii"))
