"""Wave vectors of a texture: the highest peaks of its power spectrum, (row, col) in radians per pixel. NumPy only.

The periodic channels may start from them (`training.wave_initialisation`).
"""

from collections.abc import Sequence

import numpy as np

from tf_psgan.errors import PictureError, SettingError
from tf_psgan.evaluation.extrema import half_plane, local_maxima, vertex_offset
from tf_psgan.evaluation.spectrum import common_extent, power

MIN_SIDE = 32
"""Side in pixels of the smallest picture in which periods are looked for."""

_MIN_CYCLES = 3  # per picture: the least frequency of a wave, and the least distance of two
_MAX_FREQUENCY = np.pi / 2  # radians per pixel: periods under four pixels are grain


def peaks(pictures: Sequence[np.ndarray], count: int, axis_only: bool = False) -> np.ndarray:
    """Wave vectors of the highest distinct peaks of the pictures' mean power spectrum.

    Frequencies below three cycles per picture (uneven light) and periods under four pixels (grain) are left out. First
    come the local maxima that rise above the 1/f background of their own frequency (eight times the median of their
    ring, which a chance maximum of random texture rarely exceeds) and that are no harmonic of a higher peak; then
    harmonics and lesser peaks. Of peaks nearer than three cycles per picture, or than a quarter of their wave number,
    only the highest counts.

    Args:
      pictures: uint8 [h, w, 3], sizes may differ, at least 32 pixels a side.
      count: vectors wanted.
      axis_only: vectors along the rows (even indices) and along the columns (odd indices) only. They are the components
        of the peaks, since a slanted wave is a sum of products of waves along the axes.

    Returns:
      float64 [count, 2], (row, col), radians per pixel, highest peak first, all in one half plane (row > 0, or row = 0
      and col > 0, before refinement); a clean lattice's period is right to 0.5 % from eight periods in the picture.

    Raises:
      PictureError: a picture that is too small.
      SettingError: more waves than the pictures have distinct frequencies.
    """
    for picture in pictures:
        if min(picture.shape[:2]) < MIN_SIDE:
            raise PictureError(
                "picture",
                f"{picture.shape[0]}x{picture.shape[1]} pixels are too few to find periods in",
                f"use pictures of at least {MIN_SIDE}x{MIN_SIDE} pixels",
                value=picture.shape[:2],
            )
    rows, cols = common_extent(pictures)
    raw = power(pictures, (2 * rows, 2 * cols))
    shape = np.array(raw.shape)
    cycles = shape / 2 / (2 * np.pi)  # times radians per pixel: cycles per picture
    grid = np.stack(np.meshgrid(*(2 * np.pi * np.fft.fftfreq(n) for n in shape), indexing="ij"), axis=-1)
    length = np.linalg.norm(grid, axis=-1)
    allowed = half_plane(grid)
    allowed &= (np.linalg.norm(grid * cycles, axis=-1) >= _MIN_CYCLES) & (length <= _MAX_FREQUENCY)
    score = raw - 8 * _ring_median(raw, np.rint(length * cycles.min()).astype(int))
    order = np.flatnonzero(allowed)
    order = order[np.argsort(-score.flat[order], kind="stable")]
    maxima = order[local_maxima(raw).flat[order]]
    high = maxima[score.flat[maxima] > 1e-3 * score.max()]  # the Hann window's side lobes are lower
    logs = np.log(raw + 1e-12)
    found: list[list[np.ndarray]] = [[], []] if axis_only else [[]]  # by axis
    parents: list[np.ndarray] = []
    for rank, position in enumerate(np.concatenate([high, maxima, order])):
        row, col = (int(i) for i in np.unravel_index(position, raw.shape))
        wave = grid[row, col] + vertex_offset(logs, row, col) * 2 * np.pi / shape
        if rank < len(high) and _is_harmonic(wave, parents):
            continue
        for axis, waves in enumerate(found):
            part = np.abs(wave) * np.eye(2)[axis] if axis_only else wave
            if len(waves) < -(-(count - axis) // len(found)) and _is_new(part, waves, cycles):
                waves.append(part)
                parents.append(wave)
        if sum(map(len, found)) >= count:
            return np.array([found[i % len(found)][i // len(found)] for i in range(count)]).reshape(count, 2)
    raise SettingError(
        "waves",
        f"{count} waves do not fit into pictures of {rows}x{cols} pixels",
        "use fewer waves or larger pictures",
        value=count,
        settings=("waves",),
    )


def _is_new(wave: np.ndarray, found: Sequence[np.ndarray], cycles: np.ndarray) -> bool:
    """Whether a wave vector is long enough, and far enough from those found and from their negatives."""
    if np.linalg.norm(wave * cycles) < _MIN_CYCLES:
        return False
    return all(
        np.linalg.norm((wave - other) * cycles) >= _MIN_CYCLES
        and np.linalg.norm(wave - other) >= 0.25 * np.linalg.norm(other)
        for near in found
        for other in (near, -near)
    )


def _is_harmonic(wave: np.ndarray, parents: Sequence[np.ndarray]) -> bool:
    """Whether a wave vector is, to 5 %, twice to eight times one of the parents or its negative."""
    return any(
        np.linalg.norm(wave - factor * parent) < 0.05 * np.linalg.norm(wave)
        for parent in parents
        for factor in (*range(-8, -1), *range(2, 9))
    )


def _ring_median(values: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """The median of the values that share a ring number, at every position."""
    order = np.argsort(ring, axis=None, kind="stable")
    parts = np.split(values.flat[order], np.cumsum(np.bincount(ring.flat))[:-1])
    return np.array([np.median(part) if part.size else 0.0 for part in parts])[ring]
