"""Commands beside a running gateway."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from gateway.demo.scene import free_port
from gateway.model import Profile, Secret
from gateway.store.postgres import PostgresStore
from tests.helpers.browser import Browser
from tests.helpers.gateways import SOURCE, TOKEN, Configuration, GatewayProcess, configure
from tests.helpers.postgres import fetch
from tests.helpers.project import ROOT
from tests.helpers.rows import adoption
from tests.helpers.site import Person, Site
from tests.helpers.terminal import Terminal

COMMAND = (sys.executable, "-m", "gateway")
PATIENCE = 60.0
HOSTILE = "mallory\x1b[2J\x9b31m\u202e"


async def sluicegate(configuration: Configuration, *words: str, given: str = "") -> tuple[int, str, str]:
    """Run a command with this configuration; return exit code, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *words, "--config", str(configuration.file), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "COLUMNS": "200", **configuration.environ},
    )
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate(given.encode())
    assert b"Traceback" not in err
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def as_json(configuration: Configuration, *words: str) -> dict[str, Any]:
    """Return what a command says to machines."""
    code, out, err = await sluicegate(configuration, *words, "--json")
    assert (code, err) == (0, "")
    said: dict[str, Any] = json.loads(out)
    return said


@pytest.fixture
def configuration(site: Site, database: Secret, tmp_path: Path) -> Configuration:
    """Is the configuration of a gateway before the site, with an empty store."""
    return configure(tmp_path, store=database, upstream=site.port, legacy=site.database)


@pytest.fixture
async def gateway(configuration: Configuration) -> AsyncIterator[GatewayProcess]:
    """Is a running gateway."""
    async with GatewayProcess(configuration) as process:
        yield process


async def crossed(gateway: GatewayProcess, person: Person) -> Browser:
    """Return a browser in which a user has logged in, and so crossed."""
    browser = Browser(gateway.url)
    assert (await browser.log_in(person.name, person.password)).status == 302
    assert "sluicegate-shop" in browser.cookies
    return browser


async def ask(gateway: GatewayProcess, path: str) -> dict[str, Any]:
    """Return what the private listener says."""
    page = await Browser(gateway.private_url).get(path, ("Authorization", f"Bearer {TOKEN}"))
    assert page.status == 200
    said: dict[str, Any] = page.json()
    return said


# ---- users -------------------------------------------------------------------------------------------------------


async def test_users_are_listed_and_shown(gateway: GatewayProcess, site: Site) -> None:
    """A table for people; for machines exactly what the private listener answers."""
    alice, bob = site.person("alice"), site.person("bob")
    await crossed(gateway, alice)
    await crossed(gateway, bob)

    code, out, err = await sluicegate(gateway.configuration, "users", "list")
    assert (code, err) == (0, "")
    heading, *lines = out.splitlines()
    assert heading.split("  ")[0] == "ID"
    assert sorted(line.split()[1] for line in lines) == sorted([alice.name, bob.name])
    assert all(line.split()[3:6] == [SOURCE, str(person.id), "active"]
               for line in lines for person in (alice, bob) if person.name in line.split())

    listed = await as_json(gateway.configuration, "users", "list")
    assert listed == await ask(gateway, "/api/users")
    [found] = (await as_json(gateway.configuration, "users", "list", "--query", alice.name))["users"]
    assert found["username"] == alice.name
    assert await as_json(gateway.configuration, "users", "show", found["id"]) == found
    code, out, _ = await sluicegate(gateway.configuration, "users", "show", found["id"])
    assert re.search(rf"^email +{re.escape(alice.email)}$", out, re.MULTILINE)
    assert (await as_json(gateway.configuration, "users", "list", "--state", "blocked"))["users"] == []


async def test_list_goes_on(configuration: Configuration, database: Secret) -> None:
    """A hundred accounts are listed at a time; the next page begins after the last of them."""
    async with PostgresStore.open(database) as store:
        for number in range(101):
            name = f"user-{number}"
            await store.accounts.adopt(adoption(name, source=SOURCE, aliases=(name,), profile=Profile(username=name)))
    first = await as_json(configuration, "users", "list")
    assert len(first["users"]) == 100
    code, out, err = await sluicegate(configuration, "users", "list")
    assert (code, err) == (0, f"there are more: --after {first['next']}\n")
    assert len(out.splitlines()) == 101
    second = await as_json(configuration, "users", "list", "--after", first["next"])
    assert second["next"] is None
    assert len({user["id"] for user in first["users"] + second["users"]}) == 101


