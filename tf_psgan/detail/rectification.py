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

from tf_psgan.signal_processing import downsampled, gaussian_weights

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
        places = _pixels(height, width)
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


def turns(extent: tuple[int, int], waves: np.ndarray) -> np.ndarray:
    """The phases of plane waves at the pixels of a picture, 0 at the first one: float64 [h, w, waves], turns.

    Args:
      extent: height and width.
      waves: float [waves, 2], cycles per pixel.
    """
    return _pixels(*extent) @ waves.T


def turns_ahead(one: np.ndarray, other: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """The phase of the first pixel of a picture in the lattice of another one, where their mean cells are most alike.

    Args:
      one, other: uint8 [h, w, 3], exact repetitions of the same cell; the lattice's origin is the first pixel of `one`.
      waves: float [2, 2], of the lattice.

    Returns:
      float64 [2], turns.
    """
    return turns_between(one, turns(one.shape[:2], waves), other, turns(other.shape[:2], waves), waves)


def turns_between(
    one: np.ndarray, one_turns: np.ndarray, other: np.ndarray, other_turns: np.ndarray, waves: np.ndarray
) -> np.ndarray:
    """What has to be added to the phases of `other` so that it looks most like `one` at the same phases.

    Args:
      one, other: uint8 [h, w, 3].
      one_turns, other_turns: float [h, w, 2], their phases in turns.
      waves: float [2, 2], of the lattice, in cycles per pixel.

    Returns:
      float64 [2], turns.
    """
    spectra, extent = [], _cell_extent(np.linalg.inv(waves).T)
    for picture, phases in ((one, one_turns), (other, other_turns)):
        light = picture.astype(float)
        cell = mean_cell(light - light.mean(axis=(0, 1)), phases, extent)
        spectra.append(np.fft.fft2(cell, axes=(0, 1)))
    alike = np.fft.ifft2((spectra[0] * np.conj(spectra[1])).sum(axis=-1)).real
    place = np.array(np.unravel_index(np.argmax(alike), extent))
    alike = np.roll(alike, 1 - place, axis=(0, 1))
    place = place + np.array([_vertex(alike[:3, 1]), _vertex(alike[1, :3])])
    return place / extent % 1.0


def mean_cell(picture: np.ndarray, turns: np.ndarray, extent: tuple[int, int]) -> np.ndarray:
    """The mean of all pixels with one phase.

    Args:
      picture: [h, w, channels].
      turns: float [h, w, 2], phases of two waves in turns.
      extent: places of the result along the two phases; pixels between them count for both in linear shares.

    Returns:
      float64 [*extent, channels]; 0 where there are no pixels.
    """
    first, share = _places(turns, extent)
    count, total = np.zeros(extent[0] * extent[1]), np.zeros((picture.shape[-1], extent[0] * extent[1]))
    for down in (0, 1):
        for right in (0, 1):
            weights = np.abs(1 - down - share[..., 0]) * np.abs(1 - right - share[..., 1])
            place = (first[..., 0] + down) % extent[0] * extent[1] + (first[..., 1] + right) % extent[1]
            place, weights = place.ravel(), weights.ravel()
            count += np.bincount(place, weights, count.size)
            for channel, values in enumerate(np.moveaxis(picture, -1, 0)):
                total[channel] += np.bincount(place, weights * values.ravel(), count.size)
    return (total / np.maximum(count, 1e-9)).T.reshape(*extent, -1)


def _registered(picture: np.ndarray, lattice: np.ndarray) -> tuple[np.ndarray, float]:
    """The field that moves each pixel to its place in the lattice, float64 [h, w, 2], and what the cell explains."""
    height, width = picture.shape[:2]
    waves = np.linalg.inv(lattice).T
    cell = np.sqrt(abs(np.linalg.det(lattice)))
    extent = _cell_extent(lattice)
    base = turns((height, width), waves)
    light = picture - _smooth(picture.astype(float), cell)
    light /= np.sqrt(_smooth((light**2).sum(axis=-1, keepdims=True), cell) + 25)
    field = np.zeros((height, width, 2))
    for number, window in enumerate(_windows(max(height, width) / 2, SMALLEST_WINDOW * cell)):
        seen = _smooth(light, max(0.7, cell / 8 * min(1.0, window / (2 * cell))))
        for _ in range(_ROUNDS if number else 2 * _ROUNDS):
            drawn = _drawn(seen, base + field @ waves.T, extent)
            step, weight = _moves(seen, drawn, window)
            length = np.linalg.norm(step, axis=-1, keepdims=True)
            step *= np.minimum(1, _STEP * cell / np.maximum(length, 1e-9))
            field = _smooth((field + step) * weight, _ELASTIC * window)
            field /= np.maximum(_smooth(weight, _ELASTIC * window), 1e-9)
            field -= field.mean(axis=(0, 1))
    seen = _smooth(light, 0.7)
    drawn = _drawn(seen, base + field @ waves.T, extent)
    return field, float(1 - ((seen - drawn) ** 2).sum() / ((seen - seen.mean(axis=(0, 1))) ** 2).sum())


def _cell_extent(lattice: np.ndarray) -> tuple[int, int]:
    """Places of a mean cell along the vectors of a lattice, about one for each pixel."""
    first, second = (int(max(8, round(length))) for length in np.linalg.norm(lattice, axis=1))
    return first, second


def _vertex(values: np.ndarray) -> float:
    """The vertex of the parabola through three values, from the middle one, which is the highest."""
    curvature = values[0] - 2 * values[1] + values[2]
    return float(0.5 * (values[0] - values[2]) / curvature) if curvature < -1e-9 else 0.0


def _pixels(height: int, width: int) -> np.ndarray:
    """Rows and columns of pixels: float64 [height, width, 2]."""
    return np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), axis=-1).astype(float)


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
    sums = _smooth(np.stack([(one * other).sum(axis=-1) for one, other in products], axis=-1), window)
    both = sums[..., 0] + sums[..., 2]
    damping = _DAMPING * both.mean() + 1e-9
    first, mixed, second = sums[..., 0] + damping, sums[..., 1], sums[..., 2] + damping
    step = [second * sums[..., 3] - mixed * sums[..., 4], first * sums[..., 4] - mixed * sums[..., 3]]
    return np.stack(step, axis=-1) / (first * second - mixed**2)[..., np.newaxis], both[..., np.newaxis]


