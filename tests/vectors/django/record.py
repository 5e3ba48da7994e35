"""Records what Django answers to logins, password changes and logouts: `python record.py 5.2`.

Installs that Django from PyPI into a temporary folder, makes a site with its stock pages there, and speaks
to it over a socket like a browser. Writes <version>.json beside this file. Needs nothing but Python and pip.
"""

import contextlib
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

Json = dict[str, Any]

HOST = "site.test"
PASSWORDS = {"alice": "Wonder-Land-42!", "bob": "p&b=100%+ bob", "carol": "Zażółć-gęślą-15€"}
NEW = "N3w-Pass-word-88?"
BOUNDARY = "----geckoformboundary7f3a"
KEPT = re.compile(r"<title>.*?</title>|<form.*?</form>", re.DOTALL)

SETTINGS = """
SECRET_KEY = "recorded"
ALLOWED_HOSTS = ["site.test"]
INSTALLED_APPS = ["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
                  "django.contrib.sessions", "django.contrib.messages"]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware",
              "django.middleware.common.CommonMiddleware",
              "django.middleware.csrf.CsrfViewMiddleware",
              "django.contrib.auth.middleware.AuthenticationMiddleware",
              "django.contrib.messages.middleware.MessageMiddleware"]
ROOT_URLCONF = "site_urls"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
              "OPTIONS": {"context_processors": ["django.template.context_processors.request",
                                                 "django.contrib.auth.context_processors.auth",
                                                 "django.contrib.messages.context_processors.messages"]}}]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "site.sqlite3"}}
AUTH_PASSWORD_VALIDATORS = [{"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"}]
LOGIN_REDIRECT_URL = "/admin/"
STATIC_URL = "/static/"
USE_TZ = True
"""
URLS = """
from django.contrib import admin
from django.contrib.auth.views import LoginView
from django.urls import include, path
urlpatterns = [path("admin/", admin.site.urls),
               path("accounts/login/", LoginView.as_view(template_name="admin/login.html")),
               path("accounts/", include("django.contrib.auth.urls"))]
"""
USERS = """
import json, sys, django
django.setup()
from django.contrib.auth.models import User
for name, password in json.loads(sys.argv[1]).items():
    User.objects.create_user(name, name + "@site.test", password,
                             is_staff=name == "alice", is_active=name != "carol")
"""


class Browser:
    """One browser: cookies, and a note of every named exchange."""

    def __init__(self, port: int, notes: list[Json]) -> None:
        self.port, self.notes = port, notes
        self.cookies: dict[str, str] = {}

    def get(self, target: str, name: str | None = None) -> str:
        return self.send("GET", target, [], b"", name)

    def post(self, target: str, fields: dict[str, str], name: str | None = None, *,
             origin: str = f"http://{HOST}", multipart: bool = False) -> None:
        kind, body = ("application/x-www-form-urlencoded", urlencode(fields).encode())
        if multipart:
            kind, body = f"multipart/form-data; boundary={BOUNDARY}", as_multipart(fields)
        sent = [("Origin", origin), ("Referer", f"{origin}{target}"), ("Content-Type", kind),
                ("Content-Length", str(len(body)))]
        self.send("POST", target, sent, body, name)

    def send(self, method: str, target: str, fields: list[tuple[str, str]], body: bytes,
             name: str | None) -> str:
        fields = [("Host", HOST), ("User-Agent", "Mozilla/5.0"), ("Connection", "close"), *fields]
        if self.cookies:
            fields.append(("Cookie", "; ".join(f"{key}={value}" for key, value in self.cookies.items())))
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{key}: {value}\r\n" for key, value in fields)
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(head.encode() + b"\r\n" + body)
            answer = self.read(b"".join(iter(lambda: connection.recv(65536), b"")))
        if name:
            request = {"method": method, "target": target, "fields": fields, "body": body.decode()}
            self.notes.append({"name": name, "request": request, "answer": trimmed(answer)})
        return answer["body"]

    def read(self, answer: bytes) -> Json:
        head, _, body = answer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = [(key, value.strip()) for key, _, value in (line.partition(":") for line in lines)]
        for key, value in fields:
            if key == "Set-Cookie":
                name, _, rest = value.partition("=")
                self.cookies[name] = rest.partition(";")[0]
        self.cookies = {key: value for key, value in self.cookies.items() if value != '""'}
        _, status, reason = first.split(" ", 2)
        return {"status": int(status), "reason": reason, "fields": fields, "body": body.decode()}

    def login(self, target: str, user: str, password: str, name: str, *,
              origin: str = f"http://{HOST}", multipart: bool = False) -> None:
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.get(target))[1]
        self.post(target, {"csrfmiddlewaretoken": token, "username": user, "password": password,
                           "next": "/admin/"}, name, origin=origin, multipart=multipart)

    def change(self, target: str, old: str, new: str, name: str, again: str = "") -> None:
        self.post(target, {"csrfmiddlewaretoken": self.cookies["csrftoken"], "old_password": old,
                           "new_password1": new, "new_password2": again or new}, name)