async def test_stored_names_cannot_steer_the_terminal(configuration: Configuration, database: Secret) -> None:
    """Control characters of a name reach no terminal, in no form of output and no question."""
    async with PostgresStore.open(database) as store:
        profile = Profile(username=HOSTILE, email=HOSTILE, name=HOSTILE, attributes={"state": HOSTILE})
        wanted = adoption(source=SOURCE, profile=profile)
        assert await store.accounts.adopt(wanted)
    identity = str(wanted.account_id)
    for words in (["list"], ["list", "--json"], ["show", identity], ["show", identity, "--json"], ["delete", identity]):
        _, out, err = await sluicegate(configuration, "users", *words, given="n\n")
        assert "mallory" in out + err
        assert not [character for character in out + err if not (character.isprintable() or character == "\n")]
    shown = await as_json(configuration, "users", "show", identity)
    assert (shown["username"], shown["state"]) == (HOSTILE, "active")


async def test_blocking_ends_sessions_and_unblocking_lets_in_again(gateway: GatewayProcess, site: Site) -> None:
    """A blocked user's session ends within a second and no login helps; unblocked, the user logs in again."""
    alice = site.person("alice")
    browser = await crossed(gateway, alice)
    [account] = (await as_json(gateway.configuration, "users", "list"))["users"]

    code, out, _ = await sluicegate(gateway.configuration, "users", "block", account["id"])
    assert (code, out) == (0, f"{account['id']}: blocked\n")
    assert await sluicegate(gateway.configuration, "users", "block", account["id"]) == (
        0, f"{account['id']}: already blocked\n", "")
    blocked_at = time.monotonic()
    while "sluicegate-shop" in browser.cookies:  # the gateway takes the cookies of an ended session away
        await browser.get("/admin/")
        assert time.monotonic() - blocked_at < 1.0
    assert not await is_let_in(gateway, alice)

    code, out, err = await sluicegate(gateway.configuration, "users", "unblock", account["id"])
    assert (code, out, err) == (0, f"{account['id']}: active\n", "")
    await crossed(gateway, alice)


async def test_deleting_is_asked_for_and_final(gateway: GatewayProcess, site: Site, database: Secret) -> None:
    """Deletion asks, naming the user; what is left is a tombstone, which nothing brings back."""
    alice = site.person("alice")
    await crossed(gateway, alice)
    [account] = (await as_json(gateway.configuration, "users", "list"))["users"]
    identity = account["id"]

    question = f"Delete {alice.name} ({identity})? It cannot be undone [y/N]: "
    for answer in ("n", ""):
        code, screen = await asyncio.to_thread(answer_to_delete, gateway.configuration, identity, answer)
        assert (code, screen) == (1, f"{question}{answer}\nnothing is deleted\n")
    for given in ("", "y\n"):
        code, out, err = await sluicegate(gateway.configuration, "users", "delete", identity, given=given)
        assert (code, out) == (2, "")
        assert err == f"nobody can be asked here whether to delete {alice.name} ({identity}): give --yes\n"
    assert (await as_json(gateway.configuration, "users", "show", identity))["state"] == "active"

    code, screen = await asyncio.to_thread(answer_to_delete, gateway.configuration, identity, "y")
    assert (code, screen) == (0, f"{question}y\n{identity}: deleted\n")
    shown = await as_json(gateway.configuration, "users", "show", identity)
    assert (shown["state"], shown["username"], shown["aliases"]) == ("deleted", "", [])
    for command in ("block", "unblock"):
        code, out, err = await sluicegate(gateway.configuration, "users", command, identity)
        assert (code, out, err) == (1, "", f"{identity} is deleted, and stays so\n")
    code, out, err = await sluicegate(gateway.configuration, "users", "delete", "--yes", identity)
    assert (code, out, err) == (0, f"{identity}: already deleted\n", "")
    page = await Browser(gateway.url).log_in(alice.name, alice.password)
    assert page.status == 200
    actors = await fetch(database, "SELECT DISTINCT actor FROM audit WHERE event = 'deleted'")
    assert [row["actor"] for row in actors] == ["cli"]


