"""Views (a window of a plane, a seamless tile, a blend, a scene), and how a large view is split into requests."""

import dataclasses
import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from tf_psgan_serving import wire

MAX_PIECES = 2**14
"""Requests of one large picture. 32768 x 32768 pixels take 1024 requests of the usual size."""

PIECE_PIXELS = 1024
"""Preferred side of the pieces of a large picture; the server's limits and chunk size may change it."""

WEIGHT_TOLERANCE = 1e-3
"""What the weights of a cell of a scene may differ from 1 in sum, as in the signature."""

_INT32_INPUTS = ("height", "width")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _View:
    signature: ClassVar[str]

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            low = 1 if name.endswith(("height", "width")) else -(2**63)
            high = 2**31 - 1 if name in _INT32_INPUTS else 2**63 - 1
            for number in value if name == "textures" else (value,):
                _check(name, number, low, high)

    def inputs(self) -> dict[str, np.ndarray]:
        """The signature's inputs: int64, but `height` and `width` int32."""
        return {
            name: np.array(value, np.int32 if name in _INT32_INPUTS else np.int64) for name, value in vars(self).items()
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Window(_View):
    """A window of one texture's plane.

    Attributes:
      seed: selects the plane; int64.
      texture: selects the texture of a model that holds many; int64.
      top, left: position of the first pixel on the plane; int64, limited by the server.
      height, width: size in pixels, at least 1.

    Raises:
      ValueError: a value is not an integer or is out of range.
    """

    signature: ClassVar[str] = "window"
    seed: int = 0
    texture: int = 0
    top: int = 0
    left: int = 0
    height: int
    width: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tile(_View):
    """A seamless picture: its right edge continues at its left edge, its bottom edge at its top edge.

    Attributes:
      seed, texture: as in `Window`.
      height, width: size in pixels, multiples of the model's `pixels_per_cell`. The server rejects sizes for which the
        texture's waves would be distorted too much.

    Raises:
      ValueError: as `Window`.
    """

    signature: ClassVar[str] = "torus"
    seed: int = 0
    texture: int = 0
    height: int
    width: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Morph(_View):
    """A window of a blend of four textures. The blend's top left corner is the plane's origin.

    Attributes:
      seed: selects the plane; int64.
      textures: at the blend's corners: top left, top right, bottom left, bottom right.
      extent_height, extent_width: size of the whole blend, in pixels.
      top, left, height, width: the window of it, in pixels.

    Raises:
      ValueError: as `Window`, or the number of textures is not four.
    """

    signature: ClassVar[str] = "morph"
    seed: int = 0
    textures: tuple[int, int, int, int]
    extent_height: int
    extent_width: int
    top: int = 0
    left: int = 0
    height: int
    width: int

    def __post_init__(self) -> None:
        """Checks the values."""
        if len(self.textures) != 4:
            raise ValueError(f"textures: {len(self.textures)} given; give four, one for each corner.")
        super().__post_init__()

    @classmethod
    def whole(cls, height: int, width: int, *, textures: Sequence[int], seed: int = 0) -> "Morph":
        """The whole of a blend over height x width pixels."""
        corners: Any = tuple(textures)  # the constructor checks that there are four
        size = {"extent_height": height, "extent_width": width, "height": height, "width": width}
        return cls(seed=seed, textures=corners, **size)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Scene(_View):
    """A window of a plane on which every cell has a mixture of textures of its own, and whose noise may move in a loop.

    Attributes:
      seed: selects the plane; int64.
      textures: at least one; int64.
      weights: float32 [textures, rows, cols], the mixture at each of a rectangle of cells; not negative, sum 1 at a
        cell. Beyond the rectangle its edge continues. A pixel depends on the cells within two of its own.
      first_row, first_col: the rectangle's first cell on the plane.
      period_height, period_width: of a seamless plane in pixels, as of `Tile`; 0 for the endless plane.
      time: position in the loop, in [0, 1).
      amount: how far the noise moves, in [0, 1]; the plane itself where it or `time` is 0.
      top, left, height, width: as in `Window`.

    Raises:
      ValueError: as `Window`, or the weights have another shape, type or values.
    """

    signature: ClassVar[str] = "scene"
    seed: int = 0
    textures: tuple[int, ...]
    weights: np.ndarray
    first_row: int = 0
    first_col: int = 0
    period_height: int = 0
    period_width: int = 0
    time: float = 0.0
    amount: float = 0.0
    top: int = 0
    left: int = 0
    height: int
    width: int

    def __post_init__(self) -> None:
        """Checks the values."""
        for name in ("seed", "first_row", "first_col", "top", "left"):
            _check(name, getattr(self, name), -(2**63), 2**63 - 1)
        for name, low, high in (("period_", 0, 2**63 - 1), ("", 1, 2**31 - 1)):
            for side in ("height", "width"):
                _check(f"{name}{side}", getattr(self, f"{name}{side}"), low, high)
        for number in self.textures:
            _check("textures", number, -(2**63), 2**63 - 1)
        weights = np.asarray(self.weights)
        if weights.ndim != 3 or not weights.size or weights.dtype != np.float32:
            raise ValueError("weights: not a float32 array [textures, rows, cols].")
        if len(weights) != len(self.textures):
            raise ValueError(f"weights: {len(weights)} for {len(self.textures)} textures; give one map for each.")
        if not (np.all(weights >= 0) and np.all(np.abs(weights.sum(axis=0) - 1) <= WEIGHT_TOLERANCE)):
            raise ValueError("weights: some are negative, or do not sum to 1 at a cell; divide them by their sum.")
        for name, value, allowed in (("time", self.time, "[0, 1)"), ("amount", self.amount, "[0, 1]")):
            if not 0 <= value <= 1 or (name == "time" and np.float32(value) == 1):
                raise ValueError(f"{name}: {value} is outside {allowed}; choose a value inside.")

    def inputs(self) -> dict[str, np.ndarray]:
        """The signature's inputs: int64, but `height` and `width` int32, weights, `time` and `amount` float32."""
        types = dict.fromkeys(_INT32_INPUTS, np.int32) | dict.fromkeys(("weights", "time", "amount"), np.float32)
        return {name: np.array(value, types.get(name, np.int64)) for name, value in vars(self).items()}


View = Window | Tile | Morph | Scene
Encoding = Literal["png", "jpeg"]
Piece = tuple[slice, slice, Any]  # of the view's own kind
"""A piece of a large picture: the rows and the columns that it fills, and its view."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """The limits of one request and the server's chunk size, in pixels.

    Attributes:
      height, width: largest sides of a picture.
      pixels: largest area.
      chunk: side of the chunks that the model computes; a piece aligned with them wastes no computation.
    """

    height: int
    width: int
    pixels: int
    chunk: int

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> "Limits":
        """The limits in a model's description.

        Raises:
          ServingError: WRONG_RESPONSE, they are missing or no positive integers.
        """
        try:
            limits = description["limits"]
            chunk = description["chunk_pixels" if "chunk_pixels" in description else "tile_pixels"]  # the former name
            parsed = cls(limits["height"], limits["width"], limits["pixels"], chunk)
            for name, value in vars(parsed).items():
                _check(name, value, 1, 2**63 - 1)
            return parsed
        except (LookupError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise wire.wrong_response(f"description: no usable limits ({reason})") from None

    def allow(self, height: int, width: int) -> bool:
        """Whether one request may have this size."""
        return height <= self.height and width <= self.width and height * width <= self.pixels

    def piece_pixels(self) -> int:
        """The side of square pieces that one request may have: whole chunks where the limits allow at least one."""
        most = min(self.height, self.width, math.isqrt(self.pixels))
        return min(most, max(PIECE_PIXELS, self.chunk)) // self.chunk * self.chunk or most


def split(view: Window | Morph | Scene, side: int) -> Iterator[Piece]:
    """Splits a view along the plane's own grid of `side` pixels, so that the server computes no chunk twice."""
    columns = list(_intervals(view.left, view.width, side))
    for top, height in _intervals(view.top, view.height, side):
        for left, width in columns:
            part: dict[str, Any] = {"top": top, "left": left, "height": height, "width": width}
            down, right = top - view.top, left - view.left
            yield slice(down, down + height), slice(right, right + width), dataclasses.replace(view, **part)


def count(view: Window | Morph | Scene, side: int) -> int:
    """The number of pieces of `split`."""
    axes = ((view.top, view.height), (view.left, view.width))
    return math.prod((first + length - 1) // side - first // side + 1 for first, length in axes)


def _intervals(first: int, length: int, side: int) -> Iterator[tuple[int, int]]:
    """Start and length of each part of first .. first + length between multiples of `side`."""
    start = first
    while start < first + length:
        end = min((start // side + 1) * side, first + length)
        yield start, end - start
        start = end


def _check(name: str, value: Any, low: int, high: int) -> None:
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name}: {value!r} is not an integer.") from None
    if not low <= number <= high:
        raise ValueError(f"{name}: {number} is outside {low} .. {high}.")
