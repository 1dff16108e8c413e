"""What the discriminator cannot see: how strong each frequency is, and the colours.

Batch norm divides what the discriminator measures by its own root mean square over the batch, so twice the contrast
scores the same; real and generated pictures pass it apart. A generator that is only told by it stays pale, and without
grain or with a grid of single pixels. Here the generator is told directly: the power spectrum of its crops is to be
that of real ones (the spectral loss of Durall et al. 2020, arXiv:2003.01826, section 4, by direction too), and so are
the mean and the variance of three colours.

Large structures are few in a crop: their power is compared in half octaves and directions of the whole crop. Small ones
are many: theirs is compared at each frequency, from blocks (Welch 1967), that of colour from fewer blocks than that of
luminance: without it pictures carry coloured specks. Where in a picture the power lies, which a mean does not say, is
compared by the statistics of small blocks (`block_statistics.py`). Errors count by their size, not their square, so
that a small bias of every frequency, which is what contrast is, is still pulled at.
"""

import functools

import numpy as np
import tensorflow as tf

from tf_psgan.training.spectral import block_statistics, power_spectra

BLOCK = 32
MEMORY = 0.99
RISE = 1000
"""Steps in which the loss's weight grows from 0: at full weight from the start lattices come later."""
SPECKS = 0.25
"""Weight of the power of differences of colours: at 1 it slows everything else down."""
_KNEE = 0.1  # below it errors count by their square


def measure(pictures: tf.Tensor, shift: tf.Tensor, apart: bool = False) -> tf.Tensor:
    """The statistics of a batch: float32 [1, figures], or [batch, figures] picture by picture.

    Args:
      pictures: float [batch, side, side, 3] in [-1, 1], side at least 16.
      shift: int [2], 0 .. 31, where the small blocks begin; see `block_statistics.measure`.
      apart: picture by picture, for batches whose pictures are of several textures.

    Returns:
      Natural logarithms of luminance power, in half octaves and directions of 30 degrees of the whole picture, at each
      frequency of its blocks of 32 x 32, and of the power of two differences of colours in the middle row of blocks;
      five times the mean of each colour, and the logarithm of its variance; and the statistics of small blocks.
    """
    planes = power_spectra.planes(pictures)
    light, side = planes[0], pictures.shape[1]
    bin_of, counts = power_spectra.bins(side)
    whole = power_spectra.spectra(light)
    if not apart:
        whole = tf.reduce_mean(whole, axis=0, keepdims=True)
    by_frequency = tf.transpose(tf.reshape(whole, [-1, len(bin_of)]))
    sums = tf.transpose(tf.math.unsorted_segment_sum(by_frequency, bin_of, len(counts)))
    rings = (sums / counts)[:, :-1]
    block = min(BLOCK, side)
    above = side // block // 2 * block
    rows = [above, block, side - above - block]
    tints = [_block_power(tf.split(plane, rows, axis=1)[1], block, apart) for plane in planes[1:]]
    powers = tf.concat([rings, _block_power(light, block, apart), *tints], axis=1)
    small = block_statistics.measure(planes, shift, apart)
    return tf.concat([tf.math.log(powers + power_spectra.ROUNDING), _colours(planes, apart), small], axis=1)


def distance(a: tf.Tensor, b: tf.Tensor, side: int) -> tf.Tensor:
    """How far two measurements [groups, figures] of pictures of `side` lie apart; a scalar, 0 for equal ones.

    The pseudo-Huber norm of the differences, 0.1 for the knee: its means over half octaves, over frequencies of
    luminance, over those of colour (times SPECKS), over colours, and over the statistics of small blocks
    (`block_statistics.weights`), added up.
    """
    difference = tf.sqrt(tf.square(a - b) + _KNEE**2) - _KNEE
    return tf.reduce_mean(tf.linalg.matvec(difference, weights(side)))


@functools.lru_cache
def weights(side: int) -> np.ndarray:
    """float32 [figures]: one over how many half octaves, frequencies or colours there are, times SPECKS for specks."""
    block = min(BLOCK, side)
    frequencies = block * (block // 2 + 1) - 1
    parts = ((len(power_spectra.bins(side)[1]) - 1, 1.0), (frequencies, 1.0), (2 * frequencies, SPECKS), (6, 1.0))
    spectra = [np.full(count, weight / count, np.float32) for count, weight in parts]
    return np.concatenate([*spectra, block_statistics.weights(side)])


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


def _block_power(light: tf.Tensor, block: int, apart: bool) -> tf.Tensor:
    """Power without the mean, [pictures or 1, frequencies - 1], over the blocks of [pictures, rows, cols]."""
    powers = tf.reshape(power_spectra.spectra(power_spectra.blocks(light, block)), [-1, block * (block // 2 + 1)])[
        :, 1:
    ]
    groups = tf.reshape(powers, [tf.shape(light)[0] if apart else 1, -1, powers.shape[1]])
    return tf.reduce_mean(groups, axis=1)


def _colours(planes: list[tf.Tensor], apart: bool) -> tf.Tensor:
    """[groups, 6]: five times the means of three planes, and the logarithms of their variances."""
    pixels = [tf.reshape(plane, [tf.shape(plane)[0] if apart else 1, -1]) for plane in planes]
    means = [tf.reduce_mean(plane, axis=1) for plane in pixels]
    squares = [tf.reduce_mean(tf.square(plane), axis=1) for plane in pixels]
    variances = tf.nn.relu(tf.stack(squares, axis=1) - tf.square(tf.stack(means, axis=1)))
    return tf.concat([5.0 * tf.stack(means, axis=1), tf.math.log(variances + power_spectra.ROUNDING)], axis=1)
