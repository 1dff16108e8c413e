"""An image pyramid of square blocks: its levels, the order of the blocks, and the reduction from level to level.

Level 0 is the picture; every further level has half the extent. Blocks are visited depth-first: four neighbours, then
the block above them, so that each block of an upper level is computed while those below it are in memory. The memory
grows with the number of levels, not with the picture.
"""

from collections.abc import Iterator

import numpy as np

Index = tuple[int, int, int]
"""Level, row and column of a block."""


def extents(height: int, width: int, smallest: int) -> list[tuple[int, int]]:
    """Height and width of each level in pixels, down to the first whose sides are at most `smallest`."""
    found = [(height, width)]
    while max(found[-1]) > smallest:
        found.append((-(-found[-1][0] // 2), -(-found[-1][1] // 2)))
    return found


def grid(extent: tuple[int, int], side: int) -> tuple[int, int]:
    """Rows and columns of blocks that cover an extent in pixels; the last ones may be cut by its edge."""
    return -(-extent[0] // side), -(-extent[1] // side)


def order(rows: int, cols: int) -> Iterator[tuple[int, int]]:
    """Row and column of each block of level 0, depth-first."""

    def below(level: int, row: int, col: int) -> Iterator[tuple[int, int]]:
        if row << level >= rows or col << level >= cols:
            return
        if level == 0:
            yield row, col
            return
        for child in range(4):
            yield from below(level - 1, 2 * row + child // 2, 2 * col + child % 2)

    return below((max(rows, cols) - 1).bit_length(), 0, 0)


def halved(pixels: np.ndarray) -> np.ndarray:
    """The mean of each 2 x 2 pixels, at an odd edge of the one or two that exist; a half is rounded up.

    Args:
      pixels: uint8 [height, width, channels].

    Returns:
      uint8 [ceil(height / 2), ceil(width / 2), channels].
    """
    odd = pixels.shape[0] % 2, pixels.shape[1] % 2
    if any(odd):
        pixels = np.pad(pixels, ((0, odd[0]), (0, odd[1]), (0, 0)), mode="edge")
    rows = np.add(pixels[0::2], pixels[1::2], dtype=np.uint16)
    total = rows[:, 0::2] + rows[:, 1::2]
    return ((total + 2) >> 2).astype(np.uint8)


class Overviews:
    """Computes the blocks of all levels above 0 as soon as the blocks below them are complete.

    Args:
      levels: from `extents`.
      side: of a block, in pixels; even.
      waiting: `waiting` of an earlier object, to continue from there.
    """

    def __init__(self, levels: list[tuple[int, int]], side: int, waiting: dict[Index, np.ndarray]) -> None:
        self._grids = [grid(extent, side) for extent in levels]
        self.waiting = waiting  # reduced blocks whose neighbours are missing; the arrays are never changed in place

    def add(self, row: int, col: int, half: np.ndarray) -> Iterator[tuple[Index, np.ndarray]]:
        """Takes the next block of level 0 in `order`, halved; yields the blocks that it completes, lowest first."""
        for level in range(1, len(self._grids)):
            self.waiting[level - 1, row, col] = half
            rows, cols = self._grids[level - 1]
            if (row, col) != (min(row | 1, rows - 1), min(col | 1, cols - 1)):
                return
            row, col = row // 2, col // 2
            pixels = self._joined(level, row, col)
            yield (level, row, col), pixels
            half = halved(pixels)

    def _joined(self, level: int, row: int, col: int) -> np.ndarray:
        rows, cols = self._grids[level - 1]
        below_rows, below_cols = range(2 * row, min(2 * row + 2, rows)), range(2 * col, min(2 * col + 2, cols))
        lines = [[self.waiting.pop((level - 1, r, c)) for c in below_cols] for r in below_rows]
        return np.concatenate([np.concatenate(line, axis=1) for line in lines])
