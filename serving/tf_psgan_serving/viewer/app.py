"""The ASGI application: the API, the page, limits of a request's size, and errors as problems."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tf_psgan_serving.viewer import openapi, page, scenes
from tf_psgan_serving.viewer.api import Api
from tf_psgan_serving.viewer.blocks import Blocks
from tf_psgan_serving.viewer.connections import LimitedConnection
from tf_psgan_serving.viewer.models import Models
from tf_psgan_serving.viewer.problems import Problem

MOST_ADDRESS = 1024
"""Characters of a path, and of a query."""

MOST_CONNECTIONS = 512

STOP_SECONDS = 5
"""Seconds that running requests have to finish when the server stops."""


def make(
    models: Models,
    *,
    parallel: int = 2,
    cache_bytes: int = 2**26,
    waiting: int = 64,
    deadline: float = 30.0,
    cors: Sequence[str] = (),
) -> Starlette:
    """The application.

    Args:
      models: of the server; closed when the application ends.
      parallel: requests to the server at a time.
      cache_bytes: of pixels that are kept.
      waiting: requests for pictures at a time.
      deadline: seconds for a request.
      cors: origins whose pages may read responses, such as https://example.org; "*" for all.
    """
    endpoints = Api(
        models,
        Blocks(models.pixels, parallel=parallel, most_bytes=cache_bytes),
        waiting=waiting,
        deadline=deadline,
    )
    document = openapi.document()

    async def described(request: Request) -> Response:
        return JSONResponse(document, headers={"Cache-Control": "no-cache"})

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        endpoints.close()
        await models.close()

    middleware = [Middleware(_Limited)]
    if cors:
        middleware.insert(
            0,
            Middleware(
                CORSMiddleware, allow_origins=list(cors), allow_methods=["GET", "POST"], allow_headers=["Content-Type"]
            ),
        )
    app = Starlette(
        routes=[Route("/openapi.json", described), *endpoints.routes(), *page.routes(endpoints)],
        middleware=middleware,
        exception_handlers={Problem: _problem, HTTPException: _http, Exception: _failed},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a redirect would repeat the request's host
    return app


def web_server(application: Starlette, connection: type[LimitedConnection] = LimitedConnection) -> uvicorn.Server:
    """A server of the application over HTTP/1.1, without WebSockets."""
    config = uvicorn.Config(
        application,
        http=connection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    return uvicorn.Server(config)


class _Limited:
    """Rejects bodies that are too long or out of place, and long addresses, and keeps browsers from guessing types."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if problem := _body_problem(scope):
            return await problem.response()(scope, receive, send)
        if max(len(scope["raw_path"] or scope["path"]), len(scope["query_string"])) > MOST_ADDRESS:
            text = f"the address has more than {MOST_ADDRESS} characters; shorten it."
            return await Problem(414, text).response()(scope, receive, send)

        async def typed(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-content-type-options", b"nosniff")]
            await send(message)

        await self._app(scope, receive, typed)


def _body_problem(scope: Scope) -> Problem | None:
    """What is wrong with a request's body, by its headers: only scenes have one, of an announced length."""
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"0").strip() or b"0"
    if scope["method"] != "POST":
        is_empty = not length.strip(b"0") and b"transfer-encoding" not in headers
        return None if is_empty else Problem(413, "requests of this kind have no body; leave it out.")
    if b"transfer-encoding" in headers or not length.isdigit():
        return Problem(411, "the body's length is not announced; send Content-Length.")
    if len(length) > 9 or int(length) > scenes.MOST_BYTES:
        return Problem(413, f"the body has more than {scenes.MOST_BYTES} bytes; send a part of the scene.")
    return None


async def _problem(request: Request, error: Any) -> Response:
    response: Response = error.response()
    return response


async def _http(request: Request, error: Any) -> Response:
    texts = {
        404: "there is nothing at this address; /openapi.json has all.",
        405: "this address is asked in another way: scenes with POST, all others with GET.",
    }
    response = Problem(error.status_code, texts.get(error.status_code, str(error.detail))).response()
    response.headers.update(error.headers or {})
    return response


async def _failed(request: Request, error: Any) -> Response:
    return Problem(500, "the viewer failed; its operator finds the reason in its log.").response()
