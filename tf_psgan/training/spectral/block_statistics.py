"""Statistics of small blocks of an image: where its power lies, which a spectrum does not say.

A spectrum gives the mean power of each frequency. The fine detail of walls, spread evenly over the cells as grain, has
the same spectrum. So each block of 16 x 16 and of 32 x 32 pixels is described by some features, and the means, standard
deviations and correlations of the features over all blocks of a size are compared. They say which blocks are smooth and
which rough, that an edge has power at all frequencies of its direction at once, and that light walls are rough. The
joint statistics of Portilla and Simoncelli 2000, section 2.2, are such correlations, of the magnitudes of a pyramid at
each pixel.
"""

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_psgan.networks.operations import MeanOverWorkers
from tf_psgan.runtime.workers import ALONE
from tf_psgan.training.spectral import power_spectra

BLOCKS = (16, 32)
"""Sides of the blocks in pixels."""
CORRELATIONS = 5.0
"""Total weight of the correlations; the means and the standard deviations have 1 each."""
_FIRST = 1.5  # cycles per block where the half octaves begin
_SMALL_VARIANCE = 1e-3  # added to variances: features that hardly vary hardly count as correlated


def measure(
    planes: list[tf.Tensor],
    shift: tf.Tensor,
    per_image: bool = False,
    block_sizes: Sequence[int] = BLOCKS,
    compiled: bool = False,
    over_workers: MeanOverWorkers = ALONE.mean,
) -> tf.Tensor:
    """The statistics of a batch: float32 [1, statistics], or [batch, statistics] image by image.

    Args:
      planes: from `power_spectra.planes`, float32 [batch, side, side], side at least 16. Blocks larger than the side
        are left out.
      shift: int [2], 0 .. 31, row and column of the first block (modulo the room that there is). With a constant
        position, no block would ever contain what lies across a border of blocks.
      per_image: measure each image alone.
      block_sizes: sides of the blocks.
      compiled: cuts the blocks in the form for XLA, see `terms.Batch`; the result is the same.
      over_workers: averages over the parts of a batch of which each worker has one.

    Returns:
      For each block size: means, standard deviations, and the correlation of each pair of a block's features. The
      features are the natural logarithms of luminance power in half octaves and directions of 30 degrees, five times
      the mean of each plane, and the logarithm of the variance of each colour difference.
    """
    sizes = _fitting(planes[0].shape[1], block_sizes)
    features = [_features(block, planes, shift, per_image, compiled) for block in sizes]
    means = over_workers([tf.reduce_mean(each, axis=1, keepdims=True) for each in features])
    covariances = over_workers([_covariance(each, mean) for each, mean in zip(features, means, strict=True)])
    return tf.concat([_joint(*moments) for moments in zip(means, covariances, strict=True)], axis=1)


@functools.lru_cache
def weights(side: int, block_sizes: tuple[int, ...] = BLOCKS) -> np.ndarray:
    """float32 [statistics]: the weight of each statistic of images of `side` pixels in a distance.

    The means have a total weight of 1, the standard deviations 1, the correlations CORRELATIONS.
    """
    sizes, parts = _fitting(side, block_sizes), [np.zeros(0, np.float32)]
    for block in sizes:
        count = _sectors(block).shape[1] + 5
        pairs = count * (count - 1) // 2
        share = np.array([1 / count, CORRELATIONS / pairs], np.float32) / len(sizes)
        parts.append(np.repeat(share, [2 * count, pairs]))
    return np.concatenate(parts)


def _fitting(side: int, block_sizes: Sequence[int]) -> list[int]:
    return [block for block in block_sizes if block <= side]


def _features(block: int, planes: list[tf.Tensor], shift: tf.Tensor, per_image: bool, compiled: bool) -> tf.Tensor:
    """The features of all blocks of one size, [groups, blocks, features]."""
    side = planes[0].shape[1]
    extent = max(1, (side - 1) // block) * block
    first = tf.cast(shift, tf.int32) % (side - extent + 1)
    planes = [power_spectra.blocks(_window(plane, first, extent, compiled), block) for plane in planes]
    sectors = tf.matmul(tf.reshape(power_spectra.spectra(planes[0]), [-1, block * (block // 2 + 1)]), _sectors(block))
    features = [tf.math.log(sectors + power_spectra.ROUNDING)]
    for i, plane in enumerate(planes):
        mean = tf.reduce_mean(plane, axis=(1, 2))
        features.append(5.0 * mean[:, tf.newaxis])
        if i:
            variance = tf.nn.relu(tf.reduce_mean(tf.square(plane), axis=(1, 2)) - tf.square(mean))
            features.append(tf.math.log(variance + power_spectra.ROUNDING)[:, tf.newaxis])
    found = tf.concat(features, axis=1)
    return tf.reshape(found, [-1, (extent // block) ** 2, found.shape[1]] if per_image else [1, -1, found.shape[1]])


def _window(plane: tf.Tensor, first: tf.Tensor, extent: int, compiled: bool) -> tf.Tensor:
    """The pixels from row and column `first`, [batch, side, side] -> [batch, extent, extent]."""
    if compiled:
        return tf.roll(plane, -first, axis=[1, 2])[:, :extent, :extent]
    return tf.slice(plane, tf.concat([[0], first], 0), [-1, extent, extent])


def _covariance(features: tf.Tensor, mean: tf.Tensor) -> tf.Tensor:
    """[groups, features, features] of [groups, blocks, features] and their mean [groups, 1, features]."""
    centred = features - mean
    return tf.matmul(centred, centred, transpose_a=True) / tf.cast(tf.shape(centred)[1], tf.float32)


def _joint(mean: tf.Tensor, covariance: tf.Tensor) -> tf.Tensor:
    """Means, standard deviations and correlations, [groups, statistics], from means and covariances."""
    count = mean.shape[2]
    deviation = tf.sqrt(tf.linalg.diag_part(covariance) + _SMALL_VARIANCE)
    correlation = covariance / (deviation[:, :, tf.newaxis] * deviation[:, tf.newaxis])
    above_diagonal = np.flatnonzero(np.triu(np.ones((count, count)), 1))
    pairs = tf.gather(tf.reshape(correlation, [-1, count * count]), above_diagonal, axis=1)
    return tf.concat([mean[:, 0], deviation, pairs], axis=1)


@functools.lru_cache
def _sectors(block: int) -> np.ndarray:
    """float32 [frequencies, bins]: the matrix from a block's power to its mean in each half octave and direction."""
    bin_of, counts = power_spectra.bins(block, _FIRST)
    return (np.arange(len(counts) - 1) == bin_of[:, np.newaxis]).astype(np.float32) / counts[:-1]
