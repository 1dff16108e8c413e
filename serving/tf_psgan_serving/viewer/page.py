"""The web page over the API: its files, read once at the start, and the descriptions of the models that it reads."""

import hashlib
import mimetypes
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import tf_psgan_web
from tf_psgan_serving.viewer import api, parameters
from tf_psgan_serving.viewer.api import Api
from tf_psgan_serving.viewer.models import Version

FORMAT = 1
"""Version of `models.json` and `meta.json`, as in an exported page."""

OFFERED_TEXTURES = 12
"""Textures that the page offers of a model that has one for each integer and names for none."""

HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'",
}


def routes(endpoints: Api) -> list[Route]:
    """The routes of the page."""

    async def models(request: Request) -> Response:
        found = [entry(version) for version in await endpoints.shown()]
        return JSONResponse({"format": FORMAT, "models": found}, headers=HEADERS)

    async def meta(request: Request) -> Response:
        return JSONResponse(description(await endpoints.version(request)), headers=HEADERS)

    found = [
        Route("/models.json", endpoints.guarded(models)),
        Route("/v1/models/{model}/versions/{version}/meta.json", endpoints.guarded(meta)),
    ]
    for path in sorted(tf_psgan_web.PAGE.rglob("*")):
        name = path.relative_to(tf_psgan_web.PAGE).as_posix()
        if path.is_file() and not name.startswith("vendor/onnxruntime-web/"):  # the page computes nothing here
            endpoint = _file(path.read_bytes(), mimetypes.guess_type(name)[0] or "text/plain")
            found += [Route(f"/{where}", endpoint) for where in ({name, ""} if name == "index.html" else {name})]
    return found


def entry(version: Version) -> dict[str, Any]:
    """A model in `models.json`."""
    folder, identity = api.path(version), f"&identity={version.identity}" if version.identity else ""
    return {
        "name": version.model,
        "folder": folder,
        "textures": len(description(version)["textures"]),
        "picture": f"{folder}/window.webp?height=256&width=256{identity}",
    }


def description(version: Version) -> dict[str, Any]:
    """A model's `meta.json`: what the page needs to know where the server computes the pixels."""
    offered = [{"key": str(number), "label": name} for name, number in version.names] if version.several else []
    offered = offered or [{"key": str(number)} for number in range(OFFERED_TEXTURES if version.several else 1)]
    return {
        "format": FORMAT,
        "server": True,
        "identity": version.identity,
        "pixels_per_cell": version.cell,
        "global_channels": int(version.several),
        "textures": offered,
        "most_side": parameters.MOST_SIDE,
        "scenes": version.scenes,
        "licence": version.licence,
    }


def _file(content: bytes, media_type: str) -> Any:
    """An endpoint that returns a file of the page."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = HEADERS | {"ETag": tag}

    async def file(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    return file
