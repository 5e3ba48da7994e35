"""A legacy user table with everybody in it whom a source may meet: Django's own, and a table of the shop's.

`auth_user` as `manage.py sqlmigrate auth` (Django 5.2) lays it out, in the SQL that SQLite and PostgreSQL
share. The hashes are Django's PBKDF2 with one iteration, so that verifying costs nothing.
"""

import base64
import hashlib
from dataclasses import dataclass

from gateway.model import Outcome

SCHEMA = (
    """CREATE TABLE auth_user (
        id integer PRIMARY KEY, password varchar(128) NULL, last_login timestamp NULL, is_superuser bool NOT NULL,
        username varchar(150) NOT NULL UNIQUE, first_name varchar(150) NOT NULL, last_name varchar(150) NOT NULL,
        email varchar(254) NOT NULL, is_staff bool NOT NULL, is_active bool NOT NULL)""",
    "CREATE TABLE shop_profile (user_id integer PRIMARY KEY, locked bool, must_change bool, phone varchar(40))",
)
LOGIN_QUERY = """
    SELECT u.id AS legacy_id, u.password AS password_hash, u.username, u.email,
           trim(u.first_name || ' ' || u.last_name) AS name,
           NOT u.is_active AS disabled, p.locked, p.must_change, p.phone
      FROM auth_user u LEFT JOIN shop_profile p ON p.user_id = u.id
     WHERE u.username = :login OR u.email = :login -- never LIKE :login
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One row of both tables; `password` is None for an account that never had one."""

    id: int
    username: str
    password: str | None = None
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    phone: str | None = None
    hindrance: Outcome | None = None

    @property
    def encoded(self) -> str | None:
        """Return the password as Django keeps it."""
        if self.password is None:
            return None
        digest = hashlib.pbkdf2_hmac("sha256", self.password.encode(), b"salt%d" % self.id, 1)
        return f"pbkdf2_sha256$1$salt{self.id}${base64.b64encode(digest).decode()}"


ALICE = Person(id=1, username="alice", password="wonderland-7", email="alice@shop.test", first_name="Alice",
               last_name="Liddell", phone="+44 20 7946 0000")
BOB = Person(id=2, username="bob", password="p&b=100%+ bob", email="bob@shop.test")
CAROL = Person(id=3, username="żółw-カロル", password="Zażółć-gęślą-15€", email="carol@shop.test", first_name="Ćarol")
DAVE = Person(id=4, username="dave", password="dave-pass-4", hindrance=Outcome.DISABLED)
ERIN = Person(id=5, username="erin", password="erin-pass-5", hindrance=Outcome.LOCKED)
FRANK = Person(id=6, username="frank", password="frank-pass-6", hindrance=Outcome.MUST_CHANGE)
TWINS = (Person(id=7, username="castor", password="castor-pass-7", email="twins@shop.test"),
         Person(id=8, username="pollux", password="pollux-pass-8", email="twins@shop.test"))
GRACE = Person(id=9, username="grace")
HEIDI = Person(id=10, username="heidi' OR '1'='1", password="heidi-pass-10")
EVERYBODY = (ALICE, BOB, CAROL, DAVE, ERIN, FRANK, *TWINS, GRACE, HEIDI)


def statements() -> list[str]:
    """Return the SQL that makes the tables and fills them."""
    return [*SCHEMA, *(_insert(person) for person in EVERYBODY)]


def _insert(person: Person) -> str:
    flags = [person.hindrance is bar for bar in (Outcome.LOCKED, Outcome.MUST_CHANGE)]
    user = (person.id, person.encoded, False, person.username, person.first_name, person.last_name, person.email,
            False, person.hindrance is not Outcome.DISABLED)
    profile = (person.id, *flags, person.phone)
    return (
        "INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff,"
        f" is_active) VALUES ({', '.join(map(_literal, user))});"
        f" INSERT INTO shop_profile VALUES ({', '.join(map(_literal, profile))})"
    )


def _literal(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bool() | int():
            return str(value)
        case _:
            return "'" + str(value).replace("'", "''") + "'"
