"""The demo's site with quick hashers and a hasty database; everything else is the site's own."""

from gateway.demo.site.settings import *  # noqa: F403
from gateway.demo.site.settings import DATABASES

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")  # as every site has it that stands behind TLS
PASSWORD_HASHERS = [
    "tests.helpers.site_hashers.QuickPBKDF2",  # preferred: others are re-hashed at login
    "tests.helpers.site_hashers.QuickArgon2",
]
# Under WAL, whoever reads it stops no test that writes.
DATABASES["default"]["OPTIONS"]["init_command"] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF"  # type: ignore[index]
