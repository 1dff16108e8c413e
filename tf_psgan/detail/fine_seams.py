"""Moves the seams between patches once more, by halves of blocks: belief propagation.

`seams` moves one block at a time. A straight seam through a brick is stuck there: a single block that changes sides
has more seams than before. Here each half of a block may take the copy of its own or of a place two blocks above,
below, left or right, and all choose together: loopy belief propagation (min-sum) on the grid of half blocks
(Felzenszwalb and Huttenlocher 2006, "Efficient belief propagation for early vision", section 2) with the cost of seams
of graph-cut textures (Kwatra et al. 2003). Messages are integers, and a half block hears of nothing farther away than
the messages have travelled, so a result depends on the blocks within `REACH` and on nothing else.
"""

import numpy as np
import tensorflow as tf

from tf_psgan.detail import block_maps
from tf_psgan.detail.correction import LevelTables
from tf_psgan.detail.seams import UNKNOWN, Seams

ROUNDS = 8
"""Times that messages are passed on. Measured: docs/research/photographs.md."""

_BAND = 4
"""Half blocks from a half block to the farthest one whose copy it may take."""

_LABELS = ((0, 0), (-_BAND, 0), (_BAND, 0), (0, -_BAND), (0, _BAND))
"""Half blocks whose copies a half block may take: itself first, as of equally cheap copies it keeps its own."""

_NEIGHBOURS = ((-1, 0), (1, 0), (0, -1), (0, 1))
_OPPOSITE = (1, 0, 3, 2)
"""Of each neighbour, as whose neighbour a half block counts there."""

_FORBIDDEN = 1 << 28
"""Cost of a copy from outside of a photograph; what messages add stays far below it, and sums stay inside of int32."""

REACH = -(-(ROUNDS + _BAND + 2) // 2)
"""Blocks around a block that its result depends on."""


class FineSeams(tf.Module):
    """The seams of a map of blocks, moved by half blocks.

    Args:
      tables: of the coarsest level that is synthesised, in whose features copies are compared.
      places: `Exemplar.places`.
      side: of a block, in pixels of the photographs.

    Attributes:
      seams: of half blocks that choose each by itself; they come last.
    """

    def __init__(self, tables: LevelTables, places: np.ndarray, side: int) -> None:
        super().__init__()
        self._places, self._half = places, side // 2
        self.seams = Seams(tables, places, self._half)
        counts = len(_NEIGHBOURS), len(_LABELS)
        pairs = tf.TensorSpec((*counts, counts[1], None, None), tf.int32)
        beliefs, messages = (tf.TensorSpec((*shape, None, None), tf.int32) for shape in (counts[1:], counts))
        round_of = tf.function(_passed, input_signature=[pairs, beliefs, messages], autograph=False)
        # Behind a function: a SavedModel would store functions that are attributes beside those that call them.
        self._pass = lambda *given: round_of(*given)

    def __call__(self, rows: tf.Tensor, cols: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The map of half blocks.

        Args:
          rows, cols: int32 [h, w]: row and column of the first pixel that each block copies.

        Returns:
          Rows and columns of half blocks, int32 [2 (h - 2 REACH), 2 (w - 2 REACH)].
        """
        copies, forbidden, pairs = self._costs(*block_maps.halved(rows, cols, self._half))
        messages = tf.zeros_like(pairs[:, :, 0])
        for _ in range(ROUNDS):
            messages = self._pass(pairs, forbidden + tf.reduce_sum(messages, axis=0), messages)
        best = tf.argmin(forbidden + tf.reduce_sum(messages, axis=0), axis=0, output_type=tf.int32)
        found = tf.gather(copies, best, batch_dims=2)
        edge = 2 * REACH - _BAND - 2
        rows, cols = tf.unstack(found[edge:-edge, edge:-edge], axis=-1)
        return self.seams.move(rows, cols)

    def _costs(self, rows: tf.Tensor, cols: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The copies that half blocks may take, and what they cost.

        Returns:
          First pixels, int32 [h, w, labels, 2], where h and w are less by 2 (_BAND + 1); the costs of copies by
          themselves, int32 [labels, h, w]; those of a half block and each of its neighbours together, int32
          [neighbours, own label, the neighbour's, h, w].
        """
        count = len(_LABELS)
        near = [(down + i, right + j) for i, j in ((0, 0), *_NEIGHBOURS) for down, right in _LABELS]
        found = block_maps.continued(rows, cols, tf.constant(near), _BAND + 1, self._places, self._half)
        copies, photographs = (tf.stack(part, axis=-1) for part in found)
        features, known = self.seams.shown(copies, photographs)
        # The square of a difference from the product: sums of up to 24 products of 8 bits and a sign are exact.
        flat = tf.reshape(features, tf.concat((tf.shape(features)[:3], [features.shape[3] * features.shape[4]]), 0))
        norms = tf.reduce_sum(flat * flat, axis=-1)
        products = tf.matmul(flat[:, :, :count], flat[:, :, count:], transpose_b=True)
        apart = norms[:, :, :count, tf.newaxis] + norms[:, :, tf.newaxis, count:] - 2.0 * products
        known = tf.reduce_all(known, axis=-1)
        both = known[:, :, :count, tf.newaxis] & known[:, :, tf.newaxis, count:]
        here = tf.where(both, tf.cast(apart, tf.int32), UNKNOWN)  # what a pair costs at the half block itself
        tall, wide = tf.unstack(tf.shape(here)[:2])
        here = tf.reshape(tf.transpose(here, (2, 3, 0, 1)), (count, len(_NEIGHBOURS), count, tall, wide))
        here = tf.transpose(here, (1, 0, 2, 3, 4))
        there = [
            _beside(tf.transpose(here[other], (1, 0, 2, 3)), step)
            for step, other in zip(_NEIGHBOURS, _OPPOSITE, strict=True)
        ]
        offered, inside = (tf.unstack(part[:, :, :count], axis=-1) for part in (copies, photographs))
        allowed = self.seams.are_allowed(offered, inside) | (tf.range(count) == 0)
        forbidden = tf.where(tf.transpose(allowed, (2, 0, 1)), 0, _FORBIDDEN)
        return copies[:, :, :count], forbidden, here + tf.stack(there)


def _passed(pairs: tf.Tensor, beliefs: tf.Tensor, messages: tf.Tensor) -> tf.Tensor:
    """The next messages: int32 [neighbours, labels, h, w], what each neighbour would cost with each label.

    Args:
      pairs: int32 [neighbours, own label, the neighbour's, h, w].
      beliefs: int32 [labels, h, w]: of half blocks, with all messages.
      messages: the last ones, from each neighbour.
    """
    found = []
    for number, (step, other) in enumerate(zip(_NEIGHBOURS, _OPPOSITE, strict=True)):
        told = _beside(beliefs - messages[other], step)  # without what the neighbour has heard from here
        options = [pairs[number, :, label] + told[label] for label in range(len(_LABELS))]
        least = options[0]
        for option in options[1:]:
            least = tf.minimum(least, option)
        found.append(least - tf.reduce_min(least, axis=0))
    return tf.stack(found)


def _beside(values: tf.Tensor, step: tuple[int, int]) -> tf.Tensor:
    """Values [..., h, w] of the half blocks beside half blocks; at the edge those of the opposite edge."""
    return tf.roll(values, (-step[0], -step[1]), (-2, -1))
