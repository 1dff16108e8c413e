"""Global fields: which textures a picture shows where, and with which weights.

A field is a set of textures with weights that sum to 1 at every cell of the plane. The plane
blends the textures' global vectors and their waves, not their wave numbers: each texture's
waves stay coherent, so that nothing jumps or chirps. Where one weight is 1 the picture is that
texture's own plane. NumPy only; weights are taken at the middle of a cell.
"""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np

Texture = int | str | tuple[float, ...]
"""A number, a name stored in the run, or a global vector in [-1, 1]."""

Share = tuple[Texture, np.ndarray]
"""A texture and its weight, float32 [rows, cols] in [0, 1]."""


class Field(Protocol):
    """Which textures stand where."""

    @property
    def textures(self) -> tuple[Texture, ...]:
        """Every texture that the field can show."""

    def shares(self, rows: np.ndarray, cols: np.ndarray, side: int) -> list[Share]:
        """The textures that show in a window of cells, each with its weight.

        Args:
          rows, cols: int64 cells, in any order.
          side: pixels of a cell.
        """


@dataclasses.dataclass(frozen=True)
class Mix:
    """The same mixture of textures everywhere.

    Args:
      parts: textures and weights; the weights are at least 0 and sum to 1.
    """

    parts: tuple[tuple[Texture, float], ...]

    @property
    def textures(self) -> tuple[Texture, ...]:
        """Those with a weight above 0."""
        return tuple(texture for texture, weight in self.parts if weight)

    def shares(self, rows: np.ndarray, cols: np.ndarray, side: int) -> list[Share]:
        """See `Field`."""
        extent = (len(rows), len(cols))
        return [(texture, np.full(extent, weight, np.float32)) for texture, weight in self.parts if weight]


def Uniform(texture: Texture = 0) -> Mix:
    """One texture everywhere."""
    return Mix(((texture, 1.0),))


@dataclasses.dataclass(frozen=True)
class Morph:
    """Textures at the knots of a grid laid over a picture, blended bilinearly between them.

    Args:
      knots: rows of textures, all of one length: two rows of two are a picture's four corners, one row is a line.
      top, left, height, width: the picture in pixels; beyond it its edge goes on.
    """

    knots: tuple[tuple[Texture, ...], ...]
    top: int
    left: int
    height: int
    width: int

    @property
    def textures(self) -> tuple[Texture, ...]:
        """The knots, row by row."""
        return tuple(texture for row in self.knots for texture in row)

    def shares(self, rows: np.ndarray, cols: np.ndarray, side: int) -> list[Share]:
        """See `Field`."""
        down = _hats((rows + 0.5) * side, self.top, self.height, len(self.knots))
        right = _hats((cols + 0.5) * side, self.left, self.width, len(self.knots[0]))
        return [
            (self.knots[i][j], (down[i][:, np.newaxis] * right[j]).astype(np.float32))
            for i in np.flatnonzero(down.any(axis=1))
            for j in np.flatnonzero(right.any(axis=1))
        ]


@dataclasses.dataclass(frozen=True, eq=False)
class Painting:
    """A map of labels laid over a picture; each label is a texture, borders are soft.

    Args:
      labels: integers [rows, cols], places in `palette`; stretched over the picture.
      palette: the textures that the labels name.
      border: pixels over which one texture goes over into the next, a cell at least.
      top, left, height, width: the picture in pixels. Beyond it the map's edge goes on.
      wrap: across, down: along which axes the map begins anew instead, as on a torus.
    """

    labels: np.ndarray
    palette: tuple[Texture, ...]
    border: int
    top: int
    left: int
    height: int
    width: int
    wrap: tuple[bool, bool] = (False, False)

    @property
    def textures(self) -> tuple[Texture, ...]:
        """Those of the palette that the map uses."""
        return tuple(self.palette[label] for label in np.unique(self.labels))

    def shares(self, rows: np.ndarray, cols: np.ndarray, side: int) -> list[Share]:
        """See `Field`. A label's weight is its share of the square of `border` pixels around a cell's middle."""
        down, at_rows = self._counts(rows, side, 0)
        right, at_cols = self._counts(cols, side, 1)
        part = self.labels[np.ix_(at_rows, at_cols)]
        area = down[0].sum() * right[0].sum()
        # Counts are whole numbers: where there is one label only its weight is exactly 1.
        return [
            (self.palette[label], (down @ (part == label) @ right.T / area).astype(np.float32))
            for label in np.unique(part)
        ]

    def _counts(self, cells: np.ndarray, side: int, axis: int) -> tuple[np.ndarray, np.ndarray]:
        """How many pixels of each cell's stretch fall on each line of the map: [cells, lines]; and those lines."""
        extent, first = ((self.height, self.top), (self.width, self.left))[axis]
        half = max(self.border, side) // 2
        pixels = cells[:, np.newaxis] * side + side // 2 + np.arange(-half, half) - first
        pixels = pixels % extent if self.wrap[axis] else np.clip(pixels, 0, extent - 1)
        lines, place = np.unique(pixels * self.labels.shape[axis] // extent, return_inverse=True)
        counts = np.zeros((len(cells), len(lines)))
        np.add.at(counts, (np.arange(len(cells))[:, np.newaxis], place.reshape(pixels.shape)), 1)
        return counts, lines


def quilt(textures: Sequence[Texture], rows: int, cols: int) -> tuple[np.ndarray, tuple[Texture, ...]]:
    """Labels [rows, cols] and palette of a quilt: each block another texture, in reading order, over and over."""
    return np.arange(rows * cols).reshape(rows, cols) % len(textures), tuple(textures)


def _hats(pixels: np.ndarray, first: int, extent: int, knots: int) -> np.ndarray:
    """Linear interpolation's weights of knots spread evenly from end to end: [knots, pixels], sum 1."""
    place = np.clip((pixels - first) / extent, 0.0, 1.0) * (knots - 1)
    return np.maximum(1.0 - np.abs(place - np.arange(knots)[:, np.newaxis]), 0.0)
