"""One app as the data plane knows it: its addresses, whose turn it is, and whole answers.

Owns which address a request goes to, and how many connections there may be in all. Must not know clients.
"""

import asyncio
from collections.abc import Callable
from itertools import chain

from gateway.errors import AppUnavailable
from gateway.http.answer import Answer
from gateway.proxy.addresses import Destination, Unreachable
from gateway.proxy.limits import Limits
from gateway.proxy.pool import ANY, AddressPool, Reuse
from gateway.proxy.tasks import Tasks
from gateway.proxy.upstream_connection import Receiver, UpstreamConnection
from gateway.proxy.whole_answer import WholeAnswer

BUSY_RETRY_SECONDS = 1  # connections come free in far less; browsers and scripts count in seconds


UNFORESEEN = Unreachable("connect", "the attempt to connect failed: see what is logged of a background task")


class Upstream:
    """Is one app as the data plane knows it: its addresses and its connections.

    `on_error` is called with the kind of each failed request: connect, tls, exhausted, timeout, protocol, lost or busy;
    `on_rest` with an address that is left alone for a while, as text, and the sentence why. `clock` counts
    seconds and never goes back.
    """

    __slots__ = ("_connecting", "_on_rest", "_tasks", "_turn", "clock", "limits", "on_error", "pools")

    def __init__(self, *addresses: Destination, limits: Limits, tasks: Tasks, clock: Callable[[], float],
                 on_error: Callable[[str], None], on_rest: Callable[[str, str], None] | None = None) -> None:
        self.limits = limits
        self.clock = clock
        self.on_error = on_error
        self._on_rest = on_rest or _nobody_asks
        self._tasks = tasks
        self.pools = tuple(AddressPool(address, self) for address in addresses)
        self._turn = 0
        self._connecting = 0

    @property
    def resting(self) -> int:
        """Return how many addresses are left alone for now."""
        now = self.clock()
        return sum(pool.rest.is_on(now) for pool in self.pools)

    def attach(self, receiver: Receiver, request: bytes, *, method: bytes, reuse: Reuse,
               is_last: bool = True) -> None:
        """Send `request` on a connection and tell `receiver` all that follows.

        `is_last` is False while more of the body is to come: the receiver then sets `is_request_sent` on
        the connection together with the last piece.
        """
        pool = self.pools[0] if len(self.pools) == 1 else self._next()
        connection = pool.take(reuse)
        if connection is None:
            connection = UpstreamConnection(pool)
            self._tasks.start(self._connect(connection, pool))
        connection.is_request_sent = is_last
        connection.begin(receiver, request, method=method, is_repeatable=reuse is ANY)

    async def fetch(self, request: bytes, *, method: bytes, safe: bool = False) -> Answer:
        """Send a whole request and return the whole answer, without transfer coding.

        Raises AppUnavailable: 502 (refused, malformed, larger than `limits.answer_held`, or closed before
        there was an answer), 503 (too many connections), 504 (late). An answer that is cut within its body
        is returned as not whole. Unless `safe`, the request goes out exactly once, on a fresh connection:
        nobody may log in, or change a password, twice.
        """
        fetched = WholeAnswer(asyncio.get_running_loop().create_future(), limit=self.limits.answer_held)
        self.attach(fetched, request, method=method, reuse=Reuse.ANY if safe else Reuse.NEVER)
        try:
            async with asyncio.timeout(self.limits.answer_whole_seconds):
                return await fetched.result
        except TimeoutError:
            self.on_error("timeout")
            return fetched.cut(AppUnavailable("The app did not answer in time.", status=504))
        finally:
            fetched.abandon()

    def retry(self, receiver: Receiver, request: bytes, *, method: bytes) -> None:
        """Send a whole request again, on a fresh connection."""
        self.attach(receiver, request, method=method, reuse=Reuse.NEVER)

    def sweep(self, now: float) -> None:
        """Look after the times of all connections; called about once a second."""
        for pool in self.pools:
            pool.sweep(now)

    async def close(self) -> None:
        """Close every connection, whatever it does, and wait until they are gone."""
        for pool in self.pools:
            pool.abandon()
        for pool in self.pools:
            await pool.gone()

    def _next(self) -> AddressPool:
        """Return the address whose turn it is: of those that do not rest, or the one that did for longest."""
        pools, now = self.pools, self.clock()
        for _ in pools:
            self._turn = turn = (self._turn + 1) % len(pools)
            if not pools[turn].rest.is_on(now):
                return pools[turn]
        return min(pools, key=lambda pool: pool.rest.since)

    def _candidates(self, first: AddressPool) -> list[AddressPool]:
        """Return every address in the order in which a connect tries them, those that rest last."""
        now = self.clock()
        start = self.pools.index(first)
        ring = self.pools[start:] + self.pools[:start]
        resting = sorted((pool for pool in ring if pool.rest.is_on(now)), key=lambda pool: pool.rest.since)
        return [*(pool for pool in ring if not pool.rest.is_on(now)), *resting]

    async def _connect(self, connection: UpstreamConnection, first: AddressPool) -> None:
        """Connect to the first address that takes it, or fail the request that waits for it."""
        if not self._has_room():
            connection.fail("busy", AppUnavailable("The app has as many connections as it may have.", status=503,
                                                   retry_after=BUSY_RETRY_SECONDS))
            return
        self._connecting += 1
        failure: Unreachable | None = UNFORESEEN
        try:
            failure = await self._reach(connection, self._candidates(first))
        finally:  # whatever that raised, nobody is left waiting
            self._connecting -= 1
            if failure is not None:
                connection.fail(failure.kind, _unavailable(failure))

    def _has_room(self) -> bool:
        """Say whether there may be one connection more, if need be in the place of an idle one."""
        if self._connecting + sum(map(len, self.pools)) < self.limits.upstream_connections:
            return True
        return any(pool.release_oldest() for pool in self.pools)

    async def _reach(self, connection: UpstreamConnection, pools: list[AddressPool]) -> Unreachable | None:
        """Try addresses until one takes the connection; return why the last did not.

        To go on is right for any request: nothing of it was sent. Each address may take half of the time that
        is left, the last one all of it.
        """
        end = self.clock() + self.limits.connect_seconds
        failure: Unreachable | None = None
        for pool, share in zip(pools, chain([0.5] * (len(pools) - 1), [1.0]), strict=True):
            connection.move(pool)
            seconds = (end - self.clock()) * share
            failure = await self._try(connection, pool, seconds)
            if failure is None or connection.is_connected:  # lost within the same moment: it was told so
                return None
        return failure

    async def _try(self, connection: UpstreamConnection, pool: AddressPool, seconds: float) -> Unreachable | None:
        """Connect to one address, and let it rest if it does not take the connection."""
        pool.rest.try_again(self.clock(), seconds)
        try:
            async with asyncio.timeout(seconds):
                await pool.address.connect(connection)
        except TimeoutError:
            failure = Unreachable("connect", "it accepts no connection in time: see that its machine runs, and that "
                                             "no firewall is between", is_late=True)
        except Unreachable as error:
            failure = error
        else:
            pool.rest.end()
            return None
        if not failure.is_own and pool.rest.begin(self.clock()):
            self._on_rest(str(pool.address), failure.reason)
        return failure


def _unavailable(failure: Unreachable) -> AppUnavailable:
    """Return what to tell the client whose request reached nobody."""
    if failure.is_own:
        return AppUnavailable("The gateway can make no more connections.", status=503, retry_after=BUSY_RETRY_SECONDS)
    return AppUnavailable("The app accepts no connection.", status=504 if failure.is_late else 502)


def _nobody_asks(_address: str, _reason: str) -> None:
    """Tell nobody."""
