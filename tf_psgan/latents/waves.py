"""Plane waves over the latent cells, exact at any distance from the origin.

The periodic part of PSGAN (Bergmann et al. 2017, arXiv:1705.06566, section 3.2): z_periodic(x) = sin(k . x + phase).

Numbers of three kinds describe a wave:
- wave numbers, float, radians per cell: what the network learns;
- steps, int64, 2**-32 turns per cell: wave numbers on a grid, so that every way of evaluating them gives the same bits;
- turns, int64, 2**-64 turns: phases and the advance of a phase per cell. Integer arithmetic that wraps is exact modulo
  one turn at every int64 cell, where float32 is visibly wrong from cell 1e4 on.

Functions on tensors give the same bits eagerly, in a graph and in an exported model.
"""

import math
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

RADIANS = 2.0 * math.pi / 2.0**64
"""Radians in one unit of a fixed-point phase."""

STEPS_PER_TURN = 2**32
"""Resolution of the grid of wave numbers."""

_STEPS_PER_RADIAN = STEPS_PER_TURN / (2.0 * math.pi)
_RADIANS_PER_STEP = 2.0 * math.pi / STEPS_PER_TURN


def plane_waves(wave_numbers: Any, phase: Any, rows: int, cols: int, quadrature: bool) -> Any:
    """Samples plane waves over a window of latent cells, differentiably.

    With `quadrature` a wave has a second channel, its cosine: a sine alone does not determine on which side of its
    crest a cell lies.

    Args:
      wave_numbers: float32 [batch, waves, 2], radians per cell, (row, col) last.
      phase: float32 [batch, waves], radians at the window's first cell.
      rows, cols: window extent in cells; Python or scalar tensor.

    Returns:
      z_periodic, float32 [batch, rows, cols, waves or 2 waves], in [-1, 1]; sines first.
    """
    # Much smaller than a matrix product, and each term is one rounding of k times an integer.
    down = wave_numbers[:, None, None, :, 0] * ops.cast(ops.arange(rows), "float32")[:, None, None]
    right = wave_numbers[:, None, None, :, 1] * ops.cast(ops.arange(cols), "float32")[:, None]
    angle = down + right + phase[:, None, None, :]
    return ops.concatenate([ops.sin(angle), ops.cos(angle)], axis=-1) if quadrature else ops.sin(angle)


def at_cells(wave_turns: Any, phase: Any, rows: Any, cols: Any, quadrature: bool) -> tf.Tensor:
    """Plane waves at any cells of the plane; the angle at each cell is exact at any distance from the origin.

    Args:
      wave_turns: int64 [waves, 2], from `turns` or `torus.turns`.
      phase: int64 [waves], in turns, at cell (0, 0).
      rows, cols: int64 [..., rows] and [..., cols], cells in any order.

    Returns:
      z_periodic, float32 [..., rows, cols, waves or 2 waves], as `plane_waves`.
    """
    at = rows[..., :, tf.newaxis, tf.newaxis], cols[..., tf.newaxis, :, tf.newaxis]
    angle = radians(phase_at(wave_turns, phase, *at))
    return tf.concat([tf.sin(angle), tf.cos(angle)], axis=-1) if quadrature else tf.sin(angle)


def steps(wave_numbers: Any) -> tf.Tensor:
    """Wave numbers in radians per cell to the nearest step: int64, of the same shape; ties to even.

    The only floating-point operations are one multiplication by a constant and one rounding, which graph optimisation
    leaves as they are; it replaces a division by a constant with another rounding.
    """
    return tf.cast(tf.round(tf.cast(wave_numbers, tf.float64) * _STEPS_PER_RADIAN), tf.int64)


def wave_numbers(steps: Any) -> tf.Tensor:
    """Steps to wave numbers in radians per cell: float64, of the same shape."""
    return tf.cast(steps, tf.float64) * _RADIANS_PER_STEP


def turns(steps: Any) -> tf.Tensor:
    """Steps to turns per cell: int64, exact modulo whole turns, which do not matter at cells."""
    return tf.bitwise.left_shift(tf.convert_to_tensor(steps, tf.int64), tf.constant(32, tf.int64))


def phase_at(wave_turns: Any, phase: Any, row: Any, col: Any) -> tf.Tensor:
    """The phase at a cell: int64 turns, exact modulo one turn.

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
    """The initial wave numbers of the paper's code: [waves, 2] radians per cell, rows and columns in turn.

    pi (0.5 i / n + 0.5) for i = 1 .. n along each axis.
    """
    n = (waves + 1) // 2
    numbers = np.zeros((waves, 2), np.float32)
    for wave in range(waves):
        numbers[wave, wave % 2] = math.pi * (0.5 * (wave // 2 + 1) / n + 0.5)
    return numbers
