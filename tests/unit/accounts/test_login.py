"""Each row of the two tables of a login, from both kinds of source, with real hashing.

`alice` (legacy id 1, also alice@shop.test) and `bob` (2) are on the legacy side and have not crossed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import bcrypt
import pytest

from gateway.accounts.decision import Denied, Granted, MustAsk, Reason, Shown, Way
from gateway.accounts.login import SourceRules
from gateway.accounts.phases import PhaseBook
from gateway.errors import LegacyUnavailable, Overloaded, StoreUnavailable
from gateway.hashing.argon2 import Argon2id
from gateway.identifiers import Comparison
from gateway.model import AccountState, Credentials, Outcome, Phase, Secret
from gateway.store.base import Adoption
from tests.helpers.crossing import SOURCE, Crossing
from tests.helpers.memory_accounts import MemoryAccounts
from tests.helpers.memory_store import Clock, MemoryStore

FIRST, SECOND = "first-pw-1", "second-pw-2"
OPERATOR = "cli"
ENDED = [AccountState.BLOCKED, AccountState.DELETED]


async def crossed(crossing: Crossing) -> None:
    """Let alice cross with her first password, and forget that the legacy side was asked."""
    await crossing.granted("alice", FIRST)
    crossing.legacy.asked.clear()


async def set_state(crossing: Crossing, legacy_id: str, state: AccountState) -> None:
    account = (await crossing.account(legacy_id)).account
    await crossing.store.management.set_state(account.id, state, actor=OPERATOR)


# The first table: an account is found.


async def test_the_current_password_of_an_account_is_granted_by_the_store_alone(crossing: Crossing) -> None:
    """Active, password right: granted, and the legacy side is not asked, be it there or not."""
    await crossed(crossing)
    crossing.legacy.is_away = True
    granted = await crossing.granted("alice", FIRST)
    assert granted.way is Way.STORE
    assert granted.account == (await crossing.account("1")).account
    assert granted.encoded == (await crossing.account("1")).credential.encoded
    assert granted.legacy_seen == (await crossing.account("1")).credential.legacy_seen
    assert crossing.legacy.asked == []


async def test_a_hash_of_old_parameters_is_renewed_at_a_right_login(crossing: Crossing) -> None:
    """Rehash if parameters are old: the same password under the new ones, and no previous password."""
    await crossed(crossing)
    before = (await crossing.account("1")).credential.encoded
    crossing.hash_with(Argon2id(memory_kib=32, passes=1))
    granted = await crossing.granted("alice", FIRST)
    after = (await crossing.account("1")).credential.encoded
    assert after.reveal().startswith("$argon2id$v=19$m=32,t=1,p=1$")
    assert after == granted.encoded != before
    assert (await crossing.granted("alice", FIRST)).encoded == after


async def test_two_workers_that_renew_at_once_grant_on_what_is_kept(crossing: Crossing) -> None:
    """The one that comes second grants on the first one's encoding, or its session could not be opened."""
    await crossed(crossing)
    crossing.hash_with(Argon2id(memory_kib=32, passes=1))
    both = await asyncio.gather(crossing.granted("alice", FIRST), crossing.granted("alice", FIRST))
    kept = (await crossing.account("1")).credential.encoded
    assert kept.reveal().startswith("$argon2id$v=19$m=32,")
    assert [granted.encoded for granted in both] == [kept, kept]


async def test_a_wrong_password_renews_nothing(crossing: Crossing) -> None:
    """Only what opens an old hash is hashed anew."""
    await crossed(crossing)
    crossing.hash_with(Argon2id(memory_kib=32, passes=1))
    await crossing.denied("alice", "wrong")
    assert (await crossing.account("1")).credential.encoded.reveal().startswith("$argon2id$v=19$m=16,")


async def test_a_previous_password_is_wrong_whatever_the_legacy_side_says(crossing: Crossing) -> None:
    """Active, password was held before: denied for ever, and nobody is asked."""
    await crossed(crossing)
    crossing.legacy.set_password("1", SECOND)
    await crossing.granted("alice", SECOND)
    crossing.legacy.set_password("1", FIRST)
    crossing.legacy.asked.clear()
    assert await crossing.denied("alice", FIRST) is Reason.PREVIOUS_PASSWORD
    assert crossing.legacy.asked == []


async def test_a_password_changed_on_the_legacy_side_is_followed(crossing: Crossing) -> None:
    """Active, never held, follow: the legacy side's right makes it the current one, and other sessions end."""
    await crossed(crossing)
    account_id = (await crossing.account("1")).account.id
    await crossing.session("1")
    crossing.legacy.set_password("1", SECOND)
    granted = await crossing.granted("alice", SECOND)
    assert granted.way is Way.FOLLOWED
    assert granted.encoded == (await crossing.account("1")).credential.encoded
    assert not await crossing.is_live()
    assert await crossing.store.passwords.is_previous(account_id, await crossing.hasher.held(account_id, Secret(FIRST)))
    assert await crossing.denied("alice", FIRST) is Reason.PREVIOUS_PASSWORD
    assert (await crossing.granted("alice", SECOND)).way is Way.STORE


