"""Moves the seams between patches to where the copies on both sides look alike.

A seam is hardly seen where what the one copy shows is like what the other would show there (the cost of a seam in
graph-cut textures, Kwatra et al. 2003, section 3). Here each block takes the copy of one of its neighbours where that
makes the seams around it cheaper, all blocks at once and a few times: iterated conditional modes (Besag 1986) of the
graph cut's energy. A block's result depends on the blocks beside it and on nothing else.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_psgan.detail import block_maps
from tf_psgan.detail.correction import LevelTables
from tf_psgan.detail.features import PEAK, TAPS

PASSES = 3
"""Times that all seams are moved, by at most a block each. Measured: docs/research/photographs.md."""

_NEAR = ((0, 0), (-1, 0), (0, -1), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))
"""Blocks around a block, (down, right): itself first, as of equally cheap copies it keeps its own."""

_CANDIDATES = 5
"""The first of `_NEAR`, whose copies a block may take."""

_WEIGHTS = (0, 2, 2, 2, 2, 1, 1, 1, 1)
"""Of the seams to the blocks of `_NEAR`."""

UNKNOWN = 4 * PEAK**2
"""Squared distance between what a copy shows and what lies outside of a photograph."""


class Seams(tf.Module):
    """The seams of a map of blocks.

    Args:
      tables: of the coarsest level that is synthesised, in whose features copies are compared.
      places: `Exemplar.places`.
      side: of a block, in pixels of the photographs: four pixels of the level, or two.
    """

    def __init__(self, tables: LevelTables, places: np.ndarray, side: int) -> None:
        super().__init__()
        self._tables, self._places, self._side = tables, places, side
        level, parts = tables.level, side // tables.level.pixels
        samples = [(1, 1), (1, 3), (3, 1), (3, 3)] if parts == 4 else [(0, 0), (1, 1)]
        self._samples = level.pixels * np.array(samples, np.int32)
        self._beyond = TAPS // 2 * level.pixels
        maps = [tf.TensorSpec((None, None), tf.int32)] * 2
        moved = tf.function(self._moved, input_signature=maps, autograph=False)
        # Behind a function: a SavedModel would store functions that are attributes beside those that call them.
        self.move = lambda rows, cols: moved(rows, cols)

    def _moved(self, rows: tf.Tensor, cols: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """A map after one pass: int32 rows and columns of first pixels copied, from [h, w] to [h - 2, w - 2]."""
        at, copies, allowed, costs = self.costs(rows, cols)
        best = tf.argmin(tf.where(allowed, costs, tf.int32.max), axis=-1, output_type=tf.int32)
        taken = tf.gather(copies, best, batch_dims=1)  # [seams, 2]
        kept = tf.stack([rows[1:-1, 1:-1], cols[1:-1, 1:-1]], axis=-1)
        found = tf.tensor_scatter_nd_update(tf.reshape(kept, (-1, 2)), at[:, tf.newaxis], taken)
        return tuple(tf.unstack(tf.reshape(found, tf.shape(kept)), axis=-1))

    def costs(self, rows: tf.Tensor, cols: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """What the seams around a block would cost with each of the copies that it may take.

        Returns:
          The places of the blocks at seams in the flattened map without its edges, int32 [seams]; the first pixels that
          they would copy, int32 [seams, candidates, 2]; which of them lie inside of a photograph, and the costs, int32.
        """
        near = tf.constant(_NEAR)
        found = block_maps.continued(rows, cols, near, 1, self._places, self._side)
        copies, photographs = (tf.reshape(tf.stack(part, axis=-1), (-1, len(_NEAR), len(part))) for part in found)
        seams = tf.reduce_any(copies != copies[:, :1], axis=(1, 2))
        at = tf.cast(tf.where(seams)[:, 0], tf.int32)
        copies, photographs = tf.gather(copies, at), tf.gather(photographs, at)
        steps = self._side * near
        here = self.shown(copies, photographs)  # of each neighbour's copy, what it shows at the block itself
        there = self.shown(copies + steps, photographs)  # and at the neighbour
        offered, inside = copies[:, :_CANDIDATES], photographs[:, :_CANDIDATES]
        at_block = tuple(part[:, :_CANDIDATES, tf.newaxis] for part in here)
        at_neighbours = self.shown(offered[:, :, tf.newaxis] + steps, inside[:, :, tf.newaxis])
        distances = _distances(at_block, tuple(part[:, tf.newaxis] for part in here))
        distances += _distances(at_neighbours, tuple(part[:, tf.newaxis] for part in there))
        different = tf.reduce_any(offered[:, :, tf.newaxis] != copies[:, tf.newaxis], axis=-1)
        costs = tf.reduce_sum(tf.where(different, distances * tf.constant(_WEIGHTS), 0), axis=-1)
        parts = tf.unstack(offered, axis=-1), tf.unstack(inside, axis=-1)
        return at, offered, self.are_allowed(*parts) | (tf.range(_CANDIDATES) == 0), costs

    def are_allowed(self, copies: Sequence[tf.Tensor], photographs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Whether blocks may copy from these first pixels; arguments as of `block_maps.are_inside`."""
        return block_maps.are_inside(copies, photographs, self._side, self._beyond)

    def shown(self, copies: tf.Tensor, photographs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What blocks show that copy from these first pixels: features at some places, and whether they are known.

        Args:
          copies: int32 [..., 2].
          photographs: int32 [..., 3]: first row, height and width of the photographs.

        Returns:
          float32 [..., places, components] and bool [..., places].
        """
        down, right = tf.unstack(copies[..., tf.newaxis, :] + self._samples, axis=-1)
        tops, heights, widths = tf.unstack(photographs[..., tf.newaxis, :], axis=-1)
        inside = (down >= tops) & (down < tops + heights) & (right >= 0) & (right < widths)
        level = self._tables.level
        position = down // level.grid * level.width + right // level.grid
        features, known = self._tables.features_at(tf.where(inside, position, 0))
        return features, inside & known


def _distances(one: tuple[tf.Tensor, tf.Tensor], other: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    """Sums over the places of a block of squared distances between what is shown there, int32."""
    squared = tf.reduce_sum(tf.math.squared_difference(one[0], other[0]), axis=-1)
    return tf.reduce_sum(tf.where(one[1] & other[1], tf.cast(squared, tf.int32), UNKNOWN), axis=-1)
