"""A browser is recognised by what it holds, and by nothing that has ended, was doubled or was forged."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import jwt as pyjwt
import pytest

from gateway.accounts.keyring import Keyring
from gateway.accounts.memory import Known
from gateway.accounts.recognition import Unexamined
from gateway.accounts.sessions import Due, Ended, Fields, Issued, Recognised, SessionKeeper, SessionStanding
from gateway.errors import StoreUnavailable
from gateway.http.cookies import CookieJar
from gateway.model import Account, AccountState, Profile, Secret
from gateway.tokens.envelope import KeyEncryptionKey
from gateway.tokens.jwt import sign
from gateway.tokens.keys import KeyState
from gateway.tokens.sessions import Lifetimes
from tests.helpers.memory_store import Clock, MemoryKeys, MemorySessions
from tests.helpers.tokens import ISSUER, random_keys, shop_claims

KEK = KeyEncryptionKey(bytes(range(32)))
ACCESS, HANDLE = "__Host-sluicegate-shop", "__Host-sluicegate-shop.session"


def account(number: int = 7) -> Account:
    return Account(
        id=UUID(int=number), source="shop-users", legacy_id=str(number), state=AccountState.ACTIVE,
        profile=Profile(username="alice"), aliases=("alice",),
        created_at=datetime.fromtimestamp(0, UTC), last_login_at=None,
    )


class Browser:
    """Keeps cookies as a browser does."""

    def __init__(self, clock: Clock) -> None:
        self._jar = CookieJar(now=clock())

    def take(self, fields: Fields) -> None:
        self._jar.store([value for name, value in fields if name == b"set-cookie"], "/")

    @property
    def cookie(self) -> bytes | None:
        return self._jar.header("/")

    def value(self, name: str) -> str:
        pairs = dict(pair.split("=", 1) for pair in (self.cookie or b"").decode().split("; "))
        return pairs[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A keeper with all that it stands on, and a browser in front of it."""

    keeper: SessionKeeper
    keyring: Keyring
    keys: MemoryKeys
    store: MemorySessions
    clock: Clock
    browser: Browser

    async def log_in(self, number: int = 7) -> Issued:
        issued = await self.keeper.issue(account(number), "shop", proven=Secret("current"))
        assert issued is not None
        self.browser.take(issued.fields)
        return issued

    def recognise(self) -> Recognised:
        return self.keeper.recognise("shop", self.browser.cookie)

    async def renew(self) -> None:
        due = self.recognise()
        assert isinstance(due, Due)
        renewed = await self.keeper.renew("shop", due)
        assert isinstance(renewed, Issued | Ended)
        self.browser.take(renewed.fields)


async def worker_over(
    keys: MemoryKeys, store: MemorySessions, clock: Clock, *, issuer: str = ISSUER, seed: int = 1,
    lifetimes: Lifetimes | None = None, told: tuple[str, ...] = (),
) -> Worker:
    random = Random(seed).randbytes
    keyring = Keyring(keys, KEK, clock, random)
    await keyring.load()
    keeper = SessionKeeper(store, keyring, clock, random, issuer, lifetimes or Lifetimes(), told=told)
    clock.advance(1)
    return Worker(
        keeper=keeper, keyring=keyring, keys=keys, store=store, clock=clock, browser=Browser(clock)
    )


async def worker_alone(*, issuer: str = ISSUER, lifetimes: Lifetimes | None = None,
                       told: tuple[str, ...] = ()) -> Worker:
    clock = Clock()
    return await worker_over(MemoryKeys(), MemorySessions(clock), clock, issuer=issuer, lifetimes=lifetimes, told=told)


async def replica_of(worker: Worker) -> SessionKeeper:
    """Return another worker's keeper, which has been running for long."""
    clock = Clock(worker.clock() - 10_000)
    other = await worker_over(worker.keys, worker.store, clock, seed=2)
    clock.now = worker.clock()
    return other.keeper


@pytest.fixture
async def worker() -> Worker:
    return await worker_alone()


# Issuing


