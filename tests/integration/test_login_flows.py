"""Logins of a real Django site's users through a real gateway, for either kind of source."""

import asyncio
import json
from pathlib import Path
from urllib.parse import urlencode

import jwt
import pytest

from gateway.identifiers import LONGEST
from gateway.model import AccountState, Phase, Secret
from gateway.store.postgres import PostgresStore
from tests.helpers.browser import Browser, Page
from tests.helpers.cutting_proxy import Cut, cutting_proxy
from tests.helpers.relay import Relay
from tests.helpers.site import Person, Site
from tests.helpers.stage import COOKIES, Stage, stage, until

PARALLEL = 20


def is_refused_by_the_site(page: Page) -> bool:
    """Say whether a page is Django's own answer to a wrong password, with nothing of the gateway's in it."""
    return page.status == 200 and "errornote" in page.text and page.set_cookies <= {"csrftoken"}


async def test_a_wrong_password_shows_the_sites_own_page_and_stores_nothing(scene: Stage) -> None:
    """The site says no in its own words; the store stays empty."""
    alice = scene.site.person("alice")
    page = await scene.browser().log_in(alice.name, "not her Hare")
    assert is_refused_by_the_site(page)
    assert await scene.stored() == {}
    assert await scene.outcomes() == {("denied", "legacy"): 1}


async def test_an_unknown_user_is_refused_like_a_wrong_password(scene: Stage) -> None:
    """Nobody learns from the gateway who has an account."""
    page = await scene.browser().log_in("nobody-at-all", "any Hare")
    assert is_refused_by_the_site(page)
    assert await scene.stored() == {}


