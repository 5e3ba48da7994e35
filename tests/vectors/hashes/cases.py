"""The passwords that every scheme is tried with, and how a vector is written down."""

import json
from pathlib import Path

PASSWORDS = {
    "plain": "correct horse",
    "empty": "",
    "non-ascii": "Zażółć-gęślą-15€",
    "long": "x" * 71 + "ż" + "tail beyond the 72nd byte, which splits a character",
    "nul": "before\0after",
}


def write(name: str, vectors: list[dict[str, str]]) -> None:
    """Write one file of vectors beside this script, in ASCII, one vector a line."""
    lines = ",\n".join("  " + json.dumps(vector, sort_keys=True) for vector in vectors)
    Path(__file__).with_name(name).write_text(f"[\n{lines}\n]\n", encoding="ascii")


def vector(scheme: str, case: str, encoded: str, made_by: str) -> dict[str, str]:
    """Describe one vector; the case "default" is "plain" under the parameters that its maker chooses."""
    password = PASSWORDS["plain" if case == "default" else case]
    return {"scheme": scheme, "case": case, "password": password, "encoded": encoded, "made_by": made_by}
