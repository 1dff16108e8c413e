"""Compares samples with their sources: the nearest source, the metrics and their meaning, and a contact sheet."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from tf_psgan.data import images, manifest
from tf_psgan.evaluation import texture_features, texture_metrics
from tf_psgan.signal_processing import central_crop, downsampled, square_crops

METRICS = {
    "peak_offset_pixels": ("how far the autocorrelation's peak lies from the source's, in pixels", "0"),
    "peak_height": ("how high that peak is, as a share of the source's: how regular the lattice is", "1"),
    "autocorrelation_distance": ("distance between the autocorrelations: the arrangement as a whole", "0"),
    "log_spectrum": ("distance between the log power spectra: from light and shade down to the grain", "0"),
    "sliced_wasserstein": ("distance between small patches at four scales: the local look", "0"),
    "colour": ("distance between the colours; 1 would be black against white", "0"),
    "diversity": ("how much samples differ from each other, over how much parts of the source do", "1"),
    "covered": ("sources that are the nearest one of some sample", "all"),
}
"""Meaning of each metric, and its value for an ideal texture."""

SHORT_NAMES = {
    "peak_offset_pixels": "peak off, px",
    "peak_height": "peak height",
    "log_spectrum": "spectrum",
    "sliced_wasserstein": "patches",
}
"""Column titles of the metrics that narrow tables show."""

MAX_SOURCES, SOURCE_PIXELS = 32, 512
"""At most so many sources are used, and of each a central crop of at most so many pixels a side."""

MAX_WINDOWS = 8  # of half a source
COLUMNS, SAMPLE_GAP, SOURCE_GAP = 4, 4, 24  # of a sheet

Metrics = dict[str, float]


@dataclasses.dataclass(frozen=True)
class Sources:
    """What samples are compared with: central crops of the first pictures, at most MAX_SOURCES of SOURCE_PIXELS."""

    names: tuple[str, ...]
    pictures: tuple[np.ndarray, ...]

    @classmethod
    def read(cls, pictures: manifest.Manifest, downsampling: int = 1) -> "Sources":
        """Decodes the pictures, and reduces them by a factor."""
        entries = pictures.usable[:MAX_SOURCES]
        reduced = (downsampled(manifest.read(entry), downsampling) for entry in entries)
        read = tuple(central_crop(picture, SOURCE_PIXELS) for picture in reduced)
        return cls(tuple(entry.path for entry in entries), read)


class Evaluator:
    """Computes the metrics of samples against some sources."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.by_name = dict(zip(sources.names, sources.pictures, strict=True))
        self._features = {name: texture_features.features([picture]) for name, picture in self.by_name.items()}

    def measure(self, samples: Sequence[np.ndarray], several: bool) -> Metrics:
        """The metrics of `texture_metrics.compare`; for samples of several textures, `summary`."""
        if not several or len(self.by_name) == 1:
            return texture_metrics.compare(samples, self.sources.pictures)
        return summary(self.measure_each(samples))

    def measure_each(self, samples: Sequence[np.ndarray]) -> list[tuple[str, Metrics]]:
        """For each sample the name of its nearest source, and its metrics against that one."""
        names = [texture_metrics.nearest(sample, self._features)[0] for sample in samples]
        return [(n, texture_metrics.compare([s], [self.by_name[n]])) for n, s in zip(names, samples, strict=True)]

    def sheet(self, samples: Sequence[np.ndarray]) -> np.ndarray:
        """A contact sheet at one scale: central crops of the sources on the left, samples on the right."""
        rows, right = math.ceil(len(samples) / COLUMNS), images.sheet(samples, COLUMNS, SAMPLE_GAP)
        sources = self.sources.pictures[: COLUMNS * rows]
        pixels = right.shape[0] if len(sources) == 1 else max(max(sample.shape[:2]) for sample in samples)
        left = images.sheet(
            [central_crop(source, pixels) for source in sources], math.ceil(len(sources) / rows), SAMPLE_GAP
        )
        return images.sheet([left, right], columns=2, gap=SOURCE_GAP)


