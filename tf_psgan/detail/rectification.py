"""Rectifies photographs that nearly repeat: bends them by a few pixels, so that they repeat on an exact lattice.

Hand-made and photographed lattices are irregular: no two bricks have the same place in their cell. Pieces of such a
photograph fit each other nowhere exactly, and joints have steps where copies meet. After the deformation that Liu, Lin
and Hays (2004, "Near-regular texture analysis and manipulation", section 3) describe, every piece fits at each place
with its phase of the lattice.

The deformation is found by registration of the photograph to its own mean cell: the mean of all pixels with one phase.
Each round draws the mean cell on the lattice and moves each place so that it looks more like it there, by least squares
in Gaussian windows (Lucas and Kanade 1981). Windows begin as large as half of the photograph and end smaller than a
cell, and the field is smoothed alike, so that it bends and does not tear.
"""

import dataclasses

import numpy as np

from tf_psgan.detail.mean_cell import cell_extent, drawn, even_light, places_of_pixels, turns
from tf_psgan.signal_processing import downsampled, smoothed

SMALLEST_WINDOW = 0.2
"""Standard deviation of the last windows, as a share of the cell's side."""

MAX_STRAIN = 0.5
"""Largest derivative of the deformation (99th percentile) of a photograph that nearly repeats."""

MIN_EXPLAINED = 0.2
"""Least share of the photograph's local variance that its mean cell has after rectification."""

_CELL_PIXELS = 32
"""Photographs are reduced for the registration until the side of a cell has about so many pixels."""

_MOST_PIXELS = 400_000
"""Larger photographs are reduced further, while cells have _LEAST_CELL pixels a side."""

_LEAST_CELL = 12

_SHRINK = 1.6
"""Ratio of the windows of a stage to those of the next one."""

_ROUNDS = 3
"""Rounds of each stage, and as many more of the first."""

_ELASTIC = 0.7
"""Standard deviation of the field's smoothing, as a share of the windows'."""

_STEP = 1 / 16
"""Farthest move of a round, as a share of the cell's side."""

_DAMPING = 0.1
"""Added to the squared gradients of a window, as a share of their mean: where nothing is seen, nothing moves."""

_LANCZOS = 3
"""Zeros of the interpolation kernel to each side."""


