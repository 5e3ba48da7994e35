"""From a matched request and its body to what was typed in it.

Owns the demand that app and gateway read the same: on a rule's address every field that matters stands
once, in its place, under its own name, in a form that the rule declares. Must not know accounts, and
whether a password is right.
"""

from dataclasses import dataclass

from gateway.errors import RequestRefused
from gateway.http.forms import Form, is_same_field, parse_form
from gateway.http.head import RequestHead
from gateway.intercept.rules import Match, Rule, discriminator, is_listed
from gateway.intercept.tables import RuleKind
from gateway.model import Credentials, PasswordChange, Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Is a login with what was typed."""

    rule: Rule
    credentials: Credentials
    form: Form


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Is a password change; `change` is None where the app can only refuse it or change no password.

    That is: new-password fields that are absent, empty, or differ from one another.
    """

    rule: Rule
    change: PasswordChange | None
    form: Form


@dataclass(frozen=True, slots=True, kw_only=True)
class Logout:
    """Is a logout."""

    rule: Rule


def extract(match: Match, head: RequestHead, body: bytes) -> Login | Change | Logout | None:
    """Return what a matched request is, or None when its fields fit no rule and it may go on unchanged.

    Raises `RequestRefused`: 415 for a body that cannot be read as a form, 400 for one in which an app
    may find other credentials than the gateway. The length of a password is not looked at here.
    """
    if head.values(b"content-encoding"):
        raise RequestRefused(415, "A body without Content-Encoding was expected.")
    first = match.rules[0]
    if first.kind is RuleKind.LOGOUT and not first.fields:
        return Logout(rule=first)
    form = _form(head, body)
    rule = _choose(match, form)
    if rule is None:
        return None
    if form.kind not in rule.forms:
        raise RequestRefused(400, "This address takes another kind of form.")
    if rule.kind is RuleKind.LOGIN:
        return _login(rule, match, form)
    return _change(rule, match, form) if rule.kind is RuleKind.PASSWORD_CHANGE else Logout(rule=rule)


def substitute_password(login: Login, replacement: Secret) -> bytes:
    """Return the body of a login with another password in it, every other byte as the browser sent it."""
    return login.form.substitute(login.rule.password, replacement.reveal())


def _form(head: RequestHead, body: bytes) -> Form:
    types = head.values(b"content-type")
    if len(types) != 1:
        raise RequestRefused(415, "A form was expected.")
    return parse_form(types[0], body)


def _choose(match: Match, form: Form) -> Rule | None:
    """Return the rule whose discriminating fields the form has; compiled rules never overlap."""
    for rule in match.rules:
        _demand_places(rule, match, form)
    return next((rule for rule in match.rules if _fits(rule, form)), None)


def _demand_places(rule: Rule, match: Match, form: Form) -> None:
    """Refuse a discriminator in the other place: PHP's $_REQUEST lets a field override the query."""
    misplaced = [
        *(name for name in rule.query if name not in rule.fields and _occurrences(form.names(), name)),
        *(name for name in rule.fields if name not in rule.query
          and _occurrences([other for other, _ in match.query], name)),
    ]
    if misplaced:
        raise RequestRefused(400, "A field of this request stands in the wrong place.")


def _fits(rule: Rule, form: Form) -> bool:
    return all(is_listed(_field_discriminator(form, name), values) for name, values in rule.fields.items())


def _field_discriminator(form: Form, name: str) -> str:
    """Return the value of a discriminating field, "" when it is absent; a file is no field."""
    pairs = [(other, "") for other in form.names()]
    discriminator(pairs, name)
    values = form.values(name)
    if not values and _occurrences(form.names(), name):
        raise RequestRefused(400, "A field of this request is a file.")
    return values[0] if values else ""


def _occurrences(names: list[str], declared: str) -> int:
    return sum(is_same_field(name, declared) for name in names)


def _login(rule: Rule, match: Match, form: Form) -> Login:
    identifier, password = (_one(name, match, form) for name in (rule.identifier, rule.password))
    credentials = Credentials(identifier=identifier, password=Secret(password))
    return Login(rule=rule, credentials=credentials, form=form)


def _change(rule: Rule, match: Match, form: Form) -> Change:
    names = [*form.names(), *(name for name, _ in match.query)]
    if not any(_occurrences(names, name) for name in rule.new_passwords):
        return Change(rule=rule, change=None, form=form)  # a profile form whose password part was left out
    if rule.old_password:
        _one(rule.old_password, match, form)
    typed = {_one(name, match, form) for name in rule.new_passwords}
    new = typed.pop()
    if typed or not new:
        return Change(rule=rule, change=None, form=form)
    return Change(rule=rule, change=PasswordChange(new_password=Secret(new)), form=form)


def _one(name: str, match: Match, form: Form) -> str:
    """Return the value of a field that stands once, in the body, under exactly its declared name."""
    names = [*form.names(), *(other for other, _ in match.query)]
    values = form.values(name)
    if len(values) != 1 or _occurrences(names, name) != 1:
        raise RequestRefused(400, "Each field of this form must occur once, under its own name.")
    return values[0]
