"""The lattice of a texture and how well another picture repeats it, from autocorrelations. NumPy only.

The height of an autocorrelation peak alone does not show a wrong period, so its position and the distance between the
whole autocorrelations are measured, too.
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np

from tf_psgan.evaluation.autocorrelation import autocorrelation, source_autocorrelation
from tf_psgan.evaluation.extrema import half_plane, local_maxima, vertex_offset

_TWICE = 0.6
"""Least autocorrelation at twice a period, as a share of that at the period. Photographs and made textures that repeat
have .67 or more, ribs that stand in groups .48, grains of about one size .38 and less."""

LIKE = 0.05
"""Largest distance of a vector from that of the lattice that is asked for, as a share of its length."""


@dataclasses.dataclass(frozen=True)
class Period:
    """A source's lattice and how well each sample repeats it.

    vectors: float64 [n, 2], (row, col) pixels, the source's nearest main peaks, highest first; [0, 2] without a period.
    offsets, heights: float64 [samples]; the distance in pixels from these peaks to the sample's own, and the
      autocorrelation at the sample's own peaks divided by the source's; means over the vectors, nan without a period.
    distances: float64 [samples], root mean square difference of both autocorrelations up to two periods (half the
      reach without a period).
    """

    vectors: np.ndarray
    offsets: np.ndarray
    heights: np.ndarray
    distances: np.ndarray

    @property
    def periodic(self) -> bool:
        """Whether the source has a period."""
        return len(self.vectors) > 0


def period(samples: Sequence[np.ndarray], sources: Sequence[np.ndarray]) -> Period:
    """Compares autocorrelations of luminance over all lags up to the reach, half the smallest picture's side.

    A peak is a local maximum within 0.8 of the reach that is at least 0.2 and four standard errors high and rises 0.15
    above the lowest point of the straight line to lag 0; this excludes chance, the central lobe and ridges through it.
    The standard error is Bartlett's (1946) for the structure nearer than half that lag. Of the peaks that reach 0.8 of
    the highest, the source's main peaks are the nearest and all at most 1.15 times as far away (three for a hexagonal
    lattice; of each peak and its mirror image one is kept). A sample's own peaks are its highest lags within a quarter
    of the period of these, so a wrong period appears in the offset, not only in the height.
    """
    side = min(min(picture.shape[:2]) for picture in itertools.chain(samples, sources))
    reach, shading = side // 2, side / 8
    source, lags, overlap = source_autocorrelation(sources, reach, shading)
    made = [autocorrelation(picture, reach, shading) for picture in samples]
    vectors = _main_peaks(source, lags, overlap)
    offsets, heights = np.full((2, len(samples)), np.nan)
    length = np.linalg.norm(lags, axis=-1)
    near = (length > 0) & (length <= reach / 2)
    if len(vectors):
        near = (length > 0) & (length <= min(reach, 2 * np.linalg.norm(vectors, axis=-1).min()))
        top = sum(_highest_near(source, vector, lags)[1] for vector in vectors)
        for i, table in enumerate(made):
            own = [_highest_near(table, vector, lags) for vector in vectors]
            offsets[i] = np.mean([np.linalg.norm(lag - vector) for (lag, _), vector in zip(own, vectors, strict=True)])
            heights[i] = sum(height for _, height in own) / top
    distances = np.array([math.sqrt(np.mean((table - source)[near] ** 2)) for table in made])
    return Period(vectors, offsets, heights, distances)


@dataclasses.dataclass(frozen=True)
class Repetition:
    """How a source repeats.

    lattice: float64 [2, 2], as `lattice` returns it; [0, 2] without one.
    nearest: pixels from a place to the nearest one like it, the length of the nearest strong peak; 0 without a peak.
    """

    lattice: np.ndarray
    nearest: float


def lattice(sources: Sequence[np.ndarray]) -> np.ndarray:
    """The two shortest independent vectors of a source's lattice.

    The nearest strong autocorrelation peak and the nearest one in another direction, fitted by least squares to all
    peaks that are sums of them, then reduced. Unlike the highest peaks of a spectrum they determine the shift between
    the courses of a running bond. Peaks below three quarters of the highest count only where no higher one lies in
    another direction than the nearest. A vector does not count if twice of it is no period: ribs that stand beside each
    other in groups are alike, but the groups repeat elsewhere. Half of the autocorrelation is that of the edges'
    directions (structure tensor, Bigun and Granlund 1987), unless all edges are parallel: from luminance alone the
    lattice of a weave is that of its crossings or, if strands differ in brightness, has twice its periods.

    Returns:
      float64 [2, 2], (row, col) pixels of each vector; [0, 2] for a source that is not periodic in two directions.
    """
    return repetition(sources).lattice


def like(pictures: Sequence[np.ndarray], wanted: np.ndarray) -> np.ndarray:
    """The lattice of pictures in the vectors that are nearest to those of another one.

    Args:
      pictures: uint8 [h, w, 3] each.
      wanted: float [n, 2], as `lattice` returns it.

    Returns:
      float64 [2, 2]; [0, 2] where there is none with vectors within `LIKE` of the wanted ones.
    """
    found = lattice(pictures) if len(wanted) else np.zeros((0, 2))
    if not len(found):
        return found
    vectors = np.rint(wanted @ np.linalg.inv(found)) @ found
    apart = np.linalg.norm(vectors - wanted, axis=1)
    is_like = (apart <= LIKE * np.linalg.norm(wanted, axis=1)).all()
    return vectors if is_like else np.zeros((0, 2))


def repeats(sources: Sequence[np.ndarray]) -> bool:
    """Whether a source is periodic in any direction: whether the autocorrelation that `lattice` uses has a peak."""
    return repetition(sources).nearest > 0


def clearest(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """The first of the pictures of one material that repeats; the first of all where none does."""
    return next((picture for picture in pictures if repeats([picture])), pictures[0])


def repetition(sources: Sequence[np.ndarray]) -> Repetition:
    """What `lattice` and `repeats` tell, from one autocorrelation."""
    table, lags, positions = _source_peaks(sources)
    vectors = [lags[position] + vertex_offset(table, *position) for position in positions]
    strong = [v for v, p in zip(vectors, positions, strict=True) if table[p] >= 0.75 * table[positions[0]]]
    strong.sort(key=lambda vector: float(np.linalg.norm(vector)))
    if not strong:
        return Repetition(np.zeros((0, 2)), 0.0)
    periods = [vector for vector in strong if _is_period(table, lags, vector)]
    if not periods:
        return Repetition(np.zeros((0, 2)), float(np.linalg.norm(strong[0])))
    first, nearest = periods[0], float(np.linalg.norm(periods[0]))
    # A sine of 0.4, 24 degrees, apart: a lattice's two shortest vectors are 60 degrees apart or more.
    others = [
        vector
        for vector in (*periods, *vectors)
        if abs(np.linalg.det([first, vector])) > 0.4 * np.linalg.norm(first) * np.linalg.norm(vector)
    ]
    if not others:
        return Repetition(np.zeros((0, 2)), nearest)
    basis = np.array([first, others[0]])
    whole = np.rint(np.array(vectors) @ np.linalg.inv(basis))
    fits = np.linalg.norm(vectors - whole @ basis, axis=-1) < 0.15 * np.linalg.norm(first)
    basis = _shortest(np.linalg.lstsq(whole[fits], np.array(vectors)[fits], rcond=None)[0])
    return Repetition(basis, nearest)


def _source_peaks(sources: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, list[tuple[int, int]]]:
    """The autocorrelation of luminance and edges' directions, its lags, and its peaks' positions, highest first."""
    side = min(min(picture.shape[:2]) for picture in sources)
    table, lags, overlap = source_autocorrelation(sources, side // 2, side / 8, directions=True)
    return table, lags, _peaks(table, lags, overlap)


def _is_period(table: np.ndarray, lags: np.ndarray, vector: np.ndarray) -> bool:
    """Whether twice the vector, where that is measured, leads to a place that is alike, too."""
    length = float(np.linalg.norm(vector))
    if 2 * length > 0.95 * (table.shape[0] // 2):
        return True
    near = np.linalg.norm(lags - 2 * vector, axis=-1) <= max(1.5, 0.12 * length)
    there = np.linalg.norm(lags - vector, axis=-1) <= 1.5
    return bool(table[near].max() >= _TWICE * table[there].max())


def _shortest(basis: np.ndarray) -> np.ndarray:
    """The two shortest vectors that span the same lattice (Lagrange's reduction).

    A hexagonal lattice has three of equal length; the two farthest from the picture's axes are taken. With one along an
    axis, one wave would determine the rows alone, and positions within a row would be learned late.
    """
    one, other = sorted(basis, key=lambda vector: float(np.linalg.norm(vector)))
    times = np.rint(one @ other / (one @ one))
    if times and np.linalg.norm(other - times * one) < 0.99 * np.linalg.norm(other):
        return _shortest(np.array([one, other - times * one]))
    third = other - np.copysign(1.0, one @ other) * one
    if np.linalg.norm(third) > 1.1 * np.linalg.norm(one):
        return np.array([one, other])
    return np.array(sorted((one, other, third), key=lambda vector: -np.min(np.abs(vector)))[:2])


def _peaks(table: np.ndarray, lags: np.ndarray, overlap: np.ndarray) -> list[tuple[int, int]]:
    """Positions of a source's autocorrelation peaks in the table, in one half plane, highest first."""
    reach = table.shape[0] // 2
    length = np.linalg.norm(lags, axis=-1)
    # The slight slope selects the nearest lag of a constant ridge, as of a texture that is periodic in one direction.
    found = local_maxima(table - 1e-3 / reach * length) & (table >= 0.2)
    found &= length < 0.8 * reach  # beyond, too few periods to differ from chance
    found &= half_plane(lags)
    line = np.linspace(0, 1, 65)[:, np.newaxis]
    good = []
    for top in np.argwhere(found):
        path = np.rint(reach + line * (top - reach)).astype(int)
        position = int(top[0]), int(top[1])
        error = math.sqrt(np.sum(table[length < length[position] / 2] ** 2) / overlap[position])
        if table[position] >= 4 * error and table[position] - table[path[:, 0], path[:, 1]].min() >= 0.15:
            good.append(position)
    return sorted(good, key=lambda position: -table[position])


def _main_peaks(table: np.ndarray, lags: np.ndarray, overlap: np.ndarray) -> np.ndarray:
    """[n, 2] (row, col) of the nearest of a source's high autocorrelation peaks in one half plane, highest first."""
    good = _peaks(table, lags, overlap)
    length = np.linalg.norm(lags, axis=-1)
    strong = [position for position in good if table[position] >= 0.8 * table[good[0]]]
    nearest = [position for position in strong if length[position] <= 1.15 * min(length[other] for other in strong)]
    return np.array([lags[position] + vertex_offset(table, *position) for position in nearest]).reshape(-1, 2)


def _highest_near(table: np.ndarray, vector: np.ndarray, lags: np.ndarray) -> tuple[np.ndarray, float]:
    """(row, col) and height of the highest lag within a quarter of the period of a lattice vector."""
    away = np.linalg.norm(lags - vector, axis=-1) / (0.25 * np.linalg.norm(vector))
    # The slight penalty decides along a ridge.
    penalised = np.where(away <= 1, table - 0.02 * away**2, -np.inf)
    row, col = (int(i) for i in np.unravel_index(np.argmax(penalised), table.shape))
    last = table.shape[0] - 1
    inside = 0 < row < last and 0 < col < last
    return lags[row, col] + (vertex_offset(table, row, col) if inside else 0.0), float(table[row, col])
