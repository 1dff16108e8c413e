"""Waves on a torus: wave numbers that close exactly, and how much that changes them.

On a torus of (rows, cols) cells a plane wave closes where it makes a whole number of turns around the torus along each
axis. Each wave is moved to the nearest such wave number. Everything is integer arithmetic on `waves` steps, for extents
up to 2**40 cells and wave numbers below 2**20 turns per cell, so that eager tensors, graphs and exported models agree
bit for bit. An extent of 0 is an endless axis, along which waves stay as they are.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_psgan.latents import waves

RELATIVE, ABSOLUTE = 0.05, 0.02
"""A wave may move by this fraction of its wave number, or by so many radians per cell, before its look changes."""

NEAR = 64
"""How many cells around an extent are searched for extents that fit."""

_STEP = waves.STEPS_PER_TURN


def turns(steps: Any, rows: Any, cols: Any) -> tf.Tensor:
    """The waves nearest to the given ones that close on a torus.

    Args:
      steps: int64 [..., waves, 2], wave numbers in steps, (row, col) last.
      rows, cols: int64 scalars, extent of the torus in cells; 0 along an endless axis.

    Returns:
      int64 [..., waves, 2], turns per cell in units of 2**-64.
    """
    parts = []
    for axis, extent in enumerate((_int64(rows), _int64(cols))):
        along = _int64(steps)[..., axis]
        closed = tf.maximum(extent, 1)
        parts.append(tf.where(extent > 0, _fraction(whole(along, closed), closed), waves.turns(along)))
    return tf.stack(parts, axis=-1)


def whole(steps: Any, extent: Any) -> tf.Tensor:
    """The whole number of turns around a torus nearest to that of a wave, ties to even: int64.

    Args:
      steps: int64, along one axis.
      extent: int64 cells along that axis, 1 to 2**40; shapes broadcast.
    """
    steps, extent = _int64(steps), _int64(extent)
    size = tf.abs(steps)
    turn, rest = _right(size, 32), size & (_STEP - 1)
    # rest * extent / 2**32 by halves, which fit int64: extent = high * 2**20 + low.
    high, low = rest * _right(extent, 20), rest * (extent & (2**20 - 1))
    low += _left(high & (2**12 - 1), 20)
    below = turn * extent + _right(high, 12) + _right(low, 32)
    remainder = low & (_STEP - 1)
    up = (remainder > _STEP // 2) | ((remainder == _STEP // 2) & (below & 1 == 1))
    return tf.sign(steps) * (below + tf.cast(up, tf.int64))


def strain(steps: Any, rows: Any, cols: Any) -> tf.Tensor:
    """How much tori distort waves: 1 is the most that does not change their look.

    The maximum over the waves of the distance to the nearest wave number that closes, over what is allowed: RELATIVE
    of the wave number, or ABSOLUTE for a wave so long that neighbouring cells hardly differ.

    Args:
      steps: int64 [waves, 2].
      rows, cols: int64 [r] and [c], extents in cells; 0 along an endless axis.

    Returns:
      float64 [r, c].
    """
    numbers = waves.wave_numbers(steps)
    allowed = tf.maximum(RELATIVE * tf.norm(numbers, axis=-1), ABSOLUTE)
    down, right = (_distance(_int64(steps)[:, axis], extents) for axis, extents in enumerate((rows, cols)))
    relative = tf.sqrt(down[:, tf.newaxis] ** 2 + right**2) / allowed  # [r, c, waves]
    return tf.maximum(tf.reduce_max(relative, axis=-1), 0.0)  # 0 where there are no waves


def nearest_fits(steps: Sequence[Any], rows: Any, cols: Any, least: int, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The tori nearest in extent that the waves of every texture fit, with a strain of at most 1.

    Args:
      steps: of each texture, int64 [waves, 2].
      rows, cols: int64 scalars, the wanted extent in cells; 0 along an endless axis, which stays endless.
      least: smallest extent.
      count: how many to return.

    Returns:
      Extents int64 [count, 2], nearest first, and bool [count]: whether they exist within NEAR cells.
    """
    near = tf.range(-NEAR, NEAR + 1, dtype=tf.int64)
    candidates, usable, apart = [], [], []
    for extent in (_int64(rows), _int64(cols)):
        candidates.append(tf.where(extent > 0, extent + near, 0))
        usable.append(tf.where(extent > 0, extent + near >= least, near == 0))
        apart.append(tf.abs(near))
    fits = usable[0][:, tf.newaxis] & usable[1]
    for texture in steps:
        fits &= strain(texture, *(tf.maximum(extents, 0) for extents in candidates)) <= 1.0
    cost = tf.where(fits, apart[0][:, tf.newaxis] + apart[1], tf.int64.max)
    found, index = tf.math.top_k(-tf.reshape(cost, (-1,)), count)  # among equals the first
    across = 2 * NEAR + 1
    extents = tf.stack([tf.gather(candidates[0], index // across), tf.gather(candidates[1], index % across)], axis=-1)
    return extents, found > -tf.int64.max


def good_extents(steps: Sequence[Any], rows: int, cols: int, least: int = 1, count: int = 3) -> list[tuple[int, int]]:
    """`nearest_fits` as pairs of Python integers, without those that do not exist."""
    extents, exist = nearest_fits(steps, rows, cols, least, count)
    return [(int(r), int(c)) for r, c in extents.numpy()[exist.numpy()]]


def wave_lengths(steps: Any, rows: int, cols: int) -> list[tuple[float, float, float]]:
    """What a torus does to each wave: its length before and after, in cells, and its move relative to its wave number.

    Args:
      steps: int64 [waves, 2].
      rows, cols: extent in cells; 0 along an endless axis.
    """
    before = np.asarray(steps, np.float64) / _STEP  # turns per cell
    after = before.copy()
    for axis, extent in enumerate((rows, cols)):
        if extent:
            after[:, axis] = whole(_int64(steps)[:, axis], extent).numpy() / extent
    sizes = (np.maximum(np.linalg.norm(k, axis=1), 1e-9) for k in (before, after, after - before))
    return [(1.0 / b, 1.0 / a, m / b) for b, a, m in zip(*sizes, strict=True)]


def _fraction(turn: tf.Tensor, extent: tf.Tensor) -> tf.Tensor:
    """floor(turn * 2**64 / extent) modulo 2**64, by long division, 16 bits at a time."""
    rest, fixed = turn % extent, tf.zeros_like(turn)
    for _ in range(4):
        rest = _left(rest, 16)
        fixed = _left(fixed, 16) + rest // extent
        rest %= extent
    return fixed


def _distance(steps: tf.Tensor, extents: Any) -> tf.Tensor:
    """How far waves move along an axis to close: radians per cell, float64 [extents, waves]; 0 where it is endless."""
    extents = _int64(extents)[:, tf.newaxis]
    closed = tf.maximum(extents, 1)
    after = tf.cast(whole(steps, closed), tf.float64) / tf.cast(closed, tf.float64)
    moved = after * _STEP - tf.cast(steps, tf.float64)  # in steps
    return tf.where(extents > 0, waves.wave_numbers(moved), 0.0)


def _int64(value: Any) -> tf.Tensor:
    return tf.convert_to_tensor(value, tf.int64)


def _left(bits: tf.Tensor, count: int) -> tf.Tensor:
    return tf.bitwise.left_shift(bits, tf.constant(count, tf.int64))


def _right(bits: tf.Tensor, count: int) -> tf.Tensor:
    return tf.bitwise.right_shift(bits, tf.constant(count, tf.int64))