async def test_a_password_that_neither_side_knows_is_denied(crossing: Crossing) -> None:
    """Active, never held, and the legacy side says no: denied, and the account is as it was."""
    await crossed(crossing)
    before = await crossing.account("1")
    assert await crossing.denied("alice", "wrong") is Reason.WRONG_PASSWORD
    assert await crossing.account("1") == before
    assert crossing.legacy.asked == ["alice"]


async def test_nothing_is_followed_where_changes_are_ignored(crossing: Crossing) -> None:
    """Active, never held, `legacy_changes = "ignore"`: denied, and nobody is asked."""
    await crossed(crossing)
    crossing.follow_nothing()
    crossing.legacy.set_password("1", SECOND)
    assert await crossing.denied("alice", SECOND) is Reason.WRONG_PASSWORD
    assert (await crossing.granted("alice", FIRST)).way is Way.STORE
    assert crossing.legacy.asked == []


async def test_nothing_is_followed_once_the_migration_is_complete(crossing: Crossing) -> None:
    """Active, never held, phase `complete`: denied, and nobody is asked."""
    await crossed(crossing)
    await crossing.complete()
    crossing.legacy.set_password("1", SECOND)
    assert await crossing.denied("alice", SECOND) is Reason.WRONG_PASSWORD
    assert (await crossing.granted("alice", FIRST)).way is Way.STORE
    assert crossing.legacy.asked == []


def lenient(password: str) -> str:
    """Return a bcrypt hash: it opens, too, with whatever follows the password and a NUL."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=4)).decode()


async def test_a_variant_of_the_password_does_not_pass_for_a_change(by_hash: Crossing) -> None:
    """Not followed where the hash is the one last seen: lenient old schemes open with variants of one password."""
    by_hash.legacy.set_hash("1", lenient(FIRST))
    await crossed(by_hash)
    before = await by_hash.account("1")
    assert await by_hash.denied("alice", f"{FIRST}\0 or whatever") is Reason.WRONG_PASSWORD
    assert await by_hash.account("1") == before


@pytest.mark.parametrize("name", ["alice", "alice "])
async def test_the_hash_last_seen_costs_a_wrong_password_nothing(by_hash: Crossing, name: str) -> None:
    """It is not even tried, so a legacy scheme is no burden once its user has crossed."""
    await crossed(by_hash)
    by_hash.jobs.clear()
    assert await by_hash.denied(name, "wrong") is Reason.WRONG_PASSWORD
    assert len(by_hash.jobs) == 2


async def test_a_variant_does_not_pass_under_another_name_either(by_hash: Crossing) -> None:
    """The hash last seen counts also where the account was found by the legacy id alone."""
    by_hash.legacy.set_hash("1", lenient(FIRST))
    await crossed(by_hash)
    by_hash.legacy.rename("1", "alice", "liddell")
    assert await by_hash.denied("liddell", f"{FIRST}\0") is Reason.WRONG_PASSWORD
    assert (await by_hash.granted("liddell", FIRST)).way is Way.STORE


async def test_a_hash_that_was_written_since_is_followed(by_hash: Crossing) -> None:
    """A fresh hash is a change, and it is the one last seen from then on."""
    by_hash.legacy.set_hash("1", lenient(FIRST))
    await crossed(by_hash)
    by_hash.legacy.set_hash("1", lenient(SECOND))
    granted = await by_hash.granted("alice", SECOND)
    seen = by_hash.hasher.seen(by_hash.legacy.rows["1"].encoded_hash)
    assert granted.way is Way.FOLLOWED
    assert granted.legacy_seen == seen == (await by_hash.account("1")).credential.legacy_seen
    assert await by_hash.denied("alice", f"{SECOND}\0") is Reason.WRONG_PASSWORD


async def test_a_blocked_account_is_denied_with_any_password(crossing: Crossing) -> None:
    """Blocked: denied like a wrong password, and nobody is asked."""
    await crossed(crossing)
    await set_state(crossing, "1", AccountState.BLOCKED)
    crossing.legacy.set_password("1", SECOND)
    for password in (FIRST, SECOND, "wrong"):
        assert await crossing.denied("alice", password) is Reason.BLOCKED
    assert crossing.legacy.asked == []


async def test_a_blocked_account_is_not_entered_by_a_name_of_before(crossing: Crossing) -> None:
    """Blocked, and typed under a name that the store does not know: the legacy id finds it."""
    await crossed(crossing)
    await set_state(crossing, "1", AccountState.BLOCKED)
    crossing.legacy.rename("1", "liddell")
    assert await crossing.denied("liddell", FIRST) is Reason.BLOCKED


async def test_a_tombstone_never_comes_back_by_itself(crossing: Crossing) -> None:
    """A deleted account is denied although the legacy side still says right, and no account is made."""
    await crossed(crossing)
    await set_state(crossing, "1", AccountState.DELETED)
    assert await crossing.denied("alice", FIRST) is Reason.BLOCKED
    assert (await crossing.account("1")).account.state is AccountState.DELETED
    assert await crossing.accounts() == 1


async def test_the_names_of_a_tombstone_are_free(crossing: Crossing) -> None:
    """Whoever has the deleted user's name on the legacy side today crosses as somebody else."""
    await crossed(crossing)
    await set_state(crossing, "1", AccountState.DELETED)
    crossing.legacy.rename("1", "formerly-alice")
    crossing.legacy.add("9", "alice", password=SECOND)
    granted = await crossing.granted("alice", SECOND)
    assert (granted.way, granted.account.legacy_id) == (Way.ADOPTED, "9")


