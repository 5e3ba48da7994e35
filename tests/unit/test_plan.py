"""What an operator is told of settings that are right."""

from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
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


LOGIN = 'rule = [{ name = "in", kind = "login", path = "/in", identifier = "user", password = "pass"%s }]'
PROBE = ', probe = { path = "/me", status = [200] }'


@pytest.mark.parametrize(("handoff", "source", "is_needed"), [
    ("replay", 'adapter = "sql"\npreset = "django"\nurl = "sqlite:users.db"', True),
    ("headers", 'adapter = "sql"\npreset = "django"\nurl = "sqlite:users.db"', False),
    ("headers", 'adapter = "form"', True),
])
def test_a_verdict_is_demanded_where_it_is_used(tmp_path: Path, handoff: str, source: str, *, is_needed: bool) -> None:
    """Where the app sees logins: those of browsers, or those by which it is asked itself."""
    file = tmp_path / "sluicegate.toml"
    head, _, _ = FILE.format(access="").partition("preset")
    file.write_text(f'{head}source = "users"\nhandoff = "{handoff}"\npassword_change = "none"\n{LOGIN % PROBE}\n'
                    f"[source.users]\n{source}\n")
    if not is_needed:
        assert read_settings(file, {}).apps[0].handoff == handoff
        return
    with pytest.raises(ConfigurationError) as caught:
        read_settings(file, {})
    assert [str(problem).partition(": ")[2] for problem in caught.value.problems] == [
        f"app[0].rule[0].{key}: a login rule needs it" for key in ("right", "wrong")]
