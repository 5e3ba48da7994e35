"""kill -9 of a gateway between any two statements of a change leaves nothing of it, or all; a retry works."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.model import Secret
from gateway.store.base import Candidate
from gateway.store.postgres import PostgresStore
from tests.helpers.postgres import fetch
from tests.helpers.rows import adoption, password

ROOT = Path(__file__).parents[3]

ADOPT_STATEMENTS = 6
PROMOTE_STATEMENTS = 13
FOLLOW_STATEMENTS = 12

ROWS_OF_AN_ACCOUNT = """
    SELECT (SELECT count(*) FROM accounts) AS accounts, (SELECT count(*) FROM aliases) AS aliases,
        (SELECT count(*) FROM credentials) AS credentials, (SELECT count(*) FROM audit) AS entries"""


def crash(database: Secret, what: str, after: int) -> bool:
    """Run the work in a process of its own; say whether it was killed in the midst of it."""
    done = subprocess.run([sys.executable, "-m", "tests.helpers.crashing_store", what, str(after)], cwd=ROOT,
                          input=database.reveal(), text=True, check=False, timeout=60)
    assert done.returncode in (0, -signal.SIGKILL)
    return done.returncode != 0


async def current(store: PostgresStore) -> Candidate:
    found = await store.accounts.find_legacy("shop", "7")
    assert found is not None
    return found


@pytest.mark.parametrize("after", range(1, ADOPT_STATEMENTS + 1))
async def test_a_crash_in_an_adoption(store: PostgresStore, database: Secret, after: int) -> None:
    """Before the commit there is no row of it; after it there are all. The user's next attempt finds one account."""
    assert crash(database, "adopt", after)
    [rows] = await fetch(database, ROWS_OF_AN_ACCOUNT)
    assert set(rows.values()) == {1 if after == ADOPT_STATEMENTS else 0}
    assert await store.accounts.adopt(adoption()) is (after < ADOPT_STATEMENTS)
    assert (await current(store)).credential.encoded == password("first").encoded


async def test_an_adoption_has_no_more_statements_than_were_tried(database: Secret) -> None:
    """Otherwise a crash would be missing above."""
    assert not crash(database, "adopt", ADOPT_STATEMENTS + 1)


@pytest.mark.parametrize("after", range(1, PROMOTE_STATEMENTS + 1))
async def test_a_crash_in_a_promotion(store: PostgresStore, database: Secret, after: int) -> None:
    """The change is still pending, or current; the old password is current, or previous; never between."""
    wanted = adoption(password_text="first")
    await store.accounts.adopt(wanted)
    change = await store.changes.begin(wanted.account_id, password("second"))
    assert crash(database, "promote", after)
    is_done = after == PROMOTE_STATEMENTS
    found = await current(store)
    assert found.credential.encoded == password("second" if is_done else "first").encoded
    assert [pending.id for pending in found.pending] == ([] if is_done else [change])
    assert await store.passwords.is_previous(wanted.account_id, password("first").held) is is_done
    assert await store.changes.promote(change, legacy_seen=None, keep_session=None) is not is_done
    assert (await current(store)).credential.encoded == password("second").encoded


@pytest.mark.parametrize("after", range(1, FOLLOW_STATEMENTS + 1))
async def test_a_crash_in_a_follow(store: PostgresStore, database: Secret, after: int) -> None:
    """The password that the legacy side confirmed is current with all that belongs to it, or not at all."""
    wanted = adoption(password_text="first")
    await store.accounts.adopt(wanted)
    assert crash(database, "follow", after)
    is_done = after == FOLLOW_STATEMENTS
    assert (await current(store)).credential.encoded == password("second" if is_done else "first").encoded
    assert await store.passwords.is_previous(wanted.account_id, password("first").held) is is_done
    assert len(await fetch(database, "SELECT FROM audit WHERE event = 'password followed'")) == is_done
    assert await store.passwords.follow(wanted.account_id, old=password("first").encoded, new=password("second"),
                                        legacy_seen=None) is not is_done


async def test_changes_of_passwords_have_no_more_statements_than_were_tried(store: PostgresStore,
                                                                            database: Secret) -> None:
    """Otherwise a crash would be missing above."""
    wanted = adoption(password_text="first")
    await store.accounts.adopt(wanted)
    await store.changes.begin(wanted.account_id, password("third"))
    assert not crash(database, "promote", PROMOTE_STATEMENTS + 1)
    assert not crash(database, "follow", FOLLOW_STATEMENTS + 1)