# Where the name is the legacy id.


async def names_are_ids(crossing: Crossing) -> None:
    """Make the source one that knows its users by their only name, and let alice cross there."""
    crossing.legacy.rows.clear()
    for name in ("alice", "bob"):
        crossing.legacy.add(name, name, password=FIRST)
    crossing.rules = SourceRules(name=SOURCE, names_are_ids=True)
    await crossed(crossing)


@pytest.mark.parametrize("state", ENDED)
async def test_where_names_are_ids_an_account_that_ended_is_denied_without_a_question(
    crossing: Crossing, state: AccountState
) -> None:
    """A tombstone has no names, but its legacy id is one: whatever is typed with it is never left to the app."""
    await names_are_ids(crossing)
    await set_state(crossing, "alice", state)
    for password in (FIRST, SECOND, ""):
        assert await crossing.denied("alice", password) is Reason.BLOCKED
        assert await crossing.denied(" alice ", password) is Reason.BLOCKED
    assert crossing.legacy.asked == []
    assert (await crossing.granted("bob", FIRST)).way is Way.ADOPTED


async def test_where_names_are_ids_an_account_without_names_decides_itself(crossing: Crossing) -> None:
    """Its legacy id is enough to find it."""
    await names_are_ids(crossing)
    [row] = crossing.store.rows.values()
    row.account = replace(row.account, aliases=())
    assert (await crossing.granted("alice", FIRST)).way is Way.STORE
    assert crossing.legacy.asked == []


async def test_elsewhere_a_name_is_no_legacy_id(crossing: Crossing) -> None:
    """Whoever is called like the legacy id of a tombstone is somebody else."""
    await crossed(crossing)
    await set_state(crossing, "1", AccountState.DELETED)
    crossing.legacy.add("9", "1", password=SECOND)
    assert (await crossing.granted("1", SECOND)).account.legacy_id == "9"


# The second table: the legacy side is asked.


async def test_the_first_right_login_adopts(crossing: Crossing) -> None:
    """Right, legacy id without account: adopted with profile, aliases and the exact password, and granted."""
    granted = await crossing.granted("alice", FIRST)
    assert granted.way is Way.ADOPTED
    assert granted.account.legacy_id == "1"
    assert granted.account.aliases == ("alice", "alice@shop.test")
    assert granted.account.profile == crossing.legacy.rows["1"].user.profile
    assert granted.encoded == (await crossing.account("1")).credential.encoded
    assert (await crossing.granted("alice@shop.test", FIRST)).way is Way.STORE
    assert crossing.legacy.asked == ["alice"]


async def test_adoption_notes_the_hash_that_was_seen(by_hash: Crossing) -> None:
    """Where the source shows hashes, the digest of the one that opened is kept."""
    granted = await by_hash.granted("alice", FIRST)
    assert granted.legacy_seen == by_hash.hasher.seen(by_hash.legacy.rows["1"].encoded_hash)


async def test_a_source_that_takes_passwords_leaves_no_hash_to_note(by_password: Crossing) -> None:
    """What was not shown is not kept."""
    assert (await by_password.granted("alice", FIRST)).legacy_seen is None


async def test_under_another_name_the_accounts_own_row_decides(crossing: Crossing) -> None:
    """Right, legacy id has an account: its current password is granted, a previous one is not, a new one followed."""
    await crossed(crossing)
    crossing.legacy.rename("1", "liddell")
    assert (await crossing.granted("liddell", FIRST)).way is Way.STORE
    crossing.legacy.set_password("1", SECOND)
    assert (await crossing.granted("liddell", SECOND)).way is Way.FOLLOWED
    crossing.legacy.set_password("1", FIRST)
    assert await crossing.denied("liddell", FIRST) is Reason.PREVIOUS_PASSWORD
    assert await crossing.accounts() == 1


