"""Parts made from their settings."""

from pathlib import Path

from gateway.parts import secrets_in
from gateway.plan import read_settings
from gateway.settings import Settings

KEY = "A" * 43 + "="
FILE = """
[private]
token = "env:TOKEN"
[store]
url = {store}
[keys]
encryption_key = "env:KEY"
[tokens]
issuer = "http://127.0.0.1:8080"
[[app]]
name = "shop"
hosts = ["*"]
upstream = "http://127.0.0.1:8000"
preset = "django"
source = "people"
[source.people]
adapter = "sql"
preset = "django"
url = "env:LEGACY"
"""


def settings(folder: Path, store: str, **environ: str) -> Settings:
    file = folder / "sluicegate.toml"
    file.write_text(FILE.format(store=store))
    return read_settings(file, {"TOKEN": "a token", "KEY": KEY, "LEGACY": "postgresql://u:pa%20ss@old/shop"} | environ)


def test_every_secret_of_the_settings_is_known_for_redaction(tmp_path: Path) -> None:
    """Those of every section and source, and the password within a URL as it is meant."""
    found = settings(tmp_path, '"env:STORE"', STORE="postgresql://u:p%40ss@new/shop")
    assert {secret.reveal() for secret in secrets_in(found)} - {""} == {
        "a token", KEY, "postgresql://u:p%40ss@new/shop", "p@ss", "postgresql://u:pa%20ss@old/shop", "pa ss"}


def test_the_word_embedded_is_no_secret(tmp_path: Path) -> None:
    """It stands where a URL could; a log that masks it cannot tell of the embedded server."""
    found = settings(tmp_path, '"embedded"')
    assert "embedded" not in {secret.reveal() for secret in secrets_in(found)}
