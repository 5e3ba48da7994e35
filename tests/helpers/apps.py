"""Apps on real sockets, the addresses at which the data plane finds them, and what is said to them most often."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.proxy.addresses import Address, Tls, verifying_context
from tests.helpers.certificates import Authority, ServerCertificate
from tests.helpers.proxy import HOST, App, Side

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n\r\nbody"


def post(body: bytes, *lines: bytes, target: bytes = b"/") -> bytes:
    """Return a POST with a Content-Length."""
    head = b"".join(line + b"\r\n" for line in lines)
    return b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n%b\r\n%b" % (target, HOST, len(body), head, body)


@asynccontextmanager
async def apps(number: int, certificate: ServerCertificate | None = None) -> AsyncIterator[list[App]]:
    """Open so many apps."""
    async with AsyncExitStack() as stack:
        opened = [App(certificate) for _ in range(number)]
        for app in opened:
            await app.open()
            stack.push_async_callback(app.close)
        yield opened


def at(app: App, tls: Tls | None = None) -> Address:
    return Address(host="127.0.0.1", port=app.port, tls=tls)


def proves(authority: Authority, name: str) -> Tls:
    return Tls(context=verifying_context(authority.file), name=name, authority=str(authority.file))


async def served(client: Side, app: App, request: bytes = GET) -> Side:
    """Send a request, answer it at this app, and see the answer arrive."""
    await client.sends(request)
    side = await app.accepts()
    await answered(client, side, request)
    return side


async def answered(client: Side, side: Side, request: bytes = GET) -> None:
    await side.gets_head()
    await side.gets(len(request.partition(b"\r\n\r\n")[2]))
    await side.replies(OK)
    assert await client.gets(len(OK)) == OK


async def status(client: Side, request: bytes = GET) -> bytes:
    """Send a request and return the status of what the gateway answers by itself."""
    await client.sends(request)
    head, _ = await client.gets_answer()
    return head[9:12]
