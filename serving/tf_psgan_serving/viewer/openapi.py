"""The description of the HTTP API in OpenAPI 3.1, made from the parameters that the endpoints check."""

from collections.abc import Sequence
from typing import Any

from tf_psgan_serving.viewer import api, encoding, parameters, problems, scenes
from tf_psgan_serving.viewer.parameters import Parameter, Text

MODEL = Text("model", "name of the model, of /v1/models", "[^/]+", "honeycomb")
SUFFIX = Text("suffix", "kind of the picture; png is exact", f"({'|'.join(encoding.MEDIA_TYPES)})", "png")
VERSION = "/v1/models/{model}/versions/{version}"
_ERROR = {"description": "A problem (RFC 9457)", "content": {problems.MEDIA_TYPE: {"schema": {"type": "object"}}}}


def document() -> dict[str, Any]:
    """The document."""
    in_path = (MODEL, parameters.VERSION)
    pictures: dict[str, tuple[str, Sequence[Parameter], Sequence[Parameter]]] = {
        "/{texture}/{seed}/{z}/{x}/{y}.{suffix}": ("A map tile of 256 x 256 pixels", (*api.PLACE, *api.MAP), ()),
        "/morph/{textures}/{extent_height}/{extent_width}/{seed}/{z}/{x}/{y}.{suffix}": (
            "A map tile of a blend of four textures",
            api.MORPH_MAP,
            (),
        ),
        "/window.{suffix}": ("A window of a texture's plane", (), api.QUERIES["window"]),
        "/tile.{suffix}": (
            "A seamless tile. A height and width that would distort the texture's waves are a problem whose member "
            "`fits` has the nearest height and width that do not.",
            (),
            api.QUERIES["tile"],
        ),
        "/morph.{suffix}": ("A window of a blend of four textures", (), api.QUERIES["morph"]),
    }
    paths = {
        VERSION + path: _operation(text, [*in_path, *places, SUFFIX], [*query, parameters.IDENTITY], _picture())
        for path, (text, places, query) in pictures.items()
    }
    scene = _operation(
        "A window of a plane whose cells have mixtures of textures of their own, and whose noise may move in a loop",
        [*in_path, SUFFIX],
        [parameters.IDENTITY],
        _picture(),
    )["get"]
    scene["requestBody"] = {"required": True, "content": {"application/json": {"schema": scenes.schema()}}}
    paths[f"{VERSION}/scene.{{suffix}}"] = {"post": scene}
    paths["/v1/models"] = _operation("The models and their newest versions", [], [], _object())
    paths["/v1/models/{model}"] = _operation("A model's newest version", [MODEL], [], _object())
    for path, text in (("/livez", "Whether the process answers"), ("/readyz", "Whether a model is ready")):
        paths[path] = _operation(text, [], [], {"text/plain": {"schema": {"type": "string"}}})
    about = {"title": "psgan-viewer", "version": "1", "description": "Pictures of endless textures."}
    return {"openapi": "3.1.0", "info": about, "paths": dict(sorted(paths.items()))}


def _operation(
    text: str, in_path: Sequence[Parameter], in_query: Sequence[Parameter], content: dict[str, Any]
) -> dict[str, Any]:
    given = [_parameter(parameter, "path") for parameter in in_path]
    given += [_parameter(parameter, "query") for parameter in in_query]
    responses = {"200": {"description": text, "content": content}, "default": _ERROR}
    return {"get": {"summary": text, "parameters": given, "responses": responses}}


def _parameter(parameter: Parameter, where: str) -> dict[str, Any]:
    required = where == "path" or parameter.default is None
    described = {"name": parameter.name, "in": where, "required": required, "description": parameter.text}
    return described | {"schema": parameter.schema()}


def _picture() -> dict[str, Any]:
    return {kind: {"schema": {"type": "string", "format": "binary"}} for kind in encoding.MEDIA_TYPES.values()}


def _object() -> dict[str, Any]:
    return {"application/json": {"schema": {"type": "object"}}}
