"""What a picture shows: a window of a plane, an exact tile, a morph; and how a large one is cut into requests."""

import dataclasses
import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from serving import wire

PIECE_PIXELS = 1024
"""Side of the pieces that a large picture is cut into, where the server's tiles and limits let it."""

_INT32 = ("height", "width")


@dataclasses.dataclass(frozen=True)
class _View:
    signature: ClassVar[str]

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            low = 1 if name.endswith(("height", "width")) else -(2**63)
            high = 2**31 - 1 if name in _INT32 else 2**63 - 1
            for number in value if name == "textures" else (value,):
                _check(name, number, low, high)

    def inputs(self) -> dict[str, np.ndarray]:
        """The signature's inputs: int64, extents of the picture int32."""
        return {name: np.array(value, np.int32 if name in _INT32 else np.int64) for name, value in vars(self).items()}


@dataclasses.dataclass(frozen=True)
class Window(_View):
    """A window of one texture's plane.

    Attributes:
      seed: which plane; any int64.
      texture: which texture of a model that holds many; any int64.
      top, left: its first pixel on the plane; the server says how far it goes.
      height, width: extent in pixels, at least 1.

    Raises:
      ValueError: a value that is no whole number, or does not fit its type.
    """

    signature: ClassVar[str] = "window"
    seed: int
    texture: int
    top: int
    left: int
    height: int
    width: int


@dataclasses.dataclass(frozen=True)
class Torus(_View):
    """An exact tile: its right edge goes on at its left edge, its bottom at its top.

    Attributes:
      seed, texture: as in `Window`.
      height, width: extent in pixels, multiples of the model's cell; the server refuses what the waves do not fit.

    Raises:
      ValueError: as `Window`.
    """

    signature: ClassVar[str] = "torus"
    seed: int
    texture: int
    height: int
    width: int


@dataclasses.dataclass(frozen=True)
class Morph(_View):
    """A window of four textures blended over an extent whose top left is the plane's origin.

    Attributes:
      seed: which plane.
      textures: at the extent's corners: top left, top right, bottom left, bottom right.
      extent_height, extent_width: of the whole blend, in pixels.
      top, left, height, width: the window of it, in pixels.

    Raises:
      ValueError: as `Window`, or not four textures.
    """

    signature: ClassVar[str] = "morph"
    seed: int
    textures: tuple[int, int, int, int]
    extent_height: int
    extent_width: int
    top: int
    left: int
    height: int
    width: int

    def __post_init__(self) -> None:
        """Checks the values."""
        if len(self.textures) != 4:
            raise ValueError(f"textures: {len(self.textures)} of them; give the four of the corners.")
        super().__post_init__()

    @classmethod
    def whole(cls, seed: int, textures: Sequence[int], height: int, width: int) -> "Morph":
        """All of a blend over height x width pixels."""
        corners: Any = tuple(textures)  # four, as is checked
        return cls(seed, corners, height, width, 0, 0, height, width)


View = Window | Torus | Morph
Encoding = Literal["png", "jpeg"]
Piece = tuple[slice, slice, Window | Morph]
"""The rows and the columns of a large picture that a piece fills, and its view."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one request may ask for, in pixels, and the side of the tiles that the server makes pictures of."""

    height: int
    width: int
    pixels: int
    tile: int

    @classmethod
    def read(cls, description: Mapping[str, Any]) -> "Limits":
        """From a model's description; wire.Error where it does not say them."""
        try:
            limits = description["limits"]
            # Exports of earlier versions call it tile_pixels.
            chunk = description["chunk_pixels" if "chunk_pixels" in description else "tile_pixels"]
            found = cls(limits["height"], limits["width"], limits["pixels"], chunk)
            for name, value in vars(found).items():
                _check(name, value, 1, 2**63 - 1)
            return found
        except (LookupError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise wire.wrong(f"description: no usable limits ({reason})") from None

    def admit(self, height: int, width: int) -> bool:
        """Whether one request may ask for so much."""
        return height <= self.height and width <= self.width and height * width <= self.pixels

    def piece(self) -> int:
        """The side of square pieces that one request may ask for: whole tiles where a tile is allowed at all."""
        most = min(self.height, self.width, math.isqrt(self.pixels))
        return min(most, max(PIECE_PIXELS, self.tile)) // self.tile * self.tile or most


def cut(view: Window | Morph, side: int) -> Iterator[Piece]:
    """The pieces of a view along the plane's own grid of `side` pixels, so that no tile of the server is made twice."""
    across = list(_steps(view.left, view.width, side))
    for top, rows in _steps(view.top, view.height, side):
        for left, cols in across:
            part: dict[str, Any] = {"top": top, "left": left, "height": rows, "width": cols}
            down, right = top - view.top, left - view.left
            yield slice(down, down + rows), slice(right, right + cols), dataclasses.replace(view, **part)


def _steps(first: int, extent: int, side: int) -> Iterator[tuple[int, int]]:
    """First place and length of each part of first .. first + extent between multiples of `side`."""
    place = first
    while place < first + extent:
        following = min((place // side + 1) * side, first + extent)
        yield place, following - place
        place = following


def _check(name: str, value: Any, low: int, high: int) -> None:
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name}: {value!r} is no whole number; give one.") from None
    if not low <= number <= high:
        raise ValueError(f"{name}: {number} is outside {low} .. {high}; choose a value inside.")