async def test_under_another_name_nothing_is_followed_where_changes_are_ignored(crossing: Crossing) -> None:
    """Right, legacy id has an account: the legacy side's right counts for nothing."""
    await crossed(crossing)
    crossing.follow_nothing()
    crossing.legacy.rename("1", "liddell")
    crossing.legacy.set_password("1", SECOND)
    assert await crossing.denied("liddell", SECOND) is Reason.WRONG_PASSWORD


async def test_a_wrong_password_and_an_unknown_name_are_denied(crossing: Crossing) -> None:
    """`wrong_password`, `not_found`: denied, nothing stored."""
    assert await crossing.denied("alice", "wrong") is Reason.WRONG_PASSWORD
    assert await crossing.denied("mallory", FIRST) is Reason.NOT_FOUND
    assert await crossing.accounts() == 0
    assert crossing.legacy.asked == ["alice", "mallory"]


@pytest.mark.parametrize("hindrance", [Outcome.DISABLED, Outcome.LOCKED, Outcome.MUST_CHANGE])
async def test_a_hindered_user_is_left_to_the_app(crossing: Crossing, hindrance: Outcome) -> None:
    """`disabled`, `locked`, `must_change`: nothing stored, the app's own answer is shown; a wrong one is denied."""
    crossing.legacy.hinder("1", hindrance)
    assert await crossing.shown("alice", FIRST) is hindrance
    assert await crossing.accounts() == 0
    crossing.legacy.hinder("1", None)
    assert (await crossing.granted("alice", FIRST)).way is Way.ADOPTED


async def test_a_hindrance_is_not_followed(crossing: Crossing) -> None:
    """A new password of a user who is disabled there changes no account."""
    await crossed(crossing)
    before = await crossing.account("1")
    crossing.legacy.set_password("1", SECOND)
    crossing.legacy.hinder("1", Outcome.DISABLED)
    assert await crossing.shown("alice", SECOND) is Outcome.DISABLED
    assert await crossing.account("1") == before


async def test_an_unknown_hash_is_left_to_the_app(crossing: Crossing) -> None:
    """`unsupported_hash`: nothing stored, the app's own answer is shown."""
    crossing.legacy.set_hash("1", "$unheard-of$of$")
    assert await crossing.shown("alice", FIRST) is Outcome.UNSUPPORTED_HASH
    assert await crossing.accounts() == 0


async def hide_password(crossing: Crossing) -> None:
    crossing.legacy.set_hash("1", "$unheard-of$of$")


async def disable(crossing: Crossing) -> None:
    crossing.legacy.hinder("1", Outcome.DISABLED)


UNSURE = pytest.mark.parametrize("hinder", [hide_password, disable])


@UNSURE
@pytest.mark.parametrize("state", ENDED)
async def test_an_account_that_ended_is_not_left_to_the_app_under_any_name(
    by_hash: Crossing, hinder: Callable[[Crossing], Awaitable[None]], state: AccountState
) -> None:
    """A source that cannot tell about the password says whose it is: a tombstone and a block hold all the same."""
    await crossed(by_hash)
    await set_state(by_hash, "1", state)
    by_hash.legacy.rename("1", "liddell")
    await hinder(by_hash)
    assert await by_hash.denied("liddell", FIRST) is Reason.BLOCKED


@UNSURE
async def test_under_another_name_the_account_decides_what_the_source_cannot(
    by_hash: Crossing, hinder: Callable[[Crossing], Awaitable[None]]
) -> None:
    """Its current password is granted, a previous one denied; of one never held the app has the word."""
    await crossed(by_hash)
    by_hash.legacy.set_password("1", SECOND)
    await by_hash.granted("alice", SECOND)
    by_hash.legacy.rename("1", "liddell")
    by_hash.legacy.set_password("1", FIRST)
    await hinder(by_hash)
    assert await by_hash.denied("liddell", FIRST) is Reason.PREVIOUS_PASSWORD
    by_hash.legacy.set_password("1", SECOND)
    await hinder(by_hash)
    assert (await by_hash.granted("liddell", SECOND)).way is Way.STORE
    by_hash.legacy.set_password("1", "third-pw-3")
    await hinder(by_hash)
    assert isinstance(await by_hash.log_in("liddell", "third-pw-3"), Shown)
    by_hash.follow_nothing()
    assert await by_hash.denied("liddell", "third-pw-3") is Reason.WRONG_PASSWORD


