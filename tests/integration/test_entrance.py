"""What comes before HTTP on the public listener: TLS, and the PROXY protocol, over real sockets."""

import asyncio
import os
import re
import signal
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address
from pathlib import Path

import psutil
import pytest

from gateway.model import Secret
from gateway.proxy.preamble import SIGNATURE
from tests.helpers.certificates import Authority, ServerCertificate
from tests.helpers.echo_app import EchoApp, echo_app
from tests.helpers.gateways import Configuration, GatewayProcess, RunningGateway, configure, running_gateway, serving
from tests.helpers.steady_load import steady_load

PATIENCE = 10.0
GET = b"GET /page HTTP/1.1\r\nHost: shop.test\r\n%bConnection: close\r\n\r\n"
FORGED = b"X-Forwarded-For: 203.0.113.9\r\n"
LINE = b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n"
BINARY = (SIGNATURE + b"\x21\x21" + struct.pack("!H", 36) + ip_address("2001:db8::7").packed
          + ip_address("2001:db8::1").packed + struct.pack("!HH", 50000, 443))
ANNOUNCED = 'proxy_protocol = true\ntrusted_proxies = ["127.0.0.1"]'


@pytest.fixture
async def app() -> AsyncIterator[EchoApp]:
    """Is an app that answers with what it got."""
    async with echo_app() as served:
        yield served


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Is whom the clients of these tests trust."""
    return Authority(tmp_path)


def pair(certificate: ServerCertificate) -> str:
    return f'certificate = "{certificate.chain}"\nkey = "{certificate.key}"'


class Dialogue:
    """Is one connection to the gateway, before anything was said."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, url: str) -> "Dialogue":
        return cls(*await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2])))

    async def encrypt(self, context: ssl.SSLContext) -> ssl.SSLObject:
        """Agree upon TLS from here on, and return what was agreed."""
        async with asyncio.timeout(PATIENCE):
            await self.writer.start_tls(context, server_hostname="shop.test")
        agreed: ssl.SSLObject = self.writer.get_extra_info("ssl_object")
        return agreed

    async def leave(self) -> bytes:
        """Say nothing more, and return everything that comes until the end."""
        self.writer.write_eof()
        return await self.ask()

    async def ask(self, *pieces: bytes) -> bytes:
        """Send pieces one by one, and return everything that comes back until the end."""
        try:
            for piece in pieces:
                self.writer.write(piece)
                await self.writer.drain()
                await asyncio.sleep(0.02)
            async with asyncio.timeout(PATIENCE):
                return await self._reader.read()
        except ConnectionError:
            return b""
        finally:
            self.writer.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something can be seen."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


def is_open(port: int) -> bool:
    """Say whether anybody listens."""
    return any(one.laddr.port == port and one.status == psutil.CONN_LISTEN for one in psutil.net_connections("tcp"))


async def refusals(gateway: RunningGateway) -> dict[str, float]:
    """Return how many connections were refused, by reason, as far as there were any."""
    text = (await gateway.ask("/metrics")).text
    found = re.findall(r'^sluicegate_refused_connections_total\{reason="(\w+)"\} (\S+)$', text, re.MULTILINE)
    assert len(found) == 3
    return {reason: float(count) for reason, count in found if float(count)}


def seen(answer: bytes, name: bytes) -> list[bytes]:
    """Return the values of a field as the app got it."""
    lines = answer.partition(b"\r\n\r\n")[2].split(b"\r\n")
    return [line.partition(b": ")[2] for line in lines if line.lower().startswith(name + b":")]


# ---- TLS -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def encrypted(database: Secret, app: EchoApp, tmp_path: Path,
                    authority: Authority) -> AsyncIterator[RunningGateway]:
    """Is a gateway with a certificate."""
    configuration = configure(tmp_path, store=database, upstream=app.port, legacy=None,
                              listen=pair(authority.issue("shop.test")))
    async with running_gateway(configuration) as gateway:
        yield gateway


