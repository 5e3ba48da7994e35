"""The private listener over real sockets, on a real store."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from gateway.admin.routes import ROUTES, build_admin
from gateway.errors import ConfigurationError
from gateway.model import AccountState, LegacyUser, Phase, Profile, Secret
from gateway.ops import Operations
from gateway.store.base import Adoption, NewPassword
from gateway.store.postgres import PostgresStore
from gateway.telemetry.metrics import Metrics, Pulled, open_registry
from gateway.telemetry.pulled import count_accounts
from tests.helpers.postgres import PostgresServer

TOKEN = Secret("operators-own-token-0123456789")
BEARER = {"Authorization": f"Bearer {TOKEN.reveal()}"}
HASH_MARK = "$argon2id$v=19$m=19456,t=2,p=1$bWFyaw$hunter2"
ATTRIBUTE_MARK = "an-attribute-that-a-query-selected"


class Private:
    """Is a private listener beside a client of it."""

    def __init__(self, address: str, client: aiohttp.ClientSession) -> None:
        self._address = address
        self._client = client
        self.seen: list[str] = []

    async def get(self, path: str, *, method: str = "GET", headers: dict[str, str] | None = None) -> "Answered":
        """Ask with the operator's token, or with the fields given instead."""
        fields = BEARER if headers is None else headers
        async with self._client.request(method, self._address + path, headers=fields) as response:
            answered = Answered(response, await response.read())
        self.seen.append(answered.text + str(response.headers))
        return answered


class Answered:
    """Is an answer that was read whole."""

    def __init__(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        self.status = response.status
        self.headers = response.headers
        self.media_type = response.content_type
        self.text = body.decode()
        self.json: Any = json.loads(body) if body and "json" in self.media_type else None


@asynccontextmanager
async def serving(store: PostgresStore, token: Secret | None = TOKEN) -> AsyncIterator[Private]:
    """Serve a store's private listener on a free port of loopback."""
    registry = open_registry()
    metrics = Metrics(registry, apps=["shop"], sources=["shop-users"], version="0.1.0")
    metrics.login("shop", "granted", "store")

    async def pull() -> None:
        metrics.pull(Pulled(accounts=await count_accounts(store.management)))

    operations = Operations(registry, pull=pull, probes={"store": store.ping})
    application = build_admin(host="127.0.0.1", token=token, operations=operations, users=store.management,
                              phases=store.phases)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        async with aiohttp.ClientSession() as client:
            yield Private(f"http://{host}:{port}", client)
    finally:
        await runner.cleanup()


@pytest.fixture
async def private(store: PostgresStore) -> AsyncIterator[Private]:
    """Is a listener whose answers never held a secret, whatever a test asked for."""
    async with serving(store) as opened:
        yield opened
        everything = "".join(opened.seen)
        for mark in (HASH_MARK, "hunter2", ATTRIBUTE_MARK, TOKEN.reveal()):
            assert mark not in everything


async def adopt(store: PostgresStore, number: int, name: str) -> UUID:
    """Put one account into the store, as a crossing does."""
    account_id = UUID(int=number)
    user = LegacyUser(legacy_id=str(number), identifiers=(name,), profile=Profile(
        username=name, email=f"{name}@shop.test", name=name.title(), attributes={"note": ATTRIBUTE_MARK}))
    assert await store.accounts.adopt(Adoption(
        account_id=account_id, source="shop-users", user=user, aliases=(name,), legacy_seen=None, way="login",
        password=NewPassword(encoded=Secret(HASH_MARK), held=b"h" * 32)))
    return account_id


@pytest.mark.parametrize("headers", [
    {}, {"Authorization": ""}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN.reveal()}"},
    {"Authorization": f"Bearer {TOKEN.reveal()[:-1]}"}, {"X-Token": TOKEN.reveal()},
    {"Cookie": f"token={TOKEN.reveal()}"}])
async def test_without_the_token_only_health_answers(private: Private, headers: dict[str, str]) -> None:
    """Every path that needs it says 401 and how to come in; the others answer."""
    for route in ROUTES:
        answer = await private.get(route.path.replace("{id}", str(UUID(int=1))), headers=headers)
        if not route.needs_token:
            assert answer.status == 200, route.path
            continue
        assert (answer.status, answer.media_type) == (401, "application/problem+json"), route.path
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="sluicegate"'
        assert "private.token" in answer.json["detail"]


