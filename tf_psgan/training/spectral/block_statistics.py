"""Where a texture's power lies: statistics of small blocks of its pictures.

A spectrum says how strong each frequency is in the mean, not where: the fine detail of walls spread evenly over cells
as grain has the same. So each block of 16 x 16 and of 32 x 32 pixels is described by a few figures, and of these the
means, the deviations and the correlations over all blocks of a size are kept: which blocks are smooth and which rough,
that an edge has all frequencies of its direction at once, that light walls are the rough ones. The joint statistics of
Portilla and Simoncelli 2000, section 2.2, are such correlations, of each pixel's magnitudes in a pyramid.
"""

import functools

import numpy as np
import tensorflow as tf

from tf_psgan.training.spectral import power_spectra

BLOCKS = (16, 32)
CORRELATIONS = 5.0
"""Weight of the correlations, together, beside that of the means and that of the deviations."""
_FIRST = 1.5  # cycles a block: where the half octaves begin
_STEADY = 1e-3  # variance below which figures hardly count as correlated


def measure(planes: list[tf.Tensor], shift: tf.Tensor, apart: bool = False) -> tf.Tensor:
    """The statistics of a batch, float32 [1, statistics], or [batch, statistics] picture by picture.

    Args:
      planes: of `power.planes`, float32 [batch, side, side], side at least 16; below 32 only blocks of 16 are cut.
      shift: int [2], 0 .. 31, the first block's row and column (modulo the room that there is). Blocks at always the
        same place would not see what lies between them.
      apart: picture by picture.

    Returns:
      For each size of blocks means, standard deviations, and correlations of each pair of a block's figures: the
      natural logarithms of luminance power in half octaves and directions of 30 degrees, five times the mean of each
      plane, the logarithm of the variance of each difference of colours.
    """
    side = planes[0].shape[1]
    return tf.concat([_of_size(block, planes, shift, apart) for block in _sizes(side)], axis=1)


@functools.lru_cache
def weights(side: int) -> np.ndarray:
    """float32 [statistics] of pictures of `side`: what each counts in a distance; means add up to 1, deviations too."""
    parts = []
    for block in _sizes(side):
        count = _sectors(block).shape[1] + 5
        pairs = count * (count - 1) // 2
        share = np.array([1 / count, CORRELATIONS / pairs], np.float32) / len(_sizes(side))
        parts.append(np.repeat(share, [2 * count, pairs]))
    return np.concatenate(parts)


def _sizes(side: int) -> list[int]:
    return [block for block in BLOCKS if block <= side]


def _of_size(block: int, planes: list[tf.Tensor], shift: tf.Tensor, apart: bool) -> tf.Tensor:
    side = planes[0].shape[1]
    extent = max(1, (side - 1) // block) * block
    row, col = tf.unstack(tf.cast(shift, tf.int32) % (side - extent + 1))
    planes = [power_spectra.blocks(tf.slice(plane, [0, row, col], [-1, extent, extent]), block) for plane in planes]
    logs = tf.matmul(tf.reshape(power_spectra.spectra(planes[0]), [-1, block * (block // 2 + 1)]), _sectors(block))
    figures = [tf.math.log(logs + power_spectra.ROUNDING)]
    for i, plane in enumerate(planes):
        mean = tf.reduce_mean(plane, axis=(1, 2))
        figures.append(5.0 * mean[:, tf.newaxis])
        if i:
            variance = tf.nn.relu(tf.reduce_mean(tf.square(plane), axis=(1, 2)) - tf.square(mean))
            figures.append(tf.math.log(variance + power_spectra.ROUNDING)[:, tf.newaxis])
    return _joint(tf.concat(figures, axis=1), (extent // block) ** 2, apart)


def _joint(figures: tf.Tensor, blocks: int, apart: bool) -> tf.Tensor:
    count = figures.shape[1]
    figures = tf.reshape(figures, [-1, blocks, count] if apart else [1, -1, count])
    mean = tf.reduce_mean(figures, axis=1, keepdims=True)
    centred = figures - mean
    covariance = tf.matmul(centred, centred, transpose_a=True) / tf.cast(tf.shape(centred)[1], tf.float32)
    deviation = tf.sqrt(tf.linalg.diag_part(covariance) + _STEADY)
    correlation = covariance / (deviation[:, :, tf.newaxis] * deviation[:, tf.newaxis])
    above = np.flatnonzero(np.triu(np.ones((count, count)), 1))
    pairs = tf.gather(tf.reshape(correlation, [-1, count * count]), above, axis=1)
    return tf.concat([mean[:, 0], deviation, pairs], axis=1)


@functools.lru_cache
def _sectors(block: int) -> np.ndarray:
    """float32 [frequencies, bins]: what takes a block's power to the mean of each half octave and direction."""
    bin_of, counts = power_spectra.bins(block, _FIRST)
    return (np.arange(len(counts) - 1) == bin_of[:, np.newaxis]).astype(np.float32) / counts[:-1]
