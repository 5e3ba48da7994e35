"""What is said of a server that gave up, without starting one."""

import pytest

from gateway.store.embedded.server import reason

FULL_DISK = """\
2026-01-01 00:00:00.000 UTC [7] LOG:  starting PostgreSQL
2026-01-01 00:00:01.000 UTC [9] FATAL:  could not write to file "pg_wal/xlogtemp.9": No space left on device
2026-01-01 00:00:01.001 UTC [9] PANIC:  cannot abort transaction 1, it was already committed
2026-01-01 00:00:01.002 UTC [7] LOG:  database system is shut down
"""


@pytest.mark.parametrize(("said", "told"), [
    (FULL_DISK, 'the disk is full (FATAL:  could not write to file "pg_wal/xlogtemp.9": No space left on device)'),
    ("initdb: error: could not create directory: No space left on device\ninitdb: removing data directory\n",
     "the disk is full (initdb: error: could not create directory: No space left on device)"),
    ("[7] LOG:  starting\n[7] FATAL:  files are incompatible\n[7] LOG:  shut down\n", "FATAL:  files are incompatible"),
    ("first\n\n  second  \n", "second"),
    ("", "it said nothing"),
])
def test_reason(said: str, told: str) -> None:
    """A full disk is told before what it led to; else the last error, else the last line."""
    assert reason(said) == told
