"""Plays all raw cases to nginx, haproxy and the gateway in one run, and prints who passes what as Markdown.

    python -m tests.raw [--only host,chunks] [--case "part of a name"]

What "pass" means is said above the table. The exit code is 1 when the gateway misses a case.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.helpers.postgres import PostgresServer
from tests.raw import fronts
from tests.raw.cases import Bullet, Case
from tests.raw.fronts import Ports
from tests.raw.judging import complaints, dangers, happened, unserved
from tests.raw.playing import play
from tests.raw.recording import RecordingApp
from tests.raw.tables import ALL

US = "sluicegate"
QUIET_SECONDS = 1.0  # after which a silent peer counts as waiting
HASTY_QUIET_SECONDS = 5.0  # where waiting is what a case is about
MEANING = """# The same raw bytes to three proxies

Each case sends the same bytes over a socket to each proxy, with the same recording app behind it, and then lets
another client ask for a page.

* **sluicegate** passes when it does exactly what the case says: this status, this end of the connection, these
  requests at the app and no others.
* **nginx and haproxy** pass when they are *safe*, in whatever way: what reached the app has one reading (RFC 9112,
  and h11 agrees) or nothing did, nothing was smuggled, nobody got another's answer, a cut answer looks cut, and
  nothing that the client forged about itself reached the app. A good request, marked ●, must also be served.
* Their configuration stands in tests/raw/fronts.py: Debian's packages, bounds like ours, forwarding fields removed
  by name and written anew. A mark against them is often answered by one more line of configuration, and most of
  these cases become an attack only where a second, lenient reader stands behind the proxy.
* Every cell says what happened; `–` stands where a case is about the gateway alone.
* The cases and the configuration are ours: read the table for what each reader does, not as a ranking.
"""


def version(name: str) -> str:
    """Return the first line in which a program says its version."""
    ran = subprocess.run([fronts.program(name), "-v"], capture_output=True, text=True, check=True)
    return (ran.stdout + ran.stderr).splitlines()[0]


@asynccontextmanager
async def everyone(app: RecordingApp) -> AsyncIterator[dict[str, Ports]]:
    """Run all three."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluicegate-wire-")))
        never = stack.enter_context(fronts.deaf_app())
        postgres = PostgresServer()
        stack.callback(postgres.stop)
        await postgres.start()
        database = await stack.enter_async_context(postgres.database())
        yield {
            "nginx": await stack.enter_async_context(fronts.nginx(folder, app.port, never)),
            "haproxy": await stack.enter_async_context(fronts.haproxy(folder, app.port, never)),
            US: await stack.enter_async_context(fronts.sluicegate(folder, database, app.port, never)),
        }


async def cell(case: Case, name: str, ports: Ports, app: RecordingApp) -> tuple[bool | None, str]:
    """Play one case to one proxy; return whether it passed, and what happened. None: nothing to compare."""
    if case.ours and name != US:
        return None, "–"
    quiet = HASTY_QUIET_SECONDS if name == US or case.bullet is Bullet.TIMES else QUIET_SECONDS
    seen = await play(case, ports[case.front], app, quiet=quiet)
    wrong = list(complaints(case, seen) if name == US else dangers(case, seen))
    if name != US and case.serves and not wrong:
        wrong = list(unserved(case, seen))
    said = happened(case, seen) if not wrong else wrong[0]
    return not wrong, f"{'pass' if not wrong else '**fail**'}: {said}".replace("|", "\\|").replace("\n", " ")


async def run(cases: Sequence[Case]) -> int:
    """Print the table while it grows, and the sums."""
    sums: dict[str, list[bool]] = {}
    async with RecordingApp() as app, everyone(app) as proxies:
        print(MEANING)
        print(f"{version('nginx')} · {version('haproxy')} · Python {sys.version.split()[0]}\n")
        print("| promise | case | source |", *(f"{name} |" for name in proxies))
        print("|---|---|---|" + "---|" * len(proxies))
        for case in cases:
            cells = []
            for name, ports in proxies.items():
                passed, said = await cell(case, name, ports, app)
                cells.append(said)
                sums.setdefault(name, []).extend([] if passed is None else [passed])
            print(
                f"| {case.bullet.name.lower()} | {'● ' if case.serves else ''}{case.name} | {case.source} |",
                *(f"{said} |" for said in cells),
                flush=True,
            )
    print()
    print("\n".join(f"* {name}: {sum(passed)} of {len(passed)} pass" for name, passed in sums.items()))
    return 0 if all(sums[US]) else 1


def main() -> None:
    """Run the cases that the arguments choose; all without any."""
    parser = argparse.ArgumentParser(prog="tests.raw")
    parser.add_argument("--only", default="", help="promises, by name, with commas between them")
    parser.add_argument("--case", default="", help="a part of a case's name")
    chosen = parser.parse_args()
    bullets = {Bullet[name.strip().upper()] for name in chosen.only.split(",") if name.strip()} or set(Bullet)
    cases = [case for case in ALL if case.bullet in bullets and chosen.case in case.name]
    if not cases:
        raise SystemExit("no case has this name")
    raise SystemExit(asyncio.run(run(cases)))


if __name__ == "__main__":
    main()
