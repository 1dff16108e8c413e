"""Exact tiles: wave numbers that fit a torus, and how far they had to move.

On a torus of (rows, cols) cells a plane wave closes on itself where its wave number is a
multiple of 2 pi / extent along each axis; each is moved to the nearest such one.
"""

import math
from collections.abc import Sequence

import numpy as np

RELATIVE, ABSOLUTE = 0.05, 0.02
"""A wave may move by this share of its wave number, or by so many radians per cell, before the look changes."""


def snap(wave_numbers: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """The nearest wave numbers that close on a torus.

    Args:
      wave_numbers: float64 [waves, 2], radians per cell, (row, col) last.
      rows, cols: extent of the torus in cells; 0 along an endless axis.

    Returns:
      float64 [waves, 2]; along an endless axis as they were.
    """
    fitted = np.array(wave_numbers, np.float64)
    for axis, extent in enumerate((rows, cols)):
        if extent:
            whole = 2.0 * math.pi / extent
            fitted[:, axis] = np.round(fitted[:, axis] / whole) * whole
    return fitted


def strain(wave_numbers: np.ndarray, rows: int, cols: int) -> float:
    """How much a torus bends the waves: 1 is the most that does not change the look.

    The greatest, over the waves, of the way to the nearest fitting wave number over what is allowed: RELATIVE of the
    wave number, or ABSOLUTE for a wave so long that a cell's neighbours hardly see it.
    """
    numbers = np.asarray(wave_numbers, np.float64)
    if not len(numbers):
        return 0.0
    moved = np.linalg.norm(snap(numbers, rows, cols) - numbers, axis=1)
    return float(np.max(moved / np.maximum(RELATIVE * np.linalg.norm(numbers, axis=1), ABSOLUTE)))


def moves(wave_numbers: np.ndarray, rows: int, cols: int) -> list[tuple[float, float, float]]:
    """What a torus does to each wave: its length before and after, in cells, and its move over its wave number."""
    numbers = np.asarray(wave_numbers, np.float64)
    fitted = snap(numbers, rows, cols)
    before, after, moved = (np.maximum(np.linalg.norm(k, axis=1), 1e-9) for k in (numbers, fitted, fitted - numbers))
    turn = 2.0 * math.pi
    return [(turn / b, turn / a, m / b) for b, a, m in zip(before, after, moved, strict=True)]


def good_extents(
    wave_numbers: Sequence[np.ndarray], rows: int, cols: int, least: int = 1, count: int = 3
) -> list[tuple[int, int]]:
    """The tori nearest in extent that every texture's waves fit with a strain of at most 1.

    Args:
      wave_numbers: of each texture, as for `snap`.
      rows, cols: the extent asked for, in cells; 0 along an endless axis, which stays so.
      least: of either extent.
      count: how many to return, nearest first; fewer where there are no more within 64 cells.
    """

    def choices(extent: int) -> range:
        return range(max(least, extent - 64), extent + 65) if extent else range(1)

    def apart(other: tuple[int, int]) -> float:
        return abs(other[0] - rows) + abs(other[1] - cols)

    near = sorted(((r, c) for r in choices(rows) for c in choices(cols)), key=apart)
    found: list[tuple[int, int]] = []
    for extent in near:
        if all(strain(numbers, *extent) <= 1.0 for numbers in wave_numbers):
            found.append(extent)
            if len(found) == count:
                break
    return found
