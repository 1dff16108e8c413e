"""Power spectra of pictures, and their highest peaks.

NumPy only. Power spectra are windowed periodograms averaged over the pictures (Welch 1967).
Their peaks are wave vectors, (row, col) in radians per pixel, from which the periodic
channels may start.
"""

from collections.abc import Sequence

import numpy as np

LARGEST = 1024
"""Side in pixels beyond which only a picture's middle is looked at; bounds memory, and no lattice needs more."""


def luminance(picture: np.ndarray) -> np.ndarray:
    """Rec. 601 luminance of [..., h, w, 3], in the picture's own units; float32 [..., h, w]."""
    return picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def power(pictures: Sequence[np.ndarray] | np.ndarray, shape: tuple[int, int] | None = None) -> np.ndarray:
    """Mean power spectrum of the pictures' luminance: mean removed, Hann window, middle crops of one common size.

    Args:
      pictures: uint8 or float [h, w, 3] each, sizes may differ; or one array [n, h, w, 3].
      shape: extent to which zeros enlarge the crops, for more samples of the same spectrum; default none.

    Returns:
      float64 of that shape (default the common h, w, LARGEST at most) in the order of np.fft.fft2. Divided by the
      window's energy: white noise of variance v has power v at every frequency, whatever the size.
    """
    rows, cols = common_extent(pictures)
    window = np.outer(_hann(rows), _hann(cols))
    total = np.zeros(shape or (rows, cols))
    for picture in pictures:
        light = luminance(middle(picture, rows, cols))
        # The weighted mean, so that no constant leaks through the window into the lowest frequencies.
        light = (light - np.average(light, weights=window)) * window
        total += np.abs(np.fft.fft2(light, total.shape)) ** 2
    return total / (len(pictures) * np.sum(window**2))


