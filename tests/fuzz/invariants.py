"""What holds after every event of a fuzzed program, whatever happened.

A look from outside where that can tell: what arrived at an app and at a client. From inside only at what must be
empty, clean or bounded.
"""

from collections import Counter
from typing import TYPE_CHECKING

from gateway.proxy.answering import CLOSED, IDLE
from tests.fuzz.ends import LARGEST, LIMITS, AppEnd, ClientEnd
from tests.fuzz.messages import Message, read_answers, read_requests
from tests.fuzz.scripts import Asked

if TYPE_CHECKING:
    from tests.fuzz.connections import Play

LONGEST = LARGEST + 4000  # one piece that arrives, and what the gateway adds to a head
MALFORMED = (400, 405, 414, 417, 421, 431, 505)  # what no plain script deserves


class Broken(AssertionError):
    """Says which invariant does not hold."""


def must(holds: object, otherwise: str) -> None:
    """Raise Broken unless something holds."""
    if not holds:
        raise Broken(otherwise)


def check(play: "Play") -> None:
    """Raise Broken unless everything is in order."""
    must(not play.troubles, f"an exception: {play.troubles!r}")
    arrived: Counter[bytes] = Counter()
    for app in play.apps:
        _check_app(play, app, arrived)
    for client in play.clients:
        _check_client(play, client)
        _check_state(client)
    asked = {one.mark: one for client in play.clients for one in client.script.asked}
    for mark, count in arrived.items():
        one = asked.get(mark)
        is_repeatable = one is not None and one.method in (b"GET", b"HEAD") and not one.is_opening
        must(count <= 1 + is_repeatable, f"{mark!r} was sent {count} times")
    for pool in play.upstream.pools:
        for kept in pool._idle:
            must(kept._receiver is None and not kept._buffer and kept._framing is None, "a pooled one is busy")
            must(not kept._is_answering and not kept._is_read_paused, "a pooled one is not clean")
            must(not kept._is_held, "a pooled one remembers its last exchange")


def _check_app(play: "Play", app: AppEnd, arrived: "Counter[bytes]") -> None:
    requests, rest = read_requests(bytes(app.wire.received))
    for message in requests:
        mark = message.target.rpartition(b"/")[2]
        one = next((one for client in play.clients for one in client.script.asked if one.mark == mark), None)
        if one is None:
            must(not all(client.script.is_plain for client in play.clients), f"{mark!r} was never asked")
            continue
        arrived[mark] += 1
        must(one.body.startswith(message.body), f"{mark!r} arrived with another body")
        must(not message.is_whole or message.body == one.body, f"{mark!r} arrived with a part of its body")
    if rest:
        mark = requests[-1].target.rpartition(b"/")[2]
        granted = any(said.tunnel is not None for said in play.said.get(mark, []))
        must(granted, "bytes after an opening before its grant")
        tunnels = [client.script.tunnel for client in play.clients if client.script.asked[-1:] and
                   client.script.asked[-1].mark == mark]
        must(any(tunnel.startswith(rest) for tunnel in tunnels), "a tunnel carried something else to the app")
    must(app.wire.unsent <= LIMITS.write_buffer + LONGEST, "too much waits for an app")


def _check_client(play: "Play", client: ClientEnd) -> None:
    got = bytes(client.wire.received)
    for other in play.clients:
        if other is not client:
            must(b"c%dr" % other.number not in got and b"c%dt" % other.number not in got, "another's bytes")
    must(b"nobody" not in got or not client.script.is_plain, "unsolicited bytes")
    asked = client.asked
    answers, rest = read_answers(got, client.methods, more=not client.script.is_plain)
    for one, answer in zip(asked, answers, strict=False):
        _check_answer(play, client, one, answer)
    if rest:
        tunnels = [said.tunnel for said in play.said.get(asked[len(answers) - 1].mark, ()) if said.tunnel]
        must(any(tunnel.startswith(rest) for tunnel in tunnels), "a tunnel carried something else to the client")
    must(client.wire.unsent <= LIMITS.write_buffer + LONGEST, "too much waits for a client")


def _check_answer(play: "Play", client: ClientEnd, one: Asked, answer: Message) -> None:
    mark = answer.value(b"x-mark")
    if not mark:
        must(answer.status >= 400, f"an answer of nobody's to {one.mark!r}: {answer.start!r}")
        was_cut = client.wire.has_ended and one.end > client.sent and answer.status == 400
        misread = client.script.is_plain and answer.status in MALFORMED and not was_cut
        must(not misread, f"something else was read for {one.mark!r}: {answer.start!r}")
        return
    must(mark == one.mark, f"the answer to {mark!r} was given to {one.mark!r}")
    if one.method == b"HEAD" or answer.status in (101, 204, 304) or b"own" in answer.fields:
        return
    bodies = [said.body for said in play.said[mark]]
    must(any(body.startswith(answer.body) for body in bodies), f"{mark!r} was answered with another body")
    if answer.is_whole:
        must(answer.body in bodies, f"{mark!r} was answered with a part")
    elif answer.is_until_close and client.wire.saw_end and not client.wire.saw_reset:
        must(answer.body in bodies, f"the cut of {mark!r} cannot be seen")


def _check_state(client: ClientEnd) -> None:
    connection, wire = client.connection, client.wire
    must(len(connection._buffer) <= LIMITS.pipeline + LONGEST, "too much is kept for later")
    if connection._state is CLOSED:
        passage = connection._passage
        must(not connection._buffer and connection._turn is None and connection._collecting is None,
             "a closed connection holds something")
        must(passage is None or passage._connection is None, "a closed connection holds an app's")
    elif not wire.is_closing() and not wire.has_ended:
        must(connection._pace.is_paused is not wire.is_reading, "reading is not as it was said")
    if connection._state is IDLE:
        must(connection._turn is None, "an idle connection has a turn")


def check_rest(play: "Play") -> None:
    """Raise Broken if somebody waits for what will not come."""
    for client in play.clients:
        wire = client.wire
        if wire.is_closing() or wire.is_ended or wire.has_ended or not client.script.is_plain:
            continue
        must(client.sent == len(client.script.data), "a client is not read")
        answers, _ = read_answers(bytes(wire.received), client.methods)
        must(len(answers) == len(client.script.asked), f"client {client.number} waits for an answer")
        must(client.connection._state in (IDLE, CLOSED), f"{client.connection._state} is no rest")
        must(wire.is_reading or client.connection._state is CLOSED, "a client is not read any more")