def answer_to_delete(configuration: Configuration, identity: str, answer: str) -> tuple[int, str]:
    """Answer the question in a terminal; return exit code and screen."""
    command = [*COMMAND, "users", "delete", identity, "--config", str(configuration.file)]
    with Terminal(command, environ={"PYTHONPATH": str(ROOT), **configuration.environ}) as terminal:
        terminal.read_until("[y/N]: ")
        terminal.type(answer)
        return terminal.ended(PATIENCE), terminal.text


@pytest.mark.parametrize("words", [["show"], ["block"], ["unblock"], ["delete"], ["delete", "--yes"]])
async def test_unknown_account(configuration: Configuration, words: list[str]) -> None:
    """An id that nobody has is one sentence."""
    code, out, err = await sluicegate(configuration, "users", *words, str(uuid4()))
    assert (code, out, err) == (1, "", "there is no such account; `sluicegate users list` shows all\n")


# ---- keys, migration ---------------------------------------------------------------------------------------------


async def test_keys_are_listed_without_their_private_parts(gateway: GatewayProcess) -> None:
    """The key that signs and the next one are shown, as the public key set has them."""
    keys = (await as_json(gateway.configuration, "keys", "list"))["keys"]
    assert sorted(key["state"] for key in keys) == ["active", "next"]
    published = (await Browser(gateway.url).get("/.well-known/jwks.json")).json()["keys"]
    assert sorted(key["kid"] for key in keys) == sorted(key["kid"] for key in published)
    assert {frozenset(key) for key in keys} == {frozenset({"kid", "algorithm", "state", "created_at", "activated_at"})}
    _, out, _ = await sluicegate(gateway.configuration, "keys", "list")
    assert out.split("\n")[0].split() == ["KID", "ALGORITHM", "STATE", "CREATED", "AT", "ACTIVATED", "AT"]


async def test_empty_store(configuration: Configuration) -> None:
    """Before the first start everything is empty, and said to be so."""
    assert (await sluicegate(configuration, "users", "list"))[1] == "no accounts\n"
    assert (await sluicegate(configuration, "keys", "list"))[1].startswith("no keys yet")
    assert (await sluicegate(configuration, "migration", "status"))[1].startswith("no sources yet")
    assert await as_json(configuration, "migration", "status") == {"sources": []}


async def test_status_counts_accounts(gateway: GatewayProcess, site: Site) -> None:
    """How far the migration is: each source's phase, and its accounts by state."""
    await crossed(gateway, site.person("alice"))
    assert await as_json(gateway.configuration, "migration", "status") == await ask(gateway, "/api/migration")
    _, out, _ = await sluicegate(gateway.configuration, "migration", "status")
    heading, line = out.splitlines()
    assert heading.split() == ["SOURCE", "PHASE", "ACTIVE", "BLOCKED", "DELETED"]
    assert line.split() == [SOURCE, "migrate", "1", "0", "0"]


async def test_phase_reaches_a_running_gateway(gateway: GatewayProcess, site: Site) -> None:
    """Within a second of `complete` nobody crosses any more; back in `migrate`, people do again."""
    alice = site.person("alice")
    await crossed(gateway, alice)
    for phase, crosses in (("complete", False), ("migrate", True)):
        code, out, err = await sluicegate(gateway.configuration, "migration", "phase", SOURCE, phase)
        assert (code, out, err) == (0, f"{SOURCE}: {phase}\n", "")
        changed_at = time.monotonic()
        while await is_let_in(gateway, site.person("newcomer")) is not crosses:
            assert time.monotonic() - changed_at < 1.0
        assert (await ask(gateway, "/api/migration"))["sources"][0]["phase"] == phase
        assert await is_let_in(gateway, alice)


async def is_let_in(gateway: GatewayProcess, person: Person) -> bool:
    """Log in once and say whether it was granted; a denial is the site's own page."""
    page = await Browser(gateway.url).log_in(person.name, person.password)
    assert page.status == 302 or "errornote" in page.text
    return page.status == 302


