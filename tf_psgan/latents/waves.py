"""Plane waves over the latent cells, exact however far from the origin.

The periodic part of PSGAN (Bergmann et al. 2017, arXiv:1705.06566, section 3.2):
z_periodic(x) = sin(k . x + phase). A phase is kept as an int64 in units of 2**-64 turns.
Integer arithmetic that wraps is then exact modulo one turn at every int64 cell, where
float32 is visibly wrong from cell 1e4 on. A network only sees the phase at its window's
first cell, in radians, and goes on from there.
"""

import math
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

RADIANS = 2.0 * math.pi / 2.0**64
"""Radians in one unit of a fixed-point phase."""


def plane_waves(wave_numbers: Any, phase: Any, rows: int, cols: int, quadrature: bool) -> Any:
    """Samples plane waves over a window of latent cells.

    With `quadrature` a wave has a second channel, its cosine: from a sine alone a cell near
    its crest cannot tell on which side of the crest it is.

    Args:
      wave_numbers: float32 [batch, waves, 2], radians per cell, (row, col) last.
      phase: float32 [batch, waves], radians at the window's first cell.
      rows, cols: window extent in cells; Python or scalar tensor.

    Returns:
      z_periodic, float32 [batch, rows, cols, waves or 2 waves], in [-1, 1]; sines first.
    """
    # Far smaller than a matrix product, and each term is one rounding of k times an integer.
    down = wave_numbers[:, None, None, :, 0] * ops.cast(ops.arange(rows), "float32")[:, None, None]
    right = wave_numbers[:, None, None, :, 1] * ops.cast(ops.arange(cols), "float32")[:, None]
    angle = down + right + phase[:, None, None, :]
    return ops.concatenate([ops.sin(angle), ops.cos(angle)], axis=-1) if quadrature else ops.sin(angle)


def at_cells(wave_turns: Any, phase: Any, rows: Any, cols: Any, quadrature: bool) -> tf.Tensor:
    """Plane waves at any cells of the plane, each cell's angle exact however far from the origin.

    Args:
      wave_turns: int64 [waves, 2], from `turns`.
      phase: int64 [waves], at cell (0, 0).
      rows, cols: int64 [rows] and [cols], cells in any order.

    Returns:
      z_periodic, float32 [rows, cols, waves or 2 waves], as `plane_waves`.
    """
    angle = radians(phase_at(wave_turns, phase, rows[:, tf.newaxis, tf.newaxis], cols[:, tf.newaxis]))
    return tf.concat([tf.sin(angle), tf.cos(angle)], axis=-1) if quadrature else tf.sin(angle)


def turns(wave_numbers: np.ndarray) -> np.ndarray:
    """Wave numbers in radians per cell as int64 fixed-point turns per cell (whole turns do not show at cells)."""
    cycles = np.asarray(wave_numbers, np.float64) / (2.0 * math.pi)
    fraction = cycles - np.floor(cycles + 0.5)  # [-0.5, 0.5): inside int64
    return (fraction * 2.0**64).astype(np.int64)


def phase_at(wave_turns: Any, phase: Any, row: Any, col: Any) -> tf.Tensor:
    """The phase at a cell: int64, exact modulo one turn.

    Args:
      wave_turns: int64 [..., waves, 2], from `turns`.
      phase: int64 [..., waves], at cell (0, 0).
      row, col: any int64 cell.
    """
    return wave_turns[..., 0] * row + wave_turns[..., 1] * col + phase


def radians(fixed: Any) -> tf.Tensor:
    """Fixed-point turns as float32 radians in [-pi, pi)."""
    return tf.cast(tf.cast(fixed, tf.float64) * RADIANS, tf.float32)


def ladder(waves: int) -> np.ndarray:
    """The authors' fixed first wave numbers: [waves, 2] radians per cell, rows and columns in turn.

    pi (0.5 i / n + 0.5) for i = 1 .. n along each axis.
    """
    n = (waves + 1) // 2
    numbers = np.zeros((waves, 2), np.float32)
    for wave in range(waves):
        numbers[wave, wave % 2] = math.pi * (0.5 * (wave // 2 + 1) / n + 0.5)
    return numbers
