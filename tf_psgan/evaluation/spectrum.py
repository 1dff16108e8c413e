"""Power spectra of pictures: windowed periodograms averaged over the pictures (Welch 1967). NumPy only."""

from collections.abc import Sequence

import numpy as np

from tf_psgan.signal_processing import central_crop, hann, luminance

MAX_SIDE = 1024
"""Side in pixels beyond which only a picture's centre is used: a bound on memory. No lattice needs more."""


def power(pictures: Sequence[np.ndarray] | np.ndarray, shape: tuple[int, int] | None = None) -> np.ndarray:
    """Mean power spectrum of the pictures' luminance: central crops of one size, mean removed, Hann window.

    Args:
      pictures: uint8 or float [h, w, 3] each, sizes may differ; or one array [n, h, w, 3].
      shape: extent to which zero padding enlarges the crops, to sample the same spectrum more finely; default none.

    Returns:
      float64 of that shape (default the common h, w, at most MAX_SIDE) in the order of np.fft.fft2. Divided by the
      window's energy: white noise of variance v has power v at every frequency, whatever the size.
    """
    rows, cols = common_extent(pictures)
    window = np.outer(hann(rows), hann(cols))
    total = np.zeros(shape or (rows, cols))
    for picture in pictures:
        light = luminance(central_crop(picture, rows, cols))
        # The weighted mean, so that no constant leaks through the window into the lowest frequencies.
        light = (light - np.average(light, weights=window)) * window
        total += np.abs(np.fft.fft2(light, total.shape)) ** 2
    return total / (len(pictures) * np.sum(window**2))


def common_extent(pictures: Sequence[np.ndarray] | np.ndarray) -> tuple[int, int]:
    """The (rows, cols) that all pictures have, at most MAX_SIDE each."""
    rows, cols = np.min([picture.shape[:2] for picture in pictures], axis=0)
    return min(MAX_SIDE, int(rows)), min(MAX_SIDE, int(cols))
