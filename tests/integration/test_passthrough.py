"""The data plane on real sockets: what a client and an app see of one another."""

from tests.helpers.proxy import on_uvloop, world

HOST = b"Host: shop.test\r\n"


@on_uvloop
async def test_a_request_and_its_answer_cross() -> None:
    """A plain request reaches the app with the gateway's fields, and its answer comes back as it was."""
    async with world() as gateway:
        client = await gateway.client()
        await client.sends(b"GET /a?b=c HTTP/1.1\r\n" + HOST + b"X-Odd:  kept\r\n\r\n")
        app = await gateway.app.accepts()
        head = await app.gets_head()
        assert head.startswith(b"GET /a?b=c HTTP/1.1\r\nHost: shop.test\r\nX-Odd:  kept\r\n")
        assert b"X-Forwarded-For: 127.0.0.1\r\n" in head
        await app.replies(b"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-App: 1\r\n\r\nok")
        answer = await client.gets(len(b"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-App: 1\r\n\r\nok"))
        assert answer == b"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-App: 1\r\n\r\nok"
        assert gateway.watcher.statuses == [200]