async def test_a_login_gives_a_token_that_plain_pyjwt_verifies(worker: Worker) -> None:
    """The access cookie holds a JWT of the app's audience, signed by the published active key."""
    issued = await worker.log_in()
    published = pyjwt.PyJWKSet.from_json(worker.keyring.keyset.jwks().decode())
    token = worker.browser.value(ACCESS)
    header = pyjwt.get_unverified_header(token)
    read = pyjwt.decode(
        token, published[header["kid"]], algorithms=["EdDSA"], audience="shop", issuer=ISSUER,
        options={"verify_exp": False, "verify_iat": False},
    )
    assert (header["typ"], header["kid"]) == ("at+jwt", worker.keyring.keyset.active.kid)
    assert (read["sub"], read["sid"]) == (str(UUID(int=7)), str(issued.session.id))
    assert read["exp"] - read["iat"] == 900


async def test_the_cookies_are_closed_to_scripts_and_other_hosts(worker: Worker) -> None:
    """Both are `__Host-`, Secure, HttpOnly, SameSite=Lax, and last as long as what they hold."""
    issued = await worker.log_in()
    attributes = "Path=/; Max-Age={}; HttpOnly; SameSite=Lax; Secure"
    access, handle = (value.decode().partition("; ") for _, value in issued.fields)
    assert access[0].startswith(f"{ACCESS}=ey")
    assert access[2] == attributes.format(900)
    assert handle[0].startswith(f"{HANDLE}=")
    assert handle[2] == attributes.format(24 * 3600)
    assert all(name == b"set-cookie" and len(value) < 4096 for name, value in issued.fields)


async def test_an_issuer_without_tls_gets_plain_names() -> None:
    """A browser would not keep Secure cookies from http."""
    worker = await worker_alone(issuer="http://127.0.0.1:8080")
    issued = await worker.log_in()
    assert [value.partition(b"=")[0] for _, value in issued.fields] == [
        b"sluicegate-shop", b"sluicegate-shop.session"
    ]
    assert not any(b"Secure" in value for _, value in issued.fields)
    assert isinstance(worker.recognise(), Known)


async def test_the_store_knows_the_handle_by_its_digest_alone(worker: Worker) -> None:
    """A leak of the sessions table opens no session."""
    await worker.log_in()
    handle = worker.browser.value(HANDLE)
    assert list(worker.store.rows) == [hashlib.sha256(handle.encode()).digest()]
    assert handle not in repr(worker.store.rows)


async def test_each_login_has_a_session_of_its_own(worker: Worker) -> None:
    """Session ids, handles and token ids change at login (session fixation)."""
    first, handle = await worker.log_in(), worker.browser.value(HANDLE)
    second = await worker.log_in()
    assert first.session.id != second.session.id
    assert first.claims.jti != second.claims.jti
    assert worker.browser.value(HANDLE) != handle


async def test_an_account_that_is_no_longer_active_gets_no_session(worker: Worker) -> None:
    """Blocked between the decision and the session: nothing is issued."""
    worker.store.inactive.add(UUID(int=7))
    assert await worker.keeper.issue(account(), "shop", proven=Secret("current")) is None


async def test_what_is_issued_shows_no_token(worker: Worker) -> None:
    """Neither the token nor the handle, nor its digest, is in a repr."""
    issued = await worker.log_in()
    shown = repr(issued) + repr(Due(handle=next(iter(worker.store.rows))))
    assert worker.browser.value(ACCESS) not in shown
    assert worker.browser.value(HANDLE) not in shown
    assert repr(next(iter(worker.store.rows))) not in shown


# Recognising


async def test_a_logged_in_browser_is_known_without_a_read(worker: Worker) -> None:
    """The token says who it is; the store is not asked, and may be down."""
    issued = await worker.log_in()
    worker.store.is_down = True
    known = worker.recognise()
    assert isinstance(known, Known)
    assert known.claims == issued.claims


async def test_another_replica_knows_the_browser_by_signature(worker: Worker) -> None:
    """It opened no session of its own, and verifies once what it then remembers."""
    issued = await worker.log_in()
    other = await replica_of(worker)
    for _ in range(2):
        known = other.recognise("shop", worker.browser.cookie)
        assert isinstance(known, Known)
        assert known.claims == issued.claims


NOBODY = [
    None, b"", b"theme=dark; sessionid=abc", b"__Host-sluicegate-shop=", b"__Host-sluicegate-shop",
    b"__Host-sluicegate-shop=a.b.c", b"__Host-sluicegate-shop.session=short",
    b"__Host-sluicegate-shop=" + b"x" * 30_000, b"__Host-sluicegate-shop=\xff\xfe; x=\x00",
    b"__Host-sluicegate-bank.session=" + b"a" * 43, b"__Host-sluicegate-=; ; =;;",
]