def _drawn(picture: np.ndarray, turns: np.ndarray, extent: tuple[int, int]) -> np.ndarray:
    """The picture's mean cell at each pixel's phase, float64 [h, w, channels]."""
    cell = mean_cell(picture, turns, extent)
    first, share = _places(turns, extent)
    next_row, next_col = (first[..., 0] + 1) % extent[0], (first[..., 1] + 1) % extent[1]
    down, right = share[..., :1], share[..., 1:]
    upper = cell[first[..., 0], first[..., 1]] * (1 - right) + cell[first[..., 0], next_col] * right
    lower = cell[next_row, first[..., 1]] * (1 - right) + cell[next_row, next_col] * right
    return upper * (1 - down) + lower * down


def _places(turns: np.ndarray, extent: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The place of a mean cell before each phase, int64 [h, w, 2], and how far the phase is beyond it, 0 to 1."""
    at = (turns % 1.0) * extent
    first = np.floor(at).astype(np.int64)
    return first % extent, at - first


def _smooth(values: np.ndarray, deviation: float) -> np.ndarray:
    """Gaussian-weighted means around each pixel, of the pixels inside: float64 [h, w, channels]."""
    rows, cols = (gaussian_weights(extent, deviation) for extent in values.shape[:2])
    return np.moveaxis(rows @ np.moveaxis(values, -1, 0) @ cols.T, 0, -1)


def _enlarged(field: np.ndarray, factor: int, extent: tuple[int, int]) -> np.ndarray:
    """The field in pixels of a picture that was reduced by `factor`, by linear interpolation."""
    return factor * _interpolated(field, (_pixels(*extent) + 0.5) / factor - 0.5)


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
