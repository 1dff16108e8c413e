"""What the discriminator cannot see: how strong each frequency is, and the colours.

Batch norm divides what the discriminator measures by its own root mean square over the batch, so twice the contrast
scores the same; real and generated pictures pass it apart. A generator that is only told by it stays pale and without
grain for long. Here the generator is told directly: the power spectrum of its crops is to be that of real ones
(the spectral loss of Durall et al. 2020, arXiv:2003.01826, section 4, by direction too), and so are the mean and the
variance of three colours.
"""

import functools

import numpy as np
import tensorflow as tf

DIRECTIONS = 6
_ROUNDING = 1 / (12 * 127.5**2)  # variance that rounding to levels adds; keeps logarithms finite
# Luminance and two differences of colours.
_COLOURS = np.array([[0.299, 0.587, 0.114], [0.5, -0.5, 0.0], [-0.25, -0.25, 0.5]], np.float32).T


def distance(real: tf.Tensor, fake: tf.Tensor, apart: bool = False) -> tf.Tensor:
    """How far the amplitudes of two batches lie apart; a scalar, 0 for equal ones.

    Args:
      real, fake: float [batch, side, side, 3] in [-1, 1], of one extent of at least 16 pixels.
      apart: picture by picture instead of as a whole, for batches whose pictures are of one texture at each place.

    Returns:
      The mean squared difference of the natural logarithms of luminance power, in half octaves and directions of 30
      degrees, plus that of five times the colours' means and of the logarithms of their variances.
    """
    (real_powers, real_colours), (fake_powers, fake_colours) = _measure(real, apart), _measure(fake, apart)
    return tf.reduce_mean(tf.math.squared_difference(real_powers, fake_powers)) + tf.reduce_mean(
        tf.math.squared_difference(real_colours, fake_colours)
    )


@functools.lru_cache
def bins(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Which bin each frequency of a crop belongs to: half octaves from three cycles a crop up, times directions.

    Returns:
      int32 [side * (side // 2 + 1)] in the order of `tf.signal.rfft2d`, the last bin for frequencies that are left
      out; and float32 [bins + 1], how many frequencies each bin has, 1 at least.
    """
    rows, cols = np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij")
    ring = np.floor(2 * np.log2(np.maximum(np.hypot(rows, cols), 1e-9) * side / 3)).astype(int)
    direction = np.floor(np.mod(np.arctan2(rows, cols), np.pi) * DIRECTIONS / np.pi + 1e-9).astype(int) % DIRECTIONS
    place = np.where((ring >= 0) & (np.hypot(rows, cols) <= 0.6), ring * DIRECTIONS + direction, -1)
    used, bin_of = np.unique(place, return_inverse=True)  # place -1 comes first
    bin_of = (bin_of.ravel() - 1) % len(used)
    return bin_of.astype(np.int32), np.maximum(np.bincount(bin_of, minlength=len(used)), 1).astype(np.float32)


def _measure(pictures: tf.Tensor, apart: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """Logarithms of power [groups, bins] and colours [groups, 6]; a group is the batch, or each picture `apart`."""
    pictures, side = tf.cast(pictures, tf.float32), pictures.shape[1]
    window = np.outer(np.hanning(side), np.hanning(side)).astype(np.float32)
    light = tf.linalg.matvec(pictures, _COLOURS[:, 0])
    waves = tf.signal.rfft2d((light - tf.reduce_mean(light, axis=(1, 2), keepdims=True)) * window)
    power = tf.square(tf.math.real(waves)) + tf.square(tf.math.imag(waves))
    if not apart:
        power = tf.reduce_mean(power, axis=0, keepdims=True)
    bin_of, counts = bins(side)
    by_frequency = tf.transpose(tf.reshape(power, [-1, len(bin_of)]))
    sums = tf.transpose(tf.math.unsorted_segment_sum(by_frequency, bin_of, len(counts)))
    mean = sums / counts / np.sum(window**2)                        # [groups, bins + 1]
    pixels = tf.reshape(pictures, [-1, side * side, 3] if apart else [1, -1, 3])
    means = tf.reduce_mean(pixels, axis=1)
    # Products of the three channels, from which any colour's variance follows: half the time of `tf.nn.moments`.
    products = tf.matmul(pixels, pixels, transpose_a=True) / tf.cast(tf.shape(pixels)[1], tf.float32)
    covariance = products - means[:, :, tf.newaxis] * means[:, tf.newaxis]
    variances = tf.einsum("ic,gij,jc->gc", _COLOURS, covariance, _COLOURS)
    colours = tf.concat([5.0 * means @ _COLOURS, tf.math.log(tf.nn.relu(variances) + _ROUNDING)], axis=1)
    return tf.math.log(mean[:, :-1] + _ROUNDING), colours
