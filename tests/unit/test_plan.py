"""What an operator is told of settings that are right."""

from pathlib import Path

import pytest

from gateway.plan import notes, read_settings

FILE = """
[tokens]
issuer = "http://127.0.0.1:8080"
[[app]]
name = "shop"
hosts = ["*"]
upstream = "http://127.0.0.1:8000"
preset = "django"
source = "users"
{access}
[source.users]
adapter = "sql"
preset = "django"
url = "sqlite:users.db"
"""
REQUIRES = '[[app.access]]\npath = "/admin"\nrequire = "{what}"\n'


@pytest.mark.parametrize(("access", "is_said"), [
    ("", True), (REQUIRES.format(what="nothing"), True), (REQUIRES.format(what="session"), False),
])
def test_what_a_block_does_not_end_is_said(tmp_path: Path, access: str, *, is_said: bool) -> None:
    """Access to the app ends with it only where a session is required."""
    file = tmp_path / "sluicegate.toml"
    file.write_text(FILE.format(access=access))
    said = "\n".join(notes(read_settings(file, {})))
    assert ('needs [[app.access]] with require = "session"' in said) is is_said


@pytest.mark.parametrize(("issuer", "is_said"), [("http://shop.test", True), ("https://shop.test", False)])
def test_a_certificate_without_secure_cookies_is_said(tmp_path: Path, issuer: str, *, is_said: bool) -> None:
    """It is the issuer that makes cookies Secure, and nobody would notice."""
    file = tmp_path / "sluicegate.toml"
    listen = '[listen]\ncertificate = "chain.pem"\nkey = "key.pem"\n'
    file.write_text(listen + FILE.format(access="").replace("http://127.0.0.1:8080", issuer))
    said = "\n".join(notes(read_settings(file, {})))
    assert ("cookies are not Secure" in said) is is_said
