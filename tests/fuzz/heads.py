"""A million mutated heads and chunked bodies, read by both of our ways, by h11 and by llhttp.

    python -m tests.fuzz.heads --count 1000000 --seed 1

What is accepted here must be accepted by both others, with the same method, target, fields, framing and
persistence, as the client sent it and as the app gets it. What they are known to do otherwise is listed in
`tests.fuzz.differences`. A head that breaks this is written to tests/fuzz/seeds, which the unit tests replay.
"""

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from random import Random

from gateway.errors import AppUnavailable, RequestRefused
from gateway.http import parsing
from gateway.http.body import ChunkedBody, Framing, SizedBody, bad_request, request_framing, response_framing
from gateway.http.fields import forward_request, forward_response
from gateway.http.head import RequestHead, ResponseHead
from gateway.http.parsing import HeadLimits, parse_request, parse_response
from tests.fuzz import differences, material
from tests.fuzz.readers import (
    NEXT_REQUEST,
    NEXT_RESPONSE,
    Reading,
    h11_request,
    h11_response,
    llhttp_chunked,
    llhttp_request,
    llhttp_response,
    lowered,
)

SEEDS = Path(__file__).parent / "seeds"
BATCH = 5_000
LIMITS = HeadLimits()
SMALL = HeadLimits(head_bytes=700, fields=8, request_line=80)
SHOWN = 20  # failures on the terminal; all are kept as seeds

Verdicts = Counter[str]


class Difference(AssertionError):
    """Says that two readers make two things of the same bytes."""


def same(what: str, ours: object, theirs: object) -> None:
    """Raise Difference unless both are equal."""
    if ours != theirs:
        raise Difference(f"{what}\n  ours:   {ours}\n  theirs: {theirs}")


def seen(head: RequestHead | ResponseHead | None) -> object:
    """Return everything that a head says."""
    if head is None:
        return None
    slots = [slot for kind in type(head).__mro__ for slot in getattr(kind, "__slots__", ()) if slot[0] != "_"]
    said = [slot for slot in (*slots, "fields", "marked_values") if slot != "is_usual"]  # which way it took
    return [(slot, getattr(head, slot)) for slot in said]


def outcome(parse: Callable[..., RequestHead | ResponseHead | None], *args: object, **options: object) -> object:
    """Return what a way of reading makes of a head: all of it, None, or the status and reason of a refusal."""
    try:
        return seen(parse(*args, **options))
    except (RequestRefused, AppUnavailable) as refusal:
        return refusal.status, refusal.reason


def body_for(framing: Framing | None) -> tuple[bytes, bytes, bool]:
    """Return wire form and payload of a body with this framing, and whether it ends there."""
    if framing is None:
        return b"", b"", True
    if isinstance(framing, ChunkedBody):
        return b"3\r\nabc\r\n0\r\n\r\n", b"abc", True
    size = framing.left if isinstance(framing, SizedBody) else 0
    return (b"x" * size, b"x" * size, True) if 0 < size <= 64 else (b"x" * 16, b"x" * 16, False)


def compare(what: str, ours: Reading, theirs: Reading | None) -> None:
    """Raise Difference unless another reader sees the same message, and the next one where it begins."""
    if theirs is None:
        raise Difference(f"{what} refuses\n  ours:   {ours}")
    if not ours.is_whole or differences.is_interim(ours):
        theirs.is_persistent = ours.is_persistent  # nobody can tell before the end
    same(what, ours, theirs)
    if ours.rest is not None and theirs.rest != ours.rest:
        raise Difference(f"{what} sees the next message elsewhere: {theirs.rest!r}")