def sheet_extent(sources: Sequence[np.ndarray], samples: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Height and width of the sheet of `Evaluator.sheet`, for samples of these heights and widths."""
    rows, right = math.ceil(len(samples) / COLUMNS), images.sheet_extent(samples, COLUMNS, SAMPLE_GAP)
    shown = sources[: COLUMNS * rows]
    pixels = right[0] if len(shown) == 1 else max(max(extent) for extent in samples)
    crops = [(min(source.shape[0], pixels), min(source.shape[1], pixels)) for source in shown]
    left = images.sheet_extent(crops, math.ceil(len(shown) / rows), SAMPLE_GAP)
    return images.sheet_extent([left, right], columns=2, gap=SOURCE_GAP)


def sheet_samples(sheet: np.ndarray, count: int, side: int) -> list[np.ndarray]:
    """The samples on a sheet of `Evaluator.sheet`.

    Args:
      sheet: uint8 [h, w, 3].
      count: number of samples.
      side: of each sample in pixels.
    """
    columns, step = min(count, COLUMNS), side + SAMPLE_GAP
    left = sheet.shape[1] - columns * step + SAMPLE_GAP
    corners = [(i // columns * step, left + i % columns * step) for i in range(count)]
    return [sheet[top : top + side, start : start + side] for top, start in corners]


def summary(rows: Sequence[tuple[str, Metrics]]) -> Metrics:
    """The means of `Evaluator.measure_each`, and `covered`, how many sources are the nearest one of some sample."""
    return means([metrics for _, metrics in rows]) | {"covered": float(len({name for name, _ in rows}))}


def metric_floor(pictures: Sequence[np.ndarray], side: int) -> Metrics:
    """The metrics of a texture against itself: windows of one half of it against the other half, both ways, averaged.

    The halves of one picture are left and right, top and bottom; of several pictures, every other one. For large
    windows the floor is rather too high, since half a texture is less to compare with than the whole.

    Args:
      pictures: of one texture.
      side: of the windows in pixels; at most that of a half.

    Returns:
      The metrics of `texture_metrics.compare`; empty for a picture too small to have two halves.
    """
    halves = _halves(pictures[0]) if len(pictures) == 1 else [(pictures[::2], pictures[1::2])]
    return means([texture_metrics.compare(windows(a, side), b) for pair in halves for a, b in (pair, pair[::-1])])


def windows(pictures: Sequence[np.ndarray], side: int, most: int = MAX_WINDOWS) -> list[np.ndarray]:
    """Squares of `side` pixels side by side in some pictures, at most `most`, spread over all.

    A side longer than the shortest of the pictures counts as that one.
    """
    side = min(side, *(min(picture.shape[:2]) for picture in pictures))
    squares = square_crops(pictures, side, side)
    return squares[:: math.ceil(len(squares) / most)]


def means(rows: Sequence[Metrics]) -> Metrics:
    """The mean of each metric over the rows where it is defined; nan where it is defined in none."""
    found = {name: [row[name] for row in rows if not math.isnan(row[name])] for name in (rows[0] if rows else ())}
    return {name: float(np.mean(values)) if values else math.nan for name, values in found.items()}


def finite(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """The metrics for JSON, which has no NaN: an undefined one is None."""
    return {name: value if math.isfinite(value) else None for name, value in metrics.items()}


def _halves(picture: np.ndarray) -> list[tuple[list[np.ndarray], list[np.ndarray]]]:
    """Top and bottom, left and right of a picture, where these are large enough."""
    rows, cols = (extent // 2 for extent in picture.shape[:2])
    down = ([picture[:rows]], [picture[-rows:]])
    across = ([picture[:, :cols]], [picture[:, -cols:]])
    return [pair for half, pair in ((rows, down), (cols, across)) if half >= texture_features.MIN_PIXELS]
