"""Requests and answers as values: built by hand, or recorded from applications (tests/vectors)."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gateway.http.answer import Answer
from gateway.http.head import RequestHead
from gateway.http.parsing import HeadLimits, parse_request

VECTORS = Path(__file__).parent.parent / "vectors"
URLENCODED = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Is one recorded request with what the application answered."""

    name: str
    head: RequestHead
    body: bytes
    answer: Answer


def request_head(method: str, target: str, *fields: tuple[str, str], host: str = "site.test") -> RequestHead:
    """Return a request's head, read from its bytes as the data plane does."""
    lines = [("Host", host), *fields]
    text = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines) + "\r\n"
    head = parse_request(text.encode("latin-1"), HeadLimits())
    assert head is not None
    return head


def form_head(target: str, content_type: str = URLENCODED, *fields: tuple[str, str]) -> RequestHead:
    """Return the head of a POST of a form."""
    return request_head("POST", target, ("Content-Type", content_type), *fields)


def answered(status: int, *fields: tuple[str, str], body: str = "", is_whole: bool = True) -> Answer:
    """Return an answer with these fields."""
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
    return Answer(status=status, reason=b"", fields=pairs, body=body.encode(), is_whole=is_whole)


def recorded(application: str, version: str) -> dict[str, Exchange]:
    """Return the exchanges of tests/vectors/<application>/<version>.json by name."""
    text = (VECTORS / application / f"{version}.json").read_text(encoding="utf-8")
    return {each["name"]: _exchange(**each) for each in json.loads(text)["exchanges"]}


def _exchange(*, name: str, request: dict[str, str], answer: dict[str, object]) -> Exchange:
    pairs: Iterable[list[str]] = request["fields"]  # type: ignore[assignment]
    fields = [(key, value) for key, value in pairs if key != "Host"]
    return Exchange(
        name=name,
        head=request_head(request["method"], request["target"], *fields),
        body=request["body"].encode(),
        answer=answered(answer["status"], *answer["fields"], body=answer["body"]),  # type: ignore[arg-type, misc]
    )
