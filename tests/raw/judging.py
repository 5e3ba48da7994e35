"""What was wrong with what was seen: by the case's own expectation, and by what is dangerous from any proxy.

`complaints` is for the gateway, which must do exactly what a case says. `dangers` is for everyone: a proxy
that does something else is safe as long as what reached the app is unambiguous or nothing did, no request or
answer was smuggled, and a client can tell a cut answer from a whole one.
"""

import contextlib
from collections.abc import Iterator

from tests.raw.cases import MARK, Case, Got, Then
from tests.raw.playing import Seen, answers, asks_for_websocket, methods_of
from tests.raw.reading import Ambiguous, Message, read_requests
from tests.raw.recording import PLAYERS_OWN


def dangers(case: Case, seen: Seen) -> Iterator[str]:
    """Return what no proxy may do.

    A hidden request that carries the proxy's own fields was no secret to the proxy: it is the client's next one.
    """
    requests: list[Message] = []
    for recorded in seen.app:
        wire = recorded.wire.removesuffix(recorded.tunnel) if recorded.tunnel else recorded.wire
        try:
            found, rest = read_requests(wire)
        except Ambiguous as reason:
            yield f"the app got something ambiguous: {reason}"
            continue
        requests += found
        if rest and MARK in rest.partition(b"\r\n")[0]:
            yield "the app got the beginning of a smuggled request"
    if any(MARK in message.start[1] and not message.values(b"x-forwarded-for") for message in requests):
        yield "the app got a smuggled request"
    if not _is_answer_to(b"GET /victim", seen.victim, is_closed=False):
        yield f"the next client got {_brief(seen.victim)}"
    if seen.following and not _is_own_or_refusal(seen.following):
        yield f"the same client then got {_brief(seen.following)}"
    yield from _dangers_to_client(case, seen)


def _dangers_to_client(case: Case, seen: Seen) -> Iterator[str]:
    known = sum(MARK in message.start[1] for message in reached(seen))  # the proxy's own reading, or a danger anyway
    owed = [*(methods_of(case) or [b"GET"]), *[b"GET"] * known]  # nothing at all may be answered by a 408
    try:
        found, left = answers(seen.client, owed, seen.end)
    except Ambiguous as reason:
        yield f"the client got something ambiguous: {reason}"
        return
    if MARK in left or (left.startswith(b"HTTP/") and not _is_refusal(left)):
        yield "the client got more than its answer"
    if any(MARK in name + value for message in found for name, value in message.fields):
        yield "the client got a smuggled field"
    if not asks_for_websocket(case) and any(message.status == 101 for message in found):
        yield "the client got an unsolicited 101"
    if case.want.cut and case.answer.then is not Then.STAY and _looks_whole(found, case.want.statuses[-1]):
        yield "a cut answer looked whole"


def _looks_whole(found: list[Message], status: int) -> bool:
    final = [message for message in found if message.status >= 200]
    return bool(final) and final[-1].is_whole and final[-1].status == status


def complaints(case: Case, seen: Seen) -> Iterator[str]:
    """Return everything in which the gateway did not do what a case says, dangers included."""
    yield from dangers(case, seen)
    yield from _misanswered(case, seen)
    yield from _misdelivered(case, seen)
    yield from _misended(case, seen)
    want = case.want
    yield from (f"the client got {text!r}" for text in want.lacks if text in seen.client)
    yield from (f"the client did not get {text!r}" for text in want.has if text not in seen.client)


def _misended(case: Case, seen: Seen) -> Iterator[str]:
    want = case.want
    if not want.cut and want.ends != (seen.end != "open"):
        yield f"the connection should be {'closed' if want.ends else 'kept'} and is {seen.end}"
    if want.cut and seen.end == "open":
        yield "the connection of a cut answer stays open"
    if (
        not want.ends
        and seen.end == "open"
        and seen.following is not None
        and not _is_answer_to(b"GET /next", seen.following, is_closed=False)
    ):
        yield f"the same client then got {_brief(seen.following)}"


def unserved(case: Case, seen: Seen) -> Iterator[str]:
    """Return what a good request did not get, whoever the proxy is."""
    statuses, _ = _statuses(case, seen)
    if statuses != case.want.statuses:
        yield f"a good request was answered {statuses or 'not at all'}"
    got = [(message.start, message.body) for message in reached(seen)]
    if got != [((wanted.method, wanted.target), wanted.body) for wanted in case.want.app]:
        yield f"the app got {[b' '.join(start).decode() for start, _ in got] or 'nothing'}"


