"""Power spectra of images inside a training step: colour planes, blocks, and a transform with its own gradient."""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tf_psgan.signal_processing import DIRECTIONS, LUMINANCE, ROUNDING_VARIANCE, hann, sectors

ROUNDING = ROUNDING_VARIANCE / 127.5**2
"""Variance that rounding to 8-bit values adds to images in [-1, 1]; added to powers, it keeps logarithms finite."""
# Luminance, (red - green) / 2, and blue / 2 - (red + green) / 4.
_PLANES = np.array([LUMINANCE, [0.5, -0.5, 0.0], [-0.25, -0.25, 0.5]], np.float32).T


def planes(images: tf.Tensor) -> list[tf.Tensor]:
    """Luminance and two colour differences of float [batch, side, side, 3], each float32 [batch, side, side]."""
    side = images.shape[1]
    pixels = tf.matmul(tf.reshape(tf.cast(images, tf.float32), [-1, 3]), _PLANES)
    return tf.unstack(tf.reshape(tf.transpose(pixels), [3, -1, side, side]))


def blocks(plane: tf.Tensor, block: int) -> tf.Tensor:
    """Whole blocks of [batch, rows, cols] from the upper left: [batch * blocks, block, block], image by image."""
    down, across = (extent // block for extent in plane.shape[1:])
    if plane.shape[1:] != (down * block, across * block):  # even a slice that removes nothing has a slow gradient
        plane = plane[:, : down * block, : across * block]
    separate = tf.transpose(tf.reshape(plane, [-1, down, block, across, block]), [0, 1, 3, 2, 4])
    return tf.reshape(separate, [-1, block, block])


@tf.custom_gradient
def spectra(light: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Power at each frequency of [images, side, side] less its mean, with a Hann window: [images, side, side // 2 + 1].

    White noise of variance v has power v at every frequency. The gradient is written out because TensorFlow's own
    gradient of `rfft2d` takes more time.
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
    """The bin of each frequency: half octaves from `first` cycles per image up, times directions.

    Returns:
      int32 [side * (side // 2 + 1)], the bins in the order of `tf.signal.rfft2d`; the last bin is for the frequencies
      that are left out. And float32 [bins + 1], how many frequencies each bin has, at least 1.
    """
    rows, cols = np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij")
    ring, direction = sectors(rows, cols, side, first)
    used, bin_of = np.unique(np.where(ring >= 0, ring * DIRECTIONS + direction, -1), return_inverse=True)
    bin_of = (bin_of.ravel() - 1) % len(used)  # -1, the frequencies left out, is sorted first and becomes the last bin
    return bin_of.astype(np.int32), np.maximum(np.bincount(bin_of, minlength=len(used)), 1).astype(np.float32)


def _without_mean(light: tf.Tensor) -> tf.Tensor:
    return light - tf.reduce_mean(light, axis=(1, 2), keepdims=True)
