"""Holds samples against their sources: which source, which figures, what the figures mean, and a sheet of both."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from tf_psgan.data import images, manifest
from tf_psgan.evaluation import texture_metrics
from tf_psgan.signal_processing import central_crop, square_crops

# Name, what it says, and what it is for other windows of the very same texture.
MEASURES = {
    "peak_offset_pixels": ("how far the autocorrelation's peak lies from the source's, in pixels", "0"),
    "peak_height": ("how high that peak is, as a share of the source's: how regular the lattice is", "1"),
    "autocorrelation_distance": ("distance between the autocorrelations: the arrangement as a whole", "0"),
    "log_spectrum": ("distance between the log power spectra: from light and shade down to the grain", "0"),
    "sliced_wasserstein": ("distance between small patches at four scales: the local look", "0"),
    "colour": ("distance between the colours; 1 would be black against white", "0"),
    "diversity": ("how much samples differ from each other, over how much parts of the source do", "1"),
    "covered": ("sources that are the nearest one of some sample", "all"),
}
# Those that are shown where there is little room.
SHORT = {
    "peak_offset_pixels": "peak off, px",
    "peak_height": "peak height",
    "log_spectrum": "spectrum",
    "sliced_wasserstein": "patches",
}
LEAST_PIXELS = 64
"""Side of the smallest picture that the metrics can evaluator."""

MOST_SOURCES = 32
SOURCE_PIXELS = 512
MOST_WINDOWS = 8  # of half a source
COLUMNS, SAMPLE_GAP, SOURCE_GAP = 4, 4, 24  # of a sheet

Figures = dict[str, float]


@dataclasses.dataclass(frozen=True)
class Sources:
    """What samples are held against: the middles of the first pictures, at most MOST_SOURCES of SOURCE_PIXELS."""

    names: tuple[str, ...]
    pictures: tuple[np.ndarray, ...]

    @classmethod
    def read(cls, pictures: manifest.Manifest) -> "Sources":
        """Decodes the pictures."""
        entries = pictures.usable[:MOST_SOURCES]
        read = tuple(central_crop(manifest.read(entry), SOURCE_PIXELS) for entry in entries)
        return cls(tuple(entry.path for entry in entries), read)


class Evaluator:
    """Measures samples against some sources."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.by_name = dict(zip(sources.names, sources.pictures, strict=True))
        self._features = {name: texture_metrics.features([picture]) for name, picture in self.by_name.items()}

    def measure(self, samples: Sequence[np.ndarray], several: bool) -> Figures:
        """The metrics of `metrics.compare`; where there are several textures, `summary`."""
        if not several or len(self.by_name) == 1:
            return texture_metrics.compare(samples, self.sources.pictures)
        return summary(self.each(samples))

    def each(self, samples: Sequence[np.ndarray]) -> list[tuple[str, Figures]]:
        """For each sample the source that it is most like, and its metrics against that one."""
        names = [texture_metrics.nearest(sample, self._features)[0] for sample in samples]
        return [(n, texture_metrics.compare([s], [self.by_name[n]])) for n, s in zip(names, samples, strict=True)]

    def sheet(self, samples: Sequence[np.ndarray]) -> np.ndarray:
        """A contact sheet at one scale: the middles of the sources on the left, samples right beyond a wide gap."""
        rows, right = math.ceil(len(samples) / COLUMNS), images.sheet(samples, COLUMNS, SAMPLE_GAP)
        sources = self.sources.pictures[: COLUMNS * rows]
        pixels = right.shape[0] if len(sources) == 1 else max(max(sample.shape[:2]) for sample in samples)
        left = images.sheet(
            [central_crop(source, pixels) for source in sources], math.ceil(len(sources) / rows), SAMPLE_GAP
        )
        return images.sheet([left, right], columns=2, gap=SOURCE_GAP)


def summary(rows: Sequence[tuple[str, Figures]]) -> Figures:
    """The means of what `Evaluator.each` found, and `covered`, the number of sources that are some sample's nearest."""
    return means([figures for _, figures in rows]) | {"covered": float(len({name for name, _ in rows}))}


def floor_of(pictures: Sequence[np.ndarray], side: int) -> Figures:
    """What a texture scores against itself: windows of one half of it against the other half.

    The halves of one picture are left and right, top and bottom; of several pictures, every other one. Both ways round,
    averaged. Half a texture is less to compare with than the whole, so for large windows the floor is rather too high.

    Args:
      pictures: of one texture.
      side: of the windows in pixels; those of a half that is smaller are as large as it allows.

    Returns:
      The figures of `metrics.compare`; none for a picture too small to have two halves that can be judged.
    """
    halves = _halves(pictures[0]) if len(pictures) == 1 else [(pictures[::2], pictures[1::2])]
    return means([texture_metrics.compare(_windows(a, side), b) for pair in halves for a, b in (pair, pair[::-1])])


def means(rows: Sequence[Figures]) -> Figures:
    """The mean of each figure over those rows where it applies; nan where it applies to none."""
    found = {name: [row[name] for row in rows if not math.isnan(row[name])] for name in (rows[0] if rows else ())}
    return {name: float(np.mean(values)) if values else math.nan for name, values in found.items()}


def finite(figures: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no NaN: a figure that does not apply is null."""
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}


def _halves(picture: np.ndarray) -> list[tuple[list[np.ndarray], list[np.ndarray]]]:
    """Top and bottom, left and right of a picture, where these are large enough to be judged."""
    rows, cols = (extent // 2 for extent in picture.shape[:2])
    down = ([picture[:rows]], [picture[-rows:]])
    across = ([picture[:, :cols]], [picture[:, -cols:]])
    return [pair for half, pair in ((rows, down), (cols, across)) if half >= LEAST_PIXELS]


def _windows(pictures: Sequence[np.ndarray], side: int) -> list[np.ndarray]:
    """Squares side by side in some pictures, at most MOST_WINDOWS, spread over all."""
    side = min(side, *(min(picture.shape[:2]) for picture in pictures))
    squares = square_crops(pictures, side, side)
    return squares[:: math.ceil(len(squares) / MOST_WINDOWS)]