def as_multipart(fields: dict[str, str]) -> bytes:
    part = '--{0}\r\nContent-Disposition: form-data; name="{1}"\r\n\r\n{2}\r\n'
    text = "".join(part.format(BOUNDARY, name, value) for name, value in fields.items())
    return f"{text}--{BOUNDARY}--\r\n".encode()


def trimmed(answer: Json) -> Json:
    """Keep the title and the forms of a page; its length is set to match."""
    body = "\n".join(KEPT.findall(answer["body"]))
    fields = [(key, str(len(body.encode())) if key == "Content-Length" else value)
              for key, value in answer["fields"]]
    return {**answer, "fields": fields, "body": body}


def record(port: int) -> list[Json]:
    """Speak every dialogue and return the named exchanges."""
    notes: list[Json] = []
    alice, bob, carol = PASSWORDS["alice"], PASSWORDS["bob"], PASSWORDS["carol"]

    def browser() -> Browser:
        return Browser(port, notes)

    admin, accounts = "/admin/login/?next=/admin/", "/accounts/login/?next=/admin/"
    browser().get(admin, "admin login page")
    browser().login(admin, "alice", "wrong", "admin login, wrong password")
    browser().login(admin, "nobody", "wrong", "admin login, unknown user")
    browser().login(admin, "carol", carol, "admin login, inactive user")
    browser().login(admin, "alice", alice, "admin login, foreign origin", origin="http://elsewhere.test")
    browser().post(admin, {"username": "alice", "password": alice}, "admin login, no CSRF token")
    browser().login(admin, "alice", alice, "admin login, multipart", multipart=True)
    browser().login(accounts, "bob", "wrong", "accounts login, wrong password")
    browser().get("/admin/password_change/", "admin probe, nobody logged in")
    browser().get("/accounts/password_change/", "accounts probe, nobody logged in")

    staff = browser()
    staff.login(admin, "alice", alice, "admin login, right password")
    staff.get("/admin/password_change/", "admin probe, staff logged in")
    # A logged-in browser GETs no login page of the admin site (it is sent on), but may POST to it.
    token = staff.cookies["csrftoken"]
    staff.post(admin, {"csrfmiddlewaretoken": token, "username": "bob", "password": "wrong"},
               "admin login, wrong password of another user while logged in")
    staff.change("/admin/password_change/", "wrong", NEW, "admin change, wrong old password")
    staff.change("/admin/password_change/", alice, "short", "admin change, weak new password")
    staff.change("/admin/password_change/", alice, NEW, "admin change, two new passwords", again=f"{NEW}!")
    staff.change("/admin/password_change/", alice, NEW, "admin change, right")
    staff.post("/admin/logout/", {}, "admin logout, no CSRF token")
    staff.post("/admin/logout/", {"csrfmiddlewaretoken": staff.cookies["csrftoken"]}, "admin logout")
    staff.change("/admin/password_change/", NEW, alice, "admin change, nobody logged in")

    member = browser()
    browser().login(admin, "bob", bob, "admin login, right password but not staff")
    member.login(accounts, "bob", bob, "accounts login, right password")
    member.get("/accounts/password_change/", "accounts probe, logged in")
    member.get("/admin/password_change/", "admin probe, logged in but not staff")
    member.change("/accounts/password_change/", "wrong", NEW, "accounts change, wrong old password")
    member.change("/accounts/password_change/", bob, NEW, "accounts change, right")
    member.get("/accounts/logout/", "accounts logout by GET")
    member.post("/accounts/logout/", {"csrfmiddlewaretoken": member.cookies["csrftoken"]}, "accounts logout")
    return notes


@contextlib.contextmanager
def site(version: str) -> Iterator[tuple[str, int]]:
    """Run a site of this Django version; yields the full version and a port."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(f"{folder}/venv", with_pip=True)
        python = f"{folder}/venv/bin/python"

        def run(*arguments: str) -> str:
            return subprocess.run([python, *arguments], cwd=folder, env=environ, check=True,
                                  capture_output=True, text=True).stdout

        environ = {"DJANGO_SETTINGS_MODULE": "site_settings", "PYTHONPATH": folder}
        run("-m", "pip", "install", "--quiet", f"django~={version}.0")
        for name, text in (("site_settings", SETTINGS), ("site_urls", URLS), ("users", USERS)):
            Path(folder, f"{name}.py").write_text(text)
        run("-m", "django", "migrate", "--verbosity=0")
        run("users.py", json.dumps(PASSWORDS))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = subprocess.Popen([python, "-W", "ignore", "-m", "django", "runserver", "--noreload",
                                   f"127.0.0.1:{port}"], cwd=folder, env=environ,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(port)
            yield run("-m", "django", "version").strip(), port
        finally:
            server.terminate()
            server.wait()


def wait_for(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise SystemExit("the site did not start")


def main(version: str) -> None:
    with site(version) as (full_version, port):
        exchanges = record(port)
    text = json.dumps({"django": full_version, "exchanges": exchanges}, ensure_ascii=False, indent=1)
    Path(__file__).with_name(f"{version}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