@UNSURE
async def test_an_account_that_ends_while_the_source_cannot_tell_is_denied(
    by_hash: Crossing, hinder: Callable[[Crossing], Awaitable[None]]
) -> None:
    """A block that comes first wins over the app's own word."""
    await crossed(by_hash)
    by_hash.legacy.set_password("1", SECOND)
    await hinder(by_hash)
    by_hash.legacy.meanwhile = partial(set_state, by_hash, "1", AccountState.BLOCKED)
    assert await by_hash.denied("alice", SECOND) is Reason.BLOCKED


async def test_an_ambiguous_name_is_left_to_the_app(crossing: Crossing) -> None:
    """`ambiguous`: nothing stored, the app's own answer is shown."""
    crossing.legacy.add("3", "alice", password=SECOND)
    assert await crossing.shown("alice", FIRST) is Outcome.AMBIGUOUS
    assert await crossing.accounts() == 0


async def test_an_outage_is_not_a_wrong_password(crossing: Crossing) -> None:
    """`unavailable`: nothing is decided, for a stranger as for a never-held password, and nothing stored."""
    crossing.legacy.is_away = True
    with pytest.raises(LegacyUnavailable):
        await crossing.log_in("alice", FIRST)
    assert await crossing.accounts() == 0
    crossing.legacy.is_away = False
    await crossed(crossing)
    before = await crossing.account("1")
    crossing.legacy.is_away = True
    with pytest.raises(LegacyUnavailable):
        await crossing.log_in("alice", SECOND)
    assert await crossing.account("1") == before


async def test_without_the_store_nothing_is_decided(crossing: Crossing) -> None:
    """Nothing fails open: no decision without the store, and the legacy side is not even asked."""
    await crossed(crossing)
    crossing.store.go_down()
    for name in ("alice", "bob", "mallory"):
        with pytest.raises(StoreUnavailable):
            await crossing.log_in(name, FIRST)
    assert crossing.legacy.asked == []


async def test_without_a_place_to_hash_nothing_is_decided(crossing: Crossing) -> None:
    """An overloaded gateway is no wrong password: neither for an account nor for a stranger."""
    await crossed(crossing)
    await crossing.pool.close()
    for name in ("alice", "bob"):
        with pytest.raises(Overloaded):
            await crossing.log_in(name, "p&b=100%+ bob")
    assert await crossing.accounts() == 1


# Phases.


async def test_strangers_are_denied_once_the_migration_is_complete(crossing: Crossing) -> None:
    """`complete`: no adoption, unknown users are denied, and nobody is asked."""
    await crossing.complete()
    assert await crossing.denied("bob", "p&b=100%+ bob") is Reason.NOT_FOUND
    assert crossing.legacy.asked == []


async def test_a_migration_completed_while_the_legacy_side_is_asked_adopts_nobody(crossing: Crossing) -> None:
    """The phase at the time of the adoption counts."""
    crossing.legacy.meanwhile = crossing.complete
    assert await crossing.denied("alice", FIRST) is Reason.NOT_FOUND
    assert await crossing.accounts() == 0


# Names.


async def test_an_alias_given_to_another_user_there_leads_to_that_user(crossing: Crossing) -> None:
    """The identity is the legacy id: the new owner of a name crosses, and then the name belongs to neither."""
    await crossed(crossing)
    crossing.legacy.rename("1", "alicia")
    crossing.legacy.add("9", "alice", password=SECOND)
    granted = await crossing.granted("alice", SECOND)
    assert (granted.way, granted.account.legacy_id) == (Way.ADOPTED, "9")
    assert (await crossing.granted("alice", SECOND)).account.legacy_id == "9"
    assert await crossing.denied("alice", FIRST) is Reason.WRONG_PASSWORD
    assert (await crossing.granted("alicia", FIRST)).account.legacy_id == "1"
    assert (await crossing.granted("alice@shop.test", FIRST)).account.legacy_id == "1"


async def test_an_alias_of_two_accounts_asks_whom_it_means(crossing: Crossing) -> None:
    """It belongs to nobody: the source says which legacy id, and that account decides."""
    await crossed(crossing)
    crossing.legacy.add("9", "alys", "alice@shop.test", password=SECOND)
    crossing.legacy.rename("1", "alice")
    await crossing.granted("alys", SECOND)
    crossing.legacy.asked.clear()
    granted = await crossing.granted("alice@shop.test", SECOND)
    assert (granted.way, granted.account.legacy_id) == (Way.STORE, "9")
    assert crossing.legacy.asked == ["alice@shop.test"]


async def two_claimants(crossing: Crossing) -> None:
    """Let two users cross who both claim alice@shop.test, as both still do on the legacy side."""
    await crossed(crossing)
    crossing.legacy.add("9", "alys", "alice@shop.test", password="third-pw-3")
    await crossing.granted("alys", "third-pw-3")
    crossing.legacy.asked.clear()


