"""What no single key can tell: names that must exist, things that exclude one another. Pure.

Looks at the tables as written, so that a mistake inside one section does not hide one between two. Kinds
and bounds are the models' business: a value of the wrong kind is passed over here.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gateway.settings.positions import Path
from gateway.settings.sections import EMBEDDED, LimitsSection

Table = Mapping[str, Any]
Mistake = tuple[Path, str]

FORM = "form"
"""The adapter whose source is an application itself."""


SESSION_KEYS = ("handoff", "identity", "login_page", "login_next", "home", "access")


def mistakes_between(root: Table) -> Iterator[Mistake]:
    """Yield every mistake between sections, as path and sentence."""
    for check in CHECKS:
        yield from check(root)


def tables_of(value: object) -> list[Table]:
    """Return the tables in an array of tables, with an empty one for what is none."""
    items = value if isinstance(value, tuple) else ()
    return [item if isinstance(item, Mapping) else {} for item in items]


def table_of(value: object) -> Table:
    """Return a table, empty for what is none."""
    return value if isinstance(value, Mapping) else {}


def _secrets_without_state_folder(root: Table) -> Iterator[Mistake]:
    if table_of(root.get("store")).get("url", EMBEDDED) == EMBEDDED:
        return
    for section, key in (("private", "token"), ("keys", "encryption_key")):
        if key not in table_of(root.get(section)):
            yield (section, key), f'is missing; only with store.url = "{EMBEDDED}" it is made by itself'


def _same_listener(root: Table) -> Iterator[Mistake]:
    public = table_of(root.get("listen")).get("public")
    private = table_of(root.get("private")).get("listen")
    if isinstance(public, str) and public == private and not public.endswith(":0"):
        yield ("private", "listen"), "is the public listener's address; operators need one of their own"


def _half_a_certificate(root: Table) -> Iterator[Mistake]:
    listen = table_of(root.get("listen"))
    for key, other in (("certificate", "key"), ("key", "certificate")):
        if key in listen and other not in listen:
            yield ("listen", other), f"is missing; listen.{key} is of no use without it"


def _nobody_announces(root: Table) -> Iterator[Mistake]:
    listen = table_of(root.get("listen"))
    if listen.get("proxy_protocol") is True and not listen.get("trusted_proxies"):
        yield ("listen", "proxy_protocol"), "needs trusted_proxies: nobody else may say whose connection it is"


def _line_beyond_head(root: Table) -> Iterator[Mistake]:
    limits, default = table_of(root.get("limits")), LimitsSection()
    line = limits.get("request_line_bytes", default.request_line_bytes)
    head = limits.get("head_bytes", default.head_bytes)
    if isinstance(line, int) and isinstance(head, int) and line >= head:
        key = "request_line_bytes" if "request_line_bytes" in limits else "head_bytes"
        yield ("limits", key), "leaves no room: limits.request_line_bytes must be below limits.head_bytes"


def _no_app(root: Table) -> Iterator[Mistake]:
    if not root.get("app"):
        yield ("app",), "is missing; at least one [[app]] table says what stands behind the gateway"


def _app_names(root: Table) -> Iterator[Mistake]:
    seen: set[str] = set()
    for index, app in enumerate(tables_of(root.get("app"))):
        name = app.get("name")
        if isinstance(name, str) and name in seen:
            yield ("app", index, "name"), "is the name of an earlier app too"
        elif isinstance(name, str):
            seen.add(name)


def _app_places(root: Table) -> Iterator[Mistake]:
    taken: set[tuple[str, str]] = set()
    for index, app in enumerate(tables_of(root.get("app"))):
        places = set(_places(app))
        if places & taken:
            yield ("app", index, "hosts"), "holds a host that an earlier app serves under the same path"
        taken |= places


def _places(app: Table) -> Iterator[tuple[str, str]]:
    path, hosts = app.get("path", "/"), app.get("hosts")
    for host in hosts if isinstance(hosts, tuple) else ():
        if isinstance(host, str) and isinstance(path, str):
            yield host.lower(), path.rstrip("/")


def _app_sources(root: Table) -> Iterator[Mistake]:
    sources = table_of(root.get("source"))
    for index, app in enumerate(tables_of(root.get("app"))):
        name = app.get("source")
        if isinstance(name, str) and name not in sources:
            others = f"there are {', '.join(sources)}" if sources else "there are none"
            yield ("app", index, "source"), f"names no [source.…] of this file; {others}"


def _app_upstreams(root: Table) -> Iterator[Mistake]:
    for index, app in enumerate(tables_of(root.get("app"))):
        upstream = app.get("upstream")
        addresses = upstream if isinstance(upstream, tuple) else (upstream,)
        if any(isinstance(address, str) and address.startswith("https:") for address in addresses):
            continue
        for key in ("upstream_ca", "upstream_name"):
            if key in app:
                yield ("app", index, key), "is of no use without an https:// address in upstream"


def _app_rules(root: Table) -> Iterator[Mistake]:
    for index, app in enumerate(tables_of(root.get("app"))):
        has_rules = "preset" in app or bool(app.get("rule"))
        if "source" in app and not has_rules:
            yield ("app", index, "source"), "needs rules: name a preset, or write [[app.rule]] tables"
        if "preset" in app and "source" not in app:
            yield ("app", index, "preset"), "needs a source: name the [source.…] that knows the app's users"
        if "password_change" in app and not has_rules:
            yield ("app", index, "password_change"), "is of no use without rules"


def _app_sessions(root: Table) -> Iterator[Mistake]:
    for index, app in enumerate(tables_of(root.get("app"))):
        for key in SESSION_KEYS:
            if key in app and "source" not in app:
                yield ("app", index, key), "is of no use without a source: only its users have sessions"
        if app.get("handoff") == "headers" and app.get("denied") == "app":
            yield ("app", index, "denied"), 'cannot be "app" with the hand-off "headers": the app sees no login'
        if app.get("handoff") == "headers" and app.get("identity") is False:
            yield ("app", index, "identity"), 'cannot be false with the hand-off "headers": the app would know nobody'


def _access_paths(root: Table) -> Iterator[Mistake]:
    for index, app in enumerate(tables_of(root.get("app"))):
        seen: set[str] = set()
        for number, table in enumerate(tables_of(app.get("access"))):
            path = str(table.get("path", "")).rstrip("/")
            if path in seen:
                yield ("app", index, "access", number, "path"), "is the path of an earlier [[app.access]] table too"
            seen.add(path)


def _source_users(root: Table) -> Iterator[Mistake]:
    users = Counter(str(app.get("source")) for app in tables_of(root.get("app")))
    for name, source in table_of(root.get("source")).items():
        if not users[name]:
            yield ("source", name), "belongs to no app; name it in one, or remove it"
        elif users[name] > 1 and table_of(source).get("adapter") == FORM:
            yield ("source", name, "adapter"), "belongs to several apps; a form source is one app itself"


CHECKS: tuple[Callable[[Table], Iterator[Mistake]], ...] = (
    _secrets_without_state_folder,
    _same_listener,
    _half_a_certificate,
    _nobody_announces,
    _line_beyond_head,
    _no_app,
    _app_names,
    _app_places,
    _app_upstreams,
    _app_sources,
    _app_rules,
    _app_sessions,
    _access_paths,
    _source_users,
)
