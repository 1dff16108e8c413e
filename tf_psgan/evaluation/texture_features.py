"""The statistics of pictures that texture distances compare: power spectrum, colour histograms, patches. NumPy only."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from tf_psgan.errors import PictureError
from tf_psgan.evaluation import spectrum
from tf_psgan.signal_processing import DIRECTIONS, ROUNDING_VARIANCE, sectors, square_crops

MIN_PIXELS = 64
"""Least side of a picture."""

SPECTRUM_SIDE, HALF_OCTAVES = 128, 9
"""Side of the blocks whose spectrum is compared, and half octaves from 3 cycles a block up."""

PYRAMID_LEVELS = 4
PATCH = 7
"""Side of a patch."""

PROJECTIONS = 64
"""Random directions onto which the patches are projected."""


@dataclasses.dataclass(frozen=True)
class Features:
    """The statistics of a set of pictures that the distances compare.

    logs: float64 [half octaves, directions], log power spectrum of luminance in 8-bit values.
    colours: float64 [3, 256], share of the pixels at or below each 8-bit value.
    patches: per pyramid level, finest first, float32 [projections, patches], sorted projections of normalised patches.
    """

    logs: np.ndarray
    colours: np.ndarray
    patches: tuple[np.ndarray, ...]


def features(pictures: Sequence[np.ndarray], seed: int = 0, patches: int = 2048) -> Features:
    """Precomputes what the distances need; both sides of a distance take the same seed and number of patches.

    For each level of the Laplacian pyramid (Karras et al. 2018, arXiv:1710.10196) draws 7x7x3 patches, normalises
    each colour channel over them to mean 0 and deviation 1, and projects them onto 64 random directions.

    Raises:
      PictureError: a picture of another type or shape, or too small.
    """
    counts = sum(
        np.stack([np.bincount(checked(picture)[..., channel].ravel(), minlength=256) for channel in range(3)])
        for picture in pictures
    )
    pyramids = [_pyramid(picture.astype(np.float32)) for picture in pictures]
    sorted_projections = []
    for level, directions in enumerate(projection_directions(seed)):
        drawn = _draw_patches([pyramid[level] for pyramid in pyramids], patches, seed + level)
        drawn = (drawn - drawn.mean((0, 1))) / (drawn.std((0, 1)) + 1e-3)
        projected = drawn.reshape(patches, -1) @ directions.astype(np.float32)
        sorted_projections.append(np.sort(projected.T, axis=1))
    logs = _log_power(pictures)
    return Features(logs, np.cumsum(counts, axis=1) / np.sum(counts, axis=1, keepdims=True), tuple(sorted_projections))


def projection_directions(seed: int) -> list[np.ndarray]:
    """Per pyramid level random unit vectors: float64 [PATCH * PATCH * 3, PROJECTIONS]."""
    rng = np.random.default_rng(seed)
    drawn = [rng.normal(size=(PATCH * PATCH * 3, PROJECTIONS)) for _ in range(PYRAMID_LEVELS)]
    return [columns / np.linalg.norm(columns, axis=0) for columns in drawn]


@functools.cache
def spectrum_bins() -> np.ndarray:
    """The bin, half octave * DIRECTIONS + direction, of each frequency of a block's spectrum; -1 for none.

    Int [SPECTRUM_SIDE, SPECTRUM_SIDE] in the order of np.fft.fft2.
    """
    rows, cols = np.meshgrid(*[np.fft.fftfreq(SPECTRUM_SIDE)] * 2, indexing="ij")
    ring, direction = sectors(rows, cols, SPECTRUM_SIDE)
    return np.where((ring >= 0) & (ring < HALF_OCTAVES), ring * DIRECTIONS + direction, -1)


def binomial_filter(image: np.ndarray, axis: int) -> np.ndarray:
    """Filters with (1 4 6 4 1) / 16 along an axis, edges repeated."""
    pads = [(2, 2) if i == axis else (0, 0) for i in range(image.ndim)]
    wide = np.moveaxis(np.pad(image, pads, mode="edge"), axis, 0)
    mixed = 0.375 * wide[2:-2] + 0.25 * (wide[1:-3] + wide[3:-1]) + 0.0625 * (wide[:-4] + wide[4:])
    return np.moveaxis(mixed, 0, axis)


def checked(picture: np.ndarray) -> np.ndarray:
    """The picture, if it can be measured: uint8 [h, w, 3] of at least MIN_PIXELS a side; PictureError otherwise."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or min(picture.shape[:2]) < MIN_PIXELS:
        raise PictureError(
            "picture",
            f"{picture.dtype} {list(picture.shape)} cannot be measured",
            f"use uint8 [height, width, 3] of at least {MIN_PIXELS}x{MIN_PIXELS} pixels",
            value=picture.shape,
        )
    return picture


def _log_power(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Log of the mean power in each half octave and direction, [HALF_OCTAVES, DIRECTIONS], by Welch's method.

    Blocks of SPECTRUM_SIDE pixels, half over each other; those of smaller pictures are smaller and padded with zeros.
    """
    side = min(SPECTRUM_SIDE, *(min(picture.shape[:2]) for picture in pictures))
    largest = [picture[: spectrum.MAX_SIDE, : spectrum.MAX_SIDE] for picture in pictures]
    density = spectrum.power(square_crops(largest, side, side // 2), (SPECTRUM_SIDE, SPECTRUM_SIDE))
    bins, count = spectrum_bins(), HALF_OCTAVES * DIRECTIONS
    used = bins >= 0
    mean = np.bincount(bins[used], density[used], count) / np.maximum(np.bincount(bins[used], minlength=count), 1)
    return np.log(mean + ROUNDING_VARIANCE).reshape(HALF_OCTAVES, DIRECTIONS)


def _pyramid(picture: np.ndarray) -> list[np.ndarray]:
    """Bands of the Laplacian pyramid (Burt and Adelson 1983), finest first, each of half the resolution before it."""
    bands = []
    for _ in range(PYRAMID_LEVELS - 1):
        low = binomial_filter(binomial_filter(picture, 0), 1)
        bands.append(picture - low)
        picture = low[::2, ::2]
    return [*bands, picture]


def _draw_patches(images: Sequence[np.ndarray], count: int, seed: int) -> np.ndarray:
    """[count, PATCH * PATCH, 3] patches from random positions, equally many of each image."""
    rng = np.random.default_rng(seed)
    drawn = []
    for i, image in enumerate(images):
        number = count // len(images) + (i < count % len(images))
        rows, cols = (rng.integers(0, n - PATCH + 1, number) for n in image.shape[:2])
        drawn.append(np.lib.stride_tricks.sliding_window_view(image, (PATCH, PATCH), axis=(0, 1))[rows, cols])
    return np.concatenate(drawn).reshape(count, 3, -1).swapaxes(1, 2)
