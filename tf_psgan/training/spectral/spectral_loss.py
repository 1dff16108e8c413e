"""The spectral loss: the generator's crops have to match the power spectra and colours of the real crops.

The discriminator hardly sees contrast. Its batch normalization divides every feature by its own root mean square over
the batch, and real and fake crops pass it in separate batches, so twice the contrast scores the same. A generator that
is trained by its scores alone stays pale, and has no grain or a grid of single pixels. This term compares statistics of
real and fake crops directly (the spectral loss of Durall et al. 2020, arXiv:2003.01826, section 4, with directions):

- power of the whole crop in half octaves and directions, because a crop has few large structures;
- power at each frequency of its blocks of 32 x 32 pixels (Welch 1967), because small structures are many;
- the same of two colour differences, from fewer blocks, without which images carry coloured specks;
- mean and variance of luminance and of the two colour differences;
- statistics of small blocks (`block_statistics`), which say where in a crop the power lies.

Differences count by their size, not by their square, so that a small bias at every frequency, which is what missing
contrast is, still has a gradient.
"""

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_psgan import material
from tf_psgan.latents import noise
from tf_psgan.networks.operations import MeanOverWorkers
from tf_psgan.runtime.workers import ALONE
from tf_psgan.training.spectral import block_statistics, power_spectra
from tf_psgan.training.terms import Batch, Term

BLOCK = 32
"""Side in pixels of the blocks whose power is compared at each frequency."""
EMA_DECAY = 0.99
"""Decay of the running mean of the real crops' statistics."""
RAMP_STEPS = 1000
"""Steps over which the weight grows from 0: at full weight from the start, lattices are learned later."""
COLOUR_WEIGHT = 0.25
"""Weight of the power of colour differences: at 1 it slows down everything else."""
_KNEE = 0.1  # below this size a difference counts by its square
_SHIFT_COUNTER = 2  # folded into the step's key for the position of the small blocks