@pytest.mark.parametrize("cookie", NOBODY)
async def test_a_browser_without_our_cookies_is_nobody(worker: Worker, cookie: bytes | None) -> None:
    """Empty, foreign, malformed and oversized cookies give None and read nothing."""
    await worker.log_in()
    assert worker.keeper.recognise("shop", cookie) is None
    assert worker.store.reads == 0


async def test_a_doubled_cookie_of_ours_is_refused(worker: Worker) -> None:
    """Whether token or handle, first or last, right or wrong: with two of a name nobody is known."""
    await worker.log_in()
    own = (worker.browser.cookie or b"").decode()
    for name in (ACCESS, HANDLE):
        again = f"{name}={worker.browser.value(name)}"
        for doubled in (f"{own}; {name}=x", f"{name}=x; {own}", f"{own}; {again}"):
            assert worker.keeper.recognise("shop", doubled.encode()) is None


async def test_a_doubled_handle_finds_no_session(worker: Worker) -> None:
    """The exact question refuses it as well, without a read."""
    await worker.log_in()
    doubled = (worker.browser.cookie or b"") + f"; {HANDLE}={'a' * 43}".encode()
    assert await worker.keeper.current("shop", doubled) is None
    assert worker.store.reads == 0


async def test_plain_names_count_for_nothing_where_the_issuer_has_tls(worker: Worker) -> None:
    """A neighbouring host can set plain names, but no `__Host-` ones."""
    await worker.log_in()
    plain = (worker.browser.cookie or b"").replace(b"__Host-", b"")
    assert worker.keeper.recognise("shop", plain) is None


@pytest.mark.parametrize("is_remembered", [True, False])
async def test_a_token_of_one_app_is_worth_nothing_in_another(worker: Worker, *, is_remembered: bool) -> None:
    """Not even when the worker has just verified it for its own app."""
    await worker.log_in()
    keeper = worker.keeper if is_remembered else await replica_of(worker)
    moved = (worker.browser.cookie or b"").replace(b"sluicegate-shop", b"sluicegate-bank")
    assert isinstance(keeper.recognise("shop", worker.browser.cookie), Known)
    due = keeper.recognise("bank", moved)
    assert isinstance(due, Due)
    assert due.known is None
    ended = await keeper.renew("bank", due)
    assert isinstance(ended, Ended)
    assert all(b"Max-Age=0" in value for _, value in ended.fields)


async def test_a_forged_token_is_in_doubt_and_the_row_decides(worker: Worker) -> None:
    """A token of a foreign key gives nothing by itself; the handle beside it is asked about."""
    (foreign,) = random_keys(KeyState.ACTIVE, seed=9)
    forged = sign(shop_claims(now=worker.clock()).as_mapping(), foreign)
    assert worker.keeper.recognise("shop", f"{ACCESS}={forged}".encode()) is None
    await worker.log_in()
    handle = worker.browser.value(HANDLE)
    assert isinstance(worker.keeper.recognise("shop", f"{ACCESS}={forged}; {HANDLE}={handle}".encode()), Due)


async def test_a_handle_alone_is_due(worker: Worker) -> None:
    """The browser dropped the access token when it was over; the handle tells where to ask."""
    await worker.log_in()
    handle = worker.browser.value(HANDLE)
    assert worker.keeper.recognise("shop", f"{HANDLE}={handle}".encode()) == Due(
        handle=hashlib.sha256(handle.encode()).digest()
    )


async def test_a_token_alone_is_known_until_it_expires(worker: Worker) -> None:
    """Without a handle it cannot be renewed, and is worth what it says and the skew."""
    await worker.log_in()
    cookie = f"{ACCESS}={worker.browser.value(ACCESS)}".encode()
    worker.clock.advance(900 + 59)
    assert isinstance(worker.keeper.recognise("shop", cookie), Known)
    worker.clock.advance(1)
    assert worker.keeper.recognise("shop", cookie) is None


# Renewing


async def test_a_token_becomes_due_and_is_renewed_from_its_row(worker: Worker) -> None:
    """In its last third; the new token is of the same session, the handle stays as it is."""
    issued, handle = await worker.log_in(), worker.browser.value(HANDLE)
    worker.clock.advance(599)
    assert isinstance(worker.recognise(), Known)
    worker.clock.advance(1)
    assert isinstance(worker.recognise(), Due)
    await worker.renew()
    known = worker.recognise()
    assert isinstance(known, Known)
    assert known.claims.sid == issued.claims.sid
    assert known.claims.exp == issued.claims.exp + 600
    assert worker.browser.value(HANDLE) == handle


