"""The session check of each request: what passes with what, what is asked, and what is turned away."""

from dataclasses import dataclass, replace
from random import Random
from urllib.parse import unquote

import pytest

from gateway.accounts.flags import LegacyFlags
from gateway.accounts.keyring import Keyring
from gateway.accounts.login import SourceRules
from gateway.accounts.phases import PhaseBook
from gateway.accounts.sessions import SessionKeeper
from gateway.errors import RequestRefused, StoreUnavailable
from gateway.http.head import RequestHead
from gateway.intercept.rules import compile_rules
from gateway.model import Secret
from gateway.proxy.access import Access, Entry, Require
from gateway.proxy.admission import Admission, is_navigation
from gateway.proxy.guarded import DenialStyle, GuardedApp, HandOff
from gateway.proxy.steps import PLAIN, Ask, ClientInfo, Pass, Reply
from gateway.tokens.envelope import KeyEncryptionKey
from gateway.tokens.sessions import Lifetimes
from tests.helpers.exchanges import request_head
from tests.helpers.memory_store import Clock, MemoryKeys, MemoryPhases, MemorySessions, MemoryStore
from tests.unit.accounts.test_sessions import account

CLIENT = ClientInfo(peer="192.0.2.7", address="192.0.2.7", scheme=b"https", is_trusted=False)
ENTRY = Entry(page="/login", next="next", home="/")
PAGE = ("Accept", "text/html")
EVERYTHING = Access([("/", Require.SESSION)], prefix="/", logins=[], entry=ENTRY, parameters=frozenset(),
                    fold_case=False)
APP = GuardedApp(
    name="shop", prefix="/", rules=compile_rules([]), source=SourceRules(name="shop-users"), questions={},
    is_own_source=False, denied=DenialStyle.APP, allowed_origins=frozenset(), hand_off=HandOff.REPLAY, is_told=True,
    entry=ENTRY, access=None,
)
CLOSED = replace(APP, access=EVERYTHING)


@dataclass
class World:
    """Is a worker's admission, and a browser that has logged in."""

    admission: Admission
    keeper: SessionKeeper
    store: MemorySessions
    clock: Clock
    token: str
    handle: str

    @property
    def cookie(self) -> str:
        return f"{self.token}; {self.handle}"

    def examine(self, app: GuardedApp = APP, *fields: tuple[str, str], target: str = "/cart") -> Pass | Ask | Reply:
        return self.admission.examine(app, request_head("GET", target, *fields), CLIENT)

    async def decided(self, app: GuardedApp, *fields: tuple[str, str], target: str = "/cart") -> Pass | Reply:
        step = self.examine(app, *fields, target=target)
        assert isinstance(step, Ask)
        return await step.decide()


@pytest.fixture
async def world() -> World:
    clock, random = Clock(), Random(1).randbytes
    keyring = Keyring(MemoryKeys(), KeyEncryptionKey(bytes(range(32))), clock, random)
    await keyring.load()
    phases = PhaseBook(MemoryPhases(), {})
    store = MemorySessions(clock)
    keeper = SessionKeeper(store, keyring, clock, random, "https://login.test", Lifetimes(), told=("shop",))
    clock.advance(1)
    issued = await keeper.issue(account(), "shop", proven=Secret("current"))
    assert issued is not None
    token, handle = (value.decode().partition(";")[0] for _, value in issued.fields)
    admission = Admission(keeper, LegacyFlags(MemoryStore(clock).management, phases), clock)
    return World(admission=admission, keeper=keeper, store=store, clock=clock, token=token, handle=handle)


def names(step: object) -> list[bytes]:
    assert isinstance(step, Pass)
    return [line.partition(b": ")[0] for line in step.to_app.split(b"\r\n")[:-1]]