async def test_an_alias_of_two_accounts_is_left_to_the_app_while_both_may_be_entered(crossing: Crossing) -> None:
    """`ambiguous` there, too: the app knows whom it means."""
    await two_claimants(crossing)
    assert await crossing.shown("alice@shop.test", FIRST) is Outcome.AMBIGUOUS


async def test_an_alias_of_a_blocked_account_is_not_left_to_the_app(crossing: Crossing) -> None:
    """The app might take it for the blocked one's; a clear answer still lets the other one in."""
    await two_claimants(crossing)
    await set_state(crossing, "9", AccountState.BLOCKED)
    assert await crossing.denied("alice@shop.test", "third-pw-3") is Reason.NOT_FOUND
    crossing.legacy.rename("9", "alys")
    assert (await crossing.granted("alice@shop.test", FIRST)).account.legacy_id == "1"


async def test_a_previous_password_of_a_claimant_is_not_left_to_the_app(crossing: Crossing) -> None:
    """Nor is the app given it before the gateway's own question."""
    await two_claimants(crossing)
    crossing.legacy.set_password("1", SECOND)
    await crossing.granted("alice", SECOND)
    assert await crossing.denied("alice@shop.test", FIRST) is Reason.NOT_FOUND
    for password, was_held in ((FIRST, True), (SECOND, False)):
        typed = Credentials(identifier="alice@shop.test", password=Secret(password))
        assert await crossing.login.look_up(crossing.rules, typed) == MustAsk(was_held=was_held)


async def test_an_alias_of_two_accounts_is_nobodys_when_there_is_nobody_to_ask(crossing: Crossing) -> None:
    """`complete`, or the source away: neither of the two is chosen."""
    await crossed(crossing)
    crossing.legacy.add("9", "alys", "alice@shop.test", password=SECOND)
    await crossing.granted("alys", SECOND)
    crossing.legacy.is_away = True
    with pytest.raises(LegacyUnavailable):
        await crossing.log_in("alice@shop.test", FIRST)
    await crossing.complete()
    assert await crossing.denied("alice@shop.test", FIRST) is Reason.NOT_FOUND


async def test_names_compare_as_the_source_says(crossing: Crossing) -> None:
    """`exact` tells cases apart, `casefold` does not."""
    await crossed(crossing)
    assert await crossing.denied("ALICE", FIRST) is Reason.NOT_FOUND
    crossing.rules = SourceRules(name=SOURCE, comparison=Comparison.CASEFOLD)
    assert (await crossing.granted("ALICE", FIRST)).way is Way.STORE


@pytest.mark.parametrize("name", ["alice ", "\talice", "ａｌｉｃｅ", "alice\n"])
async def test_a_name_is_read_as_applications_read_it(crossing: Crossing, name: str) -> None:
    """Blanks around it and compatibility forms do not count: neither at the first login nor later, nor for a block."""
    assert (await crossing.granted(name, FIRST)).way is Way.ADOPTED
    assert (await crossing.granted(name, FIRST)).way is Way.STORE
    crossing.legacy.set_password("1", SECOND)
    assert (await crossing.granted(name, SECOND)).way is Way.FOLLOWED
    await set_state(crossing, "1", AccountState.BLOCKED)
    assert await crossing.denied(name, SECOND) is Reason.BLOCKED
    assert await crossing.accounts() == 1


async def test_a_name_is_asked_for_as_typed_first(crossing: Crossing) -> None:
    """Where blanks do count, the user whose name has them is meant, and no other."""
    crossing.legacy.add("9", "alice ", password=SECOND)
    assert (await crossing.granted("alice ", SECOND)).account.legacy_id == "9"
    assert (await crossing.granted("alice", FIRST)).account.legacy_id == "1"
    assert await crossing.denied("alice ", FIRST) is Reason.WRONG_PASSWORD


@pytest.mark.parametrize("name", ["al\0ice", "al\u200bice", "", " ", "a" * 256])
async def test_a_name_that_can_be_nobodys_is_denied(crossing: Crossing, name: str) -> None:
    """Control and zero-width characters are refused: an app may read over them and take it for a blocked user."""
    await crossed(crossing)
    assert await crossing.denied(name, FIRST) is Reason.NOT_FOUND
    assert crossing.legacy.asked == []


async def test_users_of_another_source_are_other_people(crossing: Crossing) -> None:
    """Neither names nor passwords of one source open another."""
    await crossed(crossing)
    crossing.phases = PhaseBook(crossing.store.phases, {"wiki": Phase.COMPLETE})
    crossing.rules = SourceRules(name="wiki")
    assert await crossing.denied("alice", FIRST) is Reason.NOT_FOUND


# Passwords that cannot be hashed.

UNACCEPTABLE = ["", "x" * 257, "a\ud800b"]


