"""The supervisor's listening sockets, on real addresses."""

import socket
from ipaddress import ip_address
from pathlib import Path

import pytest

from gateway.demo.scene import free_ports
from gateway.errors import ConfigurationError
from gateway.plan import read_settings
from gateway.server.sockets import Sockets
from gateway.settings import Settings

FILE = """
[listen]
public = "{public}"
[private]
listen = "{private}"
[tokens]
issuer = "http://shop.test"
[[app]]
name = "shop"
hosts = ["*"]
upstream = "http://127.0.0.1:1"
"""


def settings(folder: Path, public: str, private: str) -> Settings:
    file = folder / "file.toml"
    file.write_text(FILE.format(public=public, private=private))
    return read_settings(file, {})


def places(sockets: list[socket.socket]) -> list[tuple[str, int]]:
    return [one.getsockname()[:2] for one in sockets]


def test_every_worker_has_a_socket_of_its_own(tmp_path: Path) -> None:
    """At the same public address, also where that is any free port; the private one is there once."""
    sockets = Sockets.open(settings(tmp_path, "127.0.0.1:0", "127.0.0.1:0"), 3)
    try:
        [first, *others] = [places(each) for each in sockets.public]
        assert others == [first, first]
        assert first[0][1] != 0
        assert len(sockets.private) == 1
    finally:
        sockets.close()


def test_a_name_may_be_several_addresses(tmp_path: Path) -> None:
    """Each gets a socket; IPv6 ones take IPv6 alone."""
    public, private = free_ports(2)
    sockets = Sockets.open(settings(tmp_path, f"localhost:{public}", f"[::1]:{private}"), 1)
    try:
        assert all(ip_address(host).is_loopback and port == public for host, port in places(sockets.public[0]))
        assert places(sockets.private) == [("::1", private)]
        assert sockets.private[0].getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
    finally:
        sockets.close()


@pytest.mark.parametrize("key", ["listen.public", "private.listen"])
def test_a_taken_address_is_refused(tmp_path: Path, key: str) -> None:
    """Even if its holder would share it, and nothing is left open."""
    ports = dict(zip(["listen.public", "private.listen"], free_ports(2), strict=True))
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", ports[key]))
        holder.listen()
        with pytest.raises(ConfigurationError, match=f"^{key}: cannot listen on .+: Address already in use$"):
            Sockets.open(settings(tmp_path, *(f"127.0.0.1:{port}" for port in ports.values())), 2)
    Sockets.open(settings(tmp_path, *(f"127.0.0.1:{port}" for port in ports.values())), 2).close()


def test_a_name_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    """In the resolver's words."""
    with pytest.raises(ConfigurationError, match=r"^listen\.public: cannot listen on nowhere\.invalid:1: .*[Nn]ame"):
        Sockets.open(settings(tmp_path, "nowhere.invalid:1", "127.0.0.1:0"), 1)


def test_a_reload_keeps_what_stays(tmp_path: Path) -> None:
    """Sockets of an unchanged address are the same; those of a changed one are closed by their last holder."""
    public, private, moved = free_ports(3)
    before = Sockets.open(settings(tmp_path, f"127.0.0.1:{public}", f"127.0.0.1:{private}"), 2)
    after = Sockets.open(settings(tmp_path, f"127.0.0.1:{public}", f"127.0.0.1:{moved}"), 2, before)
    try:
        assert after.public == before.public
        assert places(after.private) == [("127.0.0.1", moved)]
        before.close(but=after)
        assert before.private[0].fileno() == -1
        assert all(one.fileno() != -1 for one in after.every())
    finally:
        after.close()


def test_a_reload_to_a_taken_address_leaves_the_old_ones_open(tmp_path: Path) -> None:
    """The gateway goes on where it was."""
    public, private, taken = free_ports(3)
    before = Sockets.open(settings(tmp_path, f"127.0.0.1:{public}", f"127.0.0.1:{private}"), 1)
    try:
        with socket.create_server(("127.0.0.1", taken)), pytest.raises(ConfigurationError):
            Sockets.open(settings(tmp_path, f"127.0.0.1:{public}", f"127.0.0.1:{taken}"), 1, before)
        assert all(one.fileno() != -1 for one in before.every())
    finally:
        before.close()
