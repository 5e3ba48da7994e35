"""The walk: performs the crossing like a browser, and proves each step by something independent.

Every login that it makes is counted, so that the last step can hold `/metrics` against the count.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import asyncpg
import jwt

from gateway.demo.browser import Browser, Page
from gateway.demo.cast import manage
from gateway.demo.scene import APP, SOURCE, Scene
from gateway.demo.seen import NotSeen, expect
from gateway.demo.users import USERS
from gateway.errors import ConfigurationError
from gateway.model import Secret

PARALLEL = 50
PASSWORDS: Mapping[str, str] = {user.name: user.password for user in USERS}
BEHIND_THE_GATEWAY = """
import sys
from django.contrib.auth.models import User
name, password = sys.stdin.read().split("\\n")
user = User.objects.get(username=name)
user.set_password(password)
user.save()
"""


@dataclass(slots=True)
class Walk:
    """One walk through a freshly started demo; `store_url` opens its embedded Postgres."""

    scene: Scene
    store_url: Secret
    say: Callable[[str], None] = print
    logins: Counter[tuple[str, str]] = field(default_factory=Counter)
    alice: Browser | None = None

    def run(self) -> None:
        """Walk all steps; raises `NotSeen` at the first that fails.

        The walk begins where nobody has crossed yet; raises `ConfigurationError` elsewhere.
        """
        if self._accounts(""):
            raise ConfigurationError(f"the walk needs a state in which nobody has crossed yet; in {self.scene.state}"
                                     " somebody has: name another --state, or none")
        steps = (self.wrong_password, self.first_right_password, self.account_in_store, self.token_verifies,
                 self.legacy_way_is_cut, self.password_changes, self.parallel_first_logins, self.numbers)
        for number, step in enumerate(steps, 1):
            started = time.monotonic()
            doing = (step.__doc__ or "").strip().splitlines()[0]
            try:
                proof = step()
            except NotSeen as missing:
                raise NotSeen(f"the walk ends at step {number}. {doing} Not seen: {missing}") from missing
            self.say(f"  {number}. {doing}\n     seen: {proof} ({time.monotonic() - started:.1f} s)")

    def wrong_password(self) -> str:
        """A wrong password for alice is refused by the site's own page; nothing is stored."""
        page = self._log_in(Browser(self.scene.public_url), "alice", "not her password", ("denied", "legacy"))
        expect(page.status == 200 and "errornote" in page.body, "the site's own error page")
        expect(self._accounts("alice") == [], "no account after a wrong password")
        return "HTTP 200, Django's own error note; no account in the store"

    def first_right_password(self) -> str:
        """The right one lands on the site's own logged-in page with the site's own session."""
        self.alice = Browser(self.scene.public_url)
        page = self._log_in(self.alice, "alice", PASSWORDS["alice"], ("granted", "legacy"))
        expect(page.status == 302 and page.location == "/admin/", "the site's redirect to /admin/")
        expect("sessionid" in self.alice.cookies, "the site's session cookie")
        expect("Site administration" in self.alice.get("/admin/").body, "the site's admin page")
        return "302 to /admin/, the cookie sessionid, then “Site administration”"

    def account_in_store(self) -> str:
        """The account is in the store, argon2id, with its profile."""
        account = self._account("alice")
        expect(account["email"] == "alice@example.test", "alice's e-mail address")
        encoded = str(self._query("SELECT encoded FROM credentials WHERE account_id = $1", account["id"]))
        expect(encoded.startswith("$argon2id$v=19$"), "an argon2id hash")
        return f"account {account['id']}, {account['email']}, {encoded.rsplit('$', 2)[0]}$…"

    def token_verifies(self) -> str:
        """The JWT verifies against the JWKS with an independent PyJWT call."""
        expect(self.alice is not None, "alice's browser")
        assert self.alice is not None
        token = self.alice.cookies.get(f"sluicegate-{APP}", "")
        expect(token, "the gateway's token in a cookie")
        key_set = self.alice.get("/.well-known/jwks.json").body
        try:
            key = jwt.PyJWKSet.from_json(key_set)[jwt.get_unverified_header(token)["kid"]]
            claims = jwt.decode(token, key, algorithms=["EdDSA"], audience=APP, issuer=self.scene.public_url)
        except (jwt.PyJWTError, KeyError) as error:
            raise NotSeen(f"a token that PyJWT verifies ({error})") from None
        expect(claims["sub"] == self._account("alice")["id"], "alice's account as the subject")
        return f"EdDSA, kid {key.key_id}, sub {claims['sub']}, {claims['exp'] - claims['iat']} s"

    def legacy_way_is_cut(self) -> str:
        """Without the way to the legacy table alice logs in, carol gets 503; restored, carol crosses."""
        self.scene.cut()
        alice = self._log_in(Browser(self.scene.public_url), "alice", PASSWORDS["alice"], ("granted", "store"))
        expect(alice.status == 302, "alice's login while the source is away")
        carol = self._log_in(Browser(self.scene.public_url), "carol", PASSWORDS["carol"],
                             ("unavailable", "legacy"))
        expect(carol.status == 503, "503 for carol, who has not crossed")
        expect(Browser(self.scene.public_url).get("/admin/login/").status == 200, "the site itself going on")
        self.scene.restore()
        browser = Browser(self.scene.public_url)
        page = self._log_in(browser, "carol", PASSWORDS["carol"], ("granted", "legacy"))
        expect(page.status == 302 and len(self._accounts("carol")) == 1, "carol's account after the repair")
        return "alice 302, carol 503 and then 302; the site answered all the time"

    def password_changes(self) -> str:
        """alice's password changes on the site's page, then behind the gateway: only the newest works."""
        expect(self.alice is not None, "alice's browser")
        assert self.alice is not None
        first, second, third = PASSWORDS["alice"], "Second-Rabbit-43?", "Third-Teapot-44!"
        changed = self.alice.submit("/admin/password_change/", old_password=first, new_password1=second,
                                    new_password2=second)
        expect(changed.location == "/admin/password_change/done/", "the site's “password changed”")
        self._expect_only("alice", second, (first,), decider="store")
        manage(self.scene, "shell", "-v0", "-c", BEHIND_THE_GATEWAY, given=f"alice\n{third}")
        self._expect_only("alice", third, (second, first), decider="legacy")
        return "after each change the newest password gave 302, every earlier one Django's error note"

    def parallel_first_logins(self) -> str:
        """50 parallel first logins of bob make one account and 50 correct answers."""
        browsers = [Browser(self.scene.public_url) for _ in range(PARALLEL)]
        pool = ThreadPoolExecutor(PARALLEL)
        try:
            pages = list(pool.map(lambda browser: browser.log_in("bob", PASSWORDS["bob"]), browsers))
        finally:
            pool.shutdown(wait=False)  # who is asked to stop does not wait for these
        expect(all(page.status == 302 for page in pages), f"{PARALLEL} redirects")
        self.logins["granted", "legacy"] += 1
        self.logins["granted", "store"] += PARALLEL - 1
        accounts = self._query("SELECT count(*) FROM accounts WHERE username = $1", "bob")
        expect(accounts == 1, "one account of bob")
        return f"{PARALLEL} answers 302, {accounts} account"

    def numbers(self) -> str:
        """/metrics counts exactly these events."""
        text = self._private("/metrics")
        counted = {
            (labels["outcome"], labels["decider"]): int(value)
            for labels, value in samples(text, "sluicegate_logins_total") if value
        }
        expect(counted == dict(self.logins), f"logins {dict(self.logins)}, not {counted}")
        migrated = sum(value for _, value in samples(text, "sluicegate_migrations_total"))
        expect(migrated == len(USERS), f"{len(USERS)} migrations")
        active = sum(value for labels, value in samples(text, "sluicegate_accounts")
                     if labels == {"source": SOURCE, "state": "active"})
        expect(active == len(USERS), f"{len(USERS)} active accounts")
        return f"{sum(counted.values())} logins by outcome and decider, {migrated:.0f} migrations"

    def _log_in(self, browser: Browser, name: str, password: str, counted: tuple[str, str]) -> Page:
        self.logins[counted] += 1
        return browser.log_in(name, password)

    def _expect_only(self, name: str, right: str, wrong: tuple[str, ...], *, decider: str) -> None:
        page = self._log_in(Browser(self.scene.public_url), name, right, ("granted", decider))
        expect(page.status == 302, "the newest password working")
        for password in wrong:
            page = self._log_in(Browser(self.scene.public_url), name, password, ("denied", "store"))
            expect(page.status == 200 and "errornote" in page.body, "an earlier password refused")

    def _account(self, name: str) -> dict[str, str]:
        found = self._accounts(name)
        expect(len(found) == 1, f"one account of {name}")
        return found[0]

    def _accounts(self, name: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(self._private(f"/api/users?q={name}"))["users"]
        return found

    def _private(self, path: str) -> str:
        page = Browser(self.scene.private_url).get(path, Authorization=f"Bearer {self.scene.token().reveal()}")
        expect(page.status == 200, f"200 for {path} of the private listener, not {page.status}")
        return page.body

    def _query(self, sql: str, *arguments: object) -> object:
        async def fetch() -> object:
            connection = await asyncpg.connect(self.store_url.reveal())
            try:
                return await connection.fetchval(sql, *arguments)
            finally:
                await connection.close()

        return asyncio.run(fetch())


def samples(text: str, name: str) -> list[tuple[dict[str, str], float]]:
    """Return the samples of one metric from an exposition, read by prometheus_client's own parser."""
    from prometheus_client.parser import text_string_to_metric_families

    return [(sample.labels, sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples if sample.name == name]
