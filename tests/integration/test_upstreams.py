"""Ways to an app on real sockets: several addresses, unix sockets, TLS, and how many connections there are."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.http.rewriting import Rewrite
from gateway.model import Secret
from gateway.proxy.addresses import Address, SocketFile, Unreachable
from gateway.proxy.limits import Limits
from tests.helpers.apps import GET, OK, POST, answered, apps, at, proves, served, status
from tests.helpers.browser import Browser
from tests.helpers.certificates import Authority, ServerCertificate
from tests.helpers.gateways import Configuration, configure, running_gateway
from tests.helpers.proxy import HOST, App, on_uvloop, world
from tests.helpers.shop import RULES, Shop


def unused_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# Several addresses.


@on_uvloop
async def test_addresses_take_turns_on_kept_connections() -> None:
    """Each app gets every second request, on one connection."""
    async with apps(2) as (one, two), world(addresses=[at(one), at(two)]) as gateway:
        client = await gateway.client()
        sides = [await served(client, two), await served(client, one)]
        for _ in range(3):
            for side in sides:
                await client.sends(GET)
                await answered(client, side)
        assert (one.accepted, two.accepted) == (1, 1)


@on_uvloop
async def test_any_request_moves_on_from_an_address_that_refuses() -> None:
    """A POST with its body, too: nothing of it was sent. The address rests, and the client sees nothing of it."""
    async with apps(1) as (up,):
        down = Address(host="127.0.0.1", port=unused_port())
        async with world(addresses=[at(up), down]) as gateway:
            client = await gateway.client()
            side = await served(client, up, POST)
            for _ in range(4):
                await client.sends(POST)
                await answered(client, side, POST)
            assert gateway.upstream.resting == 1
            [(address, reason)] = gateway.rests
            assert address == f"http://127.0.0.1:{down.port}"
            assert "(Connection refused)" in reason
            assert gateway.watcher.errors == []


@on_uvloop
async def test_a_streamed_body_waits_while_addresses_are_tried() -> None:
    """What came of it goes to the address that accepts, in order, and the rest follows."""
    async with apps(1) as (up,):
        down = Address(host="127.0.0.1", port=unused_port())
        async with world(addresses=[at(up), down]) as gateway:
            client = await gateway.client()
            await client.sends(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 6\r\n\r\none")
            side = await up.accepts()
            await side.gets_head()
            assert await side.gets(3) == b"one"
            await client.sends(b"two")
            assert await side.gets(3) == b"two"
            await side.replies(OK)
            assert await client.gets(len(OK)) == OK


@on_uvloop
async def test_an_address_returns_after_its_rest() -> None:
    """Once it listens again it has its turns back."""
    async with apps(2) as (one, two):
        port = two.port
        await two.close()
        async with world(addresses=[at(one), at(two)]) as gateway:
            client = await gateway.client()
            first = await served(client, one)
            await two.open(port)
            await client.sends(GET)
            await answered(client, first)
            assert two.accepted == 0
            gateway.now += 1.0
            second = await served(client, two)
            await client.sends(GET)
            await answered(client, first)
            await client.sends(GET)
            await answered(client, second)
            assert gateway.upstream.resting == 0


@on_uvloop
async def test_an_address_that_never_answers_is_passed_over() -> None:
    """A full backlog is as silent as a machine that is off; the next address is asked within the same limit."""
    async with apps(1) as (up,):
        with Silence() as port:
            deaf = Address(host="127.0.0.1", port=port)
            async with world(addresses=[at(up), deaf], limits=Limits(connect_seconds=0.6)) as gateway:
                client = await gateway.client()
                await served(client, up)
                assert [address for address, _ in gateway.rests] == [f"http://127.0.0.1:{port}"]
            async with world(addresses=[deaf], limits=Limits(connect_seconds=0.1)) as gateway:
                client = await gateway.client()
                assert await status(client) == b"504"
                assert gateway.watcher.errors == [("shop", "connect")]


class Silence:
    """Is a listener whose backlog is full, so that a connect hears nothing."""

    def __enter__(self) -> int:
        self._sockets = [socket.socket()]
        self._sockets[0].bind(("127.0.0.1", 0))
        self._sockets[0].listen(0)
        address = self._sockets[0].getsockname()
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            self._sockets.append(filler)
        return int(address[1])

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            each.close()


@on_uvloop
async def test_a_name_that_does_not_exist_is_told_as_such() -> None:
    """The operator reads that it is the name."""
    async with world(addresses=[Address(host="no-such-app.invalid", port=80)]) as gateway:
        client = await gateway.client()
        assert await status(client) == b"502"
        assert "(there is no such name)" in gateway.rests[0][1]


@on_uvloop
async def test_a_stale_connection_is_retried_at_whichever_address() -> None:
    """The app closed while the request was on its way: a safe one goes out once more, and once only."""
    async with apps(2) as (one, two), world(addresses=[at(one), at(two)]) as gateway:
        client = await gateway.client()
        side = await served(client, two)
        await served(client, one)
        await client.sends(GET)
        await side.gets_head()
        side.leaves()
        again = await one.accepts()
        await answered(client, again)
        assert gateway.watcher.errors == []


# Unix sockets.


@on_uvloop
async def test_a_unix_socket_carries_requests(tmp_path: Path) -> None:
    """Like any other address, also beside others."""
    app = App()
    await app.open_socket(tmp_path / "app.sock")
    async with world(addresses=[SocketFile(path=str(tmp_path / "app.sock"))]) as gateway:
        client = await gateway.client()
        side = await served(client, app, POST)
        await client.sends(GET)
        await answered(client, side)
    await app.close()


@on_uvloop
async def test_a_missing_socket_is_named(tmp_path: Path) -> None:
    """The log says which."""
    path = str(tmp_path / "none.sock")
    async with world(addresses=[SocketFile(path=path)]) as gateway:
        client = await gateway.client()
        assert await status(client) == b"502"
        [(address, reason)] = gateway.rests
        assert address == f"unix:{path}"
        assert "(No such file or directory)" in reason


# How many connections.


@on_uvloop
async def test_a_full_app_sends_clients_away_for_a_second() -> None:
    """503 with Retry-After 1, told as busy; as soon as a connection is free the next request has it."""
    async with world(limits=Limits(upstream_connections=2)) as gateway:
        clients = [await gateway.client() for _ in range(3)]
        sides = []
        for client in clients[:2]:
            await client.sends(GET)
            sides.append(await gateway.app.accepts())
        await clients[2].sends(GET)
        head, _ = await clients[2].gets_answer()
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 1\r\n" in head
        assert gateway.watcher.errors == [("shop", "busy")]
        await answered(clients[0], sides[0])
        await clients[2].sends(GET)
        await answered(clients[2], sides[0])
        assert gateway.app.accepted == 2


@on_uvloop
async def test_a_request_that_needs_a_fresh_connection_takes_an_idle_ones_place() -> None:
    """An upload long after the last request must not wait for the idle connections to expire."""
    async with world(limits=Limits(upstream_connections=1)) as gateway:
        client = await gateway.client()
        old = await served(client, gateway.app)
        gateway.now += 5.0
        await served(client, gateway.app, POST)
        assert await old.gets_all() == b""
        assert gateway.watcher.errors == []


@on_uvloop
async def test_idle_connections_expire() -> None:
    """After their time each is closed, at every address."""
    async with apps(2) as (one, two), world(addresses=[at(one), at(two)], limits=Limits(pool_seconds=9.0)) as gateway:
        client = await gateway.client()
        sides = [await served(client, two), await served(client, one)]
        gateway.passes(10.0)
        for side in sides:
            assert await side.gets_all() == b""


@on_uvloop
async def test_a_thousand_requests_at_once_keep_to_the_cap() -> None:
    """However many clients there are, the app sees no more connections than it may have."""
    limit = 8
    async with world(limits=Limits(upstream_connections=limit)) as gateway:
        clients = [await gateway.client() for _ in range(100)]
        for client in clients:
            await client.sends(GET)
        await gateway.until(lambda: len(gateway.watcher.notes) == len(clients) - limit)
        assert gateway.app.accepted == limit
        assert set(gateway.watcher.statuses) == {503}


# The app's own address.


@on_uvloop
async def test_the_apps_own_address_does_not_reach_the_client() -> None:
    """Location and a cookie's domain are put into the client's words; other addresses stay."""
    rewrite = Rewrite(locations=("http://legacy.internal:8000",), cookie_domains={"legacy.internal": "shop.test"})
    async with world(rewrite=rewrite) as gateway:
        client = await gateway.client()
        await client.sends(GET)
        side = await gateway.app.accepts()
        for given, told in [(b"http://legacy.internal:8000/a", b"http://shop.test/a"),
                            (b"https://elsewhere.test/a", b"https://elsewhere.test/a")]:
            await side.gets_head()
            await side.replies(b"HTTP/1.1 302 Found\r\nLocation: %b\r\nSet-Cookie: s=1; Domain=legacy.internal\r\n"
                               b"Content-Length: 0\r\n\r\n" % given)
            head = await client.gets_head()
            assert b"\r\nLocation: %b\r\nSet-Cookie: s=1; Domain=shop.test\r\n" % told in head
            await client.sends(GET)


# Whole gateways.


@asynccontextmanager
async def tls_front(certificate: ServerCertificate, port: int) -> AsyncIterator[int]:
    """Speak TLS before what listens on a port, as stunnel does."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError):
            await asyncio.gather(pass_on(reader, far_writer), pass_on(far_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=certificate.context())
    yield server.sockets[0].getsockname()[1]
    server.close()


def lead_to(configuration: Configuration, shop: Shop, lines: str) -> None:
    """Give the app another upstream."""
    text = configuration.file.read_text()
    line = f'upstream = "http://127.0.0.1:{shop.port}"'
    assert line in text
    configuration.file.write_text(text.replace(line, lines))


@pytest.mark.parametrize("kind", ["sql", "form"])
async def test_a_login_crosses_over_tls_beside_a_dead_address(database: Secret, tmp_path: Path, kind: str) -> None:
    """The hand-off, the clean room and what passes take the same way; metrics and log tell of the dead address."""
    authority = Authority(tmp_path)
    async with Shop(tmp_path) as shop, tls_front(authority.issue("shop.internal"), shop.port) as port:
        shop.set_password("alice", "a right Hare")
        configuration = configure(tmp_path, store=database, upstream=shop.port, app=RULES,
                                  legacy=shop.database if kind == "sql" else None)
        dead = f"http://127.0.0.1:{unused_port()}"
        lead_to(configuration, shop, f'''upstream = ["https://127.0.0.1:{port}", "{dead}"]
            upstream_ca = "authority.pem"
            upstream_name = "shop.internal"''')
        async with running_gateway(configuration) as gateway:
            browser = Browser(gateway.url)
            assert (await browser.submit("/login", user="alice", **{"pass": "a right Hare"})).status == 302
            assert "sluicegate-shop" in browser.cookies
            assert (await browser.get("/preferences")).status == 200
            assert 'sluicegate_upstream_resting{app="shop"} 1' in (await gateway.ask("/metrics")).text
            assert any(dead in line and "left alone" in line for line in gateway.log)


async def test_the_log_says_what_a_certificate_lacks(database: Secret, tmp_path: Path) -> None:
    """Name and authority in one sentence; the client gets a 502 and none of it."""
    authority = Authority(tmp_path)
    async with Shop(tmp_path) as shop, tls_front(authority.issue("other.internal"), shop.port) as port:
        configuration = configure(tmp_path, store=database, upstream=shop.port, app=RULES, legacy=shop.database)
        lead_to(configuration, shop, f'upstream = "https://127.0.0.1:{port}"\nupstream_ca = "authority.pem"\n'
                                     'upstream_name = "shop.internal"')
        async with running_gateway(configuration) as gateway:
            page = await Browser(gateway.url).get("/preferences")
            assert page.status == 502
            assert "internal" not in page.text
            [line] = [line for line in gateway.log if "left alone" in line]
            assert (f"its certificate must be for shop.internal and signed by {tmp_path}/authority.pem (Hostname "
                    "mismatch, certificate is not valid for 'shop.internal'): set the app's upstream_name or "
                    "upstream_ca, or renew the certificate") in line
            assert 'kind="tls"} 1' in (await gateway.ask("/metrics")).text


async def test_a_gateway_does_not_start_with_a_file_of_no_authority(database: Secret, tmp_path: Path) -> None:
    """The sentence names the setting and its line."""
    async with Shop(tmp_path) as shop:
        configuration = configure(tmp_path, store=database, upstream=shop.port, app=RULES, legacy=shop.database)
        lead_to(configuration, shop, 'upstream = "https://127.0.0.1"\nupstream_ca = "none.pem"')
        with pytest.raises(ConfigurationError, match=r"app\[0\]\.upstream_ca: must be a file that can be read"):
            async with running_gateway(configuration):
                pass


async def test_the_usual_loop_is_as_good(tmp_path: Path) -> None:
    """Nothing of this is uvloop's alone."""
    authority = Authority(tmp_path)
    async with apps(1, authority.issue("app.internal")) as (app,):
        down = Address(host="127.0.0.1", port=unused_port())
        async with world(addresses=[at(app, proves(authority, "app.internal")), down]) as gateway:
            await served(await gateway.client(), app, POST)


async def test_an_address_says_why_it_is_not_reached() -> None:
    """By an error of ours, whatever the system calls it."""
    with pytest.raises(Unreachable) as caught:
        await Address(host="127.0.0.1", port=unused_port()).connect(asyncio.Protocol())
    assert (caught.value.kind, caught.value.is_late) == ("connect", False)
