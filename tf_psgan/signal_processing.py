"""Luminance, windows, frequency bins and crops: the definitions that metrics, losses and data share. NumPy only."""

from collections.abc import Iterable

import numpy as np

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue (ITU-R BT.601)."""

DIRECTIONS = 6
"""Bins of orientation, 30 degrees each."""

ROUNDING_VARIANCE = 1 / 12
"""Variance that rounding to 8-bit values adds, in squared 8-bit values; added to powers, it keeps logarithms finite."""


def luminance(pictures: np.ndarray) -> np.ndarray:
    """Luminance of [..., h, w, 3] in the pictures' own units; float32 [..., h, w]."""
    return pictures.astype(np.float32) @ LUMINANCE


def hann(pixels: int, offset: float = 0.5) -> np.ndarray:
    """Hann window, float64 [pixels].

    Args:
      pixels: length.
      offset: position of the first sample in pixels: 0.5 samples the window symmetrically, 0 periodically.
    """
    return np.sin(np.pi * (np.arange(pixels) + offset) / pixels) ** 2


def sectors(rows: np.ndarray, cols: np.ndarray, side: int, first: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """The half octave and the direction of each frequency of a spectrum.

    Args:
      rows, cols: frequencies, cycles per pixel.
      side: of the square picture whose spectrum it is, in pixels.
      first: lower end of half octave 0, in cycles per picture.

    Returns:
      int half octaves, negative below `first`, and int directions, 0 .. DIRECTIONS - 1; of the inputs' shape.
    """
    ring = np.floor(2 * np.log2(np.maximum(np.hypot(rows, cols), 1e-9) * side / first)).astype(int)
    wedge = np.floor(np.mod(np.arctan2(rows, cols), np.pi) * DIRECTIONS / np.pi + 1e-9).astype(int) % DIRECTIONS
    return ring, wedge


def gaussian_weights(extent: int, deviation: float) -> np.ndarray:
    """The weights of `extent` places in a row around each of them: float64 [extent, extent], rows with the sum 1."""
    apart = np.subtract.outer(np.arange(extent), np.arange(extent))
    weights = np.exp(-((apart / deviation) ** 2) / 2)
    return weights / weights.sum(axis=1, keepdims=True)


def smoothed(values: np.ndarray, deviation: float) -> np.ndarray:
    """Gaussian-weighted means around each pixel, of the pixels inside: float64 [h, w, channels]."""
    rows, cols = (gaussian_weights(extent, deviation) for extent in values.shape[:2])
    return np.moveaxis(rows @ np.moveaxis(values, -1, 0) @ cols.T, 0, -1)


def central_crop(picture: np.ndarray, height: int, width: int | None = None) -> np.ndarray:
    """The centre of [h, w, ...], at most height x width (default: height) pixels, contiguous in memory."""
    width = height if width is None else width
    top, left = max(0, picture.shape[0] - height) // 2, max(0, picture.shape[1] - width) // 2
    return np.ascontiguousarray(picture[top : top + height, left : left + width])


def downsampled(picture: np.ndarray, factor: int) -> np.ndarray:
    """Rounded means of factor x factor pixels: from uint8 [h, w, 3] to uint8 [h // factor, w // factor, 3]."""
    if factor == 1:
        return picture
    rows, cols = (extent // factor for extent in picture.shape[:2])
    blocks = picture[: rows * factor, : cols * factor].reshape(rows, factor, cols, factor, -1)
    total, count = blocks.sum(axis=(1, 3), dtype=np.uint32), factor * factor
    return ((2 * total + count) // (2 * count)).astype(np.uint8)


def square_crops(pictures: Iterable[np.ndarray], side: int, step: int) -> list[np.ndarray]:
    """All side x side crops of the pictures [h, w, ...] at multiples of `step`, row by row; views."""
    return [
        picture[row : row + side, col : col + side]
        for picture in pictures
        for row in range(0, picture.shape[0] - side + 1, step)
        for col in range(0, picture.shape[1] - side + 1, step)
    ]