async def test_parallel_renewals_all_succeed(worker: Worker) -> None:
    """Nothing is rotated, so no request of a page's many loses a race."""
    await worker.log_in()
    worker.clock.advance(700)
    cookie = worker.browser.cookie
    due = worker.keeper.recognise("shop", cookie)
    assert isinstance(due, Due)
    for renewed in [await worker.keeper.renew("shop", due) for _ in range(3)]:
        assert isinstance(renewed, Issued)
        worker.browser.take(renewed.fields)
        assert isinstance(worker.recognise(), Known)


async def test_a_token_never_outlives_its_session() -> None:
    """The last token of a session is shorter; then the cookies are cleared."""
    worker = await worker_alone(lifetimes=Lifetimes(session=timedelta(minutes=20)))
    issued = await worker.log_in()
    worker.clock.advance(15 * 60)
    await worker.renew()
    known = worker.recognise()
    assert isinstance(known, Known)
    assert known.claims.exp <= issued.session.expires_at.timestamp()
    worker.clock.advance(5 * 60)
    await worker.renew()
    assert worker.browser.cookie is None


async def test_a_session_that_ended_clears_the_cookies(worker: Worker) -> None:
    """The row is the truth, whatever the token still says."""
    issued = await worker.log_in()
    await worker.store.end(issued.session.id, reason="test")
    worker.clock.advance(700)
    await worker.renew()
    assert worker.browser.cookie is None


async def test_an_outage_at_renewal_is_said_as_such(worker: Worker) -> None:
    """The cookies are kept: an outage ends no session."""
    await worker.log_in()
    worker.clock.advance(700)
    worker.store.is_down = True
    with pytest.raises(StoreUnavailable):
        await worker.renew()
    worker.store.is_down = False
    await worker.renew()
    assert isinstance(worker.recognise(), Known)


# Ending


async def test_who_somebody_is_exactly_is_read_from_the_row(worker: Worker) -> None:
    """A change or a logout asks the row, and a session that has ended is nobody's, token or not."""
    issued = await worker.log_in()
    assert await worker.keeper.current("shop", worker.browser.cookie) == issued.session
    await worker.store.end(issued.session.id, reason="test")
    assert await worker.keeper.current("shop", worker.browser.cookie) is None
    assert await worker.keeper.current("shop", None) is None


async def test_a_logout_ends_the_session_and_clears_the_cookies(worker: Worker) -> None:
    """Who kept the cookies is not known by them any more, at once and without a notice."""
    issued = await worker.log_in()
    kept = worker.browser.cookie
    worker.browser.take(await worker.keeper.end("shop", kept, "logout"))
    assert worker.browser.cookie is None
    assert worker.store.reasons == {issued.session.id: "logout"}
    assert isinstance(worker.keeper.recognise("shop", kept), Due)
    assert await worker.keeper.current("shop", kept) is None


async def test_a_logout_of_nobody_clears_the_cookies_and_ends_nothing(worker: Worker) -> None:
    """A browser with leftovers is rid of them."""
    fields = await worker.keeper.end("shop", b"__Host-sluicegate-shop=leftover", "logout")
    assert [value.partition(b";")[0] for _, value in fields] == [f"{ACCESS}=".encode(), f"{HANDLE}=".encode()]
    assert worker.store.reasons == {}


async def test_a_logout_during_an_outage_is_no_logout(worker: Worker) -> None:
    """It raises rather than telling the user that they are out."""
    await worker.log_in()
    worker.store.is_down = True
    with pytest.raises(StoreUnavailable):
        await worker.keeper.end("shop", worker.browser.cookie, "logout")


async def test_a_notice_ends_a_session_on_every_worker(worker: Worker) -> None:
    """A verified and remembered token is refused at the next request, without I/O."""
    issued = await worker.log_in()
    other = await replica_of(worker)
    assert isinstance(other.recognise("shop", worker.browser.cookie), Known)
    await other.on_notice("session", str(issued.session.id))
    assert isinstance(other.recognise("shop", worker.browser.cookie), Due)
    token_alone = f"{ACCESS}={worker.browser.value(ACCESS)}".encode()
    assert other.recognise("shop", token_alone) is None


