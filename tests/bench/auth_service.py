"""The auth service that deployments put behind auth_request and forward auth: aiohttp, a JWT in a cookie, PyJWT.

    python tests/bench/auth_service.py PORT     the HS256 key is in the environment, BENCH_KEY
"""

import os
import sys

import jwt
import uvloop
from aiohttp import web

AUDIENCE = "bench"
COOKIE = "auth"


def application(key: str) -> web.Application:
    """Return the service: 204 and who it is, or 401."""
    app = web.Application()

    async def verify(request: web.Request) -> web.Response:
        try:
            claims = jwt.decode(request.cookies.get(COOKIE, ""), key, algorithms=["HS256"], audience=AUDIENCE)
        except jwt.InvalidTokenError:
            return web.Response(status=401)
        return web.Response(status=204, headers={"X-User": claims["sub"]})

    app.router.add_route("*", "/verify", verify)
    return app


if __name__ == "__main__":
    uvloop.install()
    web.run_app(application(os.environ["BENCH_KEY"]), host="127.0.0.1", port=int(sys.argv[1]), access_log=None,
                print=None)