async def test_phase_of_an_unknown_source(configuration: Configuration) -> None:
    """A source that the store has never seen is told."""
    code, out, err = await sluicegate(configuration, "migration", "phase", "shops", "complete")
    assert (code, out) == (2, "")
    assert err == "the store knows no source shops; the gateway must have run with it once\n"


# ---- health ------------------------------------------------------------------------------------------------------


async def test_health(gateway: GatewayProcess) -> None:
    """A running gateway is alive, whatever proxy the environment names; one that has ended is not."""
    proxied = Configuration(file=gateway.configuration.file, public_port=0, private_port=0,
                            environ={**gateway.configuration.environ, "http_proxy": "http://127.0.0.1:1"})
    assert await sluicegate(proxied, "health") == (0, "ok\n", "")
    assert await gateway.stop() == 0
    address = gateway.private_url.removeprefix("http://")
    assert await sluicegate(proxied, "health") == (1, "", f"nothing answers at {address}: is the gateway running?\n")


async def test_health_of_somebody_else(configuration: Configuration) -> None:
    """Another server on the private listener's port is not taken for the gateway."""
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", configuration.private_port):
        code, out, err = await sluicegate(configuration, "health")
    address = f"127.0.0.1:{configuration.private_port}"
    assert (code, out, err) == (1, "", f"{address} answers 404: is it the gateway that listens there?\n")


async def test_health_of_a_listener_on_every_address(gateway: GatewayProcess, tmp_path: Path) -> None:
    """Where the gateway listens on every address, it is asked on loopback."""
    everywhere = tmp_path / "everywhere.toml"
    port = gateway.configuration.private_port
    text = gateway.configuration.file.read_text()
    everywhere.write_text(text.replace(f'listen = "127.0.0.1:{port}"', f'listen = "0.0.0.0:{port}"'))
    assert everywhere.read_text() != text
    changed = Configuration(file=everywhere, environ=gateway.configuration.environ, public_port=0, private_port=0)
    assert await sluicegate(changed, "health") == (0, "ok\n", "")


# ---- the store and the end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["users", "list"], ["keys", "list"], ["migration", "status"]])
async def test_store_that_is_down(configuration: Configuration, words: list[str]) -> None:
    """Without the store no command works: one clear sentence, exit code 1."""
    port = free_port()
    url = f"postgresql://sluicegate:a-password-of-the-store@127.0.0.1:{port}/x"
    down = Configuration(file=configuration.file, environ={**configuration.environ, "TEST_STORE": url},
                         public_port=0, private_port=0)
    code, out, err = await sluicegate(down, *words)
    assert (code, out, err) == (1, "", f"the store at 127.0.0.1:{port} cannot be reached\n")


@pytest.mark.parametrize("words", [["users", "list"], ["users", "show", str(UUID(int=0))], ["keys", "list"],
                                   ["migration", "status"], ["migration", "phase", "shop", "complete"]])
async def test_embedded_store_that_was_never_made(configuration: Configuration, tmp_path: Path,
                                                  words: list[str]) -> None:
    """A command makes no store: before the gateway's first start there is none, and nothing is written."""
    state = tmp_path / "never"
    file = tmp_path / "embedded.toml"
    text = configuration.file.read_text()
    file.write_text(re.sub(r"(?m)(?<=^\[store\]\n)(?:\w.*\n)*", f'url = "embedded"\nstate = "{state}"\n', text))
    assert file.read_text() != text
    changed = Configuration(file=file, environ=configuration.environ, public_port=0, private_port=0)
    assert await sluicegate(changed, *words) == (
        1, "", f"there is no store in {state} yet: the gateway makes it at its first start\n")
    assert not state.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_serve_ends_by_signal(gateway: GatewayProcess, number: signal.Signals) -> None:
    """A signal ends the gateway with exit code 0 and a last word."""
    os.kill(gateway.pid, number)
    assert await gateway.ended() == 0
    assert [json.loads(line)["event"] for line in gateway.log.splitlines()][-2:] == ["stopping", "stopped"]
