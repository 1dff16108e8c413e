"""The phase of a lattice at each pixel of a photograph, which says how far from a lattice point the pixel lies."""

import numpy as np

from tf_psgan.signal_processing import luminance

PEAK = 255
"""Largest magnitude of a feature, so that weighted sums of squared distances stay below 2**24, exact in float32."""

STEPS = 1024
"""Steps of a turn in phase features."""

_BAND = 0.25
"""Standard deviation of the band of a wave, as a share of its wave number."""


def local_phases(picture: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """The phase of plane waves at each pixel of a photograph, which follows a lattice through its irregularities.

    The phase of the picture's luminance after a Gaussian band-pass filter around the wave number, as in phase
    demodulation.

    Args:
      picture: uint8 [h, w, 3].
      waves: float [waves, 2], cycles per pixel, (row, col) last.

    Returns:
      float64 [h, w, waves], turns in [0, 1).
    """
    light = luminance(picture)
    height, width = light.shape
    padded = np.pad(light - light.mean(), ((0, height), (0, width)), mode="symmetric")
    spectrum = np.fft.fft2(padded)
    rows, cols = np.fft.fftfreq(2 * height)[:, np.newaxis], np.fft.fftfreq(2 * width)
    turns = np.zeros((height, width, len(waves)))
    for i, (row, col) in enumerate(waves):
        deviation = _BAND * np.hypot(row, col)
        band = np.exp(-((rows - row) ** 2 + (cols - col) ** 2) / (2 * deviation**2))
        turns[..., i] = np.angle(np.fft.ifft2(spectrum * band)[:height, :width]) / (2 * np.pi)
    return turns % 1.0


def phase_features(turns: np.ndarray) -> np.ndarray:
    """Two triangle waves of each phase, a quarter turn apart: from [..., waves] turns to int16 [..., 2 waves].

    Triangle waves instead of sines, because the synthesis computes them in integers.
    """
    steps = np.floor(turns * STEPS).astype(np.int64)
    both = np.stack([steps + STEPS // 4, steps], axis=-1).reshape(*turns.shape[:-1], -1) % STEPS
    return np.clip(PEAK - np.abs(both - STEPS // 2), -PEAK, PEAK).astype(np.int16)