async def test_what_a_known_browser_passes_with_is_made_once(world: World) -> None:
    """The very same value for each request; and no read."""
    first = world.examine(APP, ("Cookie", world.cookie))
    assert names(first) == [b"X-Forwarded-User", b"X-Forwarded-Email", b"X-Sluicegate-Assertion"]
    assert world.examine(APP, ("Cookie", world.cookie)) is first
    assert isinstance(first, Pass)
    assert first.standing is not None
    assert first.standing.holds() is True
    assert first.to_client == b""
    assert world.store.reads == 0


async def test_an_assertion_is_made_again_in_its_last_third(world: World) -> None:
    """An app has twenty seconds at least to look at it."""
    first = world.examine(APP, ("Cookie", world.cookie))
    world.clock.advance(39.9)
    assert world.examine(APP, ("Cookie", world.cookie)) is first
    world.clock.advance(0.2)
    second = world.examine(APP, ("Cookie", world.cookie))
    assert isinstance(first, Pass)
    assert isinstance(second, Pass)
    assert second.to_app != first.to_app


async def test_an_app_that_is_not_told_gets_the_standing_alone(world: World) -> None:
    """A tunnel of its users closes all the same when the session ends."""
    step = world.examine(replace(APP, is_told=False), ("Cookie", world.cookie))
    assert isinstance(step, Pass)
    assert step.to_app == b""
    assert step.standing is not None
    await world.keeper.on_notice("session", "00000000-0000-0000-0000-000000000001")
    assert step.standing.holds() is False


@pytest.mark.parametrize("fields", [(), (("Cookie", "theme=dark"),), (("Cookie", "__Host-sluicegate-shop=x"),)])
async def test_nobody_passes_with_nothing(world: World, fields: tuple[tuple[str, str], ...]) -> None:
    """Where nothing is required."""
    assert world.examine(APP, *fields) is PLAIN


async def test_a_bearer_token_of_ours_counts_like_the_cookie(world: World) -> None:
    """In either usual spelling of the scheme, once; the cookie goes first."""
    token = world.token.partition("=")[2]
    for scheme in ("Bearer", "bearer"):
        assert names(world.examine(CLOSED, ("Authorization", f"{scheme} {token}")))
    for fields in ((("Authorization", f"Basic {token}"),), (("Authorization", f"Bearer {token} x"),),
                   (("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")),
                   (("X-Authorization", f"Bearer {token}"),)):
        with pytest.raises(RequestRefused):
            world.examine(CLOSED, *fields)


async def test_a_renewal_adds_the_cookie_to_the_answer(world: World) -> None:
    """And the app is told in the same request."""
    passed = await world.decided(CLOSED, ("Cookie", world.handle))
    assert len(names(passed)) == 3
    assert isinstance(passed, Pass)
    assert passed.to_client.startswith(b"set-cookie: __Host-sluicegate-shop=ey")


async def test_an_ended_session_is_cleared_and_turned_away_where_one_is_needed(world: World) -> None:
    """Else the request goes on as nobody's."""
    await world.store.end(next(iter(world.store.rows.values())).id, reason="test")
    passed = await world.decided(APP, ("Cookie", world.handle))
    assert isinstance(passed, Pass)
    assert (passed.to_app, passed.standing, passed.to_client.count(b"Max-Age=0")) == (b"", None, 2)
    turned = await world.decided(CLOSED, ("Cookie", world.handle), PAGE)
    assert isinstance(turned, Reply)
    assert turned.status == 303
    assert turned.wire.count(b"Max-Age=0") == 2
    with pytest.raises(RequestRefused) as refusal:
        await world.decided(CLOSED, ("Cookie", world.handle))
    assert refusal.value.status == 401


async def test_in_an_outage_a_right_token_goes_on_and_a_handle_alone_does_not(world: World) -> None:
    """It is not known to have ended; a handle says nothing without its row."""
    await world.keeper.on_notice("resync", "")
    world.store.is_down = True
    assert len(names(await world.decided(CLOSED, ("Cookie", world.cookie)))) == 3
    assert len(names(await world.decided(CLOSED, ("Authorization", f"Bearer {world.token.partition('=')[2]}")))) == 3
    with pytest.raises(StoreUnavailable):
        await world.decided(CLOSED, ("Cookie", world.handle))
    assert await world.decided(APP, ("Cookie", world.handle)) is PLAIN
    world.clock.advance(960)
    with pytest.raises(StoreUnavailable):
        await world.decided(CLOSED, ("Cookie", world.cookie))


