"""Counter-based noise: the value at (seed, row, col, channel) is a pure function of these.

There is no stream of random numbers: any window of the plane, in any order, has the same values. A key is mixed with
one counter at a time by the finaliser of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
generators"). All arithmetic is on 64-bit integers that wrap, so eager TensorFlow, a graph, XLA and NumPy give
the same bits, and coordinates may be any int64, negative ones included.

Seeds and counters are Python integers or int64 tensors.
"""

import math
from typing import Any

import tensorflow as tf

from tf_psgan.config import ModelConfig
from tf_psgan.latents import waves

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15, the odd number nearest 2**64 / golden ratio
_GLOBAL, _PHASE, _LOCAL, _EDGE, _CHANGE, _PATCH = 1, 2, 3, 4, 5, 6  # one stream for each kind of value
_MIX_1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX_2 = -7723592293110705685  # 0x94D049BB133111EB


def fold(key: Any, *counters: Any) -> tf.Tensor:
    """A new key from a key and counters, mixed in one after the other: int64; shapes broadcast."""
    key = _int64(key)
    for counter in counters:
        key = _mix(key + _GOLDEN * (_int64(counter) + 1))
    return key


def uniform(key: Any) -> tf.Tensor:
    """A value for each key: float32 in [-1, 1), a multiple of 2**-23."""
    bits = _shift(_int64(key), 40)
    return tf.cast(bits, tf.float32) * 2.0**-23 - 1.0


def below(key: Any, limit: Any) -> tf.Tensor:
    """An integer for each key: int64 in [0, limit); limit in 1 .. 2**31, shapes broadcast."""
    bits = _shift(_int64(key), 32)
    return _shift(bits * _int64(limit), 32)


def local(seed: Any, row: Any, col: Any, rows: Any, cols: Any, channels: int) -> tf.Tensor:
    """The local channels over a window of cells.

    Args:
      seed: of the plane, int64; a scalar, or [batch, 1, 1] for a batch of windows.
      row, col: first cell, any int64; scalars, or [batch] each.
      rows, cols: extent in cells; Python or scalar tensor.
      channels: number of values at each cell.

    Returns:
      z_local, float32 [rows, cols, channels] or [batch, rows, cols, channels], uniform in [-1, 1).
    """
    at_row = _int64(row)[..., tf.newaxis] + tf.range(_int64(rows))
    at_col = _int64(col)[..., tf.newaxis] + tf.range(_int64(cols))
    return cells(seed, at_row[..., :, tf.newaxis], at_col[..., tf.newaxis, :], channels)


def cells(seed: Any, row: Any, col: Any, channels: int) -> tf.Tensor:
    """The local channels of any cells: seed, row and col of any shapes that broadcast -> float32 [..., channels]."""
    return uniform(_channels(_cell(seed, row, col), channels))


def changed(z_local: Any, seed: Any, row: Any, col: Any, time: Any, amount: Any) -> tf.Tensor:
    """The local channels of cells at a time of a loop; uniformly distributed at every time.

    A value in [-1, 1] is the position on a circle folded flat. Each position oscillates by `amount` of the circle with
    a phase of its own: amount * (sin(2 pi time + phase) - sin(phase)). Times 0 and 1 are the plane itself.

    Args:
      z_local: float32 [..., channels], from `cells` with the same seed, row and col.
      seed, row, col: as for `cells`.
      time: scalar in [0, 1).
      amount: scalar in [0, 1].

    Returns:
      float32 [..., channels], in [-1, 1].
    """
    own = fold(_channels(_cell(seed, row, col), z_local.shape[-1]), _CHANGE)
    side, begin = uniform(own), math.pi * uniform(fold(own, 0))
    quarter = (1.0 + z_local) / 4.0  # [0, 1/2): rising; falling beyond
    position = tf.where(side < 0.0, quarter, 1.0 - quarter)
    moved = position + amount * (tf.sin(2.0 * math.pi * time + begin) - tf.sin(begin))
    return 1.0 - tf.abs(4.0 * (moved - tf.floor(moved)) - 2.0)


def global_vector(texture: Any, channels: int) -> tf.Tensor:
    """The global vector of a texture number, int64 [...]: float32 [..., channels], uniform in [-1, 1)."""
    return uniform(_channels(fold(_GLOBAL, texture), channels))


def phases(seed: Any, waves: int) -> tf.Tensor:
    """The phase of each wave at cell (0, 0): int64 [..., waves], in units of 2**-64 turns."""
    return _channels(fold(seed, _PHASE), waves)


def patch_keys(seed: Any, row: Any, col: Any) -> tf.Tensor:
    """The key of blocks of the detail stage, int64, of coordinates of any shapes that broadcast."""
    return fold(seed, _PATCH, row, col)


def sample(
    key: Any, model: ModelConfig, batch: int, rows: Any, cols: Any, first: int = 0
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Latent fields of a batch of windows for training, each of a different plane and a different texture.

    Args:
      key: int64 scalar; fixes everything.
      rows, cols: extent of a window in cells.
      first: number of the first window, where only a part of a batch is drawn.

    Returns:
      z_local [batch, rows, cols, local channels] and z_global [batch, global channels] in [-1, 1),
      and the waves' phase [batch, waves] in [-pi, pi) radians; float32.
    """
    keys = fold(key, tf.range(first, first + batch, dtype=tf.int64))
    z_local = local(keys[:, tf.newaxis, tf.newaxis], 0, 0, rows, cols, model.local_channels)
    z_global = global_vector(keys, model.global_channels)
    return z_local, z_global, waves.radians(phases(keys, model.waves))


def edge(zone: int, colour: int) -> tf.Tensor:
    """The seed of the noise along an edge of tiles with shared edges; it does not depend on the seeds of the tiles."""
    return fold(_EDGE, zone, colour)


def _cell(seed: Any, row: Any, col: Any) -> tf.Tensor:
    # The stream is mixed in first: otherwise two seeds could give the same plane, shifted by rows.
    return fold(seed, _LOCAL, row, col)


def _channels(key: tf.Tensor, channels: int) -> tf.Tensor:
    return fold(key[..., tf.newaxis], tf.range(channels, dtype=tf.int64))


def _int64(value: Any) -> tf.Tensor:
    return tf.cast(value, tf.int64) if tf.is_tensor(value) else tf.convert_to_tensor(value, tf.int64)


def _shift(bits: tf.Tensor, count: int) -> tf.Tensor:
    """Logical shift to the right; TensorFlow's own keeps the sign of an int64."""
    return tf.bitwise.right_shift(bits, tf.constant(count, tf.int64)) & ((1 << (64 - count)) - 1)


def _mix(bits: tf.Tensor) -> tf.Tensor:
    bits = (bits ^ _shift(bits, 30)) * _MIX_1
    bits = (bits ^ _shift(bits, 27)) * _MIX_2
    return bits ^ _shift(bits, 31)
