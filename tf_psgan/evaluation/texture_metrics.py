"""Similarity of textures: distances of period, spectrum, patches and colours, and diversity. NumPy only.

Pictures are uint8 [h, w, 3], sizes may differ, at least MIN_PIXELS a side. Every distance is 0 for equal pictures and
has a floor above 0 for other windows of the same texture: compare with that of the source's own crops.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from tf_psgan.errors import PictureError
from tf_psgan.evaluation import spectrum
from tf_psgan.evaluation.autocorrelation import period
from tf_psgan.signal_processing import DIRECTIONS, ROUNDING_VARIANCE, central_crop, sectors, square_crops

Pictures = Sequence[np.ndarray]
CHANCE = {"log_spectrum": 0.2, "sliced_wasserstein": 0.03, "colour": 0.02}
"""Distances that chance alone causes between two windows of one texture, of about 256 pixels a side."""

MIN_PIXELS = 64
"""Least side of a picture."""

SPECTRUM_SIDE, HALF_OCTAVES = 128, 9
"""Side of the blocks whose spectrum is compared, and half octaves from 3 cycles a block up."""

PYRAMID_LEVELS = 4
PATCH = 7
"""Side of a patch."""

PROJECTIONS = 64
"""Random directions onto which the patches are projected."""


def compare(samples: Pictures, sources: Pictures, seed: int = 0) -> dict[str, float]:
    """All metrics of samples of one texture, against pictures of that texture.

    Returns:
      `periodic` 1 or 0, `peak_offset_pixels`, `peak_height`, `autocorrelation_distance` (means over the samples of
      `period`; offset and height are nan without a period), and `log_spectrum`, `sliced_wasserstein`, `colour`,
      `diversity` as the functions of these names (diversity is nan for a single sample).
    """
    made, real = features(samples, seed), features(sources, seed)
    fit = period(samples, sources)
    return {
        "periodic": float(fit.periodic),
        "peak_offset_pixels": float(np.mean(fit.offsets)),
        "peak_height": float(np.mean(fit.heights)),
        "autocorrelation_distance": float(np.mean(fit.distances)),
        **distances(made, real),
        "diversity": diversity(samples, sources),
    }


@dataclasses.dataclass(frozen=True)
class Features:
    """The statistics of a set of pictures that the distances compare.

    logs: float64 [half octaves, directions], log power spectrum of luminance in 8-bit values.
    colours: float64 [3, 256], share of the pixels at or below each 8-bit value.
    patches: per pyramid level, finest first, float32 [projections, patches], sorted projections of normalised patches.
    """

    logs: np.ndarray
    colours: np.ndarray
    patches: tuple[np.ndarray, ...]


def features(pictures: Pictures, seed: int = 0, patches: int = 2048) -> Features:
    """Precomputes what the distances need; both sides of a distance take the same seed and number of patches.

    For each level of the Laplacian pyramid (Karras et al. 2018, arXiv:1710.10196) draws 7x7x3 patches, normalises
    each colour channel over them to mean 0 and deviation 1, and projects them onto 64 random directions.

    Raises:
      PictureError: a picture of another type or shape, or too small.
    """
    counts = sum(
        np.stack([np.bincount(_checked(picture)[..., channel].ravel(), minlength=256) for channel in range(3)])
        for picture in pictures
    )
    pyramids = [_pyramid(picture.astype(np.float32)) for picture in pictures]
    sorted_projections = []
    for level, directions in enumerate(projection_directions(seed)):
        drawn = _draw_patches([pyramid[level] for pyramid in pyramids], patches, seed + level)
        drawn = (drawn - drawn.mean((0, 1))) / (drawn.std((0, 1)) + 1e-3)
        projected = drawn.reshape(patches, -1) @ directions.astype(np.float32)
        sorted_projections.append(np.sort(projected.T, axis=1))
    logs = _log_power(pictures)
    return Features(logs, np.cumsum(counts, axis=1) / np.sum(counts, axis=1, keepdims=True), tuple(sorted_projections))


def projection_directions(seed: int) -> list[np.ndarray]:
    """Per pyramid level random unit vectors: float64 [PATCH * PATCH * 3, PROJECTIONS]."""
    rng = np.random.default_rng(seed)
    drawn = [rng.normal(size=(PATCH * PATCH * 3, PROJECTIONS)) for _ in range(PYRAMID_LEVELS)]
    return [columns / np.linalg.norm(columns, axis=0) for columns in drawn]


@functools.cache
def spectrum_bins() -> np.ndarray:
    """The bin, half octave * DIRECTIONS + direction, of each frequency of a block's spectrum; -1 for none.

    Int [SPECTRUM_SIDE, SPECTRUM_SIDE] in the order of np.fft.fft2.
    """
    rows, cols = np.meshgrid(*[np.fft.fftfreq(SPECTRUM_SIDE)] * 2, indexing="ij")
    ring, direction = sectors(rows, cols, SPECTRUM_SIDE)
    return np.where((ring >= 0) & (ring < HALF_OCTAVES), ring * DIRECTIONS + direction, -1)


def log_spectrum_distance(a: Features, b: Features) -> float:
    """Root mean square difference of the natural logarithms of power, in half octaves and 30 degrees."""
    return math.sqrt(np.mean((a.logs - b.logs) ** 2))


def sliced_wasserstein(a: Features, b: Features) -> np.ndarray:
    """Per pyramid level, finest first: the mean 1-D Wasserstein distance over the projections (Rabin et al. 2011)."""
    return np.array([np.mean(np.abs(x - y)) for x, y in zip(a.patches, b.patches, strict=True)])


def colour_distance(a: Features, b: Features) -> float:
    """1-D Wasserstein distance between the histograms of each channel, averaged; 1 is black against white.

    The earth mover's distance of Rubner et al. 2000, one channel at a time.
    """
    return float(np.mean(np.sum(np.abs(a.colours - b.colours), axis=1)) / 255)


def distances(a: Features, b: Features) -> dict[str, float]:
    """`log_spectrum`, `sliced_wasserstein` (mean over the levels) and `colour`."""
    return {
        "log_spectrum": log_spectrum_distance(a, b),
        "sliced_wasserstein": float(np.mean(sliced_wasserstein(a, b))),
        "colour": colour_distance(a, b),
    }


def diversity(samples: Pictures, sources: Pictures) -> float:
    """The mean difference of two samples, divided by that of two disjoint blocks of the sources.

    The difference of two pictures is the root mean square, at half resolution, between the centre of one and its best
    match in the other, up to a quarter of a side away; so a shifted lattice is no difference. 1 is as diverse as the
    source; 0 is the same picture or lattice every time; nan for fewer than two samples. The sources' difference counts
    as at least half an 8-bit value, since an exactly periodic source has none. A definition of this project: mean
    pairwise distances (MS-SSIM in Odena et al. 2017) count a shifted lattice as diversity.
    """
    if len(samples) < 2:
        return math.nan
    side = min(*(min(p.shape[:2]) for p in samples), *(min(p.shape[:2]) // 2 for p in sources))
    blocks = square_crops(sources, side, side)
    real = _difference(blocks[:: math.ceil(len(blocks) / 8)])
    return _difference([central_crop(p, side) for p in samples]) / max(real, 0.5)


def nearest(sample: np.ndarray, sources: Mapping[str, Features], seed: int = 0) -> tuple[str, dict[str, float]]:
    """The source nearest to a sample, and its distance from each.

    A source's distance is the sum of its colour, spectrum and patch distances, each over its mean over the sources.
    Make the sources' features with the same seed and the default number of patches.
    """
    own = features([sample], seed)
    table = np.array([list(distances(own, other).values()) for other in sources.values()])
    total = np.sum(table / np.maximum(table.mean(axis=0), 1e-9), axis=1)
    far = dict(zip(sources, total.tolist(), strict=True))
    return min(far, key=far.__getitem__), far


def uniformity(sample: np.ndarray, sources: Pictures, seed: int = 0) -> float:
    """How uniform a picture is: 1 is as uniform as the sources; the more its quadrants differ, the nearer to 0.

    The greatest distance between two quadrants of the sources' central crops of the sample's extent (mean over the
    sources), divided by that of the sample, in spectrum, patches and colour; the least of the three ratios. CHANCE is
    added to both sides. Quadrants are at least 64 pixels a side.
    """
    rows, cols = sample.shape[:2]
    source = np.mean([_quadrant_distances(central_crop(p, rows, cols), seed) for p in sources], axis=0)
    chance = np.array(list(CHANCE.values()))
    return float(np.min((source + chance) / (_quadrant_distances(sample, seed) + chance)))


def _quadrant_distances(picture: np.ndarray, seed: int) -> np.ndarray:
    """The greatest of each distance between two quadrants."""
    rows, cols = picture.shape[0] // 2, picture.shape[1] // 2
    parts = [features([picture[r : r + rows, c : c + cols]], seed) for r in (0, rows) for c in (0, cols)]
    return np.max([list(distances(a, b).values()) for a, b in itertools.combinations(parts, 2)], axis=0)


def _checked(picture: np.ndarray) -> np.ndarray:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or min(picture.shape[:2]) < MIN_PIXELS:
        raise PictureError(
            "picture",
            f"{picture.dtype} {list(picture.shape)} cannot be measured",
            f"use uint8 [height, width, 3] of at least {MIN_PIXELS}x{MIN_PIXELS} pixels",
            value=picture.shape,
        )
    return picture


def _log_power(pictures: Pictures) -> np.ndarray:
    """Log of the mean power in each half octave and direction, [HALF_OCTAVES, DIRECTIONS], by Welch's method.

    Blocks of SPECTRUM_SIDE pixels, half over each other; those of smaller pictures are smaller and padded with zeros.
    """
    side = min(SPECTRUM_SIDE, *(min(picture.shape[:2]) for picture in pictures))
    largest = [picture[: spectrum.MAX_SIDE, : spectrum.MAX_SIDE] for picture in pictures]
    density = spectrum.power(square_crops(largest, side, side // 2), (SPECTRUM_SIDE, SPECTRUM_SIDE))
    bins, count = spectrum_bins(), HALF_OCTAVES * DIRECTIONS
    used = bins >= 0
    mean = np.bincount(bins[used], density[used], count) / np.maximum(np.bincount(bins[used], minlength=count), 1)
    return np.log(mean + ROUNDING_VARIANCE).reshape(HALF_OCTAVES, DIRECTIONS)


def binomial_filter(image: np.ndarray, axis: int) -> np.ndarray:
    """Filters with (1 4 6 4 1) / 16 along an axis, edges repeated."""
    pads = [(2, 2) if i == axis else (0, 0) for i in range(image.ndim)]
    wide = np.moveaxis(np.pad(image, pads, mode="edge"), axis, 0)
    mixed = 0.375 * wide[2:-2] + 0.25 * (wide[1:-3] + wide[3:-1]) + 0.0625 * (wide[:-4] + wide[4:])
    return np.moveaxis(mixed, 0, axis)


def _pyramid(picture: np.ndarray) -> list[np.ndarray]:
    """Bands of the Laplacian pyramid (Burt and Adelson 1983), finest first, each of half the resolution before it."""
    bands = []
    for _ in range(PYRAMID_LEVELS - 1):
        low = binomial_filter(binomial_filter(picture, 0), 1)
        bands.append(picture - low)
        picture = low[::2, ::2]
    return [*bands, picture]


def _draw_patches(images: Sequence[np.ndarray], count: int, seed: int) -> np.ndarray:
    """[count, PATCH * PATCH, 3] patches from random positions, equally many of each image."""
    rng = np.random.default_rng(seed)
    drawn = []
    for i, image in enumerate(images):
        number = count // len(images) + (i < count % len(images))
        rows, cols = (rng.integers(0, n - PATCH + 1, number) for n in image.shape[:2])
        drawn.append(np.lib.stride_tricks.sliding_window_view(image, (PATCH, PATCH), axis=(0, 1))[rows, cols])
    return np.concatenate(drawn).reshape(count, 3, -1).swapaxes(1, 2)


def _difference(blocks: Pictures) -> float:
    """Mean, over all ordered pairs of blocks, of the root mean square difference of one's centre and its best match.

    In 8-bit values.
    """
    small = []
    for block in blocks:
        even = block[: block.shape[0] // 2 * 2, : block.shape[1] // 2 * 2].astype(np.float64)
        small.append(even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2, 3).mean((1, 3)))
    side = small[0].shape[0]
    half, first = side // 2, side // 4
    whole = [np.fft.rfft2(image, axes=(0, 1)) for image in small]
    squares = [_box_sums(np.sum(image**2, axis=-1), half) for image in small]
    differences = []
    for i, image in enumerate(small):
        part = image[first : first + half, first : first + half]
        conjugate = np.conj(np.fft.rfft2(part, (side, side), axes=(0, 1)))
        for j in (j for j in range(len(small)) if j != i):
            match = np.fft.irfft2(np.sum(whole[j] * conjugate, axis=-1), (side, side))
            least = np.min(np.sum(part**2) + squares[j] - 2 * match[: side - half + 1, : side - half + 1])
            differences.append(math.sqrt(max(0.0, least) / part.size))
    return float(np.mean(differences))


def _box_sums(table: np.ndarray, side: int) -> np.ndarray:
    """Sum over each side x side window of a table."""
    total = np.pad(table.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    return total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
