"""Autocorrelation of textures, from power spectra (Wiener-Khinchin). NumPy only."""

from collections.abc import Sequence

import numpy as np

from tf_psgan.signal_processing import luminance


def autocorrelation(picture: np.ndarray, reach: int, shading: float) -> np.ndarray:
    """Autocorrelation of a picture's luminance, each lag divided by its own overlap, 1 at lag 0.

    Args:
      picture: uint8 [h, w, 3].
      reach: largest lag in pixels along each axis, less than h and w.
      shading: standard deviation in pixels of the Gaussian whose blur is subtracted first; uneven light would otherwise
        raise every lag.

    Returns:
      float64 [2 * reach + 1, 2 * reach + 1], lag (0, 0) at the centre; 0 elsewhere for a picture of one colour.
    """
    return _of_planes([luminance(picture).astype(np.float64)], reach, shading)


def _of_planes(planes: Sequence[np.ndarray], reach: int, shading: float) -> np.ndarray:
    """`autocorrelation` summed over float64 [h, w] planes, 1 at lag 0."""
    rows, cols = planes[0].shape
    shape = rows + reach, cols + reach
    power = np.zeros((shape[0], shape[1] // 2 + 1))
    for plane in planes:
        flat = plane - plane.mean()
        flat -= _blurred(flat, shading, shape)
        flat -= flat.mean()
        power += np.abs(np.fft.rfft2(flat, shape)) ** 2
    sums = np.fft.irfft2(power, shape)
    lags = np.arange(-reach, reach + 1)
    overlap = np.outer(rows - np.abs(lags), cols - np.abs(lags))
    result = sums[np.ix_(lags, lags)] / overlap
    return result / max(float(result[reach, reach]), 1e-12)


def _directions(light: np.ndarray) -> list[np.ndarray]:
    """Structure tensor orientation: cosine and sine of twice the edges' angle times their strength, [h, w] each."""
    down, across = np.gradient(_blurred(light, 1.0, _padded(light, 1.0)))
    strength = np.maximum(np.hypot(down, across), 1e-6)
    doubled = (across**2 - down**2) / strength, 2 * across * down / strength
    return [_blurred(plane, 2.0, _padded(plane, 2.0)) for plane in doubled]


def _padded(plane: np.ndarray, deviation: float) -> tuple[int, int]:
    return plane.shape[0] + round(6 * deviation), plane.shape[1] + round(6 * deviation)


def _blurred(plane: np.ndarray, deviation: float, shape: tuple[int, int]) -> np.ndarray:
    """Gaussian blur of [h, w], normalised at the edges by the weights inside; `shape` has room for the tails."""
    bells = [np.exp(-0.5 * (2 * np.pi * np.fft.fftfreq(n) * deviation) ** 2) for n in shape]
    response = np.outer(bells[0], bells[1][: shape[1] // 2 + 1])
    total, inside = (np.fft.irfft2(np.fft.rfft2(image, shape) * response, shape) for image in (plane, plane * 0 + 1))
    return (total / np.maximum(inside, 1e-3))[: plane.shape[0], : plane.shape[1]]


def source_autocorrelation(
    sources: Sequence[np.ndarray], reach: int, shading: float, directions: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean autocorrelation of some pictures.

    Args:
      sources: uint8 [h, w, 3], sizes may differ.
      reach, shading: as in `autocorrelation`.
      directions: adds, with equal weight, the autocorrelation of the edges' directions of each picture whose edges have
        several (those of stripes vary by noise only).

    Returns:
      float64 [rows, cols] table, its lags [rows, cols, 2], and how many pixels overlap at each lag [rows, cols].
    """
    lights = [luminance(picture).astype(np.float64) for picture in sources]
    tables = [_of_planes([light], reach, shading) for light in lights]
    for i, light in enumerate(lights if directions else []):
        planes = _directions(light)
        if sum(np.var(plane) for plane in planes) > 0.5 * sum(np.mean(plane**2) for plane in planes):
            tables[i] = (tables[i] + _of_planes(planes, reach, shading)) / 2
    table = np.mean(tables, axis=0)
    lags = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 2, indexing="ij"), axis=-1).astype(np.float64)
    shapes = [np.array(picture.shape[:2]) for picture in sources]
    return table, lags, np.sum([np.prod(shape - np.abs(lags), axis=-1) for shape in shapes], axis=0)