def happened(case: Case, seen: Seen) -> str:
    """Return in a few words what came of a case."""
    final, interim = _statuses(case, seen)
    got = reached(seen)
    parts = [
        ", ".join(map(str, interim + final[:3])) + (" …" if len(final) > 3 else "")
        or ("no answer" if not seen.client else "an odd answer"),
        {"open": "kept", "closed": "closed", "reset": "reset"}[seen.end],
        f"app got {len(got)}" if got else "app got nothing",
    ]
    return ", ".join(parts)


def reached(seen: Seen) -> list[Message]:
    """Return the whole requests that reached the app, without the players' own; an ambiguous rest is left out."""
    return [message for recorded in seen.app for message in recorded.requests if message.start[1] not in PLAYERS_OWN]


def _statuses(case: Case, seen: Seen) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the final statuses that the client got, and the interim ones."""
    try:
        found, _ = answers(seen.client, methods_of(case), seen.end)
    except Ambiguous:
        return (), ()
    every = [message.status for message in found]
    return (
        tuple(status for status in every if status >= 200 or status == 101),
        tuple(status for status in every if status < 200 and status != 101),
    )


def _misanswered(case: Case, seen: Seen) -> Iterator[str]:
    final, interim = _statuses(case, seen)
    with contextlib.suppress(Ambiguous):
        if answers(seen.client, methods_of(case), seen.end)[1].startswith(b"HTTP/"):
            yield "more answers than requests"
    if final != case.want.statuses:
        yield f"answered {final} instead of {case.want.statuses}"
    if interim != case.want.interim:
        yield f"interim answers {interim} instead of {case.want.interim}"
    if case.want.body is not None and not seen.client.endswith(b"\r\n\r\n" + case.want.body):
        yield f"the last answer's body is not {case.want.body!r}"


def _misdelivered(case: Case, seen: Seen) -> Iterator[str]:
    got = reached(seen)
    if len(got) != len(case.want.app):
        yield f"the app got {len(got)} whole requests instead of {len(case.want.app)}"
        return
    for message, wanted in zip(got, case.want.app, strict=True):
        yield from _differences(message, wanted)
    tunnel = b"".join(recorded.tunnel for recorded in seen.app)
    if tunnel != case.want.tunnel:
        yield f"behind the 101 the app got {tunnel!r}"


def _differences(message: Message, wanted: Got) -> Iterator[str]:
    if message.start != (wanted.method, wanted.target):
        yield f"the app got {b' '.join(message.start)!r}"
    if message.body != wanted.body:
        yield f"the app got the body {message.body[:60]!r}"
    for name, value in wanted.has:
        if message.values(name) != [value]:
            yield f"the app got {name.decode()}: {message.values(name)!r} instead of {value!r}"
    for name in wanted.lacks:
        if message.values(name):
            yield f"the app got {name.decode()}"


def _is_answer_to(line: bytes, got: bytes, *, is_closed: bool) -> bool:
    """Say whether these bytes are the one answer that the recording app gives to such a request."""
    try:
        found, left = read_answers_of(got, is_closed=is_closed)
    except Ambiguous:
        return False
    return len(found) == 1 and not left and found[0].status == 200 and found[0].body == line


def _is_own_or_refusal(got: bytes) -> bool:
    """Say whether this is the answer to /next, or an error that the proxy made itself."""
    return _is_answer_to(b"GET /next", got, is_closed=False) or _is_refusal(got)


def _is_refusal(got: bytes) -> bool:
    return got.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5", b"HTTP/1.0 4", b"HTTP/1.0 5")) and MARK not in got


def read_answers_of(got: bytes, *, is_closed: bool) -> tuple[list[Message], bytes]:
    """Return the answers to one GET."""
    return answers(got, [b"GET"], "closed" if is_closed else "open")


def _brief(got: bytes) -> str:
    first = got.partition(b"\r\n")[0][:40].decode("latin-1")
    body = got.partition(b"\r\n\r\n")[2][:30].decode("latin-1")
    return f"{first} {body}".strip() if got else "no answer"