async def test_a_request_over_tls(encrypted: RunningGateway, authority: Authority) -> None:
    """The app is told that the client spoke https, and the client that nothing but HTTP/1.1 is spoken."""
    context = authority.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    dialogue = await Dialogue.open(encrypted.url)
    agreed = await dialogue.encrypt(context)
    assert (agreed.version(), agreed.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")
    answer = await dialogue.ask(GET % b"X-Forwarded-Proto: http\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert seen(answer, b"x-forwarded-proto") == [b"https"]


async def test_old_versions_of_tls_are_refused(encrypted: RunningGateway, authority: Authority) -> None:
    """1.2 is the least."""
    context = authority.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert (await (await Dialogue.open(encrypted.url)).encrypt(context)).version() == "TLSv1.2"
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await (await Dialogue.open(encrypted.url)).encrypt(context)


async def test_plain_http_to_tls_gets_no_answer(encrypted: RunningGateway, authority: Authority) -> None:
    """The connection closes and is counted, unless it said nothing; those of others go on."""
    await (await Dialogue.open(encrypted.url)).leave()
    assert not (await (await Dialogue.open(encrypted.url)).ask(GET % b"")).startswith(b"HTTP/")
    assert await refusals(encrypted) == {"tls": 1}
    dialogue = await Dialogue.open(encrypted.url)
    await dialogue.encrypt(authority.context())
    assert (await dialogue.ask(GET % b"")).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_refused_body_over_tls_leaves_the_answer_readable(encrypted: RunningGateway,
                                                                  authority: Authority) -> None:
    """TLS has no half-closed connections, so the rest of a body is read on until the client closes."""
    dialogue = await Dialogue.open(encrypted.url)
    await dialogue.encrypt(authority.context())
    head = b"POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5, 5\r\n\r\n"
    assert (await dialogue.ask(head, b"x" * 50_000)).startswith(b"HTTP/1.1 400 Bad Request\r\n")


async def test_a_renewed_certificate_is_used_after_a_reload(database: Secret, app: EchoApp, tmp_path: Path,
                                                            authority: Authority) -> None:
    """Under load no handshake fails; a key that does not fit changes nothing."""
    certificate = authority.issue("shop.test")
    configuration = configure(tmp_path, store=database, upstream=app.port, legacy=None, listen=pair(certificate))
    async with serving(configuration, workers=2) as gateway, \
            steady_load(configuration.public_port, context=authority.context()) as load:
        before = await number(gateway, authority)
        renewed = authority.issue("shop.test")
        certificate.chain.write_bytes(renewed.chain.read_bytes())
        await reload(gateway, "the settings are wrong, so those before stay")
        assert await number(gateway, authority) == before
        certificate.key.write_bytes(renewed.key.read_bytes())
        await reload(gateway, "reloaded")
        assert await number(gateway, authority) != before
        async with asyncio.timeout(PATIENCE):
            while load.answered < 200:
                await asyncio.sleep(0.05)
    assert load.failures == []


async def reload(gateway: GatewayProcess, event: str) -> None:
    os.kill(gateway.pid, signal.SIGHUP)
    async with asyncio.timeout(60):
        while not gateway.events(event):
            await asyncio.sleep(0.05)


async def number(gateway: GatewayProcess, authority: Authority) -> object:
    """Return the serial number of the certificate that is shown."""
    dialogue = await Dialogue.open(gateway.url)
    agreed = await dialogue.encrypt(authority.context())
    dialogue.writer.close()
    return (agreed.getpeercert() or {})["serialNumber"]


@pytest.mark.parametrize("command", ["check", "serve"])
@pytest.mark.parametrize(("damage", "sentence"), [
    ("foreign", "listen.certificate: does not belong to listen.key"),
    ("missing", "listen.key: {key} cannot be read (No such file or directory)"),
    ("nonsense", "listen.certificate: and listen.key must be a certificate and its private key in PEM"),
    ("password", "listen.certificate: has a key that is protected by a password; the gateway needs one without"),
])
async def test_a_wrong_pair_is_one_sentence(database: Secret, app: EchoApp, tmp_path: Path, authority: Authority,
                                            command: str, damage: str, sentence: str) -> None:
    """Before anything is opened, and with exit code 2."""
    certificate = authority.issue("shop.test")
    configuration = configure(tmp_path, store=database, upstream=app.port, legacy=None, listen=pair(certificate))
    await spoil(certificate, damage, authority)
    process = await asyncio.create_subprocess_exec(
        *GatewayProcess(configuration).command[:3], command, "--config", str(configuration.file),
        env={**os.environ, **configuration.environ}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, err = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    [line] = err.decode().splitlines()
    assert line.endswith(sentence.format(key=certificate.key))


async def spoil(certificate: ServerCertificate, damage: str, authority: Authority) -> None:
    match damage:
        case "foreign":
            certificate.key.write_bytes(authority.issue("shop.test").key.read_bytes())
        case "missing":
            certificate.key.unlink()
        case "nonsense":
            certificate.key.write_text("nonsense")
        case "password":
            process = await asyncio.create_subprocess_exec("openssl", "ec", "-aes256", "-passout", "pass:x", "-in",
                                                           str(certificate.key), "-out", str(certificate.key),
                                                           stderr=asyncio.subprocess.DEVNULL)
            assert await process.wait() == 0


# ---- the PROXY protocol --------------------------------------------------------------------------------------


@pytest.fixture
async def announced(database: Secret, app: EchoApp, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """Is a gateway behind a balancer that names clients."""
    configuration = configure(tmp_path, store=database, upstream=app.port, legacy=None, listen=ANNOUNCED)
    async with running_gateway(configuration) as gateway:
        yield gateway


@pytest.mark.parametrize(("preamble", "client"), [(LINE, b"192.0.2.7"), (BINARY, b"2001:db8::7")])
async def test_the_named_client_is_the_client(announced: RunningGateway, preamble: bytes, client: bytes) -> None:
    """In both versions, however the bytes arrive; what the client itself forwards is not believed."""
    whole = preamble + GET % FORGED
    for pieces in ([whole], [preamble, GET % FORGED], [whole[:7], whole[7:14], whole[14:]]):
        answer = await (await Dialogue.open(announced.url)).ask(*pieces)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert seen(answer, b"x-forwarded-for") == [client]


@pytest.mark.parametrize("preamble", [b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x20\x00\x00\x00"])
async def test_a_balancer_that_names_nobody_is_the_client(announced: RunningGateway, preamble: bytes) -> None:
    """It asks for itself, or does not know; nobody's words about others are believed then."""
    answer = await (await Dialogue.open(announced.url)).ask(preamble + GET % FORGED)
    assert seen(answer, b"x-forwarded-for") == [b"127.0.0.1"]


@pytest.mark.parametrize("start", [b"", b"PROXY TCP4 192.0.2.7 198.51.100.1 50000\r\n", SIGNATURE + b"\x11\x11\0\0"])
async def test_a_connection_without_a_right_preamble_is_closed(announced: RunningGateway, start: bytes) -> None:
    """Without a word: nobody knows whose it is."""
    assert await (await Dialogue.open(announced.url)).ask(start + GET % b"") == b""
    assert await refusals(announced) == {"preamble": 1}


async def test_a_connection_that_says_nothing_is_not_counted(announced: RunningGateway) -> None:
    """Balancers look in like that, every few seconds."""
    assert await (await Dialogue.open(announced.url)).leave() == b""
    assert await refusals(announced) == {}


async def test_a_preamble_from_anybody_else_is_not_believed(database: Secret, app: EchoApp, tmp_path: Path) -> None:
    """Whoever is no trusted proxy is not even listened to."""
    configuration = configure(tmp_path, store=database, upstream=app.port, legacy=None,
                              listen=ANNOUNCED.replace("127.0.0.1", "192.0.2.1"))
    async with running_gateway(configuration) as gateway:
        assert await (await Dialogue.open(gateway.url)).ask(LINE + GET % b"") == b""
        assert await refusals(gateway) == {"untrusted": 1}


async def test_tls_begins_where_the_preamble_ends(database: Secret, app: EchoApp, tmp_path: Path,
                                                  authority: Authority) -> None:
    """Byte for byte, also when both come together."""
    configuration = configure(tmp_path, store=database, upstream=app.port, legacy=None,
                              listen=f"{ANNOUNCED}\n{pair(authority.issue('shop.test'))}")
    async with running_gateway(configuration) as gateway:
        for preamble, client in ((LINE, b"192.0.2.7"), (BINARY, b"2001:db8::7")):
            dialogue = await Dialogue.open(gateway.url)
            dialogue.writer.write(preamble)
            await dialogue.encrypt(authority.context())
            answer = await dialogue.ask(GET % b"")
            assert seen(answer, b"x-forwarded-for") == [client]
            assert seen(answer, b"x-forwarded-proto") == [b"https"]


async def test_a_drain_waits_for_whoever_is_at_the_entrance(database: Secret, app: EchoApp, tmp_path: Path,
                                                            authority: Authority) -> None:
    """A connection that was accepted before the stop is answered, though its handshake came after it."""
    configuration: Configuration = configure(tmp_path, store=database, upstream=app.port, legacy=None,
                                             listen=f"drain_seconds = 5\n{pair(authority.issue('shop.test'))}")
    async with GatewayProcess(configuration) as gateway:
        dialogue = await Dialogue.open(gateway.url)
        own = dialogue.writer.get_extra_info("sockname")
        [worker] = map(psutil.Process, gateway.workers)
        await until(lambda: own in [one.raddr for one in worker.net_connections("tcp")])  # accepted
        os.kill(gateway.pid, signal.SIGTERM)
        await until(lambda: not is_open(configuration.public_port))  # the worker has heard of it
        await dialogue.encrypt(authority.context())
        answer = await dialogue.ask(GET % b"")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert await gateway.ended() == 0
