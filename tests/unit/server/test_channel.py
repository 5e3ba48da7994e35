"""The framing between supervisor and worker."""

from tests.helpers.channels import Line


async def test_messages_keep_their_borders() -> None:
    """However the bytes come in, and whatever line ends are within a text."""
    line = Line()
    line.hear({"text": "a\nb"})
    line.reader.feed_data(b'{"ready"')
    line.reader.feed_data(b": true}\n")
    line.end()
    assert await line.channel.receive() == {"text": "a\nb"}
    assert await line.channel.receive() == {"ready": True}
    assert await line.channel.receive() is None


async def test_the_half_message_of_the_killed_is_none() -> None:
    """A process may die while it speaks."""
    line = Line()
    line.reader.feed_data(b'{"tally": [[')
    line.end()
    assert await line.channel.receive() is None


async def test_a_reset_is_an_end() -> None:
    """The other end may be gone before all was read there."""
    line = Line()
    line.reader.set_exception(ConnectionResetError())
    assert await line.channel.receive() is None


async def test_what_is_sent_to_a_closed_end_is_lost() -> None:
    """Nobody needs to know: the end is told by `receive`."""
    line = Line()
    line.channel.send({"one": 1})
    await line.channel.close()
    line.channel.send({"two": 2})
    assert line.sent() == [{"one": 1}]