async def test_a_notice_ends_all_sessions_of_an_account_and_of_no_other(worker: Worker) -> None:
    """Blocking one user leaves the others where they are."""
    await worker.log_in(number=7)
    sevens = worker.browser.cookie
    await worker.log_in(number=8)
    worker.clock.advance(1)
    await worker.keeper.on_notice("account", str(UUID(int=7)))
    assert isinstance(worker.keeper.recognise("shop", sevens), Due)
    assert isinstance(worker.recognise(), Known)


async def test_a_login_after_an_account_ended_is_known(worker: Worker) -> None:
    """A password change elsewhere ends what was; what comes after it is not what was."""
    await worker.log_in()
    await worker.keeper.on_notice("account", str(UUID(int=7)))
    worker.clock.advance(0.001)
    await worker.log_in()
    assert isinstance(worker.recognise(), Known)


async def test_a_notice_that_overtakes_a_login_costs_one_read(worker: Worker) -> None:
    """The notice about the sessions before arrives after the new session: the row says that it lives."""
    await worker.log_in()
    await worker.keeper.on_notice("account", str(UUID(int=7)))
    assert isinstance(worker.recognise(), Due)
    worker.clock.advance(0.001)
    await worker.renew()
    assert isinstance(worker.recognise(), Known)


async def test_after_a_reconnection_each_browser_is_asked_about_once(worker: Worker) -> None:
    """Notices may have been missed: no token is believed before its row was read again."""
    await worker.log_in()
    await worker.keeper.on_notice("resync", "")
    due = worker.recognise()
    assert isinstance(due, Due)
    worker.clock.advance(0.001)
    assert await worker.keeper.renew("shop", due) is due.known
    assert isinstance(worker.recognise(), Known)


async def test_a_token_from_a_clock_ahead_is_in_doubt_after_a_reconnection(worker: Worker) -> None:
    """A replica whose clock is 60 s ahead may have issued it before the notices were missed."""
    other = await replica_of(worker)
    await other.on_notice("resync", "")
    worker.clock.advance(59)
    await worker.log_in()
    assert isinstance(other.recognise("shop", worker.browser.cookie), Due)


async def test_a_worker_that_has_just_begun_asks_the_row(worker: Worker) -> None:
    """It was never told what ended before it began."""
    await worker.log_in()
    begun = await worker_over(worker.keys, worker.store, worker.clock, seed=2)
    due = begun.keeper.recognise("shop", worker.browser.cookie)
    assert isinstance(due, Due)
    # The browser keeps its token, or two workers would give it one in turn for a minute.
    assert await begun.keeper.renew("shop", due) is due.known
    assert isinstance(begun.keeper.recognise("shop", worker.browser.cookie), Known)


async def test_a_worker_that_has_just_begun_lets_no_ended_session_in(worker: Worker) -> None:
    """Its row says so, and the browser's cookies are cleared."""
    issued = await worker.log_in()
    begun = await worker_over(worker.keys, worker.store, worker.clock, seed=2)
    await worker.store.end(issued.session.id, reason="test")
    due = begun.keeper.recognise("shop", worker.browser.cookie)
    assert isinstance(due, Due)
    assert await begun.keeper.renew("shop", due) == Ended(fields=begun.keeper.cleared("shop"))


async def test_a_notice_about_keys_reads_them_again(worker: Worker) -> None:
    """A key that is gone from the store signs and verifies nothing from then on."""
    await worker.log_in()
    keys = MemoryKeys()
    await Keyring(keys, KEK, worker.clock, Random(5).randbytes).load()
    worker.keys.rows = keys.rows
    assert isinstance(worker.recognise(), Known)
    await worker.keeper.on_notice("keys", "")
    assert isinstance(worker.recognise(), Due)
    await worker.renew()
    assert isinstance(worker.recognise(), Known)
    assert pyjwt.get_unverified_header(worker.browser.value(ACCESS))["kid"] == keys.rows[0].kid


async def test_a_reconnection_without_the_store_still_puts_all_in_doubt(worker: Worker) -> None:
    """The doubt comes before the read that fails, and the failure is told to the listener."""
    await worker.log_in()
    worker.keys.is_down = True
    with pytest.raises(StoreUnavailable):
        await worker.keeper.on_notice("resync", "")
    assert isinstance(worker.recognise(), Due)


