"""argon2-cffi without anything around it: how many passwords a second its threads verify.

    python -m tests.bench.bare THREADS SECONDS
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.bench.gateway import PASSWORD, hasher


def verifications(threads: int, seconds: float) -> float:
    """Return verifications per second."""
    argon2 = hasher()
    encoded = argon2.hash(PASSWORD)
    began = time.monotonic()
    ends = began + seconds

    def work(_: int) -> int:
        done = 0
        while time.monotonic() < ends:
            argon2.verify(encoded, PASSWORD)
            done += 1
        return done

    with ThreadPoolExecutor(threads) as pool:
        done = sum(pool.map(work, range(threads)))
    return done / (time.monotonic() - began)


if __name__ == "__main__":
    print(verifications(int(sys.argv[1]), float(sys.argv[2])))