def check_request(raw: bytes, verdicts: Verdicts) -> None:
    """Check one request's head."""
    for limits in (LIMITS, SMALL):
        same("the strict way", outcome(parse_request, raw, limits),
             outcome(parsing._parse_request_strictly, raw, limits))
    try:
        head = parse_request(raw, LIMITS)
    except RequestRefused as refusal:
        verdicts[f"ours {refusal.status}"] += 1
        head = None
    else:
        verdicts["ours incomplete" if head is None else "ours accepted"] += 1
    if head is None:
        verdicts["h11 " + ("refused" if h11_request(raw) is None else "accepted")] += 1
        verdicts["llhttp " + ("refused" if llhttp_request(raw) is None else "accepted")] += 1
        return
    verdicts.update(("h11 accepted", "llhttp accepted"))
    compare_request("as sent", raw[:head.size], head)
    for is_trusted in (False, True):
        wire = forward_request(head, peer=b"10.0.0.9", scheme=b"http", is_trusted=is_trusted, request_id=b"id",
                               keeps_expect=is_trusted)
        onward = parse_request(wire, HeadLimits(head_bytes=1 << 20, fields=200))
        if onward is None:
            raise Difference("what goes on is incomplete")
        same("what goes on", (head.method, head.target, head.host, head.content_length, head.is_chunked, head.upgrade),
             (onward.method, onward.target, onward.host, onward.content_length, onward.is_chunked, onward.upgrade))
        same("the size of what goes on", onward.size, len(wire))
        compare_request("as forwarded", wire, onward)


def compare_request(what: str, wire: bytes, head: RequestHead) -> None:
    """Compare our reading of an accepted request with h11's and llhttp's."""
    body, payload, is_whole = body_for(request_framing(head))
    rest = NEXT_REQUEST if is_whole and head.is_persistent else b""
    start, fields = differences.first_line(wire, head)
    ours = Reading(start, lowered(fields), payload, is_whole, head.is_persistent, rest)
    message = differences.readable(wire) + body
    compare(f"h11 {what}", differences.for_h11(ours, head), h11_request(message + rest))
    ours, message = differences.for_llhttp_request(ours, message, head)
    compare(f"llhttp {what}", ours, llhttp_request(message, ours.rest or b""))


def check_response(raw: bytes, verdicts: Verdicts) -> None:
    """Check one answer's head."""
    for limits in (LIMITS, SMALL):
        for expects in (False, True):
            same("the strict way", outcome(parse_response, raw, limits, expects_upgrade=expects),
                 outcome(parsing._parse_response_strictly, raw, limits, expects_upgrade=expects))
    try:
        head = parse_response(raw, LIMITS, expects_upgrade=True)
    except AppUnavailable:
        verdicts["ours 502"] += 1
        head = None
    else:
        verdicts["ours incomplete" if head is None else "ours accepted"] += 1
    if head is None:
        verdicts["h11 " + ("refused" if h11_response(raw) is None else "accepted")] += 1
        verdicts["llhttp " + ("refused" if llhttp_response(raw) is None else "accepted")] += 1
        return
    verdicts.update(("h11 accepted", "llhttp accepted"))
    compare_response("as sent", raw[:head.size], head)
    for close in (False, True):
        wire = forward_response(head, close=close)
        back = parse_response(wire, HeadLimits(head_bytes=1 << 20, fields=200), expects_upgrade=True)
        if back is None:
            raise Difference("what goes back is incomplete")
        same("what goes back", (head.status, head.reason, len(wire), framing_name(head)),
             (back.status, back.reason, back.size, framing_name(back)))
        same("whether the client may stay", back.is_persistent, not close or back.status == 101)
        compare_response("as forwarded", wire, back)


def framing_name(head: ResponseHead) -> str:
    """Return how an answer to GET is framed."""
    return type(response_framing(head, request_method=b"GET")).__name__


def compare_response(what: str, wire: bytes, head: ResponseHead) -> None:
    """Compare our reading of an accepted answer with h11's and llhttp's."""
    body, payload, is_whole = body_for(response_framing(head, request_method=b"GET"))
    rest = NEXT_RESPONSE if is_whole and head.is_persistent and head.status >= 200 else b""
    ours = Reading((head.status, head.reason), lowered(head.fields), payload, is_whole, head.is_persistent, rest)
    compare(f"h11 {what}", differences.for_h11(ours, head), h11_response(wire + body + rest, head.status))
    seen_by_llhttp, message = differences.for_llhttp_response(ours, wire + body, head)
    compare(f"llhttp {what}", seen_by_llhttp, llhttp_response(message, rest))
    if head.status >= 200:
        bodyless = Reading(ours.start, ours.fields, b"", is_whole=True, is_persistent=head.is_persistent, rest=b"")
        compare(f"h11 {what} to HEAD", differences.for_h11(bodyless, head), h11_response(wire, head.status, b"HEAD"))


