"""Scenes in the bodies of requests: JSON with the inputs of the signature `scene`, checked value by value.

Integers are numbers or, beyond 2^53, texts. The weights are the bytes of float32 [textures, rows, cols], little-endian,
in base64.
"""

import asyncio
import base64
import binascii
import json
from typing import Any

import numpy as np
from starlette.requests import ClientDisconnect, Request

from tf_psgan_serving.client.views import Scene
from tf_psgan_serving.viewer import parameters
from tf_psgan_serving.viewer.connections import SILENT_SECONDS
from tf_psgan_serving.viewer.parameters import MAX_PIXEL, Integer
from tf_psgan_serving.viewer.problems import Problem

MOST_BYTES = 2**20
"""Of a body."""

MOST_TEXTURES = 64

REDUCE = Integer("reduce", "side of the squares of pixels that become one, their mean", 1, 8, 1)

_CELLS = (Integer("rows", "of the weights in cells", 1, 4096), Integer("cols", "of the weights in cells", 1, 4096))
_INTEGERS = (
    parameters.SEED,
    *_CELLS,
    *(
        Integer(f"first_{name}", f"first {name} of the weights in cells", -MAX_PIXEL, MAX_PIXEL, 0)
        for name in ("row", "col")
    ),
    *(
        Integer(f"period_{side}", "after which the plane repeats in pixels; 0 for an endless plane", 0, MAX_PIXEL, 0)
        for side in ("height", "width")
    ),
    parameters.TOP,
    parameters.LEFT,
    parameters.HEIGHT,
    parameters.WIDTH,
    REDUCE,
)
_NUMBERS = {"time": "position in the loop of the noise, in [0, 1)", "amount": "how far the noise moves, in [0, 1]"}


async def body(request: Request) -> bytes:
    """The body of a request, whose announced length has been checked.

    Raises:
      Problem: 408, it does not come; 400, the client is gone.
    """
    try:
        async with asyncio.timeout(SILENT_SECONDS):
            return b"".join([part async for part in request.stream()])  # `request.body` would keep it
    except TimeoutError:
        raise Problem(408, f"the body has not come within {SILENT_SECONDS:g} s; send it at once.") from None
    except ClientDisconnect:
        raise Problem(400, "the connection ended before the body.") from None


def parse(data: bytes) -> tuple[Scene, int]:
    """A scene, and the side of the squares of pixels that become one.

    Raises:
      Problem: 400, a value is missing, unknown or wrong.
    """
    try:
        given = json.loads(data)
    except (ValueError, RecursionError):
        raise Problem(400, "the body is not JSON; send an object with the values of a scene.") from None
    if not isinstance(given, dict):
        raise Problem(400, "the body is no object; send one with the values of a scene.")
    known = {parameter.name for parameter in _INTEGERS} | {"textures", "weights", *_NUMBERS}
    if unknown := [name for name in given if name not in known]:
        raise Problem(400, f"{unknown[0][:40]!r} is not a value of a scene; there are {', '.join(sorted(known))}.")
    values = parameters.parse([(one.name, _text(given[one.name])) for one in _INTEGERS if one.name in given], _INTEGERS)
    reduce, rows, cols = (values.pop(name) for name in ("reduce", "rows", "cols"))
    for side in ("height", "width"):
        if values[side] % reduce:
            raise Problem(400, f"{side}: {values[side]} is not a multiple of reduce, {reduce}.")
    textures = given.get("textures")
    if not isinstance(textures, list) or not 1 <= len(textures) <= MOST_TEXTURES:
        raise Problem(400, f"textures: not a list of 1 to {MOST_TEXTURES} integers.")
    numbers = tuple(parameters.TEXTURE.parse(_text(texture)) for texture in textures)
    weights = _weights(given.get("weights"), len(numbers), rows, cols)
    moved: dict[str, Any] = {name: _number(name, given.get(name, 0)) for name in _NUMBERS}
    try:
        return Scene(textures=numbers, weights=weights, **moved, **values), reduce
    except ValueError as error:
        raise Problem(400, str(error)) from None


def schema() -> dict[str, Any]:
    """Of a body, for OpenAPI."""
    integers = {one.name: one.schema() | {"type": ["integer", "string"], "description": one.text} for one in _INTEGERS}
    textures = {"type": "array", "minItems": 1, "maxItems": MOST_TEXTURES, "items": {"type": ["integer", "string"]}}
    text = "float32 [textures, rows, cols], little-endian: the mixture at each cell, which sums to 1"
    weights = {"type": "string", "contentEncoding": "base64", "description": text}
    numbers = {name: {"type": "number", "default": 0, "description": meaning} for name, meaning in _NUMBERS.items()}
    required = ["textures", "weights", *(one.name for one in _INTEGERS if one.default is None)]
    described = {"textures": textures, "weights": weights} | integers | numbers
    return {"type": "object", "required": required, "additionalProperties": False, "properties": described}


def _text(value: Any) -> str:
    """A value of JSON as `Integer.parse` takes it: that of `true` or 1.5 is no integer."""
    return value if isinstance(value, str) else json.dumps(value)[:60]


def _number(name: str, value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1:  # nor NaN
        return float(value)
    raise Problem(400, f"{name}: {_text(value)[:40]!r} is not a number from 0 to 1; give {_NUMBERS[name]}.")


def _weights(value: Any, textures: int, rows: int, cols: int) -> np.ndarray:
    try:
        data = base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise Problem(400, "weights: not a text in base64.") from None
    if len(data) != 4 * textures * rows * cols:
        text = f"weights: {len(data)} bytes, not 4 x {textures} textures x {rows} rows x {cols} cols."
        raise Problem(400, text)
    return np.frombuffer(data, "<f4").astype(np.float32).reshape(textures, rows, cols)
