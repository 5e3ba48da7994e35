"""Answers that are not the one asked for, as problem details (RFC 9457): what is wrong, what to do.

Owns the translation of errors into them. No detail repeats what a client sent.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.errors import RequestRefused, StoreUnavailable

STORE_DOWN = "The store does not answer. Check that PostgreSQL runs and is reachable, then try again."
NO_SUCH_PATH = "There is nothing here. deploy/README.md lists the paths of this listener."
NO_SUCH_METHOD = "This path does not take this method; the Allow field lists those that it takes."


def problem(status: int, detail: str, *, fields: Mapping[str, str] | None = None) -> web.Response:
    """Return problem details with further fields."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return web.Response(status=status, headers=fields, body=json.dumps(body).encode("ascii") + b"\n",
                        content_type="application/problem+json")


@web.middleware
async def explained(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what went wrong into problem details."""
    try:
        return await handler(request)
    except RequestRefused as error:
        return problem(error.status, error.reason)
    except StoreUnavailable as error:
        return problem(error.status, STORE_DOWN, fields={"Retry-After": str(error.retry_after)})
    except web.HTTPMethodNotAllowed as error:
        return problem(error.status, NO_SUCH_METHOD, fields={"Allow": error.headers["Allow"]})
    except web.HTTPNotFound as error:
        return problem(error.status, NO_SUCH_PATH)
