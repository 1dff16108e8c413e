"""Random crops of pictures, cut inside the graph: a pure function of (pictures, key).

The pictures lie end to end in one packed buffer in the host's memory.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from tf_psgan.latents import noise


class PackedImages(NamedTuple):
    """Decoded pictures, or regions of them, end to end in the host's memory."""

    pixels: tf.Tensor  # uint8 [total_pixels, channels], row by row
    starts: tf.Tensor  # int64 [pictures], index of each first pixel
    heights: tf.Tensor  # int64 [pictures]
    widths: tf.Tensor  # int64 [pictures]


PACKED_IMAGES_SPEC = PackedImages(
    tf.TensorSpec([None, None], tf.uint8), *(tf.TensorSpec([None], tf.int64) for _ in range(3))
)
"""Input signature for a tf.function: buffers of all sizes share one trace."""


def crops(packed: PackedImages, key: tf.Tensor, count: int, side: int, first: int = 0) -> tf.Tensor:
    """Cuts squares. The picture is drawn uniformly, then the position inside it.

    Args:
      packed: every picture at least `side` pixels high and wide.
      key: int64 [...], from `noise.fold`; the same key cuts the same crops.
      count: number of crops.
      side: height and width of a crop in pixels.
      first: number of the first crop, where only a part of a batch is cut.

    Returns:
      uint8 [..., count, side, side, channels].
    """
    with tf.device("CPU:0"):  # where the buffer is: a GPU would receive all of it at every step
        keys = _keys(key, count, first)
        picture = drawn(packed, key, count, first)
        widths = tf.gather(packed.widths, picture)
        top = noise.below(noise.fold(keys, 1), tf.gather(packed.heights, picture) - side + 1)
        left = noise.below(noise.fold(keys, 2), widths - side + 1)
        start = tf.gather(packed.starts, picture) + top * widths + left  # [..., count]
        steps = tf.range(side, dtype=tf.int64)
        rows = start[..., tf.newaxis] + steps * widths[..., tf.newaxis]  # [..., count, side]
        return tf.gather(packed.pixels, rows[..., tf.newaxis] + steps)  # [..., count, side, side, channels]


def drawn(packed: PackedImages, key: tf.Tensor, count: int, first: int = 0) -> tf.Tensor:
    """The pictures that `crops` cuts from with this key: indices into the buffer, int64 [..., count]."""
    return noise.below(noise.fold(_keys(key, count, first), 0), tf.size(packed.starts, tf.int64))


def _keys(key: Any, count: int, first: int) -> tf.Tensor:
    """The key of each crop from number `first` on, int64 [..., count]."""
    key = tf.convert_to_tensor(key, tf.int64)
    return noise.fold(key[..., tf.newaxis], tf.range(first, first + count, dtype=tf.int64))
