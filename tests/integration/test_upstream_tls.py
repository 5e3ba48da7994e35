"""TLS on the way to an app: who has to prove what, and what its end means."""

import os
import socket
from pathlib import Path

import pytest

from gateway.proxy.limits import Limits
from tests.helpers.apps import GET, POST, answered, apps, at, proves, served, status
from tests.helpers.certificates import Authority
from tests.helpers.proxy import HOST, App, beside, on_uvloop, world

MIB = 1024 * 1024


@on_uvloop
async def test_tls_carries_requests_both_ways(tmp_path: Path) -> None:
    """Small ones and bodies that fill every buffer, byte for byte."""
    authority = Authority(tmp_path)
    async with (apps(1, authority.issue("app.internal")) as (app,),
                world(addresses=[at(app, proves(authority, "app.internal"))]) as gateway):
        client = await gateway.client()
        side = await served(client, app)
        assert side.writer.get_extra_info("ssl_object").version() == "TLSv1.3"
        assert side.writer.get_extra_info("ssl_object").selected_alpn_protocol() is None
        body = bytes(range(256)) * (4 * MIB // 256)
        sending = beside(client.sends(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(body)
                                      + body))
        fresh = await app.accepts() if app.accepted > 1 else side
        await fresh.gets_head()
        assert await fresh.gets(len(body)) == body
        await sending
        replying = beside(fresh.replies(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body))
        _, echoed = await client.gets_answer()
        assert echoed == body
        await replying


@on_uvloop
async def test_the_address_itself_may_be_what_is_proved(tmp_path: Path) -> None:
    """A certificate for an IP address is verified by the address."""
    authority = Authority(tmp_path)
    async with (apps(1, authority.issue("127.0.0.1")) as (app,),
                world(addresses=[at(app, proves(authority, "127.0.0.1"))]) as gateway):
        await served(await gateway.client(), app)


@pytest.mark.parametrize("flaw", ["name", "address", "authority", "time", "plain"])
@on_uvloop
async def test_who_proves_nothing_gets_nothing(tmp_path: Path, flaw: str) -> None:
    """Another's certificate, a foreign authority's, one of yesterday, or none: 502, and not a byte of the request.

    The log says which name and which authority were wanted.
    """
    authority = Authority(tmp_path)
    certificate = {
        "name": authority.issue("other.internal"),
        "address": authority.issue("10.0.0.1", "www.app.internal"),
        "authority": Authority(tmp_path, "foreign").issue("app.internal"),
        "time": authority.expired("app.internal"),
        "plain": None,
    }[flaw]
    async with (apps(1, certificate) as (app,),
                world(addresses=[at(app, proves(authority, "app.internal"))]) as gateway):
        client = await gateway.client()
        if flaw == "plain":
            asking = beside(status(client))
            side = await app.accepts()
            assert b"HTTP" not in await side.gets(6)
            await side.replies(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            assert await asking == b"502"
        else:
            assert await status(client) == b"502"
            assert "for app.internal and signed by " + str(authority.file) in gateway.rests[0][1]
        assert gateway.watcher.errors == [("shop", "tls")]
        assert len(gateway.rests) == 1


@on_uvloop
async def test_an_address_that_proves_nothing_rests_like_one_that_refuses(tmp_path: Path) -> None:
    """The others go on serving."""
    authority = Authority(tmp_path)
    tls = proves(authority, "app.internal")
    valid, expired = authority.issue("app.internal"), authority.expired("app.internal")
    async with (apps(1, valid) as (right,), apps(1, expired) as (old,),
                world(addresses=[at(right, tls), at(old, tls)]) as gateway):
        client = await gateway.client()
        side = await served(client, right, POST)
        await client.sends(POST)
        await answered(client, side, POST)
        assert gateway.upstream.resting == 1


@on_uvloop
async def test_the_name_is_asked_for(tmp_path: Path) -> None:
    """By SNI, so that an app with several certificates shows the right one; and http/1.1 by ALPN."""
    authority = Authority(tmp_path)
    asked: list[str | None] = []
    context = authority.issue("app.internal").context()
    context.sni_callback = lambda _connection, name, _context: asked.append(name)
    context.set_alpn_protocols(["h2", "http/1.1"])
    app = App()
    app._tls = context
    await app.open()
    async with world(addresses=[at(app, proves(authority, "app.internal"))]) as gateway:
        side = await served(await gateway.client(), app)
        assert side.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
    assert asked == ["app.internal"]
    await app.close()


@on_uvloop
async def test_a_handshake_that_never_ends_is_late(tmp_path: Path) -> None:
    """It counts as connecting, and has its time."""
    async with apps(1) as (app,):
        tls = proves(Authority(tmp_path), "app.internal")
        async with world(addresses=[at(app, tls)], limits=Limits(connect_seconds=0.1)) as gateway:
            assert await status(await gateway.client()) == b"504"
            assert gateway.watcher.errors == [("shop", "connect")]


@on_uvloop
async def test_an_answer_until_close_ends_over_tls_too(tmp_path: Path) -> None:
    """By the closing of TLS."""
    authority = Authority(tmp_path)
    async with (apps(1, authority.issue("app.internal")) as (app,),
                world(addresses=[at(app, proves(authority, "app.internal"))]) as gateway):
        client = await gateway.client()
        await client.sends(GET)
        side = await app.accepts()
        await side.gets_head()
        await side.replies(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        side.leaves()
        assert (await client.gets_all()).endswith(b"all of it")
        assert gateway.watcher.errors == []


@on_uvloop
async def test_an_answer_until_close_that_is_cut_below_tls_is_cut(tmp_path: Path) -> None:
    """Anybody on the way can end a TCP connection; only the app can end what is inside (RFC 9112 9.8)."""
    authority = Authority(tmp_path)
    async with (apps(1, authority.issue("app.internal")) as (app,),
                world(addresses=[at(app, proves(authority, "app.internal"))]) as gateway):
        client = await gateway.client()
        await client.sends(GET)
        side = await app.accepts()
        await side.gets_head()
        await side.replies(b"HTTP/1.1 200 OK\r\n\r\na part")
        await client.gets(len(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\na part"))
        with socket.socket(fileno=os.dup(side.writer.get_extra_info("socket").fileno())) as below:
            below.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionResetError):
            await client.gets_all()
        assert gateway.watcher.errors == [("shop", "lost")]
