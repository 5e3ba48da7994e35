"""The accounts, for operators: `/api/users` and `/api/users/{id}`.

Owns the parameters; what an account looks like is in `gateway.admin.shapes`.
"""

import unicodedata
from dataclasses import dataclass
from uuid import UUID

from aiohttp import web
from multidict import MultiMapping

from gateway.admin.problems import problem
from gateway.admin.shapes import account_json, page_json
from gateway.errors import RequestRefused
from gateway.model import AccountState
from gateway.store.base import Management

PARAMETERS = ("q", "state", "after", "limit")
DEFAULT_LIMIT = 50
LARGEST_LIMIT = 200  # one answer stays small, and a search never holds the store for long
LONGEST_TEXT = 256  # longer than any name or address that people search for


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What a list of accounts was asked for."""

    text: str = ""
    state: AccountState | None = None
    after: UUID | None = None
    limit: int = DEFAULT_LIMIT


class Users:
    """Answers from the store's accounts."""

    __slots__ = ("_store",)

    def __init__(self, store: Management) -> None:
        self._store = store

    async def list(self, request: web.Request) -> web.Response:
        """List accounts in the order of their ids, a page at a time."""
        search = parse_search(request.query)
        found = await self._store.search(  # one more than a page shows whether there is a next one
            text=search.text, state=search.state, after=search.after, limit=search.limit + 1)
        return web.json_response(page_json(found, search.limit))

    async def show(self, request: web.Request) -> web.Response:
        """Show one account, tombstones included."""
        account = await self._store.get(parse_id("id", request.match_info["id"]))
        if account is None:
            return problem(404, "There is no account with this id. GET /api/users lists the accounts.")
        return web.json_response(account_json(account))


def parse_search(query: MultiMapping[str]) -> Search:
    """Read the parameters of a list; raises `RequestRefused`."""
    given = dict(query)
    if set(given) - set(PARAMETERS):
        raise RequestRefused(400, f"An unknown parameter. Known are {', '.join(PARAMETERS)}.")
    if len(given) != len(query):
        raise RequestRefused(400, "A parameter occurs twice. Give each one once.")
    return Search(
        text=parse_text(given.get("q", "")),
        state=parse_state(given["state"]) if "state" in given else None,
        after=parse_id("after", given["after"]) if "after" in given else None,
        limit=parse_limit(given["limit"]) if "limit" in given else DEFAULT_LIMIT,
    )


def parse_text(text: str) -> str:
    """Read a text to search for; control characters and lone surrogates are in no name."""
    if len(text) > LONGEST_TEXT or any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise RequestRefused(400, f"q must be at most {LONGEST_TEXT} characters, none of them a control.")
    return text


def parse_state(text: str) -> AccountState:
    """Read a state."""
    if text not in tuple(AccountState):
        raise RequestRefused(400, f"state must be one of {', '.join(AccountState)}.")
    return AccountState(text)


def parse_id(name: str, text: str) -> UUID:
    """Read an account's id in its one usual form."""
    try:
        parsed = UUID(text)
    except ValueError:
        parsed = None
    if parsed is None or str(parsed) != text.lower():
        raise RequestRefused(400, f"{name} must be the id of an account, as GET /api/users shows it.")
    return parsed


def parse_limit(text: str) -> int:
    """Read how many accounts a page has."""
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= LARGEST_LIMIT):
        raise RequestRefused(400, f"limit must be a whole number from 1 to {LARGEST_LIMIT}.")
    return int(text)