async def test_with_the_token_every_path_answers(private: Private, store: PostgresStore) -> None:
    """Each row of the table leads somewhere, and HEAD to the same without a body."""
    account_id = await adopt(store, 1, "alice")
    for route in ROUTES:
        path = route.path.replace("{id}", str(account_id))
        assert (await private.get(path)).status == 200, path
        head = await private.get(path, method="HEAD")
        assert (head.status, head.text) == (200, ""), path


async def test_a_token_in_the_address_does_not_open(private: Private) -> None:
    """Addresses end up in logs and histories, so a token there is not looked at."""
    answer = await private.get(f"/api/migration?token={TOKEN.reveal()}", headers={})
    assert answer.status == 401


async def test_no_token_lets_nobody_in(store: PostgresStore) -> None:
    """Where none is configured the answer says so, whatever is sent; health still answers."""
    async with serving(store, token=None) as private:
        for headers in ({}, BEARER, {"Authorization": "Bearer "}):
            answer = await private.get("/api/users", headers=headers)
            assert (answer.status, answer.media_type) == (403, "application/problem+json")
        assert (await private.get("/healthz")).status == 200


async def test_an_exposed_address_needs_a_token(store: PostgresStore) -> None:
    """The application is not even built for it."""
    with pytest.raises(ConfigurationError, match=r"private\.token must be set"):
        build_admin(host="0.0.0.0", token=None, operations=Operations(open_registry(), pull=store.ping, probes={}),
                    users=store.management, phases=store.phases)


async def test_answers_are_for_nobody_else(private: Private) -> None:
    """No cache keeps them and no browser guesses what they are."""
    for path in ("/healthz", "/metrics", "/api/users", "/nowhere"):
        answer = await private.get(path)
        assert answer.headers["Cache-Control"] == "no-store", path
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert answer.headers["Server"] == "sluicegate", path


async def test_users_are_found(private: Private, store: PostgresStore) -> None:
    """By text, by state, and all of them; each as documented."""
    alice, bob = await adopt(store, 1, "alice"), await adopt(store, 2, "bob")
    await store.management.set_state(bob, AccountState.BLOCKED, actor="test")
    everyone = (await private.get("/api/users")).json
    assert [user["id"] for user in everyone["users"]] == [str(alice), str(bob)]
    assert everyone["next"] is None
    by_text = (await private.get("/api/users?q=ALICE%40shop")).json["users"]
    assert [user["username"] for user in by_text] == ["alice"]
    by_state = (await private.get("/api/users?state=blocked")).json["users"]
    assert [(user["username"], user["state"]) for user in by_state] == [("bob", "blocked")]
    assert set(by_state[0]) == {"id", "source", "legacy_id", "state", "username", "email", "name", "aliases",
                                "created_at", "last_login_at"}


async def test_pages_follow_one_another(private: Private, store: PostgresStore) -> None:
    """Following `next` shows each account once, and the last page says that it is the last."""
    expected = [str(await adopt(store, number, f"user{number}")) for number in range(1, 6)]
    seen: list[str] = []
    following, pages = "", 0
    while following is not None:
        page = (await private.get(f"/api/users?limit=2{following and f'&after={following}'}")).json
        seen += [user["id"] for user in page["users"]]
        following, pages = page["next"], pages + 1
    assert (seen, pages) == (expected, 3)


async def test_a_full_last_page_is_the_last(private: Private, store: PostgresStore) -> None:
    """No empty page follows when the accounts fill pages exactly."""
    for number in (1, 2):
        await adopt(store, number, f"user{number}")
    assert (await private.get("/api/users?limit=2")).json["next"] is None


async def test_one_user_is_shown(private: Private, store: PostgresStore) -> None:
    """The same object as in the list; a login is a time."""
    account_id = await adopt(store, 17, "alice")
    await store.accounts.logged_in(account_id)
    user = (await private.get(f"/api/users/{account_id}")).json
    assert user == (await private.get("/api/users")).json["users"][0]
    assert (user["legacy_id"], user["aliases"]) == ("17", ["alice"])
    assert user["last_login_at"] >= user["created_at"]


async def test_a_deleted_user_is_shown_as_what_is_left(private: Private, store: PostgresStore) -> None:
    """A tombstone has its legacy id and no name."""
    account_id = await adopt(store, 17, "alice")
    await store.management.set_state(account_id, AccountState.DELETED, actor="test")
    user = (await private.get(f"/api/users/{account_id}")).json
    assert (user["state"], user["legacy_id"], user["username"], user["aliases"]) == ("deleted", "17", "", [])