@pytest.mark.parametrize("multipart", [False, True])
async def test_the_right_password_opens_both_sessions_and_adopts_the_user(scene: Stage, multipart: bool) -> None:
    """The site's own redirect comes with both sessions' cookies; the account is committed by then."""
    alice = scene.site.person("alice")
    browser = scene.browser()
    page = await browser.log_in(alice.name, alice.password, multipart=multipart)
    assert (page.status, page.location) == (302, "/admin/")
    assert page.set_cookies >= COOKIES | {"sessionid"}
    assert page.values("cache-control") == ["private, no-store"]
    assert "Site administration" in (await browser.get("/admin/")).text
    account = await scene.account(alice)
    assert account is not None
    assert (account["state"], account["username"]) == ("active", alice.name)
    [credential] = await scene.rows("SELECT * FROM credentials WHERE account_id = $1", account["id"])
    assert credential["encoded"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    [entry] = await scene.rows("SELECT event, account_id FROM audit WHERE event = 'adopted'")
    assert entry["account_id"] == account["id"]
    assert await scene.outcomes() == {("granted", "legacy"): 1}


async def test_a_table_brings_profile_and_primary_key(site: Site, database: Secret, tmp_path: Path) -> None:
    """What the source knows of a person arrives with them; identity is its primary key."""
    async with stage(site, database, tmp_path, "sql") as scene:
        alice = site.person("alice")
        await scene.logged_in(alice)
        account = await scene.account(alice)
        assert account is not None
        assert (account["legacy_id"], account["email"], account["name"]) == (str(alice.id), alice.email, "Given Family")


@pytest.mark.parametrize("password", ["Zażółć-Hare-15€ p&b=100%+;", "  a Hare\u2003\U0001f407 "])
async def test_a_password_crosses_character_by_character(scene: Stage, password: str) -> None:
    """No sign of a password is lost or read as something else, in either form."""
    alice = scene.site.person("alice", password)
    assert await scene.is_granted(alice, password)
    page = await scene.browser().log_in(alice.name, password, multipart=True)
    assert page.status == 302
    assert not await scene.is_granted(alice, password.strip() + "x")
    assert await scene.outcomes() == {("granted", "legacy"): 1, ("granted", "store"): 1, ("denied", "legacy"): 1}


async def test_the_second_login_is_the_stores(scene: Stage) -> None:
    """The legacy side is asked once for each user: not even its outage is noticed afterwards."""
    alice = scene.site.person("alice")
    before = scene.site.sessions()
    await scene.logged_in(alice)
    first = scene.site.sessions() - before
    assert first == (1 if scene.kind == "sql" else 2)  # the clean room has a session of its own
    scene.way.unlink()
    await scene.logged_in(alice)
    assert scene.site.sessions() - before == first + 1
    assert await scene.outcomes() == {("granted", "legacy"): 1, ("granted", "store"): 1}


async def test_the_token_verifies_by_the_published_keys(scene: Stage) -> None:
    """Any JWT library can check it, knowing the address of the gateway alone."""
    alice = scene.site.person("alice")
    browser = await scene.logged_in(alice)
    token = browser.cookies["sluicegate-shop"]
    page = await browser.get("/.well-known/jwks.json")
    key = jwt.PyJWKSet.from_dict(json.loads(page.text))[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["EdDSA"], audience="shop", issuer=scene.gateway.url)
    assert claims["sub"] == str(await scene.account_id(alice))
    assert claims["exp"] - claims["iat"] == 900
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(token, key, algorithms=["EdDSA"], audience="wiki")


async def test_who_may_not_enter_the_admin_still_has_the_other_door(scene: Stage) -> None:
    """Not being staff is the site's word: it is shown, and opens no gateway session; elsewhere the user is fine."""
    visitor = scene.site.person("visitor", staff=False)
    assert is_refused_by_the_site(await scene.browser().log_in(visitor.name, visitor.password))
    assert not await scene.rows("SELECT * FROM sessions")
    await scene.logged_in(visitor, path="/accounts/login/")
    assert len(await scene.rows("SELECT * FROM sessions")) == 1


async def test_an_inactive_user_stays_outside(scene: Stage) -> None:
    """The site's refusal is shown as it is, and nobody is adopted."""
    gone = scene.site.person("gone", active=False)
    assert is_refused_by_the_site(await scene.browser().log_in(gone.name, gone.password))
    assert await scene.stored() == {}


async def test_parallel_first_logins_make_one_account(scene: Stage) -> None:
    """Each browser gets its right answer; the store gets one user."""
    bob = scene.site.person("bob")
    granted = await asyncio.gather(*(scene.is_granted(bob, bob.password) for _ in range(PARALLEL)))
    assert granted == [True] * PARALLEL
    assert (await scene.stored())["accounts"] == 1
    assert await scene.outcomes() == {("granted", "legacy"): 1, ("granted", "store"): PARALLEL - 1}


@pytest.mark.parametrize("first", ["\u2003a", "\uff41"])
async def test_a_name_that_the_site_reads_as_anothers_is_that_other(scene: Stage, first: str) -> None:
    """Django strips blanks and takes a full-width letter for the usual one; that makes no second user of anybody."""
    alice = scene.site.person("alice")
    await scene.logged_in(alice)
    page = await scene.browser().log_in(first + alice.name[1:], alice.password)
    assert page.status == 302
    assert (await scene.stored())["accounts"] == 1


async def test_a_rehash_by_the_site_is_noted(site: Site, database: Secret, tmp_path: Path) -> None:
    """Django re-hashes at a login; the gateway remembers that hash as the one last seen."""
    async with stage(site, database, tmp_path, "sql") as scene:
        alice = site.person("alice", hasher="argon2")
        before = site.hash_of(alice)
        await scene.logged_in(alice)
        assert site.hash_of(alice) != before

        twin = site.person("twin", alice.password, as_kept=site.hash_of(alice))
        await scene.logged_in(twin)  # re-hashed no more, so its row tells what alice's must be

        async def is_noted() -> bool:
            return len(await scene.rows("SELECT DISTINCT legacy_seen FROM credentials")) == 1

        await until(is_noted)


async def test_many_failures_cost_time_but_not_the_owner(scene: Stage) -> None:
    """From the sixth failure on a stranger has to wait; the browser in which alice logged in before has not."""
    alice = scene.site.person("alice")
    own = await scene.logged_in(alice)
    stranger = scene.browser()
    first = [await stranger.log_in(alice.name, f"guess {number} at a Hare") for number in range(6)]
    assert all(is_refused_by_the_site(page) for page in first)
    page = await refused_soon(stranger, alice)
    assert int("".join(page.values("retry-after"))) >= 1
    assert page.set_cookies == set()
    del own.cookies["sessionid"]  # who is logged in is not shown the form
    assert (await own.log_in(alice.name, alice.password)).status == 302
    assert ("throttled", "throttle") in await scene.outcomes()


async def test_spellings_of_a_name_share_one_budget(site: Site, database: Secret, tmp_path: Path) -> None:
    """Whoever varies blanks, width and case of a name does not get another try for each."""
    async with stage(site, database, tmp_path, "sql") as scene:
        alice = site.person("alice")
        spellings = [alice.name, alice.name.upper(), f" {alice.name}", alice.name.title(), f"{alice.name}\u3000"]
        browser = scene.browser()
        for spelling in [*spellings, alice.name]:
            assert is_refused_by_the_site(await browser.log_in(spelling, "guess at a Hare"))
        assert (await refused_soon(browser, alice)).status == 429


async def test_unknown_names_are_counted_like_known_ones(site: Site, database: Secret, tmp_path: Path) -> None:
    """Whoever tries names finds out nothing by being throttled."""
    async with stage(site, database, tmp_path, "form") as scene:
        browser = scene.browser()
        nobody = Person(id=0, name="nobody-at-all", password="a Hare", email="")
        for number in range(6):
            assert is_refused_by_the_site(await browser.log_in(nobody.name, f"guess {number} at a Hare"))
        assert (await refused_soon(browser, nobody)).status == 429


async def test_endless_names_share_the_budget_of_their_beginning(site: Site, database: Secret, tmp_path: Path) -> None:
    """A name that can be nobody's is counted too, and no key is longer than a name."""
    async with stage(site, database, tmp_path, "form") as scene:
        browser = scene.browser()
        for number in range(6):
            assert is_refused_by_the_site(await browser.log_in("x" * LONGEST + str(number), "guess at a Hare"))
        endless = Person(id=0, name="x" * LONGEST + "another", password="a Hare", email="")
        assert (await refused_soon(browser, endless)).status == 429


async def refused_soon(browser: Browser, person: Person) -> Page:
    """Guess on, until the gateway says 429: it does at once, unless this machine is slower than the first pause."""
    for number in range(6, 12):
        page = await browser.log_in(person.name, f"guess {number} at a Hare")
        if page.status == 429:
            return page
    raise AssertionError("nobody is stopped from guessing")


async def test_without_the_source_only_those_who_crossed_get_in(site: Site, database: Secret, tmp_path: Path) -> None:
    """An outage of the user table is a 503 and never a wrong password; it ends by itself."""
    async with stage(site, database, tmp_path, "sql") as scene:
        alice, carol, *others = (site.person(name) for name in ("alice", "carol", "dave", "erin", "frank"))
        await scene.logged_in(alice)
        for other in others:  # each time a little less than what makes a source rest
            scene.way.unlink()
            for _ in range(3):
                page = await scene.browser().log_in(carol.name, carol.password)
                assert page.status == 503
                assert int("".join(page.values("retry-after"))) > 0
            assert await scene.is_granted(alice, alice.password)
            scene.way.symlink_to(site.database)
            assert await scene.is_granted(other, other.password)
        assert await scene.account(carol) is None
        assert await scene.is_granted(carol, carol.password)  # nine attempts that nobody could judge were none


async def test_without_the_site_nothing_is_decided(site: Site, database: Secret, tmp_path: Path, kind: str) -> None:
    """502 for everybody, however often they try, and no session; then it is as if nothing had been."""
    async with Relay(lambda: asyncio.open_connection("127.0.0.1", site.port)) as relay, \
            stage(site, database, tmp_path, kind, upstream=relay.port) as scene:
        alice, bob = site.person("alice"), site.person("bob")
        await scene.logged_in(alice)
        before = await scene.stored()
        await relay.cut()
        for person in (*[bob] * 7, alice):  # more than an account's budget of failures
            body = urlencode({"username": person.name, "password": person.password})
            assert (await scene.browser().post("/admin/login/", body)).status == 502
        body = urlencode({"username": alice.name, "password": "wrong Hare"})
        assert (await scene.browser().post("/admin/login/", body)).status == 502
        assert (await scene.stored())["sessions"] == before["sessions"]
        assert (await scene.account(bob) is not None) == (kind == "sql")  # whom his source knows has crossed
        outcomes = await scene.outcomes()
        assert outcomes == {("granted", "legacy"): 1, ("unavailable", "app"): 9}  # each login counts once
        await relay.restore()
        assert await scene.is_granted(bob, bob.password)
        assert (await scene.stored())["accounts"] == 2


@pytest.mark.parametrize("cut", Cut)
async def test_a_lost_commit_is_never_a_wrong_password(site: Site, database: Secret, tmp_path: Path, kind: str,
                                                       cut: Cut) -> None:
    """Where the adoption is found to have happened the login goes on; else it is a 503, and the next one works."""
    async with cutting_proxy(database) as (line, url), stage(site, url, tmp_path, kind) as scene:
        alice = site.person("alice")
        line.arm(cut)
        page = await scene.browser().log_in(alice.name, alice.password)
        assert line.has_cut
        assert page.status == (302 if cut is Cut.AFTER else 503)
        assert await scene.is_granted(alice, alice.password)
        assert (await scene.stored())["accounts"] == 1
        samples = (await scene.gateway.ask("/metrics")).text
        assert 'sluicegate_migrations_total{source="people",way="login"} 1.0' in samples


async def test_a_complete_source_is_never_asked_again(scene: Stage) -> None:
    """Who has an account logs in; everybody else is unknown, however right the site thinks they are."""
    alice, bob = scene.site.person("alice"), scene.site.person("bob")
    await scene.logged_in(alice)
    async with PostgresStore.open(scene.database) as store:
        await store.phases.change("people", Phase.COMPLETE, actor="test")

    async def is_known() -> bool:
        return not await scene.is_granted(bob, "wrong Hare") and ("denied", "store") in await scene.outcomes()

    await until(is_known)
    scene.way.unlink()
    assert not await scene.is_granted(bob, bob.password)
    assert await scene.account(bob) is None
    assert await scene.is_granted(alice, alice.password)


async def test_a_blocked_account_is_denied_though_the_site_says_right(scene: Stage) -> None:
    """The site would let alice in: she does not get its session, and the gateway's own ends."""
    alice = scene.site.person("alice")
    browser = await scene.logged_in(alice)
    async with PostgresStore.open(scene.database) as store:
        await store.management.set_state(await scene.account_id(alice), AccountState.BLOCKED, actor="test")
        assert not await scene.is_granted(alice, alice.password)
        assert not await scene.rows("SELECT * FROM sessions WHERE ended_at IS NULL")
        del browser.cookies["sluicegate-shop"]
        await browser.get("/admin/")
        assert "sluicegate-shop.session" not in browser.cookies
        await store.management.set_state(await scene.account_id(alice), AccountState.ACTIVE, actor="test")
    assert await scene.is_granted(alice, alice.password)


async def test_a_deleted_account_never_comes_back_by_itself(scene: Stage) -> None:
    """Its tombstone answers for the legacy id, and the site's own yes does not reach the browser."""
    alice = scene.site.person("alice")
    await scene.logged_in(alice)
    async with PostgresStore.open(scene.database) as store:
        await store.management.set_state(await scene.account_id(alice), AccountState.DELETED, actor="test")
    browser = scene.browser()
    page = await browser.log_in(alice.name, alice.password)
    assert page.status in (200, 401)
    assert "sessionid" not in browser.cookies
    account = await scene.account(alice)
    assert account is not None
    assert account["state"] == "deleted"
    assert (await scene.stored()).keys() == {"accounts", "sessions"}
