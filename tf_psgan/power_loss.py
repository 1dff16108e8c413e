"""What the discriminator cannot see: how strong each frequency is, and the colours.

Batch norm divides what the discriminator measures by its own root mean square over the batch, so twice the contrast
scores the same; real and generated pictures pass it apart. A generator that is only told by it stays pale, and without
grain or with a grid of single pixels. Here the generator is told directly: the power spectrum of its crops is to be
that of real ones (the spectral loss of Durall et al. 2020, arXiv:2003.01826, section 4, by direction too), and so are
the mean and the variance of three colours.

Large structures are few in a crop: their power is compared in half octaves and directions of the whole crop. Small ones
are many: theirs is compared at each frequency, from blocks (Welch 1967), that of colour from fewer blocks than that of
luminance: without it pictures carry coloured specks. Errors count by their size, not their square, so that a small bias
of every frequency, which is what contrast is, is still pulled at.
"""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

DIRECTIONS = 6
BLOCK = 32
MEMORY = 0.99
RISE = 1000
"""Steps in which the loss's weight grows from 0: at full weight from the start lattices come later."""
SPECKS = 0.25
"""Weight of the power of differences of colours: at 1 it slows everything else down."""
_KNEE = 0.1  # below it errors count by their square
_ROUNDING = 1 / (12 * 127.5**2)  # variance that rounding to levels adds; keeps logarithms finite
# Luminance and two differences of colours.
_COLOURS = np.array([[0.299, 0.587, 0.114], [0.5, -0.5, 0.0], [-0.25, -0.25, 0.5]], np.float32).T


def measure(pictures: tf.Tensor, apart: bool = False) -> tf.Tensor:
    """The amplitudes of a batch: float32 [1, figures], or [batch, figures] picture by picture.

    Args:
      pictures: float [batch, side, side, 3] in [-1, 1], side at least 16.
      apart: picture by picture, for batches whose pictures are of several textures.

    Returns:
      Natural logarithms of luminance power, in half octaves and directions of 30 degrees of the whole picture, at each
      frequency of its blocks of 32 x 32, and of the power of two differences of colours in the middle row of blocks;
      five times the mean of each colour, and the logarithm of its variance.
    """
    planes = _planes(tf.cast(pictures, tf.float32))
    light, side = planes[0], pictures.shape[1]
    bin_of, counts = bins(side)
    by_frequency = tf.transpose(_power(light, apart))
    sums = tf.transpose(tf.math.unsorted_segment_sum(by_frequency, bin_of, len(counts)))
    rings = (sums / counts)[:, :-1]
    block = min(BLOCK, side)
    above = side // block // 2 * block
    rows = [above, block, side - above - block]
    tints = [_block_power(tf.split(plane, rows, axis=1)[1], block, apart) for plane in planes[1:]]
    powers = tf.concat([rings, _block_power(light, block, apart), *tints], axis=1)
    return tf.concat([tf.math.log(powers + _ROUNDING), _colours(planes, apart)], axis=1)


def distance(a: tf.Tensor, b: tf.Tensor, side: int) -> tf.Tensor:
    """How far two measurements [groups, figures] of pictures of `side` lie apart; a scalar, 0 for equal ones.

    The pseudo-Huber norm of the differences, 0.1 for the knee: its means over half octaves, over frequencies of
    luminance, over those of colour (times SPECKS), and over colours, added up.
    """
    difference = tf.sqrt(tf.square(a - b) + _KNEE**2) - _KNEE
    return tf.reduce_mean(tf.linalg.matvec(difference, weights(side)))