@pytest.mark.parametrize(("path", "status"), [
    (f"/api/users/{UUID(int=9)}", 404),
    ("/api/users/alice", 400), ("/api/users/17", 400), ("/api/users/%00", 400),
    ("/api/users?limit=0", 400), ("/api/users?state=sealed", 400), ("/api/users?after=x", 400),
    ("/api/users?q=%00", 400), ("/api/users?q=a&q=b", 400), ("/api/users?page=2", 400),
    ("/api/users/", 404), ("/", 404), ("/api", 404), ("/metrics/", 404),
])
async def test_what_is_not_right_is_explained(private: Private, path: str, status: int) -> None:
    """Every refusal is problem details with a sentence on what to do."""
    answer = await private.get(path)
    assert (answer.status, answer.media_type) == (status, "application/problem+json")
    assert answer.json["status"] == status
    assert answer.json["detail"].endswith(".")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_reading_is_all_there_is(private: Private, method: str) -> None:
    """Other methods get 405 with those that are allowed, token or not."""
    for headers in (BEARER, {}):
        answer = await private.get("/api/users", method=method, headers=headers)
        assert (answer.status, answer.media_type) == (405, "application/problem+json")
        assert set(answer.headers["Allow"].split(",")) == {"GET", "HEAD"}


async def test_the_migration_is_shown(private: Private, store: PostgresStore) -> None:
    """Each source with its phase and its accounts by state."""
    await store.phases.ensure("shop-users", Phase.MIGRATE)
    await store.phases.ensure("wiki", Phase.COMPLETE)
    await adopt(store, 1, "alice")
    assert (await private.get("/api/migration")).json == {"sources": [
        {"source": "shop-users", "phase": "migrate", "accounts": {"active": 1, "blocked": 0, "deleted": 0}},
        {"source": "wiki", "phase": "complete", "accounts": {"active": 0, "blocked": 0, "deleted": 0}}]}


async def test_metrics_count_what_happened_and_what_is_there(private: Private, store: PostgresStore) -> None:
    """A scrape parses, shows events and the store's numbers, and names no user."""
    await adopt(store, 1, "alice")
    answer = await private.get("/metrics")
    values = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
              for family in text_string_to_metric_families(answer.text) for sample in family.samples}
    granted = (("app", "shop"), ("decider", "store"), ("outcome", "granted"))
    assert values["sluicegate_logins_total", granted] == 1
    assert values["sluicegate_accounts", (("source", "shop-users"), ("state", "active"))] == 1
    assert values["sluicegate_store_up", ()] == 1
    assert "alice" not in answer.text


async def test_without_its_store_the_gateway_is_not_ready(postgres_server: PostgresServer) -> None:
    """It is alive, says everywhere what is missing, and is ready again once the store is back."""
    async with (postgres_server.database() as url, PostgresStore.open(url) as store,
                serving(store) as private):
        assert (await private.get("/readyz")).json == {"ready": True, "parts": {"store": "ok"}}
        async with taken_away(postgres_server, url):
            ready, metrics = await private.get("/readyz"), await private.get("/metrics")
            users, migration = await private.get("/api/users"), await private.get("/api/migration")
            assert (await private.get("/healthz")).status == 200
        assert (await private.get("/readyz")).status == 200
        assert (await private.get("/api/users")).status == 200
    assert (ready.status, ready.json["parts"]) == (503, {"store": "does not answer"})
    assert metrics.status == 200
    assert "sluicegate_store_up 0.0" in metrics.text
    assert "sluicegate_accounts{" not in metrics.text
    for answer in (users, migration):
        assert (answer.status, answer.media_type) == (503, "application/problem+json")
        assert int(answer.headers["Retry-After"]) > 0
        assert "PostgreSQL" in answer.json["detail"]


@asynccontextmanager
async def taken_away(server: PostgresServer, url: Secret) -> AsyncIterator[None]:
    """Take a database away from those who use it, and give it back."""
    name = urlsplit(url.reveal()).path.lstrip("/")
    await server._administer(
        f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")
    await server._administer(f"ALTER DATABASE {name} RENAME TO {name}_away")
    try:
        yield
    finally:
        await server._administer(f"ALTER DATABASE {name}_away RENAME TO {name}")
