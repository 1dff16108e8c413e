"""Defects of generated textures that second-order statistics do not show, measured without any trained network.

NumPy only. Each function takes uint8 pictures [h, w, 3]; compare a picture's value with the source's own.
"""

import math

import numpy as np

from tf_psgan.signal_processing import luminance

EDGE_DEVIATION = 1.5  # pixels
PATCH, PATCHES = 16, 64  # of the halved picture


def all_of(picture: np.ndarray) -> dict[str, float]:
    """The metrics that need no source and no cell."""
    skew, kurtosis = band_moments(picture)
    return {
        "edge_coherence": edge_coherence(picture),
        "band_skew": skew,
        "band_kurtosis": kurtosis,
        "repetition": repetition(picture),
        "clipped": clipped(picture),
    }


def edge_coherence(picture: np.ndarray, deviation: float = EDGE_DEVIATION) -> float:
    """How far neighbouring gradients agree on one direction: 0 for isotropic noise, 1 for straight edges.

    From the structure tensor over a Gaussian of `deviation` pixels (Bigun and Granlund 1987): the difference of its
    eigenvalues over their sum, weighted by the sum.
    """
    down, across = np.gradient(luminance(picture).astype(np.float64))
    dd, aa, da = (_gaussian(product, deviation) for product in (down * down, across * across, down * across))
    return float(np.sum(np.hypot(dd - aa, 2 * da)) / max(np.sum(dd + aa), 1e-12))


def band_moments(picture: np.ndarray) -> tuple[float, float]:
    """Skewness and excess kurtosis of the finest band of luminance: what a 5-tap binomial filter takes away.

    Noise of any spectrum has 0 and 0; edges and specks, which are sparse, have a positive kurtosis.
    """
    light = luminance(picture).astype(np.float64)
    band = light - _separable(light, np.array([1, 4, 6, 4, 1]) / 16)
    band -= band.mean()
    deviation = max(float(band.std()), 1e-12)
    return float(np.mean(band**3)) / deviation**3, float(np.mean(band**4)) / deviation**4 - 3


def mean_cell(pictures: np.ndarray, period: int) -> np.ndarray:
    """The mean picture over all blocks of `period` pixels a side of uint8 [n, h, w, 3]: float64 [period, period, 3]."""
    return _blocks(pictures.astype(np.float64), period).mean(axis=(0, 1, 3))


def cell_pattern(pictures: np.ndarray, cell: int) -> tuple[float, float]:
    """(pattern, chance): how strongly a fixed pattern of the generator's cell shows, in 8-bit values.

    The standard deviation over positions of the mean cell's luminance; `chance` is its mean at the four nearest other
    periods. A generator without a grid has equal values.

    Args:
      pictures: uint8 [n, h, w, 3], the first pixel of each at the corner of a cell.
      cell: pixels per cell.
    """
    found, *others = (float(luminance(mean_cell(pictures, p)).std()) for p in (cell, *_neighbours(cell)))
    return found, float(np.mean(others))


def gradient_swing(pictures: np.ndarray, cell: int) -> tuple[float, float]:
    """(swing, chance): greatest over least gradient energy by position in the cell, and the same for other periods."""

    def swing(period: int) -> float:
        light = luminance(pictures).astype(np.float64)
        energy = np.sum([np.gradient(light, axis=axis) ** 2 for axis in (-2, -1)], axis=0)
        by_position = _blocks(energy[..., np.newaxis], period).mean(axis=(0, 1, 3))
        return float(by_position.max() / max(by_position.min(), 1e-12))

    return swing(cell), float(np.mean([swing(period) for period in _neighbours(cell)]))


def repetition(picture: np.ndarray, seed: int = 0) -> float:
    """How unlike patches are to the nearest patch elsewhere: 0 for a picture that repeats exactly, about 1 for noise.

    Root mean square difference of random patches, at half resolution, to the best match that does not overlap them by
    more than half, over that to a random place; the median over the patches. It falls with the picture's size:
    compare pictures of one size.
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
    """Share of pixels with a colour at 0 or 255."""
    return float(np.mean(np.any((picture == 0) | (picture == 255), axis=-1)))


def mean_colour_error(picture: np.ndarray, source: np.ndarray) -> float:
    """Greatest difference of the mean red, green or blue, in 8-bit values."""
    return float(np.max(np.abs(picture.mean(axis=(0, 1)) - source.mean(axis=(0, 1)))))


def _neighbours(cell: int) -> tuple[int, ...]:
    return cell - 2, cell - 1, cell + 1, cell + 2


def _blocks(pictures: np.ndarray, period: int) -> np.ndarray:
    """[n, h, w, c] as [n, down, period, across, period, c], what does not fit left out."""
    count, height, width, channels = pictures.shape
    down, across = height // period, width // period
    whole = pictures[:, : down * period, : across * period]
    return whole.reshape(count, down, period, across, period, channels)


def _halved(picture: np.ndarray) -> np.ndarray:
    rows, cols = picture.shape[0] // 2, picture.shape[1] // 2
    return picture[: 2 * rows, : 2 * cols].reshape(rows, 2, cols, 2, -1).mean(axis=(1, 3))


def _conjugate_box(shape: tuple[int, int]) -> np.ndarray:
    """The transform that takes squares to their sums over patches."""
    return np.conj(np.fft.rfft2(np.ones((PATCH, PATCH)), shape))


def _gaussian(plane: np.ndarray, deviation: float) -> np.ndarray:
    reach = math.ceil(3 * deviation)
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    return _separable(plane, taps / taps.sum())


def _separable(plane: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """A filter along both axes of [h, w], edges repeated."""
    for axis in (0, 1):
        reach = len(taps) // 2
        pads = [(reach, reach) if i == axis else (0, 0) for i in range(2)]
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(plane, pads, mode="edge"), len(taps), axis=axis)
        plane = windows @ taps
    return plane