@dataclasses.dataclass(frozen=True, eq=False)
class Rectified:
    """A rectified photograph.

    Args:
      photograph: uint8 [h, w, 3].
      field: float64 [h, w, 2], by how many pixels each pixel is moved.
      explained: share of the local variance that the mean cell has.
      strain: the 99th percentile of the deformation's derivatives.
    """

    photograph: np.ndarray
    field: np.ndarray
    explained: float
    strain: float

    def picture(self, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
        """The rectified photograph, uint8 [h, w, 3]; a few pixels smaller, where its edges were bent inwards.

        Args:
          shift: (down, right), from a pixel of the picture to the place that it shows, in pixels, each below one.
        """
        height, width = self.photograph.shape[:2]
        places = places_of_pixels(height, width)
        sources = self._sources(places)
        kept = _largest_inside(np.all((sources >= 0) & (sources <= (height - 1, width - 1)), axis=-1))
        found = _lanczos(self.photograph.astype(float), self._sources(places[kept] + shift))
        return np.clip(np.round(found), 0, 255).astype(np.uint8)

    def _sources(self, places: np.ndarray) -> np.ndarray:
        """The places of the photograph that are moved to places [..., 2]."""
        sources = places
        for _ in range(8):  # a fixed point, as strains are below one
            sources = places - _interpolated(self.field, sources)
        return sources


def rectified(picture: np.ndarray, lattice: np.ndarray) -> Rectified | None:
    """A photograph bent so that it repeats on an exact lattice; None where it does not nearly repeat on this one.

    Args:
      picture: uint8 [h, w, 3].
      lattice: float [2, 2], (row, col) pixels of two vectors, as `evaluation.lattice.lattice` measures them.
    """
    cell = float(np.sqrt(abs(np.linalg.det(lattice))))
    reduced = max(cell / _CELL_PIXELS, (picture.shape[0] * picture.shape[1] / _MOST_PIXELS) ** 0.5)
    factor = max(1, int(min(reduced, cell / _LEAST_CELL)))
    field, explained = _registered(downsampled(picture, factor), lattice / factor)
    strain = float(np.quantile(np.linalg.norm(np.stack(np.gradient(field, axis=(0, 1))), axis=(0, -1)), 0.99))
    if not (strain < MAX_STRAIN and explained > MIN_EXPLAINED):
        return None
    return Rectified(picture, _enlarged(field, factor, picture.shape[:2]), explained, strain)


def _registered(picture: np.ndarray, lattice: np.ndarray) -> tuple[np.ndarray, float]:
    """The field that moves each pixel to its place in the lattice, float64 [h, w, 2], and what the cell explains."""
    height, width = picture.shape[:2]
    waves = np.linalg.inv(lattice).T
    cell = np.sqrt(abs(np.linalg.det(lattice)))
    extent = cell_extent(lattice)
    base = turns((height, width), waves)
    light = even_light(picture, cell)
    field = np.zeros((height, width, 2))
    for number, window in enumerate(_windows(max(height, width) / 2, SMALLEST_WINDOW * cell)):
        seen = smoothed(light, max(0.7, cell / 8 * min(1.0, window / (2 * cell))))
        for _ in range(_ROUNDS if number else 2 * _ROUNDS):
            wanted = drawn(seen, base + field @ waves.T, extent)
            step, weight = _moves(seen, wanted, window)
            length = np.linalg.norm(step, axis=-1, keepdims=True)
            step *= np.minimum(1, _STEP * cell / np.maximum(length, 1e-9))
            field = smoothed((field + step) * weight, _ELASTIC * window)
            field /= np.maximum(smoothed(weight, _ELASTIC * window), 1e-9)
            field -= field.mean(axis=(0, 1))
    seen = smoothed(light, 0.7)
    wanted = drawn(seen, base + field @ waves.T, extent)
    return field, float(1 - ((seen - wanted) ** 2).sum() / ((seen - seen.mean(axis=(0, 1))) ** 2).sum())


def _windows(first: float, last: float) -> list[float]:
    """Standard deviations of the windows of all stages."""
    found = [last]
    while found[0] * _SHRINK < first:
        found.insert(0, found[0] * _SHRINK)
    return found


def _moves(seen: np.ndarray, drawn: np.ndarray, window: float) -> tuple[np.ndarray, np.ndarray]:
    """By how much each place has to move on the lattice to look like what is drawn there, and how clear that is.

    Returns:
      float64 [h, w, 2] pixels, and the mean squared gradient, [h, w, 1].
    """
    down, right = np.gradient(drawn, axis=(0, 1))
    error = seen - drawn
    products = [(down, down), (down, right), (right, right), (down, error), (right, error)]
    sums = smoothed(np.stack([(one * other).sum(axis=-1) for one, other in products], axis=-1), window)
    both = sums[..., 0] + sums[..., 2]
    damping = _DAMPING * both.mean() + 1e-9
    first, mixed, second = sums[..., 0] + damping, sums[..., 1], sums[..., 2] + damping
    step = [second * sums[..., 3] - mixed * sums[..., 4], first * sums[..., 4] - mixed * sums[..., 3]]
    return np.stack(step, axis=-1) / (first * second - mixed**2)[..., np.newaxis], both[..., np.newaxis]


def _enlarged(field: np.ndarray, factor: int, extent: tuple[int, int]) -> np.ndarray:
    """The field in pixels of a picture that was reduced by `factor`, by linear interpolation."""
    return factor * _interpolated(field, (places_of_pixels(*extent) + 0.5) / factor - 0.5)


def _interpolated(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Values [h, w, channels] at places [..., 2], linear, continued beyond the edges."""
    height, width = values.shape[:2]
    at = np.clip(at, 0, (height - 1, width - 1))
    first = np.minimum(at.astype(np.int64), (max(0, height - 2), max(0, width - 2)))
    down, right = np.moveaxis(at - first, -1, 0)[..., np.newaxis]
    row, col = first[..., 0], first[..., 1]
    upper = values[row, col] * (1 - right) + values[row, np.minimum(col + 1, width - 1)] * right
    below = np.minimum(row + 1, height - 1)
    lower = values[below, col] * (1 - right) + values[below, np.minimum(col + 1, width - 1)] * right
    return upper * (1 - down) + lower * down


def _largest_inside(inside: np.ndarray) -> tuple[slice, slice]:
    """A rectangle of true values: edges with the largest share of false ones are cut off, one after the other."""
    top, bottom, left, right = 0, inside.shape[0], 0, inside.shape[1]
    while top < bottom and left < right:
        part = inside[top:bottom, left:right]
        shares = [1 - edge.mean() for edge in (part[0], part[-1], part[:, 0], part[:, -1])]
        worst = int(np.argmax(shares))
        if not shares[worst]:
            break
        top, bottom = top + (worst == 0), bottom - (worst == 1)
        left, right = left + (worst == 2), right - (worst == 3)
    return slice(top, bottom), slice(left, right)


def _lanczos(picture: np.ndarray, at: np.ndarray) -> np.ndarray:
    """A picture [h, w, channels] at places [..., 2], by Lanczos interpolation."""
    first = np.floor(at).astype(np.int64)
    total, sums = np.zeros((*at.shape[:-1], 1)), np.zeros((*at.shape[:-1], picture.shape[-1]))
    steps = range(1 - _LANCZOS, _LANCZOS + 1)
    rows = [_kernel(at[..., 0] - first[..., 0] - step) for step in steps]
    cols = [_kernel(at[..., 1] - first[..., 1] - step) for step in steps]
    for down, tall in zip(steps, rows, strict=True):
        row = np.clip(first[..., 0] + down, 0, picture.shape[0] - 1)
        for right, wide in zip(steps, cols, strict=True):
            weight = (tall * wide)[..., np.newaxis]
            sums += weight * picture[row, np.clip(first[..., 1] + right, 0, picture.shape[1] - 1)]
            total += weight
    return sums / total


def _kernel(away: np.ndarray) -> np.ndarray:
    return np.sinc(away) * np.sinc(away / _LANCZOS) * (np.abs(away) < _LANCZOS)