async def test_notices_of_others_change_nothing(worker: Worker) -> None:
    """A phase is not a session."""
    await worker.log_in()
    await worker.keeper.on_notice("phase", "shop-users")
    assert isinstance(worker.recognise(), Known)


# Devices


async def test_the_device_token_comes_back_in_its_cookie(worker: Worker) -> None:
    """It lasts half a year and is closed to scripts like the others."""
    field = worker.keeper.device_field("shop", Secret("nonce.mac"))
    assert field[1].startswith(b"__Host-sluicegate-shop.device=nonce.mac; ")
    assert b"Max-Age=15552000; HttpOnly; SameSite=Lax; Secure" in field[1]
    worker.browser.take((field,))
    assert worker.keeper.device("shop", worker.browser.cookie) == Secret("nonce.mac")


async def test_no_device_or_two_are_none(worker: Worker) -> None:
    """A doubled cookie is refused here as well."""
    name = b"__Host-sluicegate-shop.device"
    assert worker.keeper.device("shop", None) is None
    assert worker.keeper.device("shop", b"%s=a.b; %s=c.d" % (name, name)) is None


# Names and assertions


async def test_a_told_apps_token_holds_the_names_of_its_user() -> None:
    """So that a worker that has just begun can tell them without a read; another app's holds none."""
    worker = await worker_alone(told=("shop",))
    claims = (await worker.log_in()).claims
    assert (claims.preferred_username, claims.email) == ("alice", "alice@shop.test")
    other = await worker.keeper.issue(account(), "bank", proven=Secret("current"))
    assert other is not None
    assert other.claims.names == {}


async def test_an_assertion_is_for_one_app_and_one_minute() -> None:
    """And is of a type of its own, which no session is opened by."""
    worker = await worker_alone(told=("shop",))
    issued = await worker.log_in()
    assertion = worker.keeper.assertion(issued.known)
    claims = pyjwt.decode(assertion, worker.keyring.keyset.active.public, algorithms=["EdDSA"], audience="shop",
                          options={"verify_exp": False, "verify_iat": False})
    assert claims["exp"] - claims["iat"] == 60
    assert claims["sid"] == issued.claims.sid
    assert claims["jti"] != issued.claims.jti
    assert pyjwt.get_unverified_header(assertion)["typ"] == "assertion+jwt"
    assert worker.keeper.recognise_bearer("shop", assertion.encode()) is None
    assert worker.keeper.recognise("shop", f"{ACCESS}={assertion}".encode()) is None


# Clients with a token of ours


async def test_a_bearer_token_is_known_until_it_expires(worker: Worker) -> None:
    """It cannot be renewed, so the last third of its life is as good as the rest."""
    await worker.log_in()
    token = worker.browser.value(ACCESS).encode()
    assert isinstance(worker.keeper.recognise_bearer("shop", token), Known)
    assert worker.keeper.recognise_bearer("bank", token) is None
    worker.clock.advance(959)
    assert isinstance(worker.keeper.recognise_bearer("shop", token), Known)
    worker.clock.advance(1)
    assert worker.keeper.recognise_bearer("shop", token) is None


@pytest.mark.parametrize("token", [b"", b"x", b"a.b.c", b"x" * 30_000, b"\xff.\xfe.\xfd", b"Zm9v"])
async def test_any_other_bearer_token_is_nobodys_and_costs_nothing(worker: Worker, token: bytes) -> None:
    """It may be the app's own."""
    for _ in range(500):
        assert worker.keeper.recognise_bearer("shop", token, "192.0.2.7") is None
    assert dict(worker.keeper.counts) == {"cached": 0, "verified": 0, "refused": 0, "over_budget": 0}


async def test_a_bearer_token_in_doubt_is_asked_about_by_its_session(worker: Worker) -> None:
    """Once; then it is known again, and so it is on the same worker by cookie."""
    await worker.log_in()
    token = worker.browser.value(ACCESS).encode()
    await worker.keeper.on_notice("resync", "")
    due = worker.keeper.recognise_bearer("shop", token)
    assert isinstance(due, Due)
    assert due.known is not None
    worker.clock.advance(1)
    assert await worker.keeper.prove(due.known)
    assert isinstance(worker.keeper.recognise_bearer("shop", token), Known)
    assert isinstance(worker.recognise(), Known)


