"""The register of client connections and its timer."""

import asyncio
from collections.abc import Callable

import pytest

from tests.helpers.desk import Desk

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5.0):
        while not condition():
            await asyncio.sleep(0.001)


def test_connections_are_counted_while_they_are_open() -> None:
    """Each is known from its first moment to its last."""
    desk = Desk()
    one, _ = desk.client(), desk.client()
    assert len(desk.connections) == 2
    one.connection.connection_lost(None)
    assert len(desk.connections) == 1


def test_the_sweep_reaches_clients_and_apps() -> None:
    """One timer looks after both."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    desk.passes(100.0)
    assert client.transport.is_closed
    assert app.transport.is_closed


async def test_draining_without_connections_is_done() -> None:
    """There is nothing to wait for."""
    desk = Desk()
    desk.connections.start()
    await desk.connections.drain(10.0)
    assert desk.connections.is_draining


async def test_draining_closes_the_idle_and_waits_for_the_busy() -> None:
    """The busy one's answer says that it is the last, and a head that is still coming gets its answer too."""
    desk = Desk()
    app, other = desk.app(), desk.app()
    idle, busy, coming = desk.client(), desk.client(), desk.client()
    busy.sends(GET)
    coming.sends(GET[:5])
    draining = asyncio.get_running_loop().create_task(desk.connections.drain(10.0))
    await until(lambda: idle.transport.is_closed)
    assert not busy.transport.is_closing()
    coming.sends(GET[5:])
    for one in (app, other):
        one.replies(OK)
    for client in (busy, coming):
        assert b"Connection: close\r\n" in client.gets()
        assert client.transport.is_ended
    assert not draining.done()
    for client in (idle, busy, coming):
        client.connection.connection_lost(None)
    await draining


async def test_an_idle_connection_is_answered_once_more() -> None:
    """A request that was under way when the drain began gets its answer, which says that it is the last."""
    desk = Desk()
    app, used, unused = desk.app(), desk.client(), desk.client()
    draining = asyncio.get_running_loop().create_task(desk.connections.drain(10.0, quiet=0.1))
    await until(lambda: desk.connections.is_draining)
    used.sends(GET)
    app.replies(OK)
    assert b"Connection: close\r\n" in used.gets()
    assert used.transport.is_ended
    assert not unused.transport.is_closed
    await until(lambda: unused.transport.is_closed)
    for client in (used, unused):
        client.connection.connection_lost(None)
    await draining


async def test_winding_down_closes_nothing_by_itself() -> None:
    """Answers say that they are the last, and whoever is idle stays."""
    desk = Desk()
    app, used, unused = desk.app(), desk.client(), desk.client()
    desk.connections.wind_down()
    used.sends(GET)
    app.replies(OK)
    assert b"Connection: close\r\n" in used.gets()
    assert not unused.transport.is_closed


async def test_an_answer_that_was_begun_before_is_finished() -> None:
    """It could not say so, and the connection closes all the same."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    client.sends(GET)
    app.replies(OK[:-1])
    draining = asyncio.get_running_loop().create_task(desk.connections.drain(10.0))
    await asyncio.sleep(0)
    app.replies(OK[-1:])
    assert client.gets() == OK
    assert client.transport.is_ended
    client.connection.connection_lost(None)
    await draining


@pytest.mark.parametrize("sent", [GET, GET[:5]])
async def test_at_the_deadline_all_are_aborted(sent: bytes) -> None:
    """The stop has an end."""
    desk = Desk()
    desk.app()
    client = desk.client()
    client.sends(sent)
    draining = asyncio.get_running_loop().create_task(desk.connections.drain(0.0))
    async with asyncio.timeout(5.0):
        while not (client.transport.is_aborted or client.transport.is_closed):
            await asyncio.sleep(0)
    client.connection.connection_lost(None)
    await draining
    assert len(desk.connections) == 0


async def test_at_the_deadline_who_waits_is_told_to_come_again() -> None:
    """A request without an answer gets 503, and its turn is counted as that, not as a client's leaving."""
    desk = Desk()
    app, client = desk.app(), desk.client()
    client.sends(GET)
    client.connection.abort()
    answer = client.gets()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 1\r\n" in answer
    assert b"\r\nConnection: close\r\n" in answer
    assert client.transport.is_closed
    assert app.transport.is_aborted
    assert desk.watcher.statuses == [503]
