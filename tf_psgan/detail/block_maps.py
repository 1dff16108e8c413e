"""Maps of blocks: which pixels of the photographs each block of a picture copies, and what continues these copies."""

import numpy as np
import tensorflow as tf


def continued(
    rows: tf.Tensor, cols: tf.Tensor, near: tf.Tensor, reach: int, places: np.ndarray, side: int
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """What a block would copy if it continued the copies of the blocks near it, and from which photographs.

    Args:
      rows, cols: int32 [h, w]: first row and column that each block copies.
      near: int32 [near, 2]: blocks around a block, (down, right).
      reach: the farthest of them; so many blocks at each edge of the map have no result.
      places: int32 [photographs, 3], `Exemplar.places`.
      side: of a block, in pixels.

    Returns:
      Rows and columns; first rows, heights and widths of the photographs; int32 [h - 2 reach, w - 2 reach, near] each.
    """
    there = _beside(tf.shape(rows), near, reach)
    photograph = tf.searchsorted(places[:, 0], tf.reshape(rows, (-1,)), side="right") - 1
    copies = [
        tf.gather(tf.reshape(part, (-1,)), there) - side * step
        for part, step in zip((rows, cols), tf.unstack(near, axis=1), strict=True)
    ]
    return copies, tf.unstack(tf.gather(tf.constant(places), tf.gather(photograph, there)), axis=-1)


def of_blocks_near(field: tf.Tensor, near: tf.Tensor, reach: int) -> tf.Tensor:
    """The values of a map [h, w] at the blocks near each block: [h - 2 reach, w - 2 reach, near]."""
    return tf.gather(tf.reshape(field, (-1,)), _beside(tf.shape(field), near, reach))


def _beside(extent: tf.Tensor, near: tf.Tensor, reach: int) -> tf.Tensor:
    """The places in a flattened map of the blocks `near` each block `reach` from the edge: [rows, cols, near]."""
    width = extent[1]
    own = tf.range(reach, extent[0] - reach)[:, tf.newaxis] * width + tf.range(reach, width - reach)
    return own[..., tf.newaxis] + near[:, 0] * width + near[:, 1]
