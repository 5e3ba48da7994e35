"""The answers that the gateway gives itself: one small page, or its machine-readable twin.

Owns their words and their looks. The page needs nothing from anywhere: no script, font or picture is
loaded, and its Content-Security-Policy says so. Must not know why a request failed beyond what it is told.
"""

import base64
import hashlib
import html
import json
from dataclasses import dataclass

HTML_TYPES = (b"text/html", b"application/xhtml+xml")
JSON_TYPES = (b"application/json", b"application/problem+json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a person reads: the status phrase (RFC 9110 15), a plain title, and what to do."""

    phrase: str
    title: str
    advice: str


_GO_BACK = "Go back and try again. If it happens again, tell the people who run this site."
_LATER = "Wait a moment and try again."

WORDS = {
    400: Words(phrase="Bad Request", title="This request could not be understood", advice=_GO_BACK),
    401: Words(phrase="Unauthorized", title="You are not signed in",
               advice="Sign in and try again. If you just did, check your user name and password."),
    403: Words(phrase="Forbidden", title="This is not allowed",
               advice="Open the site's own sign-in page and start from there."),
    404: Words(phrase="Not Found", title="There is nothing here",
               advice="Check the address for typing mistakes."),
    405: Words(phrase="Method Not Allowed", title="This method is not allowed here", advice=_GO_BACK),
    408: Words(phrase="Request Timeout", title="The request took too long to arrive",
               advice="Check your connection and send it again."),
    413: Words(phrase="Content Too Large", title="This is too much at once",
               advice="Send a shorter form or a smaller file."),
    414: Words(phrase="URI Too Long", title="This address is too long", advice="Use a shorter address."),
    415: Words(phrase="Unsupported Media Type", title="This format is not understood here",
               advice="Use the site's own form to send it."),
    417: Words(phrase="Expectation Failed", title="This expectation cannot be met", advice=_GO_BACK),
    421: Words(phrase="Misdirected Request", title="No site of this name is served here",
               advice="Check the name in the address for typing mistakes."),
    429: Words(phrase="Too Many Requests", title="Too many attempts",
               advice="Wait for the time given below, then try again."),
    431: Words(phrase="Request Header Fields Too Large", title="Your browser sent too much with this request",
               advice="Delete this site's cookies and try again."),
    500: Words(phrase="Internal Server Error", title="Something went wrong on our side", advice=_GO_BACK),
    501: Words(phrase="Not Implemented", title="This is not supported here", advice=_GO_BACK),
    502: Words(phrase="Bad Gateway", title="The site gave no usable answer",
               advice="Try again in a minute. If it stays, tell the people who run this site."),
    503: Words(phrase="Service Unavailable", title="Temporarily unavailable", advice=_LATER),
    504: Words(phrase="Gateway Timeout", title="The site took too long to answer",
               advice="Try again in a minute. If you had sent something, check first whether it arrived."),
    505: Words(phrase="HTTP Version Not Supported", title="This version of HTTP is not supported",
               advice=_GO_BACK),
}
_OTHER = Words(phrase="Error", title="This request could not be answered", advice=_GO_BACK)

_STYLE = (
    ":root{color-scheme:light dark;--paper:#f4f7f9;--card:#fff;--ink:#14212b;--soft:#51626f;--line:#dbe4ea;"
    "--water:#0b7285}"
    "@media(prefers-color-scheme:dark){:root{--paper:#0e161c;--card:#16212a;--ink:#e8eff4;--soft:#9db0bd;"
    "--line:#273743;--water:#4fb9cc}}"
    "*{box-sizing:border-box}"
    "body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--paper);"
    "color:var(--ink);font:1.0625rem/1.6 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
    "main{width:100%;max-width:34rem;padding:2.5rem;background:var(--card);border:1px solid var(--line);"
    "border-radius:1rem;box-shadow:0 1px 2px rgb(0 0 0/.04),0 12px 32px rgb(0 0 0/.06)}"
    "svg{display:block;color:var(--water);margin-bottom:1.5rem}"
    "h1{margin:0 0 .75rem;font-size:1.625rem;line-height:1.25;letter-spacing:-.01em;text-wrap:balance}"
    "p{margin:0 0 .75rem}"
    ".detail{color:var(--soft)}"
    "dl{display:flex;flex-wrap:wrap;gap:.5rem 2rem;margin:1.75rem 0 0;padding-top:1.25rem;"
    "border-top:1px solid var(--line);font-size:.875rem}"
    "dt{color:var(--soft)}"
    "dd{margin:0;font-family:ui-monospace,'SF Mono',Menlo,Consolas,monospace;overflow-wrap:anywhere}"
    "@media(max-width:30rem){main{padding:1.75rem}}"
)
_PICTURE = (
    '<svg width="56" height="56" viewBox="0 0 56 56" fill="none" stroke="currentColor" stroke-width="3" '
    'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">'
    '<path d="M10 50V8M46 50V8M6 8h44M28 8v8"/><rect x="16" y="16" width="24" height="14" rx="2"/>'
    '<path d="M16 39c4-4 8-4 12 0s8 4 12 0M16 47c4-4 8-4 12 0s8 4 12 0" opacity=".65"/></svg>'
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
           "frame-ancestors 'none'")


def answer(status: int, *, reason: str, accept: bytes, request_id: bytes, retry_after: int | None = None,
           extra: bytes = b"", head_only: bool = False, close: bool = False) -> bytes:
    """Return a whole answer in bytes: head, and the body unless `head_only` (an answer to HEAD).

    `reason` is a sentence fit for the client, or empty. `accept` is the request's Accept, all its lines
    joined. `retry_after` is in seconds. `extra` is complete field lines, each with its CRLF.
    """
    words = WORDS.get(status, _OTHER)
    identifier = request_id.decode("latin-1")
    if prefers_page(accept):
        media, policy = "text/html; charset=utf-8", _POLICY
        body = _page(status, words, reason, identifier, retry_after)
    else:
        media, policy = "application/problem+json", "default-src 'none'; frame-ancestors 'none'"
        body = _problem(status, words, reason, identifier)
    lines = [f"HTTP/1.1 {status} {words.phrase}", f"Content-Type: {media}", f"Content-Length: {len(body)}",
             "Cache-Control: no-store", "Vary: Accept", f"Content-Security-Policy: {policy}",
             "X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer", f"X-Request-Id: {identifier}"]
    if retry_after is not None:
        lines.append(f"Retry-After: {retry_after}")
    if close:
        lines.append("Connection: close")
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n" + extra + b"\r\n"
    return head if head_only else head + body


def prefers_page(accept: bytes) -> bool:
    """Say whether a client wants the page: it names HTML, and no form of JSON above it (RFC 9110 12.5.1).

    A client that names neither is a program (a browser's navigation always names text/html).
    """
    weights = dict(_weight(part) for part in reversed(accept.lower().split(b",")))
    page = max(weights.get(name, 0.0) for name in HTML_TYPES)
    return page > 0 and page >= max(weights.get(name, 0.0) for name in JSON_TYPES)


def _weight(part: bytes) -> tuple[bytes, float]:
    """Return one media range and its weight, 0 where the weight is malformed."""
    name, *parameters = (piece.strip() for piece in part.split(b";"))
    for parameter in parameters:
        if parameter.startswith(b"q="):
            digits = parameter[2:]
            well_formed = digits[:1] in (b"0", b"1") and digits.replace(b".", b"", 1).isdigit()
            return name, float(digits) if well_formed else 0.0
    return name, 1.0


def _problem(status: int, words: Words, reason: str, request_id: str) -> bytes:
    """Return the answer as problem details (RFC 9457), with the request id as an extension member."""
    problem = {"type": "about:blank", "title": words.phrase, "status": status,
               "detail": reason or words.advice, "request_id": request_id}
    return json.dumps(problem, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _page(status: int, words: Words, reason: str, request_id: str, retry_after: int | None) -> bytes:
    """Return the answer as a page that stands alone."""
    detail = f'<p class="detail">{html.escape(reason)}</p>' if reason else ""
    facts = [("Status", f"{status} {words.phrase}"), ("Request", request_id)]
    if retry_after is not None:
        facts.insert(1, ("Try again in", f"{retry_after} s"))
    listed = "".join(f"<div><dt>{term}</dt><dd>{html.escape(fact)}</dd></div>" for term, fact in facts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex">'
        f"<title>{html.escape(words.title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><main>{_PICTURE}<h1>{html.escape(words.title)}</h1><p>{html.escape(words.advice)}</p>{detail}"
        f"<dl>{listed}</dl></main></body></html>\n"
    ).encode("utf-8", "replace")