@pytest.mark.parametrize("password", UNACCEPTABLE)
async def test_an_account_never_has_such_a_password(crossing: Crossing, password: str) -> None:
    """Empty, too long or not to be encoded: denied, and nobody is asked."""
    await crossed(crossing)
    assert await crossing.denied("alice", password) is Reason.WRONG_PASSWORD
    assert crossing.legacy.asked == []


@pytest.mark.parametrize("password", UNACCEPTABLE)
async def test_a_stranger_with_such_a_password_is_left_to_the_app(by_hash: Crossing, password: str) -> None:
    """It cannot cross, but the app may know it: its answer is shown, nothing is stored, nothing is hashed."""
    assert await by_hash.shown("alice", password) is Outcome.WRONG_PASSWORD
    assert await by_hash.denied("mallory", password) is Reason.NOT_FOUND
    assert await by_hash.accounts() == 0
    assert by_hash.legacy.asked == ["alice", "mallory"]


@pytest.mark.parametrize("password", UNACCEPTABLE)
async def test_such_a_password_of_an_account_is_not_left_to_the_app_under_any_name(
    by_hash: Crossing, password: str
) -> None:
    """The source says whose the name is: an account's, be it active, blocked or deleted, denies it."""
    await crossed(by_hash)
    by_hash.legacy.rename("1", "liddell")
    assert await by_hash.denied("liddell", password) is Reason.WRONG_PASSWORD
    for state in ENDED:
        await set_state(by_hash, "1", state)
        assert await by_hash.denied("liddell", password) is Reason.BLOCKED


@pytest.mark.parametrize("password", UNACCEPTABLE)
async def test_such_a_password_waits_for_a_source_that_is_away(by_hash: Crossing, password: str) -> None:
    """Whose name it is is not known then, so nothing is shown."""
    by_hash.legacy.is_away = True
    with pytest.raises(LegacyUnavailable):
        await by_hash.log_in("alice", password)


@pytest.mark.parametrize("password", UNACCEPTABLE)
async def test_such_a_password_is_given_to_no_source(by_password: Crossing, password: str) -> None:
    """One that takes passwords cannot say whose the name is without one, so it is denied."""
    assert await by_password.denied("alice", password) is Reason.WRONG_PASSWORD
    assert by_password.legacy.asked == []


@pytest.mark.parametrize("password", UNACCEPTABLE)
async def test_where_names_are_ids_a_stranger_with_such_a_password_needs_no_question(
    crossing: Crossing, password: str
) -> None:
    """The store knows that the name is nobody's, or whose tombstone it is."""
    await names_are_ids(crossing)
    assert await crossing.shown("bob", password) is Outcome.NOT_FOUND
    await set_state(crossing, "alice", AccountState.DELETED)
    assert await crossing.denied("alice", password) is Reason.BLOCKED
    assert crossing.legacy.asked == []


@pytest.mark.parametrize("password", UNACCEPTABLE)
async def test_such_a_password_under_a_name_of_two_accounts_is_denied(crossing: Crossing, password: str) -> None:
    """Neither can have it."""
    await two_claimants(crossing)
    assert await crossing.denied("alice@shop.test", password) is Reason.WRONG_PASSWORD
    assert crossing.legacy.asked == []


async def test_a_password_is_taken_whole_and_exactly(crossing: Crossing) -> None:
    """256 characters of four bytes each: every one counts."""
    longest = "\U0001f600" * 256
    crossing.legacy.set_password("1", longest)
    assert (await crossing.granted("alice", longest)).way is Way.ADOPTED
    assert await crossing.denied("alice", longest[:-1]) is Reason.WRONG_PASSWORD
    assert await crossing.denied("alice", longest + " ") is Reason.WRONG_PASSWORD


# Time.


@pytest.mark.parametrize(("name", "password"), [
    ("mallory", "wrong"),
    ("alice", "wrong"),
    ("alice", ""),
    ("blocked", "wrong"),
    ("al\0ice", "wrong"),
    ("stranger", ""),
    ("odd", "wrong"),
])
async def test_no_answer_comes_without_hashing(by_password: Crossing, name: str, password: str) -> None:
    """Whenever the gateway itself would hash nothing, a dummy runs: its time tells nobody who has an account."""
    await crossed(by_password)
    by_password.legacy.set_hash("2", "$unheard-of$")
    by_password.legacy.rename("2", "odd")
    by_password.legacy.add("3", "blocked", password=SECOND)
    await by_password.granted("blocked", SECOND)
    await set_state(by_password, "3", AccountState.BLOCKED)
    by_password.jobs.clear()
    decision = await by_password.log_in(name, password)
    assert len(by_password.jobs) == {Denied: 2, Shown: 1}[type(decision)]


