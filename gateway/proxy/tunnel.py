"""A tunnel: what a client connection and an app connection become once the app has granted a WebSocket.

Owns both transports from the 101 on, until both are closed. Bytes go across as they come: frames are the
business of the two ends. Must not know HTTP.
"""

import asyncio

from gateway.proxy.steps import Standing
from gateway.proxy.surroundings import Register, Surroundings
from gateway.proxy.turn import Turn
from gateway.proxy.upstream_connection import UpstreamConnection


class End(asyncio.Protocol):
    """Is one end of a tunnel: what comes here goes out at the far end, as fast as that takes it."""

    __slots__ = ("_transport", "_tunnel", "far", "is_ended", "is_lost", "received")

    far: "End"

    def __init__(self, tunnel: "Tunnel", transport: asyncio.Transport) -> None:
        self._tunnel = tunnel
        self._transport = transport
        self.is_ended = False
        self.is_lost = False
        self.received = 0

    @property
    def unsent(self) -> int:
        """Return how many bytes wait to be taken at this end."""
        return self._transport.get_write_buffer_size()

    def begin(self) -> None:
        """Be told of what happens at this end from now on."""
        self._transport.set_protocol(self)

    def send(self, data: bytes) -> None:
        """Send to this end."""
        self._transport.write(data)

    def hold(self, *, is_held: bool) -> None:
        """Read nothing from this end for now, or read on; after its end there is nothing to read."""
        if self.is_ended or self._transport.is_closing():
            return
        if is_held:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def end(self) -> None:
        """Say at this end that nothing more will be sent; TLS can only say it by closing."""
        if not self._transport.can_write_eof():
            self._transport.close()
        elif not self._transport.is_closing():
            self._transport.write_eof()

    def close(self) -> None:
        """Close this end, once what waits has been taken."""
        self._transport.close()

    def abort(self) -> None:
        """Close this end, whatever waits."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Send on."""
        self.received += len(data)
        self.far.send(data)

    def eof_received(self) -> bool:
        """Pass the end on; the other direction stays open."""
        self.is_ended = True
        self.far.end()
        if self.far.is_ended:
            self.far.close()
            self.close()
        return self._transport.can_write_eof()

    def pause_writing(self) -> None:
        """Stop the far end: this one is slower."""
        self.far.hold(is_held=True)

    def resume_writing(self) -> None:
        """Let the far end go on."""
        self.far.hold(is_held=False)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # however it was lost
        """Close the far end, once it has taken what waits there."""
        self.is_lost = True
        self.far.close()
        self._tunnel.settle()


class Tunnel:
    """Carries bytes both ways between a client and an app; an `OpenConnection` of its register.

    It ends when either end closes, when nothing moves for too long, when the session on which it rides ends,
    or with the grace of a stop. The turn that opened it is accounted then.
    """

    __slots__ = ("_app", "_around", "_client", "_early", "_is_asking", "_moved", "_origin", "_progress", "_register",
                 "_standing", "_turn")

    def __init__(self, client: asyncio.Transport, app: UpstreamConnection, *, turn: Turn, standing: Standing | None,
                 around: Surroundings, register: Register) -> None:
        transport, self._early = app.detach()
        self._origin = app
        self._client = End(self, client)
        self._app = End(self, transport)
        self._client.far, self._app.far = self._app, self._client
        self._turn = turn
        self._standing = standing
        self._around = around
        self._register = register
        self._is_asking = False
        self._moved = around.clock()
        self._progress = (0, 0, 0, 0)

    def open(self, answer: bytes, held: bytes, *, is_client_full: bool, is_app_full: bool,
             has_client_ended: bool) -> None:
        """Send the app's grant and what came after it, and what was held back of the client's.

        `is_client_full` and `is_app_full` say whose transport waits to be emptied, which only it will tell of.
        """
        self._register.opened(self)
        self._client.begin()
        self._app.begin()
        self._client.is_ended = has_client_ended
        if is_client_full:
            self._app.hold(is_held=True)
        if is_app_full:
            self._client.hold(is_held=True)
        early, self._early = self._early, b""
        self._turn.sent += len(answer) + len(early)
        self._client.send(answer + early)
        if held:
            self._app.send(held)
        if has_client_ended:
            self._app.end()

    def sweep(self, now: float) -> None:
        """End what does not move any more, and what rides on a session that has ended."""
        progress = (self._client.received, self._app.received, self._client.unsent, self._app.unsent)
        if progress != self._progress:
            self._progress = progress
            self._moved = now
        elif now - self._moved > self._patience:
            self.abort()
            return
        standing = self._standing
        stands = standing is None or standing.holds()
        if stands is False:
            self.abort()
        elif stands is None and standing is not None and not self._is_asking:
            self._is_asking = True
            self._around.tasks.start(self._ask(standing))

    @property
    def _patience(self) -> float:
        """How many seconds may pass without a byte: fewer when one end is gone and the rest is not taken."""
        limits = self._around.limits
        is_half = self._client.is_lost or self._app.is_lost
        return limits.send_stall_seconds if is_half else limits.tunnel_idle_seconds

    async def _ask(self, standing: Standing) -> None:
        try:
            stands = await standing.ask()
        finally:
            self._is_asking = False
        if not stands:
            self.abort()

    def drain(self) -> None:
        """Go on: only the ends know when their conversation is over; the grace bounds it."""

    def abort(self) -> None:
        """Close both ends at once."""
        self._client.abort()
        self._app.abort()

    def settle(self) -> None:
        """Be done once both ends are gone."""
        if self._client.is_lost and self._app.is_lost:
            self._turn.sent += self._app.received
            self._turn.account(self._around.traffic, self._around.clock())
            self._origin.connection_lost(None)
            self._register.closed(self)
