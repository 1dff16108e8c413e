"""What a guide asks for: the copies that blocks find by themselves, and how well they fit.

Each block of the guide's resolution finds the position whose neighbourhood looks most like the guide's, and its copy is
ranked by the piece of the photograph around it.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from tf_psgan.detail.correction import REACH, LevelTables, crop, responses
from tf_psgan.detail.exemplar import OUTSIDE, Exemplar

FIT_BLOCKS = 3
"""Farthest block that counts when a block's copy is compared with the guide: 7 x 7 blocks."""

_CHANCE = 1 << 16
"""Steps of the random factor of a copy's distance from the guide, which is between 2 and 5."""

_BLOCK = 128
"""Positions of the guide's level whose least distance is searched at a time."""


class GuidedCopies(tf.Module):
    """The copies of blocks that are most like a guide.

    Args:
      exemplar: the photographs.

    Attributes:
      reach: blocks around a block that its copy and its rank depend on.
    """

    reach = REACH + FIT_BLOCKS

    def __init__(self, exemplar: Exemplar) -> None:
        super().__init__()
        self._level = exemplar.levels[-1]
        self._side = self._level.pixels
        self._table = tf.Variable(exemplar.guide_table, trainable=False)
        self._tables = LevelTables(self._level, guides=True)
        self._features = tf.Variable(self._level.features, trainable=False)
        self._comparable = _comparable_blocks(exemplar)
        self._starts = tf.Variable(_whole_blocks(self._level.starts), trainable=False)

    def __call__(self, guide: Any, keys: Any) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Rows and columns of the first pixels of copies, int32, and their ranks, int64, high for good ones.

        Args:
          guide: uint8 [h, w, 3], of whole blocks.
          keys: int64 [rows, cols], one for each block, random.

        Returns:
          [rows - 2 reach, cols - 2 reach] each.
        """
        level = self._level
        means = tf.cast(_means(guide, level.pixels), tf.int32)
        channels = [tf.gather(table, means[..., i]) for i, table in enumerate(tf.unstack(self._table))]
        features = responses(level, tf.cast(tf.stack(channels, axis=-1), tf.float32))
        position = self._nearest(self._tables.query(features))
        rows, cols = position // level.width * level.grid, position % level.width * level.grid
        ranks = self._ranks(features, rows, cols, crop(keys, REACH))
        return crop(rows, FIT_BLOCKS), crop(cols, FIT_BLOCKS), ranks

    def _nearest(self, query: tf.Tensor) -> tf.Tensor:
        """The positions [rows, cols] of the guide's level with the least distances to queries [rows, cols, columns]."""
        keys = tf.cast(tf.gather(self._tables.keys, self._starts), tf.float32)

        def row(wanted: Any) -> Any:
            # The first of the least distances, in two steps: minima are computed faster than their places.
            distance = tf.matmul(wanted, keys, transpose_b=True)
            blocks = tf.reshape(distance, (-1, self._starts.shape[0] // _BLOCK, _BLOCK))
            block = tf.argmin(tf.reduce_min(blocks, axis=2), axis=1, output_type=tf.int32)
            nearest = tf.argmin(tf.gather(blocks, block, batch_dims=1), axis=1, output_type=tf.int32)
            return tf.gather(self._starts, block * _BLOCK + nearest)

        return tf.map_fn(row, query, parallel_iterations=2, fn_output_signature=tf.TensorSpec((None,), tf.int32))

    def _ranks(self, features: tf.Tensor, rows: tf.Tensor, cols: tf.Tensor, keys: Any) -> tf.Tensor:
        """Ranks copies, int64: high where the piece of a photograph around the copy is like the guide.

        Pieces with other colours than the guide around them would change the picture's mean. A random factor keeps the
        same few pieces from being copied everywhere.
        """
        level, fit = self._level, FIT_BLOCKS
        step = self._side // level.grid
        height = len(level.features) // level.width
        tall, wide = (extent - 2 * fit for extent in tf.unstack(tf.shape(rows)))
        beside = tf.range(-fit, fit + 1)
        row, col = (crop(part, fit)[..., tf.newaxis] // level.grid for part in (rows, cols))
        across = tf.range(wide)[:, tf.newaxis] + tf.range(2 * fit + 1)
        cost, count = tf.zeros((tall, wide), tf.int32), tf.zeros((tall, wide), tf.int32)
        for down in range(-fit, fit + 1):
            there = (row + down * step, col + beside * step)  # [tall, wide, 2 fit + 1]
            inside = (there[0] >= 0) & (there[0] < height) & (there[1] >= 0) & (there[1] < level.width)
            found = tf.gather(self._features, tf.where(inside, there[0] * level.width + there[1], 0))
            known = tf.cast(inside & (found[..., 0] != OUTSIDE), tf.int32)
            wanted = tf.gather(features[fit + down : fit + down + tall], across, axis=1)
            distance = tf.math.squared_difference(tf.cast(found, tf.int32), tf.cast(wanted, tf.int32))
            cost += tf.reduce_sum(tf.reduce_sum(distance, axis=-1) * known, axis=-1)
            count += tf.reduce_sum(known, axis=-1)
        mean = tf.where(2 * count > self._comparable, cost // tf.maximum(count, 1), tf.int32.max // 2)
        chance = tf.bitwise.bitwise_and(tf.bitwise.right_shift(crop(keys, fit), 40), _CHANCE - 1)
        return -(tf.cast(mean, tf.int64) + 1) * (2 * _CHANCE + 3 * chance)


def _comparable_blocks(exemplar: Exemplar) -> int:
    """The most blocks around a copy in the smallest photograph that can be compared with the guide."""
    side, most = exemplar.levels[-1].pixels, 2 * FIT_BLOCKS + 1
    inner = exemplar.places[:, 1:] // side - 2 * REACH  # blocks whose neighbourhood lies inside
    return int(np.clip(inner, 1, most).prod(axis=1).min())


def _whole_blocks(starts: np.ndarray) -> np.ndarray:
    """Positions, the last of them repeated up to a multiple of a block."""
    return np.pad(starts, (0, -len(starts) % _BLOCK), mode="edge")


def _means(guide: Any, side: int) -> tf.Tensor:
    """Rounded means of blocks of side x side pixels: from uint8 [h, w, 3] to float32 [h / side, w / side, 3]."""
    rows, cols = (extent // side for extent in tf.unstack(tf.shape(guide)[:2]))
    blocks = tf.reshape(tf.cast(guide, tf.float32), (rows, side, cols, side, 3))
    return tf.floor((2 * tf.reduce_sum(blocks, axis=(1, 3)) + side * side) * (0.5 / (side * side)))
