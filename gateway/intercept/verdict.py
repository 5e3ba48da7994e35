"""What an app's answer to a forwarded request means.

Owns the conditions of rules and the reading of an answer against them. A verdict is a hint about one
exchange and proves nothing about an account: that is asked elsewhere. Whatever cannot be read for sure is
unknown. Must not know how a request was recognised.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from gateway.http.answer import Answer
from gateway.model import Verdict

# Apps delete a cookie by an Expires in the past, mostly the epoch's; without a Date to compare with,
# whatever lies before this is the past.
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What an answer must be, all of it. None, or no status, leaves a condition out.

    `location` is a pattern for the path of the Location, in which `*` stands for any text. `set_cookie`
    names a cookie that is set, and neither emptied nor expired.
    """

    status: frozenset[int] = frozenset()
    location: str | None = None
    set_cookie: str | None = None
    body_has: str | None = None
    body_lacks: str | None = None

    def hold(self, answer: Answer, limit: int, *, path: str = "/") -> bool | None:
        """Tell whether an answer meets all of them; None when its body matters and cannot be read.

        A body is read up to `limit` bytes. `path` is the request's, from which a relative Location leads on.
        """
        if self.status and answer.status not in self.status:
            return False
        if self.location is not None and not _leads_to(self.location, answer, path):
            return False
        if self.set_cookie is not None and not _sets_cookie(self.set_cookie, answer):
            return False
        if self.body_has is None and self.body_lacks is None:
            return True
        body = answer.readable_body(limit)
        return None if body is None else self._hold_in(body.decode("utf-8", "replace"))

    def _hold_in(self, text: str) -> bool:
        if self.body_has is not None and self.body_has not in text:
            return False
        return self.body_lacks is None or self.body_lacks not in text


class Judged(Protocol):
    """Is what a verdict needs of a rule."""

    @property
    def path(self) -> str:
        """The path of the requests."""

    @property
    def right(self) -> Conditions | None:
        """What the answer is when the app accepted."""

    @property
    def wrong(self) -> Conditions | None:
        """What the answer is when the app refused."""


def judge(rule: Judged, answer: Answer, limit: int) -> Verdict:
    """Return `right` or `wrong` when the answer meets these conditions of the rule and not the others.

    A body is read up to `limit` bytes; a cut answer, or one whose body matters and cannot be read, is
    `unknown`, and so is one that meets both or neither.
    """
    if not answer.is_whole:
        return Verdict.UNKNOWN
    right = rule.right is not None and rule.right.hold(answer, limit, path=rule.path)
    wrong = rule.wrong is not None and rule.wrong.hold(answer, limit, path=rule.path)
    if right is None or wrong is None or right == wrong:
        return Verdict.UNKNOWN
    return Verdict.RIGHT if right else Verdict.WRONG


def _leads_to(pattern: str, answer: Answer, path: str) -> bool:
    """Compare the path of the one Location, made absolute as RFC 9110 10.2.2 says, with a pattern."""
    locations = answer.values(b"location")
    if len(locations) != 1:
        return False
    try:
        found = urlsplit(urljoin(f"http://app{path}", locations[0].decode("latin-1").strip())).path
    except ValueError:
        return False
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), found or "/", re.DOTALL) is not None


def _sets_cookie(name: str, answer: Answer) -> bool:
    wanted = name.encode("ascii")
    return any(cookie == wanted and value and not _is_expired(attributes, answer)
               for cookie, value, attributes in _cookies(answer))


def _cookies(answer: Answer) -> Iterator[tuple[bytes, bytes, dict[bytes, bytes]]]:
    """Yield name, unquoted value and attributes of each cookie that an answer sets (RFC 6265 5.2)."""
    for line in answer.values(b"set-cookie"):
        pair, *rest = line.split(b";")
        name, _, value = pair.partition(b"=")
        attributes = dict(_attribute(part) for part in rest)
        yield name.strip(), value.strip(b' \t"'), attributes


def _attribute(part: bytes) -> tuple[bytes, bytes]:
    key, _, value = part.partition(b"=")
    return key.strip().lower(), value.strip()


def _is_expired(attributes: dict[bytes, bytes], answer: Answer) -> bool:
    """Tell whether a cookie is set only to be deleted; Max-Age goes before Expires (RFC 6265 4.1.2.2)."""
    if b"max-age" in attributes:
        return re.fullmatch(rb"0+|-[0-9]+", attributes[b"max-age"]) is not None
    expires = _date(attributes.get(b"expires", b""))
    if expires is None:
        return False
    return expires < (_date(b"".join(answer.values(b"date"))) or LONG_AGO)


def _date(raw: bytes) -> datetime | None:
    try:
        found = parsedate_to_datetime(raw.decode("latin-1"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
