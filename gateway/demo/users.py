"""The three people of the demo, each with a difficulty of real user tables."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoUser:
    """One staff user of the demo's site. The password is public: it is printed on the screen."""

    name: str
    password: str
    hasher: str
    note: str


USERS = (
    DemoUser(name="alice", password="Wonder-Land-42!", hasher="argon2", note="hashed by argon2"),  # noqa: S106
    DemoUser(name="bob", password="p&b=100%+ bob", hasher="pbkdf2_sha256", note="hashed as the site prefers"),  # noqa: S106
    DemoUser(name="carol", password="Zażółć-gęślą-15€", hasher="bcrypt_sha256", note="hashed by bcrypt"),  # noqa: S106
)
