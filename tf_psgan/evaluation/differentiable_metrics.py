"""The distances of `texture_metrics` between windows and one picture, as TensorFlow operations with gradients.

Log power spectrum, sliced Wasserstein distance of the patches of a Laplacian pyramid (as a loss for textures: Heitz et
al. 2021, arXiv:2006.07229) and colour; equal to those of `texture_metrics` but for the choice of patches. None of them
depends on positions, so the phase of a lattice does not count.
"""

import itertools

import numpy as np
import tensorflow as tf

from tf_psgan.evaluation import texture_features
from tf_psgan.evaluation.texture_features import PATCH, PYRAMID_LEVELS, SPECTRUM_SIDE
from tf_psgan.signal_processing import DIRECTIONS, LUMINANCE, ROUNDING_VARIANCE, hann

PROJECTIONS = 32
"""How many of `texture_features`' projections are used: sorting them takes most of the time."""

COLOUR_STRIDE, PATCH_STRIDES = 3, (5, 3, 1, 1)
"""Stride, in pixels of a window, of the pixels whose colours count and, per pyramid level, of the patches.

Of the picture all count. Odd: a cell's side is a power of two, and an even stride would sample the same few pixels of
each cell.
"""


class DifferentiableMetrics:
    """The distances of square windows from a picture.

    Args:
      picture: uint8 [h, w, 3], at least 64 pixels a side.
      side: of the windows in pixels, at least 128.
      seed: of the projections, as in `texture_features.features`.

    Raises:
      PictureError: a picture that `texture_features` cannot measure.
    """

    def __init__(self, picture: np.ndarray, side: int, seed: int = 0) -> None:
        self._side, self._block = side, min(SPECTRUM_SIDE, *picture.shape[:2])
        self._logs = texture_features.features([picture], seed).logs.astype(np.float32).ravel()
        self._sectors = _sectors()
        self._directions = [
            columns[:, :PROJECTIONS].reshape(PATCH, PATCH, 3, -1).astype(np.float32)
            for columns in texture_features.projection_directions(seed)
        ]
        whole, window = tf.constant(picture[np.newaxis], tf.float32), tf.zeros((1, side, side, 3))
        self._colours = _quantiles(_colours(whole, 1)[0], _colours(window).shape[-1])
        every = self._projections(whole, (1,) * PYRAMID_LEVELS)
        self._patches = [
            _quantiles(values[0], like.shape[-1]) for values, like in zip(every, self._projections(window), strict=True)
        ]

    def __call__(self, windows: tf.Tensor) -> tf.Tensor:
        """Distances of windows from the picture.

        Args:
          windows: float32 [batch, side, side, 3], 0 .. 255; need not be rounded.

        Returns:
          float32 [batch, 3]: log spectrum, sliced Wasserstein, colour, as the functions of `texture_metrics`.
        """
        colour = _mean_difference(_colours(windows), self._colours) / 255.0
        levels = zip(self._projections(windows), self._patches, strict=True)
        patches = tf.add_n([_mean_difference(values, others) for values, others in levels]) / PYRAMID_LEVELS
        squares = tf.reduce_mean((self._log_power(windows) - self._logs) ** 2, axis=-1)
        # The gradient of a square root is infinite at 0.
        return tf.stack([tf.sqrt(squares + 1e-12), patches, colour], axis=-1)

    def _log_power(self, windows: tf.Tensor) -> tf.Tensor:
        """The log power spectrum of `texture_features`: [batch, half octaves * directions]."""
        light = tf.tensordot(windows, tf.constant(LUMINANCE), 1)
        block, steps = self._block, range(0, self._side - self._block + 1, self._block // 2)
        parts = [light[:, r : r + block, c : c + block] for r, c in itertools.product(steps, steps)]
        blocks = tf.stack(parts, axis=1)  # [batch, blocks, block, block]
        window = np.outer(hann(block), hann(block)).astype(np.float32)
        mean = tf.reduce_sum(blocks * window, axis=(-2, -1), keepdims=True) / window.sum()
        padding = ((0, 0), (0, 0), *[(0, SPECTRUM_SIDE - block)] * 2)
        light = tf.pad((blocks - mean) * window, padding)
        waves = tf.signal.fft2d(tf.complex(light, tf.zeros_like(light)))
        power = tf.reduce_mean(tf.math.real(waves) ** 2 + tf.math.imag(waves) ** 2, axis=1) / np.sum(window**2)
        return tf.math.log(tf.reshape(power, (-1, SPECTRUM_SIDE**2)) @ self._sectors + ROUNDING_VARIANCE)

    def _projections(self, windows: tf.Tensor, strides: tuple[int, ...] = PATCH_STRIDES) -> list[tf.Tensor]:
        """Per pyramid level [batch, projections, patches], in no order."""
        found = []
        for band, directions, stride in zip(_pyramid(windows), self._directions, strides, strict=True):
            counts = [np.convolve(np.ones(n - PATCH + 1), np.ones(PATCH)) for n in band.shape[1:3]]
            in_patches = np.outer(*counts)[np.newaxis, ..., np.newaxis].astype(np.float32)
            mean, variance = tf.nn.weighted_moments(band, (1, 2), in_patches, keepdims=True)
            # The added variance keeps the gradient of the square root finite in a band of one colour.
            normal = (band - mean) / (tf.sqrt(variance + 1e-8) + 1e-3)
            values = tf.nn.conv2d(normal, directions, stride, "VALID")
            found.append(tf.transpose(_flat_positions(values), (0, 2, 1)))
        return found


def _pyramid(images: tf.Tensor) -> list[tf.Tensor]:
    """The bands of `texture_features`' Laplacian pyramid, finest first."""
    bands = []
    for _ in range(PYRAMID_LEVELS - 1):
        rows, cols = (
            texture_features.binomial_filter(np.eye(pixels, dtype=np.float32), 0) for pixels in images.shape[1:3]
        )
        low = tf.einsum("ir,brsc,js->bijc", rows, images, cols)
        bands.append(images - low)
        images = low[:, ::2, ::2]
    return [*bands, images]


def _colours(images: tf.Tensor, stride: int = COLOUR_STRIDE) -> tf.Tensor:
    """[batch, 3, pixels], in no order."""
    return tf.transpose(_flat_positions(images[:, ::stride, ::stride]), (0, 2, 1))


def _flat_positions(values: tf.Tensor) -> tf.Tensor:
    """[batch, rows, cols, channels] -> [batch, rows * cols, channels]."""
    return tf.reshape(values, (-1, values.shape[1] * values.shape[2], values.shape[3]))


def _mean_difference(values: tf.Tensor, others: np.ndarray) -> tf.Tensor:
    """Mean 1-D Wasserstein distance of [batch, rows, n] from sorted [rows, n]: [batch]."""
    return tf.reduce_mean(tf.abs(tf.sort(values) - others), axis=(1, 2))


def _quantiles(values: tf.Tensor, count: int) -> np.ndarray:
    """`count` evenly spaced quantiles of each row: [rows, n] -> float32 [rows, count], ascending."""
    ordered = np.sort(np.asarray(values))
    n = ordered.shape[-1]
    position = np.clip((np.arange(count) + 0.5) / count * n - 0.5, 0, n - 1)
    low = np.minimum(position.astype(int), n - 2)
    part = (position - low).astype(np.float32)
    return ordered[:, low] * (1 - part) + ordered[:, low + 1] * part


def _sectors() -> np.ndarray:
    """The matrix that averages a block's power over each bin: float32 [SPECTRUM_SIDE**2, half octaves * directions]."""
    bins = texture_features.spectrum_bins().reshape(-1, 1)
    member = (bins == np.arange(texture_features.HALF_OCTAVES * DIRECTIONS)).astype(np.float32)
    return member / np.maximum(member.sum(axis=0), 1)
