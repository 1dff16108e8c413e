"""Texture fields: which textures a plane has where, and with which weights.

A field assigns every cell of the plane a set of textures with weights that sum to 1. The plane blends the global
vectors of the textures and their waves, not their wave numbers: the waves of each texture stay coherent, without the
jumps and chirps of interpolated wave numbers. Where one weight is 1 the picture equals the plane of that texture.
Weights are evaluated at the centres of cells.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol, SupportsIndex

import numpy as np
import tensorflow as tf

from tf_psgan.latents.arguments import Texture as Texture
from tf_psgan.latents.arguments import int64, integer

AnyTexture = SupportsIndex | str | Sequence[float] | np.ndarray
"""A texture as callers may give it: also NumPy integers, lists and arrays."""

Weighted = tuple[Texture, np.ndarray]
"""A texture and its weight at each cell, float32 [rows, cols] in [0, 1]."""


def texture(value: AnyTexture) -> Texture:
    """A texture in its stored form, hashable and without NumPy's types.

    Args:
      value: any int64, a name, or a global vector as list, tuple or array [global channels].

    Raises:
      SettingError: an integer that does not fit int64.
      TypeError: anything else.
    """
    if isinstance(value, str):
        return value
    array: Any = np.asarray(value)
    if array.ndim == 0:
        return int64("texture", value)  # type: ignore[arg-type]
    if array.ndim > 1 or array.dtype.kind not in "iuf":
        raise TypeError(f"texture: {value!r} is not a vector; give an integer, a name, or a list of numbers.")
    return tuple(float(number) for number in array)


class Field(Protocol):
    """Which textures the plane has where."""

    @property
    def textures(self) -> tuple[Texture, ...]:
        """Every texture of the field."""

    def weights(self, rows: np.ndarray, cols: np.ndarray, pixels_per_cell: int) -> list[Weighted]:
        """The textures in a window of cells, each with its weight.

        Args:
          rows, cols: int64 [rows] and [cols], cells in any order.
          pixels_per_cell: side of a cell in pixels.
        """


@dataclasses.dataclass(frozen=True)
class Mix:
    """The same mixture of textures everywhere.

    Args:
      parts: textures and weights; the weights are at least 0 and sum to 1.
    """

    parts: tuple[tuple[Texture, float], ...]

    def __post_init__(self) -> None:
        """Brings the textures into their stored form."""
        object.__setattr__(self, "parts", tuple((texture(part), float(weight)) for part, weight in self.parts))

    @property
    def textures(self) -> tuple[Texture, ...]:
        """The textures with a weight above 0."""
        return tuple(part for part, weight in self.parts if weight)

    def weights(self, rows: np.ndarray, cols: np.ndarray, pixels_per_cell: int) -> list[Weighted]:
        """See `Field`."""
        extent = (len(rows), len(cols))
        return [(part, np.full(extent, weight, np.float32)) for part, weight in self.parts if weight]


def Uniform(value: AnyTexture = 0) -> Mix:
    """One texture everywhere."""
    return Mix(((texture(value), 1.0),))


@dataclasses.dataclass(frozen=True)
class Morph:
    """Textures at the knots of a grid laid over a picture, with bilinear interpolation between them.

    Args:
      knots: rows of textures, all of one length: two rows of two are the four corners of a picture, one row is a line.
      top, left: first row and column of the picture on the plane, in pixels.
      height, width: extent of the picture in pixels. Beyond it the weights of its edge continue.
    """

    knots: tuple[tuple[Texture, ...], ...]
    top: int
    left: int
    height: int
    width: int

    def __post_init__(self) -> None:
        """Brings the textures into their stored form, and NumPy's integers into Python's."""
        object.__setattr__(self, "knots", tuple(tuple(texture(knot) for knot in row) for row in self.knots))
        _check_picture(self)

    @property
    def textures(self) -> tuple[Texture, ...]:
        """The knots, row by row."""
        return tuple(knot for row in self.knots for knot in row)

    def weights(self, rows: np.ndarray, cols: np.ndarray, pixels_per_cell: int) -> list[Weighted]:
        """See `Field`."""
        down = hats(rows, pixels_per_cell, self.top, self.height, len(self.knots)).numpy()
        right = hats(cols, pixels_per_cell, self.left, self.width, len(self.knots[0])).numpy()
        return [
            (self.knots[i][j], (down[i][:, np.newaxis] * right[j]).astype(np.float32))
            for i in np.flatnonzero(down.any(axis=1))
            for j in np.flatnonzero(right.any(axis=1))
        ]


@dataclasses.dataclass(frozen=True, eq=False)
class Painting:
    """A map of labels laid over a picture; each label is a texture, borders are soft.

    Args:
      labels: integers [map rows, map cols], indices into `palette`; the map is stretched over the picture.
      palette: the textures of the labels.
      border: width in pixels of the transition from one texture to the next, at least a cell.
      top, left: first row and column of the picture on the plane, in pixels.
      height, width: extent of the picture in pixels. Beyond it the labels of its edge continue.
      wrap: (rows, cols): whether the map repeats along an axis instead, as on a torus.
    """

    labels: np.ndarray
    palette: tuple[Texture, ...]
    border: int
    top: int
    left: int
    height: int
    width: int
    wrap: tuple[bool, bool] = (False, False)

    def __post_init__(self) -> None:
        """Brings the textures into their stored form, and NumPy's integers into Python's."""
        object.__setattr__(self, "palette", tuple(texture(entry) for entry in self.palette))
        object.__setattr__(self, "border", integer("border", self.border, 0, 2**40))
        _check_picture(self)

    @property
    def textures(self) -> tuple[Texture, ...]:
        """The textures of the palette that the map uses."""
        return tuple(self.palette[label] for label in np.unique(self.labels))

    def weights(self, rows: np.ndarray, cols: np.ndarray, pixels_per_cell: int) -> list[Weighted]:
        """See `Field`. The weight of a label is its share of the square of `border` pixels around a cell's centre."""
        down, map_rows = self._counts(rows, pixels_per_cell, 0)
        right, map_cols = self._counts(cols, pixels_per_cell, 1)
        part = self.labels[np.ix_(map_rows, map_cols)]
        area = down[0].sum() * right[0].sum()
        # Counts are whole numbers: where there is a single label its weight is exactly 1.
        return [
            (self.palette[label], (down @ (part == label) @ right.T / area).astype(np.float32))
            for label in np.unique(part)
        ]

    def _counts(self, cells: np.ndarray, pixels_per_cell: int, axis: int) -> tuple[np.ndarray, np.ndarray]:
        """How many pixels of each cell's stretch fall on each line of the map: [cells, lines]; and those lines."""
        extent, first = ((self.height, self.top), (self.width, self.left))[axis]
        half = max(self.border, pixels_per_cell) // 2
        pixels = cells[:, np.newaxis] * pixels_per_cell + pixels_per_cell // 2 + np.arange(-half, half) - first
        pixels = pixels % extent if self.wrap[axis] else np.clip(pixels, 0, extent - 1)
        lines, index = np.unique(pixels * self.labels.shape[axis] // extent, return_inverse=True)
        counts = np.zeros((len(cells), len(lines)))
        np.add.at(counts, (np.arange(len(cells))[:, np.newaxis], index.reshape(pixels.shape)), 1)
        return counts, lines


def quilt(textures: Sequence[AnyTexture], rows: int, cols: int) -> tuple[np.ndarray, tuple[Texture, ...]]:
    """Labels [rows, cols] and palette of a quilt: blocks take the textures in reading order, over and over."""
    labels = np.arange(rows * cols).reshape(rows, cols) % len(textures)
    return labels, tuple(texture(value) for value in textures)


def hats(cells: Any, pixels_per_cell: int, first: Any, extent: Any, knots: int) -> tf.Tensor:
    """Weights of linear interpolation between knots spread evenly along an axis, at the centres of cells.

    The same bits eagerly, in a graph and in an exported model.

    Args:
      cells: int64 [..., cells].
      first, extent: of the picture along the axis, in pixels: the first and the last knot lie at its ends.

    Returns:
      float64 [knots, ..., cells], in [0, 1]; sums over the knots are 1.
    """
    first, extent = tf.cast(first, tf.float64), tf.cast(extent, tf.float64)
    pixels = (tf.cast(cells, tf.float64) + 0.5) * pixels_per_cell
    position = tf.clip_by_value((pixels - first) / extent, 0.0, 1.0) * (knots - 1)
    at = tf.reshape(tf.range(knots, dtype=tf.float64), (knots,) + (1,) * len(position.shape))
    return tf.maximum(1.0 - tf.abs(position - at), 0.0)


def _check_picture(field: Morph | Painting) -> None:
    for name, low in (("top", -(2**62)), ("left", -(2**62)), ("height", 1), ("width", 1)):
        object.__setattr__(field, name, integer(name, getattr(field, name), low, 2**62))
