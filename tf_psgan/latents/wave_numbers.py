"""The wave numbers of a texture from its global vector, the same bits wherever they are evaluated.

The MLP of PSGAN (Bergmann et al. 2017, arXiv:1705.06566, equation 4). Far from the origin the slightest difference in a
wave number is another phase. The MLP is therefore evaluated in float64, its sums in a fixed order, and its output is
rounded to the grid of `waves.steps`.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_psgan.config import ModelConfig
from tf_psgan.latents import waves


def of_textures(config: ModelConfig, weights: Sequence[Any], z_global: Any) -> tf.Tensor:
    """The wave numbers of textures.

    Args:
      config: the model's.
      weights: float32; empty without waves; the table [waves, 2] in radians per cell; or the kernel and bias of the
        hidden layer and of the output layer of the MLP.
      z_global: float32 [textures, global channels], in [-1, 1].

    Returns:
      int64 [textures, waves, 2], steps of 2**-32 turns per cell, (row, col) last.
    """
    z_global = tf.convert_to_tensor(z_global, tf.float32)
    textures = z_global.shape[0] if z_global.shape[0] is not None else tf.shape(z_global)[0]
    if not weights:
        return tf.zeros((textures, 0, 2), tf.int64)
    exact = [tf.cast(array, tf.float64) for array in weights]
    if len(exact) == 1:
        numbers = tf.repeat(exact[0][tf.newaxis], textures, axis=0)
    else:
        hidden = tf.nn.relu(_product(tf.cast(z_global, tf.float64), exact[0]) + exact[1])
        numbers = tf.reshape(_product(hidden, exact[2]) + exact[3], (-1, config.waves, 2))
    steps = waves.steps(numbers)
    if config.wave_angles == "axis":
        steps *= tf.one_hot(tf.range(config.waves) % 2, 2, dtype=tf.int64)  # rows and columns in turn
    return steps


def _product(vectors: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """vectors @ kernel with every sum taken from the first term to the last; a matrix product may take any order."""
    return tf.cumsum(vectors[:, :, tf.newaxis] * kernel, axis=1)[:, -1]
