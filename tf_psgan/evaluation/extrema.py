"""Local maxima of periodic tables, found between their samples. NumPy only."""

import numpy as np


def local_maxima(values: np.ndarray) -> np.ndarray:
    """True where a value of a table is higher than its eight neighbours; the table is a torus."""
    shifts = [(row, col) for row in (-1, 0, 1) for col in (-1, 0, 1) if (row, col) != (0, 0)]
    return np.logical_and.reduce([values > np.roll(values, shift, (0, 1)) for shift in shifts])


def vertex_offset(values: np.ndarray, row: int, col: int) -> np.ndarray:
    """Offset of a maximum from its sample, by a parabola through the sample and its two neighbours on each axis.

    Args:
      values: [rows, cols], a torus.
      row, col: position of the sample.

    Returns:
      float64 (row, col), each in [-0.5, 0.5]; 0 along an axis on which the sample is not clearly the highest of three.
    """

    def vertex(below: float, here: float, above: float) -> float:
        curvature = below - 2 * here + above
        return float(0.5 * (below - above) / curvature) if curvature < -1e-9 and here >= max(below, above) else 0.0

    rows, cols = values.shape
    return np.array(
        [
            vertex(values[row - 1, col], values[row, col], values[(row + 1) % rows, col]),
            vertex(values[row, col - 1], values[row, col], values[row, (col + 1) % cols]),
        ]
    )


def half_plane(vectors: np.ndarray) -> np.ndarray:
    """Of each pair v and -v of [..., 2] (row, col) vectors one: True where row > 0, or row = 0 and col > 0."""
    return (vectors[..., 0] > 0) | ((vectors[..., 0] == 0) & (vectors[..., 1] > 0))