# What a long-lived connection asks


async def test_a_session_holds_until_its_token_ends_and_then_its_row_is_asked(worker: Worker) -> None:
    """Once for the life of a token; an outage lets it stand."""
    issued = await worker.log_in()
    standing = SessionStanding(worker.keeper, issued.known)
    assert standing.holds() is True
    worker.clock.advance(899)
    assert standing.holds() is True
    worker.clock.advance(2)
    assert standing.holds() is None
    worker.store.is_down = True
    assert await standing.ask()
    worker.store.is_down = False
    assert await standing.ask()
    assert standing.holds() is True
    worker.clock.advance(900)
    assert standing.holds() is None


async def test_an_ended_session_holds_no_longer(worker: Worker) -> None:
    """Told by a notice at once, or by its row when it is asked."""
    issued = await worker.log_in()
    standing = SessionStanding(worker.keeper, issued.known)
    await worker.keeper.on_notice("resync", "")
    assert standing.holds() is None
    await worker.store.end(issued.session.id, reason="test")
    assert not await standing.ask()
    assert standing.holds() is False
    other = SessionStanding(worker.keeper, (await worker.log_in()).known)
    await worker.keeper.on_notice("account", str(UUID(int=7)))
    assert other.holds() is False


async def test_a_session_holds_no_longer_than_its_row() -> None:
    """What is left of it is shorter than a token."""
    worker = await worker_alone(lifetimes=Lifetimes(session=timedelta(minutes=20)))
    standing = SessionStanding(worker.keeper, (await worker.log_in()).known)
    worker.clock.advance(15 * 60)
    assert await standing.ask()
    worker.clock.advance(5 * 60)
    assert standing.holds() is None
    assert not await standing.ask()


# A flood


def forged(worker: Worker, number: int) -> bytes:
    """Return a token that only its signature tells from one of ours."""
    head, payload, _ = sign(shop_claims(now=worker.clock()).as_mapping(), worker.keyring.keyset.active).split(".")
    return f"{ACCESS}={head}.{payload}.{number:086d}".encode()


async def test_a_flood_of_invalid_tokens_is_verified_no_further(worker: Worker) -> None:
    """Beyond its budget an address is told to wait; who is known goes on, and so does everybody elsewhere."""
    await worker.log_in()
    found = [worker.keeper.recognise("shop", forged(worker, number), "192.0.2.7") for number in range(150)]
    assert found[:100] == [None] * 100
    assert found[-1] == Unexamined(seconds=1)
    assert dict(worker.keeper.counts) == {"cached": 0, "verified": 0, "refused": 100, "over_budget": 50}
    assert isinstance(worker.keeper.recognise("shop", worker.browser.cookie, "192.0.2.7"), Known)
    other = await replica_of(worker)
    assert isinstance(other.recognise("shop", worker.browser.cookie, "192.0.2.8"), Known)


async def test_the_same_invalid_token_costs_one_verification(worker: Worker) -> None:
    """However often it comes."""
    for _ in range(500):
        assert worker.keeper.recognise("shop", forged(worker, 1), "192.0.2.7") is None
    assert worker.keeper.recognise("shop", forged(worker, 2), "192.0.2.7") is None
    assert dict(worker.keeper.counts)["over_budget"] == 0


async def flooded_with_tokens(worker: Worker, address: str | None = "192.0.2.7") -> SessionKeeper:
    other = await replica_of(worker)
    for number in range(100):
        other.recognise("shop", forged(worker, number), address)
    return other


async def flooded_with_handles(worker: Worker) -> None:
    for number in range(100):
        await worker.keeper.renew("shop", Due(handle=b"%032d" % number, address="192.0.2.7"))


async def test_even_a_right_token_waits_behind_a_flood_if_it_is_alone(worker: Worker) -> None:
    """Nobody can tell it from a wrong one without the work that the budget is for."""
    await worker.log_in()
    other = await flooded_with_tokens(worker)
    token = f"{ACCESS}={worker.browser.value(ACCESS)}".encode()
    assert isinstance(other.recognise("shop", token, "192.0.2.7"), Unexamined)
    assert isinstance(other.recognise("shop", token, "192.0.2.8"), Known)


