"""Defects of generated textures that second-order statistics do not detect, measured without a trained network.

NumPy only. Each function takes uint8 pictures [h, w, 3]. The value of a picture is compared with that of its source.
"""

import math
from collections.abc import Sequence

import numpy as np

from tf_psgan.detail import mean_cell
from tf_psgan.signal_processing import luminance

EDGE_DEVIATION = 1.5  # standard deviation of the Gaussian, in pixels
PATCH, PATCHES = 16, 64  # side in pixels of the picture at half resolution, and number


def all_of(picture: np.ndarray) -> dict[str, float]:
    """All metrics that need neither a source nor the size of a cell."""
    skew, kurtosis = band_moments(picture)
    return {
        "edge_coherence": edge_coherence(picture),
        "band_skew": skew,
        "band_kurtosis": kurtosis,
        "repetition": repetition(picture),
        "clipped": clipped(picture),
    }


def edge_coherence(picture: np.ndarray, deviation: float = EDGE_DEVIATION) -> float:
    """Agreement of the directions of neighbouring gradients: 0 for isotropic noise, 1 for straight edges.

    The difference of the eigenvalues of the structure tensor divided by their sum, weighted by the sum; the tensor is
    smoothed by a Gaussian of `deviation` pixels (Bigun and Granlund 1987).
    """
    light = luminance(picture).astype(np.float64)
    down, across = (np.asarray(np.gradient(light, axis=axis)) for axis in (0, 1))
    dd, aa, da = (_gaussian(product, deviation) for product in (down * down, across * across, down * across))
    return float(np.sum(np.hypot(dd - aa, 2 * da)) / max(np.sum(dd + aa), 1e-12))


def band_moments(picture: np.ndarray) -> tuple[float, float]:
    """Skewness and excess kurtosis of the finest band of luminance, the residual of a 5-tap binomial filter.

    Both are 0 for Gaussian noise of any spectrum. Sparse structures such as edges and specks have positive kurtosis.
    """
    light = luminance(picture).astype(np.float64)
    band = light - _separable(light, np.array([1, 4, 6, 4, 1]) / 16)
    band -= band.mean()
    deviation = max(float(band.std()), 1e-12)
    return float(np.mean(band**3)) / deviation**3, float(np.mean(band**4)) / deviation**4 - 3


def cell_pattern(pictures: np.ndarray, cell: int, lattice: np.ndarray | None = None) -> tuple[float, float]:
    """(pattern, chance): strength of a fixed pattern with the period of the generator's cell, in 8-bit values.

    The strength is the standard deviation over positions of the mean luminance of all blocks of `cell` pixels a side;
    `chance` is its mean over the four nearest other periods. The two values of a generator without a grid pattern are
    equal. What repeats on a lattice is left out first: a few of its periods may be a whole number of cells, which is no
    grid. On a lattice whose own periods are whole cells nothing of a grid would remain.

    Args:
      pictures: uint8 [n, h, w, 3], the first pixel of each at the corner of a cell.
      cell: pixels per cell.
      lattice: float [2, 2], (row, col) pixels of two vectors on which the pictures repeat; None or [0, 2] without one.
    """
    light = luminance(pictures).astype(np.float64)
    if lattice is not None and len(lattice):
        phases, extent = mean_cell.turns(light.shape[1:], np.linalg.inv(lattice).T), mean_cell.cell_extent(lattice)
        light = np.stack([part - mean_cell.drawn(part[..., np.newaxis], phases, extent)[..., 0] for part in light])
    found, *others = (float(_mean_block(light, period).std()) for period in (cell, *_neighbours(cell)))
    return found, float(np.mean(others))


def gradient_swing(pictures: np.ndarray, cell: int) -> tuple[float, float]:
    """(swing, chance): largest over smallest gradient energy by position in the cell; the mean for other periods."""
    light = luminance(pictures).astype(np.float64)
    energy = np.sum([np.gradient(light, axis=axis) ** 2 for axis in (-2, -1)], axis=0)
    blocks = [_mean_block(energy, period) for period in (cell, *_neighbours(cell))]
    found, *others = (float(block.max() / max(block.min(), 1e-12)) for block in blocks)
    return found, float(np.mean(others))


