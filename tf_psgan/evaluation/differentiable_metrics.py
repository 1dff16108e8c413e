"""The distances of metrics.py between windows and one picture, as tensors that have gradients.

The same figures, up to the choice of patches: log power spectrum, sliced Wasserstein distance of the patches of a
Laplacian pyramid (as a loss for textures: Heitz et al. 2021, arXiv:2006.07229) and colour. None of them knows where
something lies, so the phase of a lattice does not count.
"""

import itertools

import numpy as np
import tensorflow as tf

from tf_psgan.evaluation import texture_metrics

BLOCK, RINGS, WEDGES = 128, 9, 6  # of metrics.py's spectrum
DRAWN, DIRECTIONS = 64, 32  # of metrics.py's projections, and how many of them are used: sorting takes most of the time

COLOUR_GRID, PATCH_GRIDS = 3, (5, 3, 1, 1)
"""Pixels from one to the next in a window, of the pixels whose colours count and, level by level, of the patches.

Of the picture all count. Odd: cells are powers of two wide, and an even grid would meet the same few pixels of each.
"""


class Likeness:
    """A picture's statistics, to hold square windows against.

    Args:
      picture: uint8 [h, w, 3], at least 64 pixels a side.
      side: of the windows in pixels, at least 128.
      seed: of the directions of projection, as in `metrics.features`.

    Raises:
      ValueError: a picture that metrics.py refuses.
    """

    def __init__(self, picture: np.ndarray, side: int, seed: int = 0) -> None:
        self._side, self._block = side, min(BLOCK, *picture.shape[:2])
        self._logs = texture_metrics.features([picture], seed).logs.astype(np.float32).ravel()
        self._sectors = _sectors()
        random = np.random.default_rng(seed)
        self._directions = []
        for _ in range(texture_metrics.LEVELS):
            columns = random.normal(size=(texture_metrics.PATCH**2 * 3, DRAWN))[:, :DIRECTIONS]
            columns /= np.linalg.norm(columns, axis=0)
            self._directions.append(
                columns.reshape(texture_metrics.PATCH, texture_metrics.PATCH, 3, -1).astype(np.float32)
            )
        whole, window = tf.constant(picture[np.newaxis], tf.float32), tf.zeros((1, side, side, 3))
        self._colours = _quantiles(_colours(whole, 1)[0], _colours(window).shape[-1])
        every = self._projections(whole, (1,) * texture_metrics.LEVELS)
        self._patches = [
            _quantiles(values[0], like.shape[-1]) for values, like in zip(every, self._projections(window), strict=True)
        ]

    def __call__(self, windows: tf.Tensor) -> tf.Tensor:
        """Distances of windows from the picture.

        Args:
          windows: float32 [batch, side, side, 3] in levels, 0 .. 255; need not be rounded.

        Returns:
          float32 [batch, 3]: log spectrum, sliced Wasserstein, colour, as the functions of metrics.py.
        """
        colour = _mean_difference(_colours(windows), self._colours) / 255.0
        levels = zip(self._projections(windows), self._patches, strict=True)
        patches = tf.add_n([_mean_difference(values, others) for values, others in levels]) / texture_metrics.LEVELS
        squares = tf.reduce_mean((self._log_power(windows) - self._logs) ** 2, axis=-1)
        # A root has no slope at 0.
        return tf.stack([tf.sqrt(squares + 1e-12), patches, colour], axis=-1)

    def _log_power(self, windows: tf.Tensor) -> tf.Tensor:
        """metrics.py's log power spectrum: [batch, RINGS * WEDGES]."""
        light = tf.tensordot(windows, tf.constant([0.299, 0.587, 0.114]), 1)
        block, steps = self._block, range(0, self._side - self._block + 1, self._block // 2)
        parts = [light[:, r : r + block, c : c + block] for r, c in itertools.product(steps, steps)]
        blocks = tf.stack(parts, axis=1)  # [batch, blocks, block, block]
        hann = np.sin(np.pi * (np.arange(block) + 0.5) / block) ** 2
        window = np.outer(hann, hann).astype(np.float32)
        mean = tf.reduce_sum(blocks * window, axis=(-2, -1), keepdims=True) / window.sum()
        spare = ((0, 0), (0, 0), (0, BLOCK - block), (0, BLOCK - block))
        light = tf.pad((blocks - mean) * window, spare)
        waves = tf.signal.fft2d(tf.complex(light, tf.zeros_like(light)))
        power = tf.reduce_mean(tf.math.real(waves) ** 2 + tf.math.imag(waves) ** 2, axis=1) / np.sum(window**2)
        return tf.math.log(tf.reshape(power, (-1, BLOCK * BLOCK)) @ self._sectors + 1.0 / 12.0)

    def _projections(self, windows: tf.Tensor, grids: tuple[int, ...] = PATCH_GRIDS) -> list[tf.Tensor]:
        """Level by level [batch, directions, patches], in no order."""
        found = []
        for band, directions, grid in zip(_pyramid(windows), self._directions, grids, strict=True):
            counts = [
                np.convolve(np.ones(n - texture_metrics.PATCH + 1), np.ones(texture_metrics.PATCH))
                for n in band.shape[1:3]
            ]
            in_patches = np.outer(*counts)[np.newaxis, ..., np.newaxis].astype(np.float32)
            mean, variance = tf.nn.weighted_moments(band, (1, 2), in_patches, keepdims=True)
            # The least bit of variance keeps the slope of the root finite in a band of one colour.
            normal = (band - mean) / (tf.sqrt(variance + 1e-8) + 1e-3)
            values = tf.nn.conv2d(normal, directions, grid, "VALID")
            found.append(tf.transpose(_places_in_one(values), (0, 2, 1)))
        return found


def _pyramid(images: tf.Tensor) -> list[tf.Tensor]:
    """The bands of metrics.py's Laplacian pyramid, finest first."""
    bands = []
    for _ in range(texture_metrics.LEVELS - 1):
        rows, cols = (_blur(pixels) for pixels in images.shape[1:3])
        low = tf.einsum("ir,brsc,js->bijc", rows, images, cols)
        bands.append(images - low)
        images = low[:, ::2, ::2]
    return [*bands, images]


def _blur(pixels: int) -> np.ndarray:
    """The binomial filter (1 4 6 4 1) / 16 along an axis, edges repeated, as a matrix: float32 [pixels, pixels]."""
    wide = np.pad(np.eye(pixels, dtype=np.float32), ((2, 2), (0, 0)), mode="edge")
    return 0.375 * wide[2:-2] + 0.25 * (wide[1:-3] + wide[3:-1]) + 0.0625 * (wide[:-4] + wide[4:])


def _colours(images: tf.Tensor, grid: int = COLOUR_GRID) -> tf.Tensor:
    """[batch, 3, pixels], in no order."""
    return tf.transpose(_places_in_one(images[:, ::grid, ::grid]), (0, 2, 1))


def _places_in_one(values: tf.Tensor) -> tf.Tensor:
    """[batch, rows, cols, channels] -> [batch, rows * cols, channels]."""
    return tf.reshape(values, (-1, values.shape[1] * values.shape[2], values.shape[3]))


def _mean_difference(values: tf.Tensor, others: np.ndarray) -> tf.Tensor:
    """Mean 1-D Wasserstein distance of [batch, rows, n] from sorted [rows, n]: [batch]."""
    return tf.reduce_mean(tf.abs(tf.sort(values) - others), axis=(1, 2))


def _quantiles(values: tf.Tensor, count: int) -> np.ndarray:
    """As many quantiles, evenly spread, of each row: [rows, n] -> float32 [rows, count], rising."""
    ordered = np.sort(np.asarray(values))
    n = ordered.shape[-1]
    place = np.clip((np.arange(count) + 0.5) / count * n - 0.5, 0, n - 1)
    low = np.minimum(place.astype(int), n - 2)
    part = (place - low).astype(np.float32)
    return ordered[:, low] * (1 - part) + ordered[:, low + 1] * part


def _sectors() -> np.ndarray:
    """Takes the mean of a BLOCK x BLOCK spectrum over each ring and wedge: float32 [BLOCK * BLOCK, RINGS * WEDGES]."""
    row, col = np.meshgrid(*[np.fft.fftfreq(BLOCK)] * 2, indexing="ij")
    ring = np.floor(2 * np.log2(np.maximum(np.hypot(row, col), 1e-9) * BLOCK / 3)).astype(int)
    wedge = np.floor(np.mod(np.arctan2(row, col), np.pi) * WEDGES / np.pi + 1e-9).astype(int) % WEDGES
    place = np.where((ring >= 0) & (ring < RINGS), ring * WEDGES + wedge, -1)
    member = (place.reshape(-1, 1) == np.arange(RINGS * WEDGES)).astype(np.float32)
    return member / np.maximum(member.sum(axis=0), 1)
