"""Power spectra of pictures inside a training step: planes, blocks, transforms with a gradient of their own."""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tf_psgan.signal_processing import DIRECTIONS, LUMINANCE, ROUNDING_VARIANCE, hann, sectors

ROUNDING = ROUNDING_VARIANCE / 127.5**2
"""The same for pixels in [-1, 1]."""
# Luminance and two colour differences.
_COLOURS = np.array([LUMINANCE, [0.5, -0.5, 0.0], [-0.25, -0.25, 0.5]], np.float32).T


def planes(pictures: tf.Tensor) -> list[tf.Tensor]:
    """Luminance and two differences of colours of float [batch, side, side, 3], each as float32 [batch, side, side]."""
    side = pictures.shape[1]
    pixels = tf.matmul(tf.reshape(tf.cast(pictures, tf.float32), [-1, 3]), _COLOURS)
    return tf.unstack(tf.reshape(tf.transpose(pixels), [3, -1, side, side]))


def blocks(plane: tf.Tensor, block: int) -> tf.Tensor:
    """[batch * blocks, block, block]: what fits into [batch, rows, cols] from its upper left, batch first."""
    down, across = (extent // block for extent in plane.shape[1:])
    if plane.shape[1:] != (down * block, across * block):  # the gradient of a slice that cuts nothing off is slow, too
        plane = plane[:, : down * block, : across * block]
    apart = tf.transpose(tf.reshape(plane, [-1, down, block, across, block]), [0, 1, 3, 2, 4])
    return tf.reshape(apart, [-1, block, block])


@tf.custom_gradient
def spectra(light: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Power of each of [pictures, side, side] without its mean, Hann window: [pictures, side, side // 2 + 1].

    White noise of variance v has power v at every frequency. TensorFlow's own gradient of `rfft2d` costs more.
    """
    side = light.shape[1]
    window = np.outer(*[hann(side, offset=0.0)] * 2)
    window = (window / np.sqrt(np.sum(window**2))).astype(np.float32)
    waves = tf.signal.rfft2d(_without_mean(light) * window)
    # The inverse transform counts the columns between the first and the middle one twice.
    times = side**2 * np.where(np.arange(side // 2 + 1) % (side / 2) == 0, 2.0, 1.0).astype(np.float32)

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        shares = waves * tf.cast(upstream * times, tf.complex64)
        return _without_mean(tf.signal.irfft2d(shares, [side, side]) * window)

    return tf.square(tf.math.real(waves)) + tf.square(tf.math.imag(waves)), gradient


@functools.lru_cache
def bins(side: int, first: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Which bin each frequency belongs to: half octaves from `first` cycles a picture up, times directions.

    Returns:
      int32 [side * (side // 2 + 1)] in the order of `tf.signal.rfft2d`, the last bin for frequencies that are left
      out; and float32 [bins + 1], how many frequencies each bin has, 1 at least.
    """
    rows, cols = np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij")
    ring, direction = sectors(rows, cols, side, first)
    used, bin_of = np.unique(np.where(ring >= 0, ring * DIRECTIONS + direction, -1), return_inverse=True)
    bin_of = (bin_of.ravel() - 1) % len(used)  # place -1 comes first
    return bin_of.astype(np.int32), np.maximum(np.bincount(bin_of, minlength=len(used)), 1).astype(np.float32)


def _without_mean(light: tf.Tensor) -> tf.Tensor:
    return light - tf.reduce_mean(light, axis=(1, 2), keepdims=True)
