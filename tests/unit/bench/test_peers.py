import re
from pathlib import Path

import pytest

from tests.bench.fleet import Fleet
from tests.bench.machine import Machine
from tests.bench.peers import GUARDED, PASSING, Peer
from tests.bench.stage import TEMPLATES, Stage

MACHINE = Machine(python="", profile_guided=True, uvloop="", kernel="", processor="", cores=(0, 1))
VALUES = {"PORT": 1, "GUARD": "@AUTH@", "BIN": "bin", "AUTH": 4, "ISSUER": "i", "AUDIENCE": "a", "JWKS": "{}"}


@pytest.mark.parametrize("peer", [*PASSING.values(), *GUARDED.values()], ids=lambda peer: peer.name)
def test_everything_a_peer_needs_is_filled_in(peer: Peer, tmp_path: Path) -> None:
    """No name is left standing in a peer's files and command."""
    stage = Stage(machine=MACHINE, fleet=Fleet(tmp_path), rounds=1, quick=True, app=2, sink=3)
    values = {**VALUES, "GUARD": peer.guard}
    texts = [stage.lay(stage.fill(place, values), template, values).read_text()
             for place, template in peer.kind.files.items()]
    command = [stage.fill(word, values) for word in peer.kind.command]
    assert [found for text in (*texts, *command) for found in re.findall(r"@[A-Z]+@", text)] == []
    assert all(":1" in text or "_value: 1 " in text for text in texts[:1])


def test_only_what_guards_asks_for_credentials() -> None:
    """Each of the guarded peers has a guard, and no other has."""
    assert all(peer.is_guarded and peer.guard for peer in GUARDED.values())
    assert not any(peer.is_guarded or peer.guard for peer in PASSING.values())
    assert {template for peer in PASSING.values() for template in peer.kind.files.values()} <= {
        file.name for file in TEMPLATES.iterdir()}