def peaks(pictures: Sequence[np.ndarray], count: int, axis_only: bool = False) -> np.ndarray:
    """Wave vectors of the highest distinct peaks of the pictures' mean power spectrum.

    Left out are fewer than three cycles per picture (slow light) and periods under four pixels (grain). First come the
    local maxima that rise above the 1/f clutter of their own frequency (eight times the median of the ring that they
    lie on: a chance maximum of random texture rarely does) and that are no harmonic of a higher peak; then harmonics
    and lesser peaks. Of peaks nearer than three cycles per picture, or than a quarter of their wave number, only the
    highest counts.

    Args:
      pictures: uint8 [h, w, 3], sizes may differ, at least 32 pixels a side.
      count: vectors wanted.
      axis_only: vectors along the rows (even places) and along the columns (odd places) only. They are the components
        of the peaks, since a slanted wave is a sum of products of waves along the axes.

    Returns:
      float64 [count, 2], (row, col), radians per pixel, highest peak first, all in one half plane (row > 0, or row = 0
      and col > 0, before refinement); a clean lattice's period is right to 0.5 % from eight periods in the picture.
    """
    for picture in pictures:
        if min(picture.shape[:2]) < 32:
            raise ValueError(
                f"a picture of {picture.shape[0]}x{picture.shape[1]} pixels is too small to look for "
                "periods in; use pictures of at least 32x32."
            )
    rows, cols = common_extent(pictures)
    raw = power(pictures, (2 * rows, 2 * cols))
    shape = np.array(raw.shape)
    cycles = shape / 2 / (2 * np.pi)  # times radians per pixel: cycles per picture
    grid = np.stack(np.meshgrid(*(2 * np.pi * np.fft.fftfreq(n) for n in shape), indexing="ij"), axis=-1)
    length = np.linalg.norm(grid, axis=-1)
    allowed = (grid[..., 0] > 0) | ((grid[..., 0] == 0) & (grid[..., 1] > 0))
    allowed &= (np.linalg.norm(grid * cycles, axis=-1) >= 3) & (length <= np.pi / 2)
    score = raw - 8 * _ring_median(raw, np.rint(length * cycles.min()).astype(int))
    order = np.flatnonzero(allowed)
    order = order[np.argsort(-score.flat[order], kind="stable")]
    tops = order[local_maxima(raw).flat[order]]
    high = tops[score.flat[tops] > 1e-3 * score.max()]  # a Hann window's side lobes are lower
    logs = np.log(raw + 1e-12)
    taken: list[list[np.ndarray]] = [[], []] if axis_only else [[]]
    parents: list[np.ndarray] = []
    for rank, place in enumerate(np.concatenate([high, tops, order])):
        row, col = (int(i) for i in np.unravel_index(place, raw.shape))
        wave = grid[row, col] + vertex(logs, row, col) * 2 * np.pi / shape
        if rank < len(high) and _is_harmonic(wave, parents):
            continue
        for axis, found in enumerate(taken):
            part = np.abs(wave) * np.eye(2)[axis] if axis_only else wave
            if len(found) < -(-(count - axis) // len(taken)) and _is_new(part, found, cycles):
                found.append(part)
                parents.append(wave)
        if sum(map(len, taken)) >= count:
            return np.array([taken[i % len(taken)][i // len(taken)] for i in range(count)]).reshape(count, 2)
    raise ValueError(
        f"{count} waves do not fit into pictures of {rows}x{cols} pixels; lower --waves or use larger pictures."
    )


def common_extent(pictures: Sequence[np.ndarray] | np.ndarray) -> tuple[int, int]:
    """The (rows, cols) that all pictures have, LARGEST at most."""
    rows, cols = np.min([picture.shape[:2] for picture in pictures], axis=0)
    return min(LARGEST, int(rows)), min(LARGEST, int(cols))


def middle(picture: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """The middle rows x cols pixels of a picture, or all there are."""
    top, left = max(0, picture.shape[0] - rows) // 2, max(0, picture.shape[1] - cols) // 2
    return picture[top : top + rows, left : left + cols]


def local_maxima(values: np.ndarray) -> np.ndarray:
    """True where a value of a table is higher than its eight neighbours; the table is a torus."""
    shifts = [(row, col) for row in (-1, 0, 1) for col in (-1, 0, 1) if (row, col) != (0, 0)]
    return np.logical_and.reduce([values > np.roll(values, shift, (0, 1)) for shift in shifts])


def vertex(values: np.ndarray, row: int, col: int) -> np.ndarray:
    """(row, col) offset, within half a step, of the tops of the parabolas through a place and its neighbours on a
    torus; 0 along an axis on which the place is not clearly the highest of the three."""

    def top(below: float, here: float, above: float) -> float:
        bend = below - 2 * here + above
        return float(0.5 * (below - above) / bend) if bend < -1e-9 and here >= max(below, above) else 0.0

    rows, cols = values.shape
    return np.array(
        [
            top(values[row - 1, col], values[row, col], values[(row + 1) % rows, col]),
            top(values[row, col - 1], values[row, col], values[row, (col + 1) % cols]),
        ]
    )


def _hann(pixels: int) -> np.ndarray:
    return np.sin(np.pi * (np.arange(pixels) + 0.5) / pixels) ** 2


def _is_new(wave: np.ndarray, found: Sequence[np.ndarray], cycles: np.ndarray) -> bool:
    """Whether a wave vector is long enough, and far enough from those found and from their negatives."""
    if np.linalg.norm(wave * cycles) < 3:
        return False
    return all(
        np.linalg.norm((wave - other) * cycles) >= 3 and np.linalg.norm(wave - other) >= 0.25 * np.linalg.norm(other)
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
    """The median of the values that share a ring number, at every place."""
    order = np.argsort(ring, axis=None, kind="stable")
    parts = np.split(values.flat[order], np.cumsum(np.bincount(ring.flat))[:-1])
    return np.array([np.median(part) if part.size else 0.0 for part in parts])[ring]
