"""What clients and apps of a fuzzed program say: requests and answers of every framing, each with its mark.

A mark (`c0r3`: client 0, request 3) stands in the request's target and fills its body; an answer to it says the
mark in a field and in its body. So whatever arrives anywhere tells whose it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

WAYS = ("pass", "pass", "pass", "pass", "ask", "askreply", "intercept", "reply", "refuse")
MUTATIONS = 40  # one in so many clients ends with a request that is not what it was


class Choices:
    """Makes the decisions of one program, and writes them down; or makes the written ones again, then only 0."""

    def __init__(self, source: Random | Sequence[int]) -> None:
        self._random = source if isinstance(source, Random) else None
        self._given = [] if isinstance(source, Random) else list(source)
        self.made: list[int] = []

    @property
    def is_over(self) -> bool:
        """Whether the written decisions are used up."""
        return self._random is None and len(self.made) >= len(self._given)

    def pick(self, count: int) -> int:
        """Return a number below `count`."""
        if self._random is not None:
            choice = self._random.randrange(count)
        else:
            choice = self._given[len(self.made)] % count if len(self.made) < len(self._given) else 0
        self.made.append(choice)
        return choice

    def one(self, options: Sequence[str]) -> str:
        return options[self.pick(len(options))]


EXCESS = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Mark: nobody\r\n\r\n"


@dataclass
class Asked:
    """Is one request as its client wrote it; positions are those in what the client says in all."""

    mark: bytes
    method: bytes
    start: int
    head_end: int
    end: int
    body: bytes
    is_opening: bool = False


@dataclass
class Script:
    """Is everything that one client says, if it is let: `is_plain` unless its end was mutated."""

    data: bytes = b""
    asked: list[Asked] = field(default_factory=list)
    tunnel: bytes = b""
    is_plain: bool = True


def client_script(choices: Choices, client: int) -> Script:
    """Write what a client says."""
    script = Script()
    count = 1 + choices.pick(6)
    script.is_plain = choices.pick(MUTATIONS) != 1
    for number in range(count):
        # What a mutation makes of a mark must not be another's.
        is_last = number == count - 1 and not script.is_plain
        _ask(script, choices, (b"xx%dr%d" if is_last else b"c%dr%d") % (client, number))
        if script.asked[-1].is_opening:
            script.tunnel = b"<c%dtunnel>" % client * choices.pick(300)
            script.data += script.tunnel
            script.is_plain = True
            return script
    if not script.is_plain:
        _mutate(script, choices)
    return script


def _ask(script: Script, choices: Choices, mark: bytes) -> None:
    kind = choices.one(("get", "get", "get", "head", "put", "chunked", "expect", "post", "opening", "old", "last"))
    way = choices.one(WAYS).encode()
    body = b"" if kind in ("get", "head", "opening", "old", "last") else b"<%b>" % mark * choices.pick(200)
    method = {"head": b"HEAD", "put": b"PUT", "chunked": b"PUT", "expect": b"POST", "post": b"POST"}.get(kind, b"GET")
    lines, wire = b"", body
    if kind == "chunked":
        lines, wire = b"Transfer-Encoding: chunked\r\n", chunked(body, choices)
    elif method in (b"PUT", b"POST"):
        lines = b"Content-Length: %d\r\n" % len(body)
    if kind == "expect":
        lines += b"Expect: 100-continue\r\n"
    if kind == "opening":
        lines += b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    if choices.pick(8) == 1:
        lines += b"X-Long: %b\r\n" % (b"x" * choices.pick(3000))
    if kind == "last":
        lines += b"Connection: close\r\n"
    version = b"1.0" if kind == "old" else b"1.1"
    head = b"%b /%b/%b HTTP/%b\r\nHost: shop\r\n%b\r\n" % (method, way, mark, version, lines)
    start = len(script.data)
    script.data += head + wire
    script.asked.append(Asked(mark, method, start, start + len(head), len(script.data), body, kind == "opening"))


def _mutate(script: Script, choices: Choices) -> None:
    """Change a byte or drop some of the last request."""
    start = script.asked[-2].end if len(script.asked) > 1 else 0
    script.asked.pop()
    last = bytearray(script.data[start:])
    at = choices.pick(len(last))
    if choices.pick(2):
        last[at] = choices.pick(256)
    else:
        del last[at:at + 1 + choices.pick(8)]
    script.data = script.data[:start] + bytes(last)


def chunked(body: bytes, choices: Choices) -> bytes:
    """Return a body in chunks, with or without extensions and trailers."""
    wire, position = b"", 0
    while position < len(body):
        size = 1 + choices.pick(min(1000, len(body) - position))
        extension = b";x=y" if choices.pick(8) == 1 else b""
        wire += b"%x%b\r\n%b\r\n" % (size, extension, body[position:position + size])
        position += size
    return wire + b"0\r\n" + (b"X-Sum: 1\r\n" if choices.pick(4) == 1 else b"") + b"\r\n"


@dataclass
class Said:
    """Is what an app says to one request: `body` as a client must get it, if it is let; then the app may close."""

    wire: bytes
    body: bytes = b""
    closes: bool = False
    tunnel: bytes | None = None


ANSWERS = ("sized", "sized", "sized", "sized", "chunked", "chunked", "until close", "empty", "none", "unmodified",
           "interim", "old", "last", "silent", "garbage", "excess", "short")


def app_answer(choices: Choices, mark: bytes, method: bytes, *, is_opening: bool) -> Said:
    """Write what an app says to a request."""
    if is_opening and choices.pick(4):
        tunnel = b"[%btunnel]" % mark * choices.pick(300)
        return Said(b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: websocket\r\nX-Mark: %b\r\n\r\n%b"
                    % (mark, tunnel), tunnel=tunnel)
    kind = choices.one(ANSWERS)
    body = b"[%b]" % mark * choices.pick(500)
    shown = b"" if method == b"HEAD" else body
    line = b"X-Mark: %b\r\n" % mark
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    ok = b"HTTP/1.1 200 OK\r\n" + line
    whole = ok + length + shown
    in_chunks = b"" if method == b"HEAD" else chunked(body, choices)
    return {
        "sized": Said(whole, shown),
        "chunked": Said(ok + b"Transfer-Encoding: chunked\r\n\r\n" + in_chunks, shown),
        "until close": Said(ok + b"\r\n" + shown, shown, closes=method != b"HEAD"),
        "empty": Said(ok + b"Content-Length: 0\r\n\r\n"),
        "none": Said(b"HTTP/1.1 204 No\r\n" + line + b"\r\n"),
        "unmodified": Said(b"HTTP/1.1 304 No\r\n" + line + length),
        "interim": Said(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" * choices.pick(4) + whole, shown),
        "old": Said(b"HTTP/1.0 200 OK\r\n" + line + b"\r\n" + shown, shown, closes=True),
        "last": Said(ok + b"Connection: close\r\n" + length + shown, shown, closes=True),
        "silent": Said(b"", closes=True),
        "garbage": Said(b"HTTP/9 what\x00\r\n\r\n"),
        "excess": Said(whole + EXCESS, shown),
        "short": Said(ok + b"Content-Length: %d\r\n\r\n" % (len(body) + 5) + shown, shown, closes=True),
    }[kind]
