"""HAProxy before several gateways, as strict as it can be: no retries, no redispatch, every failure shown.

    async with haproxy(tmp_path, gateways) as port: …     # health is asked at /readyz of the private listeners
"""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.demo.scene import free_port
from tests.helpers.gateways import Configuration
from tests.helpers.listening import listens

INTERVAL_SECONDS = 0.2
FALLS = 2
DELAY_SECONDS = 1.5  # for the gateways' drain_delay_seconds: well above what HAProxy needs to notice
PATIENCE = 30.0

FILE = """
global
    maxconn 2000
defaults
    mode http
    retries 0
    no option redispatch
    http-reuse always
    timeout connect 2s
    timeout client 30s
    timeout server 30s
frontend front
    bind 127.0.0.1:{port}
    default_backend gateways
backend gateways
    balance roundrobin
    option httpchk GET /readyz
    default-server check inter {interval}ms fall {falls} rise 1
{servers}
"""
SERVER = "    server gateway-{public} 127.0.0.1:{public} check port {private}"


def is_installed() -> bool:
    return shutil.which("haproxy") is not None


@asynccontextmanager
async def haproxy(folder: Path, gateways: Sequence[Configuration]) -> AsyncIterator[int]:
    """Run HAProxy until the block is left; yields the port of its front."""
    port = free_port()
    servers = "\n".join(SERVER.format(public=one.public_port, private=one.private_port) for one in gateways)
    file = folder / "haproxy.cfg"
    file.write_text(FILE.format(port=port, interval=int(INTERVAL_SECONDS * 1000), falls=FALLS, servers=servers))
    with (folder / "haproxy.log").open("wb") as log:
        process = subprocess.Popen(["haproxy", "-db", "-f", str(file)], stdout=log, stderr=log)
    try:
        async with asyncio.timeout(PATIENCE):
            while not await listens(port):
                assert process.poll() is None, (folder / "haproxy.log").read_text()
                await asyncio.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)
