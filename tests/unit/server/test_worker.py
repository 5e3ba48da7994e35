"""What a worker hears from its supervisor, and when it ends."""

import asyncio
from collections.abc import Coroutine

import pytest

from gateway.errors import RequestRefused
from gateway.server import worker
from gateway.server.listeners import Leave
from gateway.server.worker import Departure, Uplink
from gateway.telemetry.tally import to_plain
from tests.helpers.channels import Line

REQUESTS = ("requests_total", ())
BY_DEFAULT = 7.0


def listening(line: Line) -> tuple[Uplink, list[Leave], Coroutine[object, object, None]]:
    """Return a worker's end, the orders that come there, and the work of taking them in."""
    orders: list[Leave] = []
    uplink = Uplink(line.channel, BY_DEFAULT)
    return uplink, orders, uplink.listen(orders.append)


async def test_a_scrape_shows_what_the_supervisor_holds() -> None:
    """The worker's own counts go up with the question, and come back within the sums."""
    line = Line()
    uplink, _, work = listening(line)
    task = asyncio.get_running_loop().create_task(work)
    question = asyncio.get_running_loop().create_task(uplink.share({REQUESTS: 1}))
    await asyncio.sleep(0)
    assert line.sent() == [{"tally": [["requests_total", [], 1]], "asks": True}]
    line.hear({"sums": to_plain({REQUESTS: 5})})
    assert await question == {REQUESTS: 5}
    line.end()
    await task


async def test_without_an_answer_no_number_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last known sums are shown; while there are none, the answer is 503."""
    monkeypatch.setattr(worker, "SUMS_SECONDS", 0.01)
    line = Line()
    uplink, _, work = listening(line)
    with pytest.raises(RequestRefused) as refused:
        await uplink.share({REQUESTS: 1})
    assert refused.value.status == 503
    line.hear({"sums": to_plain({REQUESTS: 5})})
    line.end()
    await work
    assert await uplink.share({REQUESTS: 2}) == {REQUESTS: 5}


async def test_orders_come_down_and_a_lost_supervisor_is_one() -> None:
    """What it ordered holds; when it is gone, the settings say how long clients get."""
    line = Line()
    _, orders, work = listening(line)
    line.hear({"leave": {"delay": 1.0, "grace": 2.0, "quiet": 3.0, "is_stopping": False}})
    line.end()
    await work
    assert orders == [Leave(delay=1.0, grace=2.0, quiet=3.0, is_stopping=False), Leave(grace=BY_DEFAULT)]


async def test_each_order_takes_the_place_of_the_one_before() -> None:
    """The worker ends when the last of them is carried out."""
    begun: list[float] = []
    release = asyncio.Event()

    async def leave(order: Leave) -> None:
        begun.append(order.grace)
        if order.grace == 1:
            await asyncio.Event().wait()
        await release.wait()

    departure = Departure(leave)
    departure.order(Leave(grace=1))
    await asyncio.sleep(0)
    departure.order(Leave(grace=2))
    release.set()
    await departure.wait()
    assert begun == [1, 2]
    await departure.close()


async def broken() -> None:
    raise ValueError("broken")


async def test_a_work_that_fails_ends_the_worker() -> None:
    """So does an order that cannot be carried out: whoever cannot leave must not stay."""
    for begin in (lambda departure: departure.accompany(broken()), lambda departure: departure.order(Leave(grace=1))):
        departure = Departure(lambda _order: broken())
        begin(departure)
        with pytest.raises(ValueError, match=r"^broken$"):
            await departure.wait()
        await departure.close()


async def test_a_work_that_is_done_ends_nothing() -> None:
    """Only the order to leave does, and whatever still runs then is ended."""
    async def forever() -> None:
        await asyncio.Event().wait()

    async def at_once() -> None:
        return

    departure = Departure(lambda _order: at_once())
    departure.accompany(at_once())
    departure.accompany(forever())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await departure.wait()
    departure.order(Leave(grace=1))
    await departure.wait()
    await departure.close()