@pytest.mark.parametrize("is_handle_alone", [True, False])
async def test_a_flood_of_tokens_refuses_nobody_who_has_a_handle(worker: Worker, *, is_handle_alone: bool) -> None:
    """Handles have a budget of their own, and the row can tell without a signature."""
    await worker.log_in()
    other = await flooded_with_tokens(worker)
    cookie = f"{HANDLE}={worker.browser.value(HANDLE)}".encode() if is_handle_alone else worker.browser.cookie
    due = other.recognise("shop", cookie, "192.0.2.7")
    assert isinstance(due, Due)
    assert isinstance(await other.renew("shop", due), Issued)


async def test_a_flood_of_handles_refuses_no_token(worker: Worker) -> None:
    """Signatures have a budget of their own."""
    await worker.log_in()
    await flooded_with_handles(worker)
    token = worker.browser.value(ACCESS).encode()
    await worker.keeper.on_notice("keys", "")  # nothing is remembered any more
    assert isinstance(worker.keeper.recognise_bearer("shop", token, "192.0.2.7"), Known)
    assert isinstance(worker.keeper.recognise("shop", f"{ACCESS}=".encode() + token, "192.0.2.7"), Known)


async def test_behind_a_flood_a_right_token_is_renewed_later(worker: Worker) -> None:
    """Its owner goes on with it, without a read, and gets the new one when the address may be looked up again."""
    await worker.log_in()
    worker.clock.advance(700)
    await flooded_with_handles(worker)
    due, reads = worker.keeper.recognise("shop", worker.browser.cookie, "192.0.2.7"), worker.store.reads
    assert isinstance(due, Due)
    assert await worker.keeper.renew("shop", due) is due.known
    assert worker.store.reads == reads
    worker.clock.advance(1)
    assert isinstance(await worker.keeper.renew("shop", due), Issued)


@pytest.mark.parametrize("is_over", [True, False])
async def test_behind_a_flood_a_right_token_in_doubt_is_proven_by_its_session(worker: Worker, *, is_over: bool) -> None:
    """A flood revives no session that has ended; and each token costs one read, not one for each request."""
    issued = await worker.log_in()
    await worker.keeper.on_notice("resync", "")
    await flooded_with_handles(worker)
    due, reads = worker.keeper.recognise("shop", worker.browser.cookie, "192.0.2.7"), worker.store.reads
    assert isinstance(due, Due)
    if is_over:
        await worker.store.end(issued.session.id, reason="test")
        assert await worker.keeper.renew("shop", due) == Ended(fields=worker.keeper.cleared("shop"))
        return
    worker.clock.advance(0.001)
    assert await worker.keeper.renew("shop", due) is due.known
    assert await worker.keeper.renew("shop", due) is due.known
    assert worker.store.reads == reads + 1


async def test_clients_whose_address_is_hidden_share_a_larger_budget(worker: Worker) -> None:
    """What signs one address out signs out no whole site behind its balancer."""
    await worker.log_in()
    other = await flooded_with_tokens(worker, None)
    assert isinstance(other.recognise("shop", worker.browser.cookie, None), Known)


async def test_a_flood_of_made_up_handles_is_looked_up_no_further(worker: Worker) -> None:
    """Each look takes from the budget before it is made, so parallel guesses do not outrun it."""
    cookies = [f"{HANDLE}={number:043d}".encode() for number in range(150)]
    dues = [worker.keeper.recognise("shop", cookie, "192.0.2.7") for cookie in cookies]
    assert all(isinstance(due, Due) for due in dues)
    ends = [await worker.keeper.renew("shop", due) for due in dues if isinstance(due, Due)]
    assert worker.store.reads == 100
    assert all(isinstance(end, Ended) for end in ends[:100])
    assert all(isinstance(end, Unexamined) for end in ends[100:])


async def test_live_handles_cost_no_budget(worker: Worker) -> None:
    """A whole office renews behind one address; an outage is nobody's fault either."""
    await worker.log_in()
    due = worker.keeper.recognise("shop", f"{HANDLE}={worker.browser.value(HANDLE)}".encode(), "192.0.2.7")
    assert isinstance(due, Due)
    for _ in range(150):
        assert isinstance(await worker.keeper.renew("shop", due), Issued)
    worker.store.is_down = True
    for _ in range(150):
        with pytest.raises(StoreUnavailable):
            await worker.keeper.renew("shop", due)
    worker.store.is_down = False
    assert isinstance(await worker.keeper.renew("shop", due), Issued)