async def test_the_work_of_a_denial_can_be_spent_alone(by_password: Crossing) -> None:
    """For denials that are decided elsewhere: as much as a wrong password of an account costs."""
    await crossed(by_password)
    by_password.follow_nothing()
    by_password.jobs.clear()
    await by_password.denied("alice", "wrong")
    cost = len(by_password.jobs)
    by_password.jobs.clear()
    await by_password.login.spend(Credentials(identifier="alice", password=Secret("wrong")))
    assert len(by_password.jobs) == cost == 2


# Races.


async def test_parallel_first_logins_make_one_account_and_all_are_granted(crossing: Crossing) -> None:
    """Twenty at once: whoever loses the race is judged by the account that the winner made."""
    decisions = await asyncio.gather(*(crossing.log_in("alice", FIRST) for _ in range(20)))
    assert await crossing.accounts() == 1
    ways = [decision.way for decision in decisions if isinstance(decision, Granted)]
    assert sorted(ways) == [Way.ADOPTED] + [Way.STORE] * 19
    assert {decision.account.id for decision in decisions if isinstance(decision, Granted)} == {
        (await crossing.account("1")).account.id}


async def test_of_two_variants_that_race_to_be_adopted_one_is_granted(by_hash: Crossing) -> None:
    """The loser's password was never held, and the hash that it opens is the one last seen."""
    by_hash.legacy.set_hash("1", lenient(FIRST))
    decisions = await asyncio.gather(by_hash.log_in("alice", FIRST), by_hash.log_in("alice", f"{FIRST}\0"))
    assert sorted(type(decision).__name__ for decision in decisions) == ["Denied", "Granted"]
    assert await by_hash.accounts() == 1


async def test_a_follow_that_lost_against_another_password_is_denied(crossing: Crossing) -> None:
    """What the other login has left decides: this password is not the current one."""
    await crossed(crossing)
    crossing.legacy.set_password("1", SECOND)
    account = await crossing.account("1")
    third = await crossing.hasher.new(account.account.id, Secret("third-pw-3"))
    crossing.legacy.meanwhile = partial(crossing.store.passwords.follow, account.account.id,
                                        old=account.credential.encoded, new=third, legacy_seen=None)
    assert await crossing.denied("alice", SECOND) is Reason.WRONG_PASSWORD
    assert (await crossing.account("1")).credential.encoded == third.encoded


async def test_a_follow_that_lost_against_the_same_password_is_granted(crossing: Crossing) -> None:
    """Two browsers with the new password at once: both are right, and it was followed once."""
    await crossed(crossing)
    crossing.legacy.set_password("1", SECOND)
    decisions = await asyncio.gather(crossing.log_in("alice", SECOND), crossing.log_in("alice", SECOND))
    assert sorted(decision.way for decision in decisions if isinstance(decision, Granted)) == [
        Way.FOLLOWED, Way.STORE]


@pytest.mark.parametrize("state", [AccountState.BLOCKED, AccountState.DELETED])
async def test_an_account_that_ends_while_the_legacy_side_is_asked_is_denied(
    crossing: Crossing, state: AccountState
) -> None:
    """An operator's block that comes first wins over the legacy side's right."""
    await crossed(crossing)
    crossing.legacy.set_password("1", SECOND)
    crossing.legacy.meanwhile = partial(set_state, crossing, "1", state)
    assert await crossing.denied("alice", SECOND) is Reason.BLOCKED
    assert (await crossing.account("1")).account.state is state


async def test_a_user_adopted_while_the_legacy_side_is_asked_is_judged_by_that_account(crossing: Crossing) -> None:
    """The other gateway's account decides; no second one is made."""
    crossing.legacy.meanwhile = partial(crossing.log_in, "alice@shop.test", FIRST)
    assert (await crossing.granted("alice", FIRST)).way is Way.STORE
    assert await crossing.accounts() == 1


class BlockedAtOnce(MemoryAccounts):
    """Is a store whose operator blocks each account in the moment of its adoption."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        super().__init__(store.rows, clock)
        self._management = store.management

    async def adopt(self, adoption: Adoption) -> bool:
        is_new = await super().adopt(adoption)
        await self._management.set_state(adoption.account_id, AccountState.BLOCKED, actor=OPERATOR)
        return is_new


async def test_an_account_blocked_in_the_moment_of_its_adoption_is_denied(crossing: Crossing) -> None:
    """A grant rests on what is committed then, and on nothing else."""
    crossing.store.accounts = BlockedAtOnce(crossing.store, crossing.clock)
    assert await crossing.denied("alice", FIRST) is Reason.BLOCKED


async def test_looking_up_asks_nobody(crossing: Crossing) -> None:
    """The store's part of a decision says that the legacy side must be asked, and leaves that to the caller."""
    typed = Credentials(identifier="alice", password=Secret(FIRST))
    assert await crossing.login.look_up(crossing.rules, typed) == MustAsk()
    assert crossing.legacy.asked == []