async def test_in_an_outage_what_is_known_to_have_ended_does_not_go_on(world: World) -> None:
    """A token whose ending was told is worth nothing, store or not."""
    await world.keeper.on_notice("session", "00000000-0000-0000-0000-000000000001")
    world.store.is_down = True
    with pytest.raises(StoreUnavailable):
        await world.decided(CLOSED, ("Cookie", world.cookie))
    with pytest.raises(RequestRefused):
        world.examine(CLOSED, ("Cookie", world.token))


async def test_behind_a_flood_an_app_that_minds_says_to_wait(world: World) -> None:
    """One that does not, goes on with nobody; and so do the open pages of one that is not told."""
    flood = [("Cookie", f"__Host-sluicegate-shop.session={number:043d}") for number in range(101)]
    for cookie in flood[:100]:
        await world.decided(APP, cookie)
    for app in (APP, CLOSED, replace(CLOSED, is_told=False)):
        with pytest.raises(RequestRefused) as refusal:
            await world.decided(app, flood[100])
        assert (refusal.value.status, refusal.value.retry_after) == (429, 1)
    assert await world.decided(replace(APP, is_told=False), flood[100]) is PLAIN
    assert await world.decided(replace(CLOSED, is_told=False), flood[100], target="/login") is PLAIN
    assert names(world.examine(CLOSED, ("Cookie", world.cookie)))


async def test_behind_a_flood_the_owner_of_a_due_token_passes(world: World) -> None:
    """With the token that they have; and a proxy that nobody declared lets everybody pay a larger budget."""
    flood = [("Cookie", f"__Host-sluicegate-shop.session={number:043d}") for number in range(101)]
    world.clock.advance(700)
    for cookie in flood[:100]:
        await world.decided(APP, cookie)
    passed = await world.decided(CLOSED, ("Cookie", world.cookie))
    assert names(passed)
    assert isinstance(passed, Pass)
    assert passed.to_client == b""
    forwarded = ("X-Forwarded-For", "203.0.113.9")
    assert isinstance(await world.decided(CLOSED, ("Cookie", world.handle), forwarded), Pass)
    with pytest.raises(RequestRefused):
        await world.decided(CLOSED, ("Cookie", world.handle))


NAVIGATIONS = [
    (("GET", (PAGE,)), True), (("HEAD", (PAGE,)), True), (("GET", (("Accept", "TEXT/HTML;q=0.1"),)), True),
    (("GET", (PAGE, ("Sec-Fetch-Mode", "navigate"))), True), (("GET", (PAGE, ("Sec-Fetch-Mode", "cors"))), False),
    (("GET", ()), False), (("GET", (("Accept", "*/*"),)), False), (("POST", (PAGE,)), False),
    (("GET", (PAGE, ("X-Requested-With", "XMLHttpRequest"))), False),
    (("GET", (PAGE, ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Mode", "cors"))), False),
]


@pytest.mark.parametrize(("request_", "navigates"), NAVIGATIONS)
def test_a_navigation_is_what_somebody_will_look_at(request_: tuple[str, tuple[tuple[str, str], ...]], *,
                                                    navigates: bool) -> None:
    """A page is asked for, by no script."""
    method, fields = request_
    head: RequestHead = request_head(method, "/", *fields)
    assert is_navigation(head) is navigates


async def test_the_way_back_is_the_address_as_sent(world: World) -> None:
    """Its query included."""
    turned = world.examine(CLOSED, PAGE, target="/cart?a=b%20c&d")
    assert isinstance(turned, Reply)
    location = turned.wire.partition(b"Location: ")[2].partition(b"\r\n")[0].decode()
    assert unquote(location) == "/login?next=/cart?a=b%20c&d"
