"""The ends of a fuzzed program's connections: clients that ask, an app that answers.

They know the other side of the gateway's transports only; when anything happens is the program's to say.
"""

from typing import TYPE_CHECKING

from gateway.proxy.limits import Limits
from gateway.proxy.upstream_connection import UpstreamConnection
from tests.fuzz.messages import Message, read_requests
from tests.fuzz.scripts import EXCESS, Asked, Script, app_answer
from tests.fuzz.wires import Wire

if TYPE_CHECKING:
    from tests.fuzz.connections import Play

LARGEST = 5000  # bytes that arrive in one piece
LIMITS = Limits(write_buffer=2048, pipeline=1024)


class InOrder(dict[object, None]):
    """Is a set that is walked in the order of its making: a program must repeat itself."""

    def add(self, what: object) -> None:
        self[what] = None

    def discard(self, what: object) -> None:
        self.pop(what, None)


class ClientEnd:
    """Is a client: what it wants to say, and the gateway's connection to it."""

    def __init__(self, number: int, script: Script, play: "Play") -> None:
        self.number = number
        self.script = script
        self.sent = 0
        self.wire = Wire(play.later, f"192.0.2.{number}")
        self.connection = play.connections()
        self.wire.protocol = self.connection
        self.connection.connection_made(self.wire)

    def says(self, size: int) -> None:
        data = self.script.data[self.sent:self.sent + size]
        self.sent += len(data)
        self.wire.sends(data)

    @property
    def asked(self) -> list[Asked]:
        """Return the requests that were begun."""
        return [asked for asked in self.script.asked if asked.start < self.sent]

    @property
    def methods(self) -> list[bytes]:
        """Return their methods; where the head is not whole nobody can know it, and an answer has a body."""
        return [asked.method if asked.head_end <= self.sent else b"GET" for asked in self.asked]


class AppEnd:
    """Is an app's end of a connection: what it answers to what it gets."""

    def __init__(self, connection: UpstreamConnection, play: "Play") -> None:
        self.connection = connection
        self.play = play
        self.wire = Wire(play.later, "198.51.100.1")
        self.wire.protocol = connection
        self.outgoing = bytearray()
        self.answered = 0
        self.closes = False
        self.tunnel_from: int | None = None  # position in what was received

    def takes(self, size: int) -> None:
        self.wire.takes(size)
        requests, _ = read_requests(bytes(self.wire.received))
        for message in requests[self.answered:]:
            if not self.closes and (message.is_whole or self.play.choices.pick(30) == 1):
                self.answers(message)

    def answers(self, message: Message) -> None:
        self.answered += 1
        mark = message.target.rpartition(b"/")[2]
        said = app_answer(self.play.choices, mark, message.method, is_opening=b"upgrade" in message.fields)
        if b"expect" in message.fields and self.play.choices.pick(2):
            self.outgoing += b"HTTP/1.1 100 Continue\r\n\r\n"
        self.outgoing += said.wire
        self.closes = said.closes
        self.play.said.setdefault(mark, []).append(said)

    def replies(self, size: int) -> None:
        # What comes too much comes with the answer: later it would be the next one's, and nobody could tell.
        size += len(EXCESS) if self.outgoing.startswith(EXCESS, size) else 0
        data = bytes(self.outgoing[:size])
        del self.outgoing[:size]
        self.wire.sends(data)