def check_chunked(wire: bytes, verdicts: Verdicts) -> None:
    """Check one chunked body, whole, in two pieces and byte by byte."""
    middle = len(wire) // 2
    pieces = [wire[:middle], wire[middle:]]
    ours = chunked_reading([wire])
    same("the body in two pieces", ours, chunked_reading(pieces))
    same("the body byte by byte", ours, chunked_reading([wire[at:at + 1] for at in range(len(wire))]))
    from_h11 = h11_request(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + wire)
    from_llhttp = llhttp_chunked(pieces)
    verdicts["ours " + ("refused" if ours is None else "accepted" if ours[2] else "incomplete")] += 1
    verdicts["h11 " + ("refused" if from_h11 is None else "accepted")] += 1
    verdicts["llhttp " + ("refused" if from_llhttp is None else "accepted")] += 1
    if ours is None:
        return
    payload, size, is_whole = ours
    if not is_whole:
        for theirs in (from_h11, from_llhttp):
            same("an unfinished body", False, theirs is not None and theirs.is_whole)
        return
    if from_h11 is None:
        raise Difference("h11 refuses the body")
    same("the body for h11", (payload, True, wire[size:]), (from_h11.payload, from_h11.is_whole, from_h11.rest))
    exact, short = llhttp_chunked([wire[:size]]), llhttp_chunked([wire[:size - 1]])
    if exact is None or short is None:
        raise Difference("llhttp refuses the body")
    same("the body for llhttp", (payload, True, False), (exact.payload, exact.is_whole, short.is_whole))


def chunked_reading(pieces: list[bytes]) -> tuple[bytes, int, bool] | None:
    """Return payload, size and whether the end was seen; None when the body is refused."""
    body = ChunkedBody(bad_request, keeps_payload=True)
    try:
        size = sum(body.feed(piece) for piece in pieces)
    except RequestRefused:
        return None
    return body.take_payload(), size, body.is_complete


CHECKS: dict[str, Callable[[bytes, Verdicts], None]] = {
    "request": check_request, "response": check_response, "chunked": check_chunked,
}


def drawn(rng: Random) -> tuple[str, bytes]:
    """Draw one piece of material and its kind."""
    kind = rng.choice(("request", "request", "request", "response", "response", "chunked"))
    match kind:
        case "request":
            return kind, material.head(rng, material.REQUESTS)
        case "response":
            return kind, material.head(rng, material.RESPONSES)
        case _:
            return kind, material.chunked(rng)


def batch(numbers: tuple[int, int, int]) -> tuple[Verdicts, list[tuple[str, bytes, str]]]:
    """Check `count` pieces drawn from seed and batch number; return verdicts and what differs."""
    seed, number, count = numbers
    rng = Random(f"{seed}/{number}")
    total: Verdicts = Counter()
    failures = []
    for _ in range(count):
        kind, raw = drawn(rng)
        verdicts: Verdicts = Counter()
        try:
            CHECKS[kind](raw, verdicts)
        except Difference as difference:
            failures.append((kind, raw, str(difference)))
        total.update({f"{kind:9} {verdict}": times for verdict, times in verdicts.items()})
    return total, failures


def batches(seed: int, count: int) -> Iterator[tuple[int, int, int]]:
    """Divide the work; the same seed and count give the same heads on any number of cores."""
    for number, start in enumerate(range(0, count, BATCH)):
        yield seed, number, min(BATCH, count - start)


def keep(kind: str, raw: bytes) -> Path:
    """Write a failing piece where the unit tests find it."""
    path = SEEDS / f"{kind}-{sha256(raw).hexdigest()[:12]}.bin"
    path.write_bytes(raw)
    return path


def main() -> int:
    """Run as many checks as asked for, and print who accepted how many."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    total: Verdicts = Counter()
    failed = done = 0
    started = time.monotonic()
    with multiprocessing.Pool(options.jobs) as pool:
        for verdicts, failures in pool.imap_unordered(batch, batches(options.seed, options.count)):
            total += verdicts
            done = min(done + BATCH, options.count)
            for kind, raw, difference in failures:
                failed += 1
                path = keep(kind, raw)
                if failed <= SHOWN:
                    print(f"{path.name}: {raw!r}\n{difference}\n")
            print(f"{done} of {options.count}, {failed} differ, {time.monotonic() - started:.0f} s", file=sys.stderr)
    for verdict, times in sorted(total.items()):
        print(f"{verdict:32} {times:>9}")
    print(f"{options.count} read, {failed} differ (seed {options.seed})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
