"""The HTTP API: models, map tiles, windows, seamless tiles, morphs and scenes.

Whatever a response depends on is in its address, so pictures may be cached for ever; scenes, whose maps of weights are
too long for one, come in bodies. Every value is checked against its bounds and becomes a number, or selects one of the
known models. Nothing else is used.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tf_psgan_serving.client.views import Morph, Tile, Window
from tf_psgan_serving.command_line import LOG
from tf_psgan_serving.errors import ServingError
from tf_psgan_serving.viewer import encoding, parameters, problems, scenes
from tf_psgan_serving.viewer.blocks import Blocks
from tf_psgan_serving.viewer.models import Models, Version
from tf_psgan_serving.viewer.parameters import TILE, Parameter
from tf_psgan_serving.viewer.problems import Problem

FOR_EVER = "public, max-age=31536000, immutable"
ENCODERS = 2
"""Pictures that are encoded at a time."""

PLACE = (parameters.TEXTURE, parameters.SEED)
POSITION = (parameters.TOP, parameters.LEFT)
EXTENT = (parameters.HEIGHT, parameters.WIDTH)
MAP = (parameters.ZOOM, parameters.COLUMN, parameters.ROW)
QUERIES: dict[str, tuple[Parameter, ...]] = {
    "window": (*PLACE, *POSITION, *EXTENT),
    "tile": (*PLACE, *EXTENT),
    "morph": (
        parameters.TEXTURES,
        parameters.SEED,
        parameters.EXTENT_HEIGHT,
        parameters.EXTENT_WIDTH,
        *POSITION,
        *EXTENT,
    ),
}
"""The parameters of pictures by query, in order."""

MORPH_MAP = (parameters.TEXTURES, parameters.EXTENT_HEIGHT, parameters.EXTENT_WIDTH, parameters.SEED, *MAP)

Body = Callable[[Request, Version], Awaitable[Response]]


class Api:
    """The endpoints below /v1 and the health checks.

    Args:
      models: of the server.
      blocks: of their planes.
      waiting: requests for pictures at a time; further ones are answered with 503.
      deadline: seconds for a request.
    """

    def __init__(self, models: Models, blocks: Blocks, *, waiting: int, deadline: float) -> None:
        self._models, self._blocks = models, blocks
        self._most_waiting, self._deadline, self._waiting = waiting, deadline, 0
        self._reading = 0  # bodies of requests
        self._reported: dict[str, str] = {}  # why models are not listed, by name
        self._encoders = ThreadPoolExecutor(ENCODERS, "encode")

    def routes(self) -> list[Route]:
        """The routes; `openapi` describes them."""
        version = "/v1/models/{model}/versions/{version}"
        pictures: dict[str, Body] = {
            "/{texture}/{seed}/{z}/{x}/{y}.{suffix}": self._map_tile,
            "/morph/{textures}/{extent_height}/{extent_width}/{seed}/{z}/{x}/{y}.{suffix}": self._morph_map_tile,
            "/window.{suffix}": self._window,
            "/tile.{suffix}": self._seamless_tile,
            "/morph.{suffix}": self._morph,
        }
        return [
            Route("/livez", _live),
            Route("/readyz", self.guarded(self._ready)),
            Route("/v1/models", self.guarded(self._list)),
            Route("/v1/models/{model}", self.guarded(self._model)),
            *(Route(version + path, self._picture(body)) for path, body in pictures.items()),
            Route(f"{version}/scene.{{suffix}}", self._with_body(self._picture(self._scene)), methods=["POST"]),
        ]

    async def listed(self) -> list[Version]:
        """The newest versions of the models that have one.

        Raises:
          ServingError: the server cannot be reached.
        """
        found = await asyncio.gather(*map(self._newest, await self._models.names()))
        return [version for version in found if version]

    async def shown(self) -> list[Version]:
        """`listed`, at least one.

        Raises:
          Problem: 503, no model is loaded, perhaps not yet.
        """
        if found := await self.listed():
            return found
        raise Problem(503, "no model of the server is loaded; try again.")

    async def version(self, request: Request) -> Version:
        """The version in a request's path.

        Raises:
          Problem: 404, there is no such model or version.
        """
        name = await self._name(request)
        number = parameters.VERSION.parse(request.path_params["version"])
        return await self._models.version(name, number)

    def close(self) -> None:
        """Ends the encoders' threads."""
        self._encoders.shutdown(wait=False)

    def guarded(self, endpoint: Callable[[Request], Coroutine[Any, Any, Response]]) -> Any:
        """An endpoint that ends with its client's connection and after the deadline, and whose errors are problems."""

        async def guarded(request: Request) -> Response:
            try:
                async with asyncio.timeout(self._deadline):
                    return await _while_connected(request, endpoint(request))
            except TimeoutError:
                raise Problem(504, f"not finished within {self._deadline:g} s; request a smaller picture.") from None
            except ServingError as error:
                problem = problems.of_server(error, self._models.target)
                if problem.status >= 500:
                    LOG.warning(error)
                raise problem from None

        return guarded

    def _picture(self, body: Body) -> Any:
        async def picture(request: Request) -> Response:
            if request.path_params["suffix"] not in encoding.MEDIA_TYPES:
                suffixes = ", ".join(encoding.MEDIA_TYPES)
                raise Problem(404, f"{request.path_params['suffix'][:40]!r} is no kind of picture; use {suffixes}.")
            return await body(request, await self.version(request))

        guarded = self.guarded(picture)

        async def limited(request: Request) -> Response:
            if self._waiting >= self._most_waiting:
                raise Problem(503, f"{self._waiting} requests for pictures are waiting; try again.")
            self._waiting += 1
            try:
                response: Response = await guarded(request)
                return response
            finally:
                self._waiting -= 1

        return limited

    def _with_body(self, picture: Any) -> Any:
        """An endpoint that takes a place among the waiting requests once its body has come."""

        async def complete(request: Request) -> Response:
            if self._reading >= self._most_waiting:
                raise Problem(503, f"{self._reading} scenes are being received; try again.")
            self._reading += 1
            try:
                request.state.body = await scenes.body(request)
            finally:
                self._reading -= 1
            response: Response = await picture(request)
            return response

        return complete

    async def _ready(self, request: Request) -> Response:
        await self.shown()
        return Response("ok\n", media_type="text/plain", headers={"Cache-Control": "no-store"})

    async def _list(self, request: Request) -> Response:
        return _json({"models": [about(version) for version in await self.listed()]})

    async def _model(self, request: Request) -> Response:
        return _json(about(await self._models.newest(await self._name(request))))

    async def _map_tile(self, request: Request, version: Version) -> Response:
        values = _values(request, version, (*PLACE, *MAP))
        extent, reduce = _map_extent(values)
        view = Window(texture=values["texture"], seed=values["seed"], **extent)
        return await self._encoded(request, await self._blocks.window(version, view, reduce))

    async def _morph_map_tile(self, request: Request, version: Version) -> Response:
        values = _values(request, version, MORPH_MAP)
        extent, reduce = _map_extent(values)
        return await self._encoded(request, await self._blocks.window(version, _morph_view(values, extent), reduce))

    async def _window(self, request: Request, version: Version) -> Response:
        values = _values(request, version, QUERIES["window"])
        return await self._encoded(request, await self._blocks.window(version, Window(**values)))

    async def _seamless_tile(self, request: Request, version: Version) -> Response:
        values = _values(request, version, QUERIES["tile"])
        return await self._encoded(request, await self._blocks.tile(version, Tile(**values)))

    async def _morph(self, request: Request, version: Version) -> Response:
        values = _values(request, version, QUERIES["morph"])
        extent = {name: values[name] for name in ("top", "left", "height", "width")}
        return await self._encoded(request, await self._blocks.window(version, _morph_view(values, extent)))

    async def _scene(self, request: Request, version: Version) -> Response:
        _values(request, version, ())
        if not version.scenes:
            raise Problem(400, f"version {version.number} of {version.model} has no scenes; export it again.")
        view, reduce = scenes.parse(request.state.body)
        del request.state.body
        return await self._encoded(request, await self._blocks.scene(version, view, reduce), keep=False)

    async def _encoded(self, request: Request, pixels: Any, keep: bool = True) -> Response:
        suffix = request.path_params["suffix"]
        work = functools.partial(encoding.encode, pixels, suffix)
        data = await asyncio.get_running_loop().run_in_executor(self._encoders, work)
        return Response(
            data, media_type=encoding.MEDIA_TYPES[suffix], headers={"Cache-Control": FOR_EVER if keep else "no-store"}
        )

    async def _name(self, request: Request) -> str:
        names = await self._models.names()
        for name in names:
            if name == request.path_params["model"]:
                return name
        wanted, known = request.path_params["model"][:60], ", ".join(names)[:200] or "none"
        if not self._models.is_ready:
            raise Problem(503, f"{wanted!r} is not loaded, perhaps not yet; try again.")
        raise Problem(404, f"{wanted!r} is no model of the server; it has {known}.")

    async def _newest(self, name: str) -> Version | None:
        try:
            version = await self._models.newest(name)
        except ServingError as error:
            if error.code in (
                "UNAVAILABLE",
                "DEADLINE_EXCEEDED",
                "RESOURCE_EXHAUSTED",
            ):  # they say nothing of the model
                raise
            if self._reported.get(name) != str(error):  # a model that is not loaded, or of another kind
                self._reported[name] = str(error)
                LOG.warning(error)
            return None
        self._reported.pop(name, None)
        return version