@functools.lru_cache
def weights(side: int) -> np.ndarray:
    """float32 [figures]: one over how many half octaves, frequencies or colours there are, times SPECKS for specks."""
    block = min(BLOCK, side)
    frequencies = block * (block // 2 + 1) - 1
    parts = ((len(bins(side)[1]) - 1, 1.0), (frequencies, 1.0), (2 * frequencies, SPECKS), (6, 1.0))
    return np.concatenate([np.full(count, weight / count, np.float32) for count, weight in parts])


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
    used, bin_of = np.unique(np.where(ring >= 0, ring * DIRECTIONS + direction, -1), return_inverse=True)
    bin_of = (bin_of.ravel() - 1) % len(used)  # place -1 comes first
    return bin_of.astype(np.int32), np.maximum(np.bincount(bin_of, minlength=len(used)), 1).astype(np.float32)


class Record(tf.Module):
    """What real crops have measured so far, by source: a running mean, as one batch says too little.

    Args:
      side: of the crops, in pixels.
      sources: how many textures are kept apart; 0 for all as one.
    """

    def __init__(self, side: int, sources: int = 0) -> None:
        super().__init__()
        groups = max(1, sources)
        self.seen = tf.Variable(tf.zeros([groups]), trainable=False)
        self.figures = tf.Variable(tf.zeros([groups, len(weights(side))]), trainable=False)

    def with_batch(self, measured: tf.Tensor, sources: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """`seen` and `figures` as they are after one more batch; nothing is changed before `keep`.

        Args:
          measured: float32 [groups, figures] of `measure`.
          sources: int64 [groups], whose texture each of these is; None for one group.
        """
        sources = tf.zeros([1], tf.int64) if sources is None else sources
        groups = self.seen.shape[0]
        here = tf.math.unsorted_segment_sum(tf.ones_like(measured[:, 0]), sources, groups)
        batch = tf.math.unsorted_segment_mean(measured, sources, groups)
        seen = self.seen + tf.sign(here)
        share = tf.where(here > 0, tf.maximum(1.0 - MEMORY, 1.0 / tf.maximum(seen, 1.0)), 0.0)
        return seen, self.figures + share[:, tf.newaxis] * (batch - self.figures)

    def keep(self, updated: tuple[tf.Tensor, tf.Tensor]) -> None:
        """Stores what `with_batch` gave."""
        seen, figures = updated
        self.seen.assign(seen)
        self.figures.assign(figures)


def _planes(pictures: tf.Tensor) -> list[tf.Tensor]:
    """Luminance and the differences of colours of [batch, side, side, 3], each as [batch, side, side]."""
    side = pictures.shape[1]
    pixels = tf.matmul(tf.reshape(pictures, [-1, 3]), _COLOURS)
    return tf.unstack(tf.reshape(tf.transpose(pixels), [3, -1, side, side]))


def _power(light: tf.Tensor, apart: bool) -> tf.Tensor:
    """Power spectra [pictures, frequencies], or their mean [1, frequencies], of [pictures, side, side]; Hann window."""
    side = light.shape[1]
    power = _squares(light)
    if not apart:
        power = tf.reduce_mean(power, axis=0, keepdims=True)
    return tf.reshape(power, [-1, side * (side // 2 + 1)])


@tf.custom_gradient
def _squares(light: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """`_power` of each picture, [pictures, side, side // 2 + 1]. TensorFlow's own gradient of `rfft2d` costs more."""
    side = light.shape[1]
    window = np.outer(*[0.5 - 0.5 * np.cos(2 * np.pi * np.arange(side) / side)] * 2)
    window = (window / np.sqrt(np.sum(window**2))).astype(np.float32)
    waves = tf.signal.rfft2d(_without_mean(light) * window)
    # The inverse transform counts the columns between the first and the middle one twice.
    times = side**2 * np.where(np.arange(side // 2 + 1) % (side / 2) == 0, 2.0, 1.0).astype(np.float32)

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        shares = waves * tf.cast(upstream * times, tf.complex64)
        return _without_mean(tf.signal.irfft2d(shares, [side, side]) * window)

    return tf.square(tf.math.real(waves)) + tf.square(tf.math.imag(waves)), gradient


def _without_mean(light: tf.Tensor) -> tf.Tensor:
    return light - tf.reduce_mean(light, axis=(1, 2), keepdims=True)


def _block_power(light: tf.Tensor, block: int, apart: bool) -> tf.Tensor:
    """Power without the mean, [pictures or 1, frequencies - 1], over the blocks of [pictures, rows, cols]."""
    down, across = (extent // block for extent in light.shape[1:])
    if light.shape[1:] != (down * block, across * block):  # the gradient of a slice that cuts nothing off is slow, too
        light = light[:, : down * block, : across * block]
    blocks = tf.transpose(tf.reshape(light, [-1, down, block, across, block]), [0, 1, 3, 2, 4])
    powers = _power(tf.reshape(blocks, [-1, block, block]), apart=True)[:, 1:]
    groups = tf.reshape(powers, [tf.shape(light)[0] if apart else 1, -1, powers.shape[1]])
    return tf.reduce_mean(groups, axis=1)


def _colours(planes: list[tf.Tensor], apart: bool) -> tf.Tensor:
    """[groups, 6]: five times the means of three planes, and the logarithms of their variances."""
    pixels = [tf.reshape(plane, [tf.shape(plane)[0] if apart else 1, -1]) for plane in planes]
    means = [tf.reduce_mean(plane, axis=1) for plane in pixels]
    squares = [tf.reduce_mean(tf.square(plane), axis=1) for plane in pixels]
    variances = tf.nn.relu(tf.stack(squares, axis=1) - tf.square(tf.stack(means, axis=1)))
    return tf.concat([5.0 * tf.stack(means, axis=1), tf.math.log(variances + _ROUNDING)], axis=1)