def repetition(picture: np.ndarray, seed: int = 0) -> float:
    """Distance of patches to their best match elsewhere: 0 for a picture that repeats exactly, about 1 for noise.

    The root mean square difference between a random patch, at half resolution, and its best match among patches that
    overlap it by at most half, divided by the median difference over all positions; the median over the random patches.
    The value decreases with the size of the picture, so only pictures of equal size can be compared.
    """
    random = np.random.default_rng(seed)
    small = _halved(picture.astype(np.float64))
    small -= small.mean(axis=(0, 1))
    rows, cols = small.shape[:2]
    waves = np.fft.rfft2(small, axes=(0, 1))
    energy = np.fft.irfft2(np.fft.rfft2(np.sum(small**2, axis=-1)) * _conjugate_box((rows, cols)), (rows, cols))
    shares = []
    for _ in range(PATCHES):
        top, left = int(random.integers(rows - PATCH + 1)), int(random.integers(cols - PATCH + 1))
        patch = small[top : top + PATCH, left : left + PATCH]
        spectrum = np.conj(np.fft.rfft2(patch, (rows, cols), axes=(0, 1)))
        product = np.fft.irfft2(np.sum(waves * spectrum, axis=-1), (rows, cols))
        error = np.maximum(energy - 2 * product + np.sum(patch**2), 0)[: rows - PATCH + 1, : cols - PATCH + 1]
        typical = float(np.median(error))
        half = PATCH // 2
        error[max(0, top - half) : top + half + 1, max(0, left - half) : left + half + 1] = np.inf
        shares.append(math.sqrt(float(error.min()) / max(typical, 1e-12)))
    return float(np.median(shares))


def clipped(picture: np.ndarray) -> float:
    """Share of pixels with at least one colour channel at 0 or 255."""
    return float(np.mean(np.any((picture == 0) | (picture == 255), axis=-1)))


def mean_colour_error(pictures: Sequence[np.ndarray], sources: Sequence[np.ndarray]) -> float:
    """Largest difference of the mean red, green or blue of all pictures and all sources, in 8-bit values."""
    made, wanted = (np.mean([picture.mean(axis=(0, 1)) for picture in group], axis=0) for group in (pictures, sources))
    return float(np.max(np.abs(made - wanted)))


def colour_error(pictures: Sequence[np.ndarray], sources: Sequence[np.ndarray]) -> float:
    """1-D Wasserstein distance between the histograms of a channel, averaged over the channels, in 8-bit values.

    The mean amount by which sorted pixels differ: it includes wrong contrast and lost highlights.
    """
    made, wanted = (_distribution(group) for group in (pictures, sources))
    return float(np.mean(np.sum(np.abs(made - wanted), axis=-1)))


def _distribution(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Mean share over the pictures of the pixels at or below each 8-bit value: float64 [3, 256]."""
    shares = [
        [np.bincount(picture[..., channel].ravel(), minlength=256) / picture[..., channel].size for channel in range(3)]
        for picture in pictures
    ]
    return np.cumsum(np.mean(shares, axis=0), axis=-1)


def _neighbours(cell: int) -> tuple[int, ...]:
    return cell - 2, cell - 1, cell + 1, cell + 2


def _mean_block(values: np.ndarray, period: int) -> np.ndarray:
    """The mean over all blocks of `period` a side of [n, h, w], incomplete ones dropped: [period, period]."""
    count, height, width = values.shape
    down, across = height // period, width // period
    whole = values[:, : down * period, : across * period]
    return whole.reshape(count, down, period, across, period).mean(axis=(0, 1, 3))


def _halved(picture: np.ndarray) -> np.ndarray:
    rows, cols = picture.shape[0] // 2, picture.shape[1] // 2
    return picture[: 2 * rows, : 2 * cols].reshape(rows, 2, cols, 2, -1).mean(axis=(1, 3))


def _conjugate_box(shape: tuple[int, int]) -> np.ndarray:
    """Conjugate Fourier transform of a patch-sized box, which sums squares over patches."""
    return np.conj(np.fft.rfft2(np.ones((PATCH, PATCH)), shape))


def _gaussian(plane: np.ndarray, deviation: float) -> np.ndarray:
    reach = math.ceil(3 * deviation)
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    return _separable(plane, taps / taps.sum())


def _separable(plane: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Filters [h, w] along both axes; edge values are repeated."""
    for axis in (0, 1):
        reach = len(taps) // 2
        pads = [(reach, reach) if i == axis else (0, 0) for i in range(2)]
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(plane, pads, mode="edge"), len(taps), axis=axis)
        plane = windows @ taps
    return plane
