"""A scene: everything besides the generator that a picture follows from.

Tiles with shared edges are Wang tiles (Cohen et al. 2003, "Wang tiles for image and texture generation"): squares whose
edges have colours; tiles fit side by side where the colours of their common edge agree.
"""

import dataclasses

import numpy as np

from tf_psgan import geometry
from tf_psgan.errors import SettingError
from tf_psgan.latents import texture_fields
from tf_psgan.latents.arguments import int64, integer

MAX_CELLS = 2**40
"""Largest extent of a torus, in cells."""

INTERIOR, CORNER = 0, 1
"""Zones of a tile with shared edges; the zones of its edges are 2 to 5: top, right, bottom, left."""


@dataclasses.dataclass(frozen=True)
class Scene:
    """Seed, textures and topology of a plane.

    Args:
      seed: selects the noise and the phases of the waves; any int64.
      field: which textures the plane has where.
      rows, cols: extent of the torus in cells, after which the plane repeats exactly; 0 along an endless axis.
      edges: colours of the top, right, bottom and left edge, integers of at least 0, for a tile that fits tiles of
        other seeds along edges of the same colour; requires a torus along both axes. None for a torus on its own.
      time: position in [0, 1) in a loop through which the local noise changes; at 0 the noise is that of the plane.
      amount: in [0, 1], how far the noise changes during the loop (`noise.changed`).

    Raises:
      SettingError: a value out of range, or edges on a torus without room for them.
      TypeError: an integer of another type; NumPy integers are accepted.
    """

    seed: int = 0
    field: texture_fields.Field = dataclasses.field(default_factory=texture_fields.Uniform)
    rows: int = 0
    cols: int = 0
    edges: tuple[int, int, int, int] | None = None
    time: float = 0.0
    amount: float = 0.0

    def __post_init__(self) -> None:
        """Checks the values and makes Python integers of NumPy's."""
        object.__setattr__(self, "seed", int64("seed", self.seed))
        for name in ("rows", "cols"):
            object.__setattr__(self, name, integer(name, getattr(self, name), 0, MAX_CELLS))
        for name, value, allowed, good in (
            ("time", self.time, "in [0, 1)", 0 <= self.time < 1),
            ("amount", self.amount, "in [0, 1]", 0 <= self.amount <= 1),
        ):
            if not good:
                raise SettingError(name, f"{value} is not {allowed}", value=value, settings=(name,))
        if self.edges is None:
            return
        if len(self.edges) != 4:
            problem, allowed = f"{len(self.edges)} colours", "give four: top, right, bottom and left"
            raise SettingError("edges", problem, allowed, value=self.edges, settings=("edges",))
        object.__setattr__(self, "edges", tuple(integer("edges", colour, 0, 2**63 - 1) for colour in self.edges))
        least = 2 * geometry.HALO + 1
        if min(self.rows, self.cols) < least:
            problem = f"a tile of {self.rows}x{self.cols} cells has no room for shared edges"
            allowed = f"give at least {least}x{least} cells"
            raise SettingError("edges", problem, allowed, value=self.edges, settings=("edges",))

    def wrapped(self, row: int, col: int, extent: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows and columns of a square window of cells, reduced to the torus along closed axes.

        Args:
          row, col: first cell.
          extent: side of the square in cells.

        Returns:
          rows, cols: int64 [extent] each.
        """
        rows, cols = row + np.arange(extent), col + np.arange(extent)
        return (rows % self.rows if self.rows else rows), (cols % self.cols if self.cols else cols)

    def zones(self, row: int, col: int, extent: int) -> np.ndarray:
        """From which noise the cells of a square window take their values, on a tile with shared edges.

        A pixel depends on the cells within HALO of its own. The strips of cells along an edge, on both its sides,
        therefore take noise that depends on the edge's colour alone; where two edges meet, noise that depends on
        neither.

        Args:
          row, col: first cell; on the tile or in its halo.
          extent: side of the square in cells.

        Returns:
          int64 [extent, extent]: INTERIOR, CORNER, or 2 to 5 for the top, right, bottom and left edge.
        """
        rows, cols = row + np.arange(extent)[:, np.newaxis], col + np.arange(extent)
        reach = geometry.HALO
        top, bottom = rows < reach, rows >= self.rows - reach
        left, right = cols < reach, cols >= self.cols - reach
        zone = np.select([top, right, bottom, left], range(2, 6), INTERIOR)
        return np.where((top | bottom) & (left | right), CORNER, zone)
