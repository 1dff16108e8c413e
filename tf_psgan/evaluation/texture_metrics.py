"""Similarity of textures: distances of period, spectrum, patches and colours, and diversity. NumPy only.

Pictures are uint8 [h, w, 3], sizes may differ, at least 64 pixels a side. Every distance is 0 for equal pictures and
has a floor above 0 for other windows of the same texture: compare with that of the source's own crops.
"""

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from tf_psgan.evaluation.diversity import diversity
from tf_psgan.evaluation.lattice import period
from tf_psgan.evaluation.texture_features import Features, features
from tf_psgan.signal_processing import central_crop

Pictures = Sequence[np.ndarray]
CHANCE = {"log_spectrum": 0.2, "sliced_wasserstein": 0.03, "colour": 0.02}
"""Distances that chance alone causes between two windows of one texture, of about 256 pixels a side."""


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
