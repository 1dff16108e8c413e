"""Pictures whose pixels are their own positions, and buffers of them."""

import numpy as np
import tensorflow as tf

from tf_psgan.data.crops import PackedImages


def numbered(index: int, height: int, width: int) -> np.ndarray:
    """A picture whose pixels are their own positions: (picture, row, column)."""
    rows, cols = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    return np.stack([np.full_like(rows, index), rows, cols], axis=-1).astype(np.uint8)


def packed_of(*pictures: np.ndarray) -> PackedImages:
    areas = [p.shape[0] * p.shape[1] for p in pictures]
    pixels = tf.constant(np.concatenate([p.reshape(-1, 3) for p in pictures]))
    starts = tf.constant(np.cumsum([0, *areas[:-1]]), tf.int64)
    return PackedImages(pixels, starts, *(tf.constant([p.shape[k] for p in pictures], tf.int64) for k in (0, 1)))