class SpectralLoss(Term):
    """Distance of the fake crops' statistics from a running mean of the real crops' statistics.

    The weight grows linearly over the first 1000 steps. A class-conditional model has a running mean for each class,
    and each fake crop is compared with that of its class; otherwise the batch is compared as a whole.

    Args:
      weight: full weight, from step 1000 on.
      crop_pixels: side of the crops, at least 16.
      classes: number of classes; 0 for a model that is not class-conditional.
      block_sizes: sides of the small blocks, see `block_statistics`; () for none.
      maps: of a material. Each is compared as a picture of its own, a grey one as red, green and blue of one value, and
        the distances are added.
    """

    network = "generator"
    logged = False

    def __init__(
        self,
        weight: float,
        crop_pixels: int,
        classes: int = 0,
        block_sizes: Sequence[int] = block_statistics.BLOCKS,
        maps: Sequence[str] = (),
    ) -> None:
        super().__init__(weight)
        self.crop_pixels, self.block_sizes, self.maps = crop_pixels, tuple(block_sizes), tuple(maps)
        self.real = RunningMean((1 + len(maps)) * len(weights(crop_pixels, self.block_sizes)), classes)

    def __call__(self, batch: Batch) -> tf.Tensor:
        """The weighted distance; updates the running mean after a successful step."""
        per_image = batch.class_ids is not None
        shift = noise.below(noise.fold(batch.key, _SHIFT_COUNTER, [0, 1]), max(self.block_sizes, default=1))
        measured = self._measure(batch, batch.real, shift)
        batches, mean = self.real.with_batch(measured, batch.class_ids, batch.over_workers if per_image else ALONE.mean)
        batch.after_update(self.real.batches, batches)
        batch.after_update(self.real.mean, mean)
        target = tf.gather(mean, batch.class_ids) if per_image else mean
        weight = self.weight * tf.minimum(1.0, tf.cast(batch.step + 1, tf.float32) / RAMP_STEPS)
        fake = self._measure(batch, batch.fake, shift)
        return weight * self._distance(target, fake)

    def state(self) -> dict[str, tf.Variable]:
        """The running mean, under the names that checkpoints have for it."""
        return {"power_record/seen": self.real.batches, "power_record/figures": self.real.mean}

    def _measure(self, batch: Batch, images: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
        per_image = batch.class_ids is not None
        over_workers = ALONE.mean if per_image else batch.over_workers  # an image has statistics of its own
        parts = self._pictures(images)
        found = [measure(p, shift, per_image, self.block_sizes, batch.compiled, over_workers) for p in parts]
        return tf.concat(found, axis=1) if self.maps else found[0]

    def _pictures(self, images: tf.Tensor) -> list[tf.Tensor]:
        """The colours and the maps, three channels each."""
        if not self.maps:
            return [images]
        parts = tf.split(images, material.widths(self.maps), axis=-1)
        return [part if part.shape[-1] == 3 else tf.concat([part] * 3, axis=-1) for part in parts]

    def _distance(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        if not self.maps:
            return distance(a, b, self.crop_pixels, self.block_sizes)
        parts = (tf.split(statistics, 1 + len(self.maps), axis=1) for statistics in (a, b))
        return tf.add_n([distance(x, y, self.crop_pixels, self.block_sizes) for x, y in zip(*parts, strict=True)])


class RunningMean(tf.Module):
    """The running mean of statistics of real crops, by class, because one batch is too small a sample.

    The mean of the first 100 batches is a plain one; from then on it decays exponentially.

    Args:
      statistics: how many statistics there are.
      classes: number of classes; 0 for one mean of everything.
    """

    def __init__(self, statistics: int, classes: int = 0) -> None:
        super().__init__()
        groups = max(1, classes)
        self.batches = tf.Variable(tf.zeros([groups]), trainable=False)
        self.mean = tf.Variable(tf.zeros([groups, statistics]), trainable=False)

    def with_batch(
        self,
        measured: tf.Tensor,
        class_ids: tf.Tensor | None = None,
        over_workers: MeanOverWorkers = ALONE.mean,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """`batches` [groups] and `mean` [groups, statistics] with one batch more, for `assign`; changes nothing.

        Args:
          measured: float32 [batch, statistics] from `measure`, or [1, statistics] of one group.
          class_ids: int64 [batch], the class of each row; None for one group.
          over_workers: averages over the parts of a batch of which each worker has one.
        """
        class_ids = tf.zeros([1], tf.int64) if class_ids is None else class_ids
        groups = self.batches.shape[0]
        parts = tf.ones_like(measured[:, 0]), measured
        present, sums = over_workers([tf.math.unsorted_segment_sum(part, class_ids, groups) for part in parts])
        batch = sums / tf.where(present > 0, present, 1.0)[:, tf.newaxis]
        batches = self.batches + tf.sign(present)
        share = tf.where(present > 0, tf.maximum(1.0 - EMA_DECAY, 1.0 / tf.maximum(batches, 1.0)), 0.0)
        return batches, self.mean + share[:, tf.newaxis] * (batch - self.mean)


def measure(
    images: tf.Tensor,
    shift: tf.Tensor,
    per_image: bool = False,
    block_sizes: Sequence[int] = block_statistics.BLOCKS,
    compiled: bool = False,
    over_workers: MeanOverWorkers = ALONE.mean,
) -> tf.Tensor:
    """The statistics of a batch: float32 [1, statistics], or [batch, statistics] image by image.

    Args:
      images: float [batch, side, side, 3] in [-1, 1], side at least 16.
      shift: int [2], 0 .. 31, position of the small blocks; see `block_statistics.measure`.
      per_image: measure each image alone, for batches whose images are of several classes.
      block_sizes: sides of the small blocks.
      compiled: computes in the form for XLA, see `terms.Batch`.
      over_workers: averages over the parts of a batch of which each worker has one, before any logarithm.

    Returns:
      Natural logarithms of luminance power, in half octaves and directions of 30 degrees of the whole image, and at
      each frequency of its blocks of 32 x 32; of the power of two colour differences in the middle row of blocks; five
      times the mean of each colour, and the logarithm of its variance; then the statistics of small blocks.
    """
    planes = power_spectra.planes(images)
    luminance, side = planes[0], images.shape[1]
    bin_of, counts = power_spectra.bins(side)
    whole = power_spectra.spectra(luminance)
    if not per_image:
        whole = tf.reduce_mean(whole, axis=0, keepdims=True)
    by_frequency = tf.transpose(tf.reshape(whole, [-1, len(bin_of)]))  # [frequencies, groups]
    sums = tf.transpose(tf.math.unsorted_segment_sum(by_frequency, bin_of, len(counts)))  # [groups, bins]
    sectors = (sums / counts)[:, :-1]
    block = min(BLOCK, side)
    above = side // block // 2 * block
    rows = [above, block, side - above - block]
    middle_rows = [tf.split(plane, rows, axis=1)[1] for plane in planes[1:]]
    colours = [_block_power(plane, block, per_image) for plane in middle_rows]
    powers = tf.concat([sectors, _block_power(luminance, block, per_image), *colours], axis=1)
    powers, means, squares = over_workers([powers, *_moments(planes, per_image)])
    variances = tf.nn.relu(squares - tf.square(means))
    found = [tf.math.log(powers + power_spectra.ROUNDING), 5.0 * means, tf.math.log(variances + power_spectra.ROUNDING)]
    if block_sizes:
        found.append(block_statistics.measure(planes, shift, per_image, block_sizes, compiled, over_workers))
    return tf.concat(found, axis=1)


def distance(a: tf.Tensor, b: tf.Tensor, side: int, block_sizes: Sequence[int] = block_statistics.BLOCKS) -> tf.Tensor:
    """The distance of two measurements [groups, statistics] of images of `side` pixels: a scalar, 0 for equal ones.

    Sums the means of the pseudo-Huber norm of the differences (0.1 is its knee) over half octaves, over frequencies of
    luminance, over those of colour (times COLOUR_WEIGHT), over colours, and over the statistics of small blocks with
    `block_statistics.weights`.
    """
    difference = tf.sqrt(tf.square(a - b) + _KNEE**2) - _KNEE
    return tf.reduce_mean(tf.linalg.matvec(difference, weights(side, tuple(block_sizes))))


@functools.lru_cache
def weights(side: int, block_sizes: tuple[int, ...] = block_statistics.BLOCKS) -> np.ndarray:
    """float32 [statistics]: the weight of each statistic in `distance`.

    The weights of each kind add up to 1, those of the power of colour differences to COLOUR_WEIGHT.
    """
    block = min(BLOCK, side)
    frequencies = block * (block // 2 + 1) - 1
    parts = (
        (len(power_spectra.bins(side)[1]) - 1, 1.0),
        (frequencies, 1.0),
        (2 * frequencies, COLOUR_WEIGHT),
        (6, 1.0),
    )
    spectra = [np.full(count, weight / count, np.float32) for count, weight in parts]
    return np.concatenate([*spectra, block_statistics.weights(side, block_sizes)])


def _block_power(plane: tf.Tensor, block: int, per_image: bool) -> tf.Tensor:
    """Power at each frequency but 0, averaged over the blocks: [batch, rows, cols] -> [groups, frequencies - 1]."""
    spectra = power_spectra.spectra(power_spectra.blocks(plane, block))
    powers = tf.reshape(spectra, [-1, block * (block // 2 + 1)])[:, 1:]
    groups = tf.reshape(powers, [tf.shape(plane)[0] if per_image else 1, -1, powers.shape[1]])
    return tf.reduce_mean(groups, axis=1)


def _moments(planes: list[tf.Tensor], per_image: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """The means of three planes and of their squares, [groups, 3] each."""
    pixels = [tf.reshape(plane, [tf.shape(plane)[0] if per_image else 1, -1]) for plane in planes]
    means = [tf.reduce_mean(plane, axis=1) for plane in pixels]
    squares = [tf.reduce_mean(tf.square(plane), axis=1) for plane in pixels]
    return tf.stack(means, axis=1), tf.stack(squares, axis=1)
