"""What a plane shows: a seed, the textures, and how the plane closes on itself.

Wang tiles are after Cohen et al. 2003, "Wang tiles for image and texture generation": squares
whose edges have colours, laid so that neighbours agree.
"""

import dataclasses

import numpy as np

from tf_psgan import geometry
from tf_psgan.latents import texture_fields

INTERIOR, CORNER = 0, 1
"""Zones of a tile with shared edges; the edges' own zones are 2 to 5: top, right, bottom, left."""


@dataclasses.dataclass(frozen=True)
class Scene:
    """A picture without borders.

    Args:
      seed: which noise and which phases; any int64.
      field: which textures stand where.
      rows, cols: cells after which the plane begins anew; 0 where it is endless.
      edges: colours of the top, right, bottom and left edge of a tile whose edges are shared with other seeds' tiles,
        each at least 0; only on a torus. None for a torus of its own.
      time: place in [0, 1) of a loop through which the local noise changes; 0 is the plane itself.
      amount: how far the noise goes meanwhile, in [0, 1].
    """

    seed: int = 0
    field: texture_fields.Field = dataclasses.field(default_factory=texture_fields.Uniform)
    rows: int = 0
    cols: int = 0
    edges: tuple[int, int, int, int] | None = None
    time: float = 0.0
    amount: float = 0.0

    def check(self) -> None:
        """Raises ValueError naming what is out of range."""
        _within("seed", self.seed, -(2**63), 2**63 - 1)
        for name, value in (("rows", self.rows), ("cols", self.cols)):
            _within(name, value, 0, 2**40)
        if not 0 <= self.time < 1 or not 0 <= self.amount <= 1:
            raise ValueError(f"time, amount: {self.time}, {self.amount}; give a time in [0, 1), an amount in [0, 1].")
        if self.edges is None:
            return
        least = 2 * geometry.HALO + 1
        if min(self.rows, self.cols) < least:
            extent = f"{self.rows}x{self.cols}"
            raise ValueError(f"edges: a tile of {extent} cells has no room for them; give {least}x{least} at least.")
        if len(self.edges) != 4 or min(self.edges) < 0:
            raise ValueError(f"edges: {self.edges} are not four colours; give top, right, bottom and left, from 0 on.")

    def wrapped(self, row: int, col: int, extent: int) -> tuple[np.ndarray, np.ndarray]:
        """The cells of a square window, (rows, cols) int64 [extent] each, brought back onto the torus."""
        rows, cols = row + np.arange(extent), col + np.arange(extent)
        return (rows % self.rows if self.rows else rows), (cols % self.cols if self.cols else cols)

    def zones(self, row: int, col: int, extent: int) -> np.ndarray:
        """Whose noise the cells of a square window take on a tile with shared edges: int64 [extent, extent].

        A pixel depends on the cells within HALO of its own. So these strips along an edge, on both its sides, follow
        from the edge's colour alone; where two edges meet, from neither. Windows start on the tile or in its halo.
        """
        rows, cols = row + np.arange(extent)[:, np.newaxis], col + np.arange(extent)
        reach = geometry.HALO
        top, bottom = rows < reach, rows >= self.rows - reach
        left, right = cols < reach, cols >= self.cols - reach
        zone = np.select([top, right, bottom, left], range(2, 6), INTERIOR)
        return np.where((top | bottom) & (left | right), CORNER, zone)


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name}: {value} is outside {low} .. {high}; choose a value inside.")