def path(version: Version) -> str:
    """The part of an address that all pictures of a version begin with, without a / in front."""
    return f"v1/models/{quote(version.model, safe='')}/versions/{version.number}"


def about(version: Version) -> dict[str, Any]:
    """What the API tells of a version."""
    return {
        "name": version.model,
        "version": version.number,
        "identity": version.identity,
        "path": f"/{path(version)}",
        "pixels_per_cell": version.cell,
        "several_textures": version.several,
        "textures": dict(version.names),
        "scenes": version.scenes,
        "detail": version.detail,
        "source_licence": version.licence,
    }


def _values(request: Request, version: Version, declared: Sequence[Parameter]) -> dict[str, Any]:
    """The declared values in a request's path and query.

    Raises:
      Problem: 400, one is wrong; 404, the version has another identity than the request names.
    """
    names = {parameter.name for parameter in declared}
    in_path = [(name, text) for name, text in request.path_params.items() if name in names]
    given = [*in_path, *request.query_params.multi_items()]
    values = parameters.parse(given, (*declared, parameters.IDENTITY))
    identity = values.pop("identity")
    if identity and identity != version.identity:
        raise Problem(404, f"identity: version {version.number} of {version.model} has another one; reload the page.")
    return values


def _map_extent(values: dict[str, Any]) -> tuple[dict[str, int], int]:
    """The window of a map tile, and the side of the squares of pixels that become one."""
    reduce = 1 << -values["z"]
    side = TILE * reduce
    top, left = values["y"] * side, values["x"] * side
    for name, start in (("y", top), ("x", left)):
        if not -parameters.MAX_PIXEL <= start < parameters.MAX_PIXEL:
            most = parameters.MAX_PIXEL // side
            raise Problem(400, f"{name}: {values[name]} is outside {-most} .. {most - 1} at z {values['z']}.")
    return {"top": top, "left": left, "height": side, "width": side}, reduce


def _morph_view(values: dict[str, Any], extent: dict[str, int]) -> Morph:
    over = {name: values[name] for name in ("seed", "extent_height", "extent_width")}
    return Morph(textures=parameters.textures(values["textures"]), **over, **extent)  # type: ignore[arg-type]


async def _live(request: Request) -> Response:
    return Response("ok\n", media_type="text/plain", headers={"Cache-Control": "no-store"})


def _json(content: Any) -> Response:
    return JSONResponse(content, headers={"Cache-Control": "no-cache"})


async def _while_connected(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    """The result of `work`, which is cancelled when the client closes its connection."""

    async def disconnected() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    tasks = asyncio.ensure_future(work), asyncio.ensure_future(disconnected())
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return tasks[0].result() if tasks[0].done() else Response(status_code=499)  # nobody reads it
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
