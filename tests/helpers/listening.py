"""Whether somebody listens at a port of this machine."""

import asyncio


async def listens(port: int) -> bool:
    """Say whether a connection is accepted; it is closed at once."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
