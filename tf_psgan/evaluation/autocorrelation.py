"""How well a made texture repeats what its source repeats, from autocorrelations.

NumPy only. The height of the autocorrelation peak alone is fooled by a wrong period, so
its place and the distance between the whole autocorrelations are measured too.
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np

from tf_psgan.evaluation.extrema import half_plane, local_maxima, vertex_offset
from tf_psgan.signal_processing import luminance


@dataclasses.dataclass(frozen=True)
class Period:
    """A source's lattice and how well each sample repeats it.

    vectors: [n, 2], (row, col) in pixels, of the source's nearest main peaks, highest first; [0, 2] without a period.
    offsets, heights: per sample, the distance in pixels from these places to the sample's own peaks, and the
      autocorrelation at its own peaks over the source's, both means over the vectors; nan without a period.
    distances: per sample, root mean square difference of both autocorrelations up to two periods (half the reach
      without a period).
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

    A peak is a local maximum within 0.8 of the reach that is at least 0.2 and four of its standard errors high and
    rises 0.15 above the lowest point of the straight line to lag 0: so neither chance nor the central lobe nor a ridge
    through it counts. The error is Bartlett's (1946) for the structure nearer than half that lag. Of those that reach
    0.8 of the highest, the source's main peaks are the nearest and all at most 1.15 times as far away (three for a
    hexagonal lattice, each peak standing for its mirror image too). A sample's own peaks are its highest lags within a
    quarter of the period of these, so a wrong period shows in the place, not only in the height.
    """
    side = min(min(picture.shape[:2]) for picture in itertools.chain(samples, sources))
    reach, shading = side // 2, side / 8
    source, lags, overlap = _source_table(sources, reach, shading)
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
            offsets[i] = np.mean(
                [np.linalg.norm(place - vector) for (place, _), vector in zip(own, vectors, strict=True)]
            )
            heights[i] = sum(height for _, height in own) / top
    distances = np.array([math.sqrt(np.mean((table - source)[near] ** 2)) for table in made])
    return Period(vectors, offsets, heights, distances)


def lattice(sources: Sequence[np.ndarray]) -> np.ndarray:
    """The two shortest independent vectors of a source's lattice.

    The nearest strong autocorrelation peak and the nearest one in another direction, fitted by least squares to all
    peaks that are sums of them, then reduced. Unlike the highest peaks of a spectrum they tell which way a running
    bond's courses are shifted. Peaks below three quarters of the highest do not count. Half of the autocorrelation is
    that of the edges' directions (structure tensor, Bigun and Granlund 1987), unless all go one way: light alone takes
    a weave's crossings for its lattice, or, where strands have tones of their own, twice its periods.

    Returns:
      float64 [2, 2], (row, col) pixels of each vector; [0, 2] for a source that does not repeat in two directions.
    """
    table, lags, places = _strong_places(sources)
    vectors = [lags[place] + vertex_offset(table, *place) for place in places]
    strong = [v for v, place in zip(vectors, places, strict=True) if table[place] >= 0.75 * table[places[0]]]
    strong.sort(key=lambda vector: float(np.linalg.norm(vector)))
    if not strong:
        return np.zeros((0, 2))
    first = strong[0]
    # A sine of 0.4, 24 degrees, apart: a lattice's two shortest vectors are 60 degrees apart or more.
    others = [v for v in strong if abs(np.linalg.det([first, v])) > 0.4 * np.linalg.norm(first) * np.linalg.norm(v)]
    if not others:
        return np.zeros((0, 2))
    basis = np.array([first, others[0]])
    whole = np.rint(np.array(vectors) @ np.linalg.inv(basis))
    fits = np.linalg.norm(vectors - whole @ basis, axis=-1) < 0.15 * np.linalg.norm(first)
    return _shortest(np.linalg.lstsq(whole[fits], np.array(vectors)[fits], rcond=None)[0])


def repeats(sources: Sequence[np.ndarray]) -> bool:
    """Whether a source repeats in any direction: whether what `lattice` looks at has a peak at all."""
    return bool(_strong_places(sources)[2])


def _strong_places(sources: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, list[tuple[int, int]]]:
    """The autocorrelation of light and of edges' directions, its lags, and where its peaks stand, highest first."""
    side = min(min(picture.shape[:2]) for picture in sources)
    table, lags, overlap = _source_table(sources, side // 2, side / 8, directions=True)
    return table, lags, _peaks(table, lags, overlap)


def _shortest(basis: np.ndarray) -> np.ndarray:
    """The two shortest vectors that span the same lattice (Lagrange's reduction).

    A hexagonal lattice has three that are equally short; the two farthest from the picture's axes are taken. With one
    along an axis, a wave would tell all about the rows, and where a cell lies in its row would be learned late.
    """
    one, other = sorted(basis, key=lambda vector: float(np.linalg.norm(vector)))
    times = np.rint(one @ other / (one @ one))
    if times and np.linalg.norm(other - times * one) < 0.99 * np.linalg.norm(other):
        return _shortest(np.array([one, other - times * one]))
    third = other - np.copysign(1.0, one @ other) * one
    if np.linalg.norm(third) > 1.1 * np.linalg.norm(one):
        return np.array([one, other])
    return np.array(sorted((one, other, third), key=lambda vector: -np.min(np.abs(vector)))[:2])


def autocorrelation(picture: np.ndarray, reach: int, shading: float) -> np.ndarray:
    """Autocorrelation of a picture's luminance, each lag divided by its own overlap, 1 at lag 0.

    Args:
      picture: uint8 [h, w, 3].
      reach: largest lag in pixels along each axis, less than h and w.
      shading: standard deviation in pixels of the Gaussian whose blur is taken away first; slow light would otherwise
        lift every lag.

    Returns:
      float64 [2 * reach + 1, 2 * reach + 1], lag (0, 0) in the middle; 0 everywhere else for a picture of one colour.
    """
    return _repeats([luminance(picture).astype(np.float64)], reach, shading)


def _repeats(planes: Sequence[np.ndarray], reach: int, shading: float) -> np.ndarray:
    """`autocorrelation` of float64 [h, w] planes: of their sum over the planes, 1 at lag 0."""
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
    """Cosine and sine of twice the edges' angle times their strength, over 2 pixels around each of [h, w]."""
    down, across = np.gradient(_blurred(light, 1.0, _padded(light, 1.0)))
    strength = np.maximum(np.hypot(down, across), 1e-6)
    doubled = (across**2 - down**2) / strength, 2 * across * down / strength
    return [_blurred(plane, 2.0, _padded(plane, 2.0)) for plane in doubled]


def _padded(plane: np.ndarray, deviation: float) -> tuple[int, int]:
    return plane.shape[0] + round(6 * deviation), plane.shape[1] + round(6 * deviation)


def _blurred(plane: np.ndarray, deviation: float, shape: tuple[int, int]) -> np.ndarray:
    """A Gaussian mean around each place of [h, w], of what lies inside; `shape` has room for its tails."""
    bells = [np.exp(-0.5 * (2 * np.pi * np.fft.fftfreq(n) * deviation) ** 2) for n in shape]
    response = np.outer(bells[0], bells[1][: shape[1] // 2 + 1])
    total, inside = (np.fft.irfft2(np.fft.rfft2(image, shape) * response, shape) for image in (plane, plane * 0 + 1))
    return (total / np.maximum(inside, 1e-3))[: plane.shape[0], : plane.shape[1]]


def _source_table(
    sources: Sequence[np.ndarray], reach: int, shading: float, directions: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean autocorrelation of some pictures, its lags [rows, cols, 2] and the pixels that each lag overlaps.

    With `directions` half of it is that of the edges' directions, where these vary: those of stripes tell of noise.
    """
    lights = [luminance(picture).astype(np.float64) for picture in sources]
    tables = [_repeats([light], reach, shading) for light in lights]
    for i, light in enumerate(lights if directions else []):
        planes = _directions(light)
        if sum(np.var(plane) for plane in planes) > 0.5 * sum(np.mean(plane**2) for plane in planes):
            tables[i] = (tables[i] + _repeats(planes, reach, shading)) / 2
    table = np.mean(tables, axis=0)
    lags = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 2, indexing="ij"), axis=-1).astype(np.float64)
    shapes = [np.array(picture.shape[:2]) for picture in sources]
    return table, lags, np.sum([np.prod(shape - np.abs(lags), axis=-1) for shape in shapes], axis=0)


def _peaks(table: np.ndarray, lags: np.ndarray, overlap: np.ndarray) -> list[tuple[int, int]]:
    """Where a source's autocorrelation peaks stand in the table, in one half plane, highest first."""
    reach = table.shape[0] // 2
    length = np.linalg.norm(lags, axis=-1)
    # The slight slope finds the nearest place on a level ridge, of a texture that repeats in one direction only.
    found = local_maxima(table - 1e-3 / reach * length) & (table >= 0.2)
    found &= length < 0.8 * reach  # beyond, too few periods to tell from chance
    found &= half_plane(lags)
    line = np.linspace(0, 1, 65)[:, np.newaxis]
    good = []
    for top in np.argwhere(found):
        path = np.rint(reach + line * (top - reach)).astype(int)
        place = int(top[0]), int(top[1])
        error = math.sqrt(np.sum(table[length < length[place] / 2] ** 2) / overlap[place])
        if table[place] >= 4 * error and table[place] - table[path[:, 0], path[:, 1]].min() >= 0.15:
            good.append(place)
    return sorted(good, key=lambda place: -table[place])


def _main_peaks(table: np.ndarray, lags: np.ndarray, overlap: np.ndarray) -> np.ndarray:
    """[n, 2] (row, col) of the nearest of a source's high autocorrelation peaks in one half plane, highest first."""
    good = _peaks(table, lags, overlap)
    length = np.linalg.norm(lags, axis=-1)
    strong = [place for place in good if table[place] >= 0.8 * table[good[0]]]
    shell = [place for place in strong if length[place] <= 1.15 * min(length[other] for other in strong)]
    return np.array([lags[place] + vertex_offset(table, *place) for place in shell]).reshape(-1, 2)


def _highest_near(table: np.ndarray, vector: np.ndarray, lags: np.ndarray) -> tuple[np.ndarray, float]:
    """(row, col) and height of the highest lag within a quarter of the period of a lattice vector."""
    away = np.linalg.norm(lags - vector, axis=-1) / (0.25 * np.linalg.norm(vector))
    # The slight pull towards the vector decides along a ridge.
    pulled = np.where(away <= 1, table - 0.02 * away**2, -np.inf)
    row, col = (int(i) for i in np.unravel_index(np.argmax(pulled), table.shape))
    last = table.shape[0] - 1
    inside = 0 < row < last and 0 < col < last
    return lags[row, col] + (vertex_offset(table, row, col) if inside else 0.0), float(table[row, col])
